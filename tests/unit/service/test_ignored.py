"""Ignore files are read as git reads them (each expectation is what git itself says)."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.service.ignored import Ignored
from gristmill.storage.tree import everything_below

FILES = ("a.txt", "b.py", "data/keep.txt", "data/x.bin", "data/sub/y.py", "src/a.txt", "src/data/z.txt")


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ([], FILES),
        (["# a.txt", "", "   "], FILES),
        (["a.txt"], ("b.py", "data/keep.txt", "data/sub/y.py", "data/x.bin", "src/data/z.txt")),
        (["/a.txt"], ("b.py", "data/keep.txt", "data/sub/y.py", "data/x.bin", "src/a.txt", "src/data/z.txt")),
        (["data/"], ("a.txt", "b.py", "src/a.txt")),
        (["/data"], ("a.txt", "b.py", "src/a.txt", "src/data/z.txt")),
        (["data", "!data/keep.txt"], ("a.txt", "b.py", "src/a.txt")),
        (["data/**", "!data/keep.txt"], ("a.txt", "b.py", "data/keep.txt", "src/a.txt", "src/data/z.txt")),
        (["*", "!*/", "!*.py"], ("b.py", "data/sub/y.py")),
        (["*", "!/data/"], ()),
        (["*.txt", "!a.txt"], ("a.txt", "b.py", "data/sub/y.py", "data/x.bin", "src/a.txt")),
        (["a.txt\r", "!"], ("b.py", "data/keep.txt", "data/sub/y.py", "data/x.bin", "src/data/z.txt")),
    ],
)
def test_what_git_would_see_is_left(tmp_path: Path, lines: list[str], left: tuple[str, ...]) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("\n".join(["/.gitignore", *lines]))
    ignored = Ignored(tmp_path)
    found = everything_below(str(tmp_path), lambda found: (found.relative, found.is_folder) in ignored)
    assert sorted(one.relative for one in found if one.is_file) == sorted(left)


def test_a_byte_order_mark_is_no_part_of_the_first_pattern(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"\xef\xbb\xbfa.txt\n")
    assert ("a.txt", False) in Ignored(tmp_path)
