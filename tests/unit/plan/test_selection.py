"""Which files patterns choose, and what is not looked at because of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gristmill.errors import InputError
from gristmill.plan import listing
from gristmill.plan.listing import Listing
from gristmill.plan.planner import Planner
from gristmill.plan.selection import Selection


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "input"
    folder.mkdir()
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def paths_of(walked: Listing) -> list[bytes]:
    return [prefix + name for prefix, names in walked.walk() for name in names]


def test_only_included_files_are_listed_and_the_others_counted(root: Path, scratch: Path) -> None:
    touch(root, "a.jpg", "a.txt", "sub/b.jpg", "sub/b.txt", "sub/deep/c.txt")
    walked = Listing(root, scratch=scratch, selection=Selection(["*.jpg"]))
    assert paths_of(walked) == [b"a.jpg", b"sub/b.jpg"]
    assert (walked.skipped["not_included"], walked.skipped["by_pattern"]) == (3, 0)


def test_exclude_is_stronger_than_include(root: Path, scratch: Path) -> None:
    touch(root, "a.jpg", "b.jpg", "c.txt")
    walked = Listing(root, scratch=scratch, selection=Selection(["*.jpg"], ["b.*"]))
    assert paths_of(walked) == [b"a.jpg"]
    assert (walked.skipped["not_included"], walked.skipped["by_pattern"]) == (1, 1)


def test_including_a_folder_includes_what_is_below_it(root: Path, scratch: Path) -> None:
    touch(root, "a", "sub/b", "sub/deep/c", "other/sub/d", "other/e")
    walked = Listing(root, scratch=scratch, selection=Selection(["sub/"]))
    assert paths_of(walked) == [b"other/sub/d", b"sub/b", b"sub/deep/c"]


def test_an_excluded_folder_is_not_read_and_counts_once(
    root: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(root, "a", "raw/b", "raw/deep/c", "x/raw/d", "x/e")
    read: list[bytes] = []
    scandir = os.scandir

    def noting(path: bytes) -> object:
        read.append(os.path.relpath(path, os.fsencode(root)))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noting)
    walked = Listing(root, scratch=scratch, selection=Selection((), ["raw"]))
    assert paths_of(walked) == [b"a", b"x/e"]
    assert read == [b".", b"x"]
    assert walked.skipped["by_pattern"] == 2


def test_a_link_to_a_folder_counts_as_a_folder(root: Path, scratch: Path) -> None:
    touch(root, "a", "real/b")
    (root / "link").symlink_to("real")
    walked = Listing(root, scratch=scratch, selection=Selection((), ["link/"]))
    assert paths_of(walked) == [b"a", b"real/b"]


def test_folders_in_a_linked_folder_are_told_from_the_link_itself(root: Path, scratch: Path) -> None:
    touch(root, "real/b", "real/c/d")
    (root / "link").symlink_to("real")
    walked = Listing(root, scratch=scratch, selection=Selection((), ["link/**/"]))
    assert paths_of(walked) == [b"link/b", b"real/b", b"real/c/d"]


def test_hidden_files_stay_hidden_though_a_pattern_includes_them(root: Path, scratch: Path) -> None:
    touch(root, ".a.jpg", "b.jpg")
    walked = Listing(root, scratch=scratch, selection=Selection(["*.jpg"]))
    assert paths_of(walked) == [b"b.jpg"]


def test_a_single_file_is_listed_whatever_the_patterns_say(root: Path, scratch: Path) -> None:
    touch(root, "a.txt")
    walked = Listing(root / "a.txt", scratch=scratch, selection=Selection(["*.jpg"], ["*.txt"]))
    assert paths_of(walked) == [b"a.txt"]


def test_names_that_are_no_utf8_or_hold_line_breaks_are_matched(root: Path, scratch: Path) -> None:
    for name in (b"\xff.jpg", b"a\n.jpg", b"b.jpg\n", b"c\n.txt"):
        os.close(os.open(os.path.join(os.fsencode(root), name), os.O_CREAT | os.O_WRONLY))
    walked = Listing(root, scratch=scratch, selection=Selection(["*.jpg"]))
    assert paths_of(walked) == [b"a\n.jpg", b"\xff.jpg"]


def test_a_large_folder_is_chosen_from_slice_by_slice(
    root: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SLICE_ENTRIES", 7)
    touch(root, *(f"f{number:03}" for number in range(100)), "raw/x")
    walked = Listing(
        root, scratch=scratch, run_names=10, memory_names=20, selection=Selection(["f*0"], ["/f05?", "raw"])
    )
    assert paths_of(walked) == [b"f%02d0" % ten for ten in range(10) if ten != 5]
    assert (walked.skipped["not_included"], walked.skipped["by_pattern"]) == (81, 11)


def test_a_pattern_without_a_meaning_is_named() -> None:
    with pytest.raises(InputError, match=r"the pattern 'a\[' has a '\[' without its '\]'"):
        Selection((), ["a["])


def test_patterns_that_leave_nothing_are_told_with_the_remedy(root: Path, scratch: Path) -> None:
    touch(root, "a.txt", "b.txt", "raw/c.jpg", ".d")
    planner = Planner(
        root=root,
        folder=scratch / "plan",
        mini_batch_size=1,
        include_patterns=["*.jpg"],
        exclude_patterns=["raw"],
    )
    with pytest.raises(InputError) as caught:
        planner.step(1)
    planner.close()
    assert str(caught.value) == (
        f"the input folder {str(root)!r} has no files; passed over were 1 with a hidden name "
        "(--include-hidden lists them), 1 that an --exclude pattern matches (leave the pattern out, or make "
        "it narrower), 2 that no --include pattern matches (one with a '/' in it counts from the input "
        "folder). Name a folder that holds the inputs"
    )


def test_a_plan_of_a_list_holds_what_it_names(root: Path, scratch: Path) -> None:
    touch(root, "a", "b", "sub/c")
    (root.parent / "list").write_text("sub/c\nb\nb\n")
    planner = Planner(root=root, folder=scratch / "plan", mini_batch_size=1, input_list=root.parent / "list")
    while not planner.complete:
        planner.step(0)
    assert [planner.manifest.paths_of(number) for number in range(2)] == [[b"b"], [b"sub/c"]]
    assert planner.manifest.items == 2
    assert len(planner.manifest.notices) == 1
    planner.close()
