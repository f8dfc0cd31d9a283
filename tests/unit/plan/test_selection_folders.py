"""A folder below which no include pattern can match is not even read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.plan.listing import Listing
from gristmill.plan.selection import Selection


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give an input with a loop of links in each folder: whoever reads a folder tells of its loop."""
    for folder in ("a/deep/er", "b/deep"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "x.txt").touch()
        (tmp_path / "in" / folder / "loop").symlink_to(".")
    return tmp_path / "in"


@pytest.mark.parametrize(
    ("patterns", "files", "folders_read"),
    [
        (["a/deep/**/*.txt"], ["a/deep/er/x.txt"], ["a/deep/er"]),
        (["b/deep/"], ["b/deep/x.txt"], ["b/deep"]),
        (["a/deep/er/x.txt", "b/deep/*"], ["a/deep/er/x.txt", "b/deep/x.txt"], ["a/deep/er", "b/deep"]),
        (["*.txt"], ["a/deep/er/x.txt", "b/deep/x.txt"], ["a/deep/er", "b/deep"]),
        (["c/*"], [], []),
    ],
)
def test_only_folders_that_can_hold_what_is_included_are_read(
    root: Path, tmp_path: Path, patterns: list[str], files: list[str], folders_read: list[str]
) -> None:
    listing = Listing(root, scratch=tmp_path, selection=Selection(include=patterns))
    found = [(prefix + name).decode() for prefix, names in listing.walk() for name in names]
    assert found == files
    assert [notice.split("'")[1].removesuffix("/loop") for notice in listing.notices] == folders_read
