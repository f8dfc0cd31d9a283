"""Files that appear all at once, and what a process leaves that is killed while it writes one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gristmill.storage.publish import publish_bytes, publish_stream


def names_while_written(folder: Path, scratch: Path | None) -> list[str]:
    seen: list[str] = []

    def chunks() -> Iterator[bytes]:
        yield b"a"
        seen.extend(sorted(os.listdir(folder)))

    publish_stream(folder / "file", chunks(), scratch)
    return seen


def test_a_file_written_in_a_scratch_folder_is_nowhere_else_before_it_is_whole(
    tmp_path: Path,
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "scratch").mkdir()
    assert names_while_written(tmp_path / "out", tmp_path / "scratch") == []
    assert (tmp_path / "out" / "file").read_bytes() == b"a"
    assert os.listdir(tmp_path / "scratch") == []


@pytest.mark.parametrize("scratch", [None, "gone"])
def test_without_a_scratch_folder_it_is_written_beside_its_place(tmp_path: Path, scratch: str | None) -> None:
    [name] = names_while_written(tmp_path, tmp_path / scratch if scratch else None)
    assert name.startswith(".file.")
    publish_bytes(tmp_path / "file", b"b")
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"b"
