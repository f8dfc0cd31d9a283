"""What a list of inputs may hold, and what is said of a wrong one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gristmill.errors import InputError
from gristmill.plan import input_list
from gristmill.plan.input_list import InputList
from gristmill.plan.selection import Selection


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Hold a few files, one of them hidden."""
    for name in ("a", "b.jpg", "sub/c", "sub/d.jpg", ".hidden", "a b"):
        (tmp_path / "input" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "input" / name).touch()
    (tmp_path / "scratch").mkdir()
    return tmp_path / "input"


def listed(
    root: Path, content: bytes, *, selection: Selection | None = None, exclude: tuple[Path, ...] = ()
) -> InputList:
    file = root.parent / "list"
    file.write_bytes(content)
    scratch = root.parent / "scratch"
    return InputList(root, file, scratch=scratch, selection=selection, exclude=exclude)


def paths_of(walked: InputList) -> list[bytes]:
    return [prefix + name for prefix, names in walked.walk() for name in names]


def refusal(root: Path, content: bytes, **options: tuple[Path, ...]) -> list[str]:
    with pytest.raises(InputError) as caught:
        paths_of(listed(root, content, **options))  # type: ignore[arg-type]
    return str(caught.value).replace(str(root.parent), "HERE").splitlines()


@pytest.mark.parametrize(
    "content",
    [
        b"sub/c\na\n.hidden\n",
        b"sub/c\na\n.hidden",
        b"sub/c\r\n\r\n\na\r\n.hidden\r\n",
        b"\xef\xbb\xbfsub/c\n./a\nsub/../.hidden\n",
        b"sub//c\0a\0.hidden\0",
        b".hidden\0sub/c\0a",
    ],
)
def test_files_of_a_list_come_in_plan_order(root: Path, content: bytes) -> None:
    assert paths_of(listed(root, content)) == [b".hidden", b"a", b"sub/c"]


def test_absolute_paths_below_the_input_are_taken(root: Path) -> None:
    (root.parent / "link").symlink_to("input")
    here = os.fsencode(root)
    assert paths_of(listed(root, here + b"/sub/c\n/" + here + b"/a\n")) == [b"a", b"sub/c"]
    assert paths_of(listed(root.parent / "link", here + b"/a\n" + here + b"/sub/c")) == [b"a", b"sub/c"]


def test_odd_names_are_taken_as_they_are(root: Path) -> None:
    odd = b"line\nbreak\xff "
    os.close(os.open(os.path.join(os.fsencode(root), odd), os.O_CREAT | os.O_WRONLY))
    assert paths_of(listed(root, odd + b"\0a b\0")) == [b"a b", odd]


def test_names_come_with_their_own_folder(root: Path) -> None:
    chunks = [chunk for chunk in listed(root, b"sub/d.jpg\nb.jpg\nsub/c\na\n").walk() if chunk[1]]
    assert [(prefix, name) for prefix, names in chunks for name in names] == [
        (b"", b"a"), (b"", b"b.jpg"), (b"sub/", b"c"), (b"sub/", b"d.jpg")
    ]  # fmt: skip


def test_a_path_that_comes_again_is_listed_once_and_told(root: Path) -> None:
    walked = listed(root, b"a\nsub/c\n./a\na\n")
    assert paths_of(walked) == [b"a", b"sub/c"]
    assert walked.notices == [
        "the input list names files more than once, such as 'a'; each is scored once, "
        "and 2 entries did not count"
    ]


def test_patterns_choose_among_listed_files(root: Path) -> None:
    walked = listed(root, b"a\nsub/d.jpg\nsub/c\nb.jpg\n", selection=Selection(["*.jpg"], ["sub/"]))
    assert paths_of(walked) == [b"b.jpg"]
    assert walked.skipped == {"not_included": 1, "by_pattern": 2}


def test_missing_entries_are_named_with_their_lines(root: Path) -> None:
    assert refusal(root, b"a\nnone\n\n../a\nsub\na/b\n/etc\n") == [
        "the input list 'HERE/list' has 5 entries that cannot be scored from 'HERE/input':",
        "  line 2: 'none' does not exist",
        "  line 4: '../a' is not below the input folder",
        "  line 5: 'sub' is a folder; list the files in it",
        "  line 6: 'a/b' does not exist",
        "  line 7: '/etc' is not below the input folder",
        "Correct the list, or name the input folder that its paths start from",
    ]


def test_only_the_first_wrong_entries_are_named(root: Path) -> None:
    told = refusal(root, b"".join(b"none-%d\0" % number for number in range(8)))
    assert told[0].startswith("the input list 'HERE/list' has 8 entries that cannot be scored")
    assert told[1:7] == [f"  entry {n}: 'none-{n - 1}' does not exist" for n in range(1, 6)] + [
        "  … and 3 more"
    ]


def test_the_input_folder_itself_is_no_entry(root: Path) -> None:
    assert refusal(root, b".\n")[1] == "  line 1: '.' is a folder; list the files in it"
    assert "is a folder" in refusal(root, os.fsencode(root))[1]


def test_a_link_that_leads_nowhere_is_listed(root: Path) -> None:
    (root / "gone").symlink_to("nothing")
    (root / "loop").symlink_to("loop")
    assert paths_of(listed(root, b"gone\nloop\n")) == [b"gone", b"loop"]


def test_a_pipe_is_refused(root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert refusal(root, b"pipe\n")[1] == "  line 1: 'pipe' is neither a file nor a folder"


def test_files_of_the_job_are_refused(root: Path) -> None:
    assert refusal(root, b"a\nsub/c\n", exclude=(root / "sub",))[1:2] == [
        "  line 2: 'sub/c' is a file of the job's own"
    ]


@pytest.mark.parametrize("content", [b"", b"\n\r\n\n"])
def test_a_list_without_a_path_is_refused(root: Path, content: bytes) -> None:
    assert refusal(root, content) == ["the input list 'HERE/list' names no file; write one path a line"]


def test_a_list_in_utf16_is_refused(root: Path) -> None:
    assert "is in UTF-16; save it as UTF-8" in refusal(root, "a\nb\n".encode("utf-16"))[0]


def test_a_list_that_has_no_lines_is_refused(root: Path) -> None:
    assert "has no end of a path in its 32768 bytes after 0 entries" in refusal(root, b"x" * 40_000)[0]


def test_a_missing_list_is_named(root: Path) -> None:
    with pytest.raises(InputError, match=r"there is no input list '.*none'; check its path"):
        InputList(root, root / "none", scratch=root)


def test_a_single_file_takes_no_list(root: Path) -> None:
    with pytest.raises(InputError, match=r"the input '.*' is a file, and an input list needs a folder"):
        listed(root / "a", b"a\n")


def test_a_list_of_any_length_is_read_with_pauses(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_list, "READ_BYTES", 7)
    names = [b"f%03d" % number for number in range(100)]
    for name in names:
        (root / name.decode()).touch()
    walked = list(listed(root, b"\n".join(reversed(names))).walk())
    assert [name for _, found in walked for name in found] == names
    assert sum(not found for _, found in walked) >= 70
