"""What is listed, what is passed over, and in which order (contract, section 4)."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gristmill.errors import InputError
from gristmill.plan import listing
from gristmill.plan.listing import Listing


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


def test_folders_sort_as_if_their_name_ended_in_a_slash(root: Path, scratch: Path) -> None:
    touch(root, "a.b", "a/b", "a0", "a-", "a+/z", "B")
    expected = [b"B", b"a+/z", b"a-", b"a.b", b"a/b", b"a0"]
    assert paths_of(Listing(root, scratch=scratch)) == expected
    assert expected == sorted(expected)


def test_files_on_both_sides_of_a_sub_folder_are_listed(root: Path, scratch: Path) -> None:
    touch(root, "a", "m/1", "m/2", "z")
    assert paths_of(Listing(root, scratch=scratch)) == [b"a", b"m/1", b"m/2", b"z"]


def test_without_recursion_sub_folders_are_counted_and_not_searched(root: Path, scratch: Path) -> None:
    touch(root, "a", "m/1", "n/1", "z")
    walked = Listing(root, scratch=scratch, recursive=False)
    assert paths_of(walked) == [b"a", b"z"]
    assert walked.skipped["folders"] == 2


def test_a_single_file_is_the_only_item(root: Path, scratch: Path) -> None:
    touch(root, "one.csv", "two.csv")
    walked = Listing(root / "one.csv", scratch=scratch)
    assert paths_of(walked) == [b"one.csv"]
    assert walked.root == root


def test_a_single_hidden_file_is_listed_since_it_was_named(root: Path, scratch: Path) -> None:
    touch(root, ".one.csv")
    assert paths_of(Listing(root / ".one.csv", scratch=scratch)) == [b".one.csv"]


def test_a_relative_root_becomes_absolute(root: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(root, "a")
    monkeypatch.chdir(root.parent)
    walked = Listing(Path("input"), scratch=scratch)
    assert walked.root == root
    assert paths_of(walked) == [b"a"]


def test_hidden_files_and_folders_are_skipped_and_counted(root: Path, scratch: Path) -> None:
    touch(root, ".hidden", ".folder/a", "sub/.hidden", "sub/seen")
    walked = Listing(root, scratch=scratch)
    assert paths_of(walked) == [b"sub/seen"]
    assert walked.skipped["hidden"] == 3


@pytest.mark.parametrize(
    "marker",
    ["_SUCCESS", "_SUCCESS.crc", "_committed_12", "_started_12", "_metadata", "_common_metadata",
     "_temporary/0/part", "_delta_log/0.json"],
)  # fmt: skip
def test_markers_are_skipped_and_counted(root: Path, scratch: Path, marker: str) -> None:
    touch(root, marker, "_SUCCESSFUL.csv", "_other/a", "a")
    walked = Listing(root, scratch=scratch)
    assert paths_of(walked) == [b"_SUCCESSFUL.csv", b"_other/a", b"a"]
    assert walked.skipped["markers"] == 1


def test_a_folder_that_is_called_like_a_marker_file_is_searched(root: Path, scratch: Path) -> None:
    touch(root, "_SUCCESS/a", "_started_1/b")
    assert paths_of(Listing(root, scratch=scratch)) == [b"_SUCCESS/a", b"_started_1/b"]


def test_hidden_names_and_markers_are_listed_when_asked_for(root: Path, scratch: Path) -> None:
    touch(root, ".a", ".f/a", "_SUCCESS", "b")
    walked = Listing(root, scratch=scratch, include_hidden=True)
    assert paths_of(walked) == [b".a", b".f/a", b"_SUCCESS", b"b"]
    assert sum(walked.skipped.values()) == 0


def test_pipes_and_sockets_are_skipped_and_counted(root: Path, scratch: Path) -> None:
    touch(root, "a")
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(root / "socket"))
    walked = Listing(root, scratch=scratch)
    assert paths_of(walked) == [b"a"]
    assert walked.skipped["special"] == 3


def test_links_to_files_and_folders_are_followed_in_place(root: Path, scratch: Path, tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/x", "elsewhere/y/z")
    touch(root, "a", "l-", "l0")
    (root / "l").symlink_to(tmp_path / "elsewhere")
    (root / "file").symlink_to(tmp_path / "elsewhere/x")
    assert paths_of(Listing(root, scratch=scratch)) == [b"a", b"file", b"l-", b"l/x", b"l/y/z", b"l0"]


def test_a_link_that_leads_nowhere_is_listed(root: Path, scratch: Path) -> None:
    touch(root, "a")
    (root / "gone").symlink_to("nothing")
    (root / "itself").symlink_to("itself")
    (root / "through-file").symlink_to("a/b")
    assert paths_of(Listing(root, scratch=scratch)) == [b"a", b"gone", b"itself", b"through-file"]


def test_a_link_to_a_folder_above_is_noticed_and_not_entered(root: Path, scratch: Path) -> None:
    touch(root, "a", "sub/b")
    (root / "sub" / "top").symlink_to(root)
    (root / "sub" / "up").symlink_to(".")
    walked = Listing(root, scratch=scratch)
    assert paths_of(walked) == [b"a", b"sub/b"]
    assert walked.skipped["loops"] == 2
    assert walked.notices == [
        "'sub/top' leads back, through a link, to the input folder itself; it is not listed again",
        "'sub/up' leads back, through a link, to the folder 'sub'; it is not listed again",
    ]


def test_a_loop_through_the_folder_above_the_root_lists_nothing_twice(root: Path, scratch: Path) -> None:
    touch(root, "a")
    touch(root.parent, "beside/b")
    (root / "up").symlink_to("..")
    walked = Listing(root, scratch=scratch)
    assert paths_of(walked) == [b"a", b"up/beside/b"]
    assert walked.skipped["loops"] == 1


def test_two_links_to_one_folder_are_no_loop(root: Path, scratch: Path) -> None:
    touch(root, "real/a")
    (root / "one").symlink_to("real")
    (root / "two").symlink_to("real")
    walked = Listing(root, scratch=scratch)
    assert paths_of(walked) == [b"one/a", b"real/a", b"two/a"]
    assert walked.skipped["loops"] == 0


def test_many_loops_are_counted_but_only_some_are_named(root: Path, scratch: Path) -> None:
    touch(root, "a")
    for number in range(12):
        (root / f"loop-{number:02}").symlink_to(".")
    walked = Listing(root, scratch=scratch)
    assert paths_of(walked) == [b"a"]
    assert walked.skipped["loops"] == 12
    assert len(walked.notices) == 11
    assert walked.notices[-1] == "… and 2 more loops of links"


def test_excluded_folders_are_passed_over_also_through_a_link(root: Path, scratch: Path) -> None:
    touch(root, "a", "out/b", "sub/out/c")
    (root / "again").symlink_to("out")
    walked = Listing(root, scratch=scratch, exclude=[root / "out", root / "not-there"])
    assert paths_of(walked) == [b"a", b"sub/out/c"]
    assert walked.skipped["excluded"] == 2


def test_excluding_the_root_itself_excludes_nothing(root: Path, scratch: Path) -> None:
    touch(root, "a")
    assert paths_of(Listing(root, scratch=scratch, exclude=[root])) == [b"a"]


def test_odd_names_are_listed_as_they_are(root: Path, scratch: Path) -> None:
    names = [b"line\nbreak", b'quo"te', b"\xff\xfe", b" "]
    for name in names:
        os.close(os.open(os.path.join(os.fsencode(root), name), os.O_CREAT | os.O_WRONLY))
    assert paths_of(Listing(root, scratch=scratch)) == sorted(names)


def test_a_missing_root_is_an_input_error(root: Path, scratch: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file or folder '.*nowhere'; check the input path"):
        Listing(root / "nowhere", scratch=scratch)


def test_a_pipe_as_root_is_an_input_error(root: Path, scratch: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(InputError, match="neither a folder nor a file"):
        Listing(root / "pipe", scratch=scratch)


def test_an_unreadable_folder_is_an_error_that_names_it(
    root: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(root, "a", "locked/b")
    scandir = os.scandir

    def refuse_locked(path: bytes) -> object:
        if path.endswith(b"/locked/"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse_locked)
    with pytest.raises(InputError, match=r"the folder '.*/locked' cannot be listed: Permission denied; make"):
        paths_of(Listing(root, scratch=scratch))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_an_input_error(root: Path, scratch: Path) -> None:
    touch(root, "locked/b")
    (root / "locked").chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        paths_of(Listing(root, scratch=scratch))


def test_a_large_folder_is_read_with_pauses_and_entered_at_the_right_places(
    root: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SLICE_ENTRIES", 7)
    touch(root, *(f"f{number:03}" for number in range(100)), "f030.d/x", "f0/y", "g/z")
    (root / "f099.l").symlink_to("g")
    walked = Listing(root, scratch=scratch, run_names=10, memory_names=20)
    chunks = list(walked.walk())
    assert [prefix + name for prefix, names in chunks for name in names] == sorted(
        [*(b"f%03d" % number for number in range(100)), b"f030.d/x", b"f0/y", b"g/z", b"f099.l/z"]
    )
    assert sum(not names for _, names in chunks) >= 14
    assert list(scratch.iterdir()) == []
