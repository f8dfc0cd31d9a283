"""A plan is made longer all at once, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gristmill.errors import InputError, PlanError
from gristmill.plan.extension import extend, undo_unfinished
from gristmill.plan.manifest import Manifest
from gristmill.plan.planner import Planner


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plan of three files, two to a mini-batch."""
    (tmp_path / "in").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "in" / name).touch()
    planner = Planner(root=tmp_path / "in", folder=tmp_path / "plan", mini_batch_size=2)
    while not planner.complete:
        planner.step(1)
    planner.close()
    return tmp_path / "plan"


def batches(folder: Path) -> list[list[bytes]]:
    manifest = Manifest.open(folder)
    manifest.verify()
    found = [manifest.paths_of(number) for number in range(manifest.mini_batches)]
    manifest.close()
    return found


def cut_off(folder: Path) -> None:
    """Begin to make the plan longer and fail in the middle, with some of it on disk."""

    def chunks() -> Iterator[list[bytes]]:
        yield [b"%07d" % number for number in range(40_000)]
        raise InputError("as asked")

    with pytest.raises(InputError, match="as asked"):
        extend(folder, chunks())


def test_new_files_are_mini_batches_behind_the_others(folder: Path) -> None:
    extend(folder, [[b"A"], [], [b"B", b"d"]])

    assert batches(folder) == [[b"a", b"b"], [b"c"], [b"A", b"B"], [b"d"]]
    assert sorted(path.name for path in folder.iterdir()) == ["offsets", "paths", "plan.json"]


def test_without_new_files_nothing_is_written(folder: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    extend(folder, [[], []])

    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_unfinished_extension_leaves_the_old_plan_in_order(folder: Path) -> None:
    size = (folder / "paths").stat().st_size

    cut_off(folder)

    assert (folder / "paths").stat().st_size > size
    assert batches(folder) == [[b"a", b"b"], [b"c"]]


def test_unfinished_extension_is_cut_off_by_the_next_planner(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    cut_off(folder)

    Planner(root=folder.parent / "in", folder=folder, mini_batch_size=2).close()

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_undoing_is_safe_to_repeat(folder: Path) -> None:
    cut_off(folder)

    undo_unfinished(folder)
    undo_unfinished(folder)

    assert batches(folder) == [[b"a", b"b"], [b"c"]]


def test_longer_file_without_the_marker_is_damage(folder: Path) -> None:
    with (folder / "paths").open("ab") as file:
        file.write(b"x\0")

    with pytest.raises(PlanError, match="it has 8 bytes instead of 6"):
        Manifest.open(folder)


@pytest.mark.parametrize("name", ["paths", "offsets", "plan.json"])
def test_any_changed_byte_of_a_longer_plan_is_found(folder: Path, name: str) -> None:
    extend(folder, [[b"d", b"e", b"f"]])
    data = (folder / name).read_bytes()
    found = 0
    for at in range(len(data)):
        (folder / name).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(PlanError):
            batches(folder)
        found += 1

    assert found == len(data)
