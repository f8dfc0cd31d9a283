"""Files that scripts append to, put together from pieces; whole jobs are in tests/flow/test_own_files.py."""

from __future__ import annotations

import glob
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.engine.contract import Span
from gristmill.errors import StorageError
from gristmill.run import appended as appended_module
from gristmill.run.appended import AppendedFiles
from gristmill_worker.wire import PIECE_STRUCT

Make = Callable[..., "Bench"]


class Bench:
    """Parts that hold pieces, and the files that they become."""

    def __init__(self, folder: Path, shared_header: bool) -> None:
        self.folder = folder
        (folder / "parts").mkdir(exist_ok=True)
        self.files = AppendedFiles(folder / "appended", shared_header)
        self.taken = 0

    def take(self, part: int, **pieces: tuple[int, str]) -> None:
        """Attach pieces (at which byte of the worker's file, text) to an outcome in a part, and take them."""
        attached = b"".join(
            PIECE_STRUCT.pack(len(os.fsencode(name)), len(text), at)
            + os.fsencode(name)
            + text.encode("ascii")
            for name, (at, text) in pieces.items()
        )
        path = self.folder / "parts" / str(part)
        with open(path, "ab") as file:
            file.write(b"rows")
            offset = file.tell()
            file.write(attached)
        self.take_from(part, offset, len(attached))

    def take_from(self, part: int, offset: int, attached: int) -> None:
        source = os.open(self.folder / "parts" / str(part), os.O_RDONLY)
        try:
            self.files.take(source, part, offset, attached, Span(self.taken))
            self.taken += 1
        finally:
            os.close(source)

    def finished(self) -> dict[str, str]:
        """Return the files; the places that are told of their pieces cover each of them exactly."""
        found, headers = {}, []
        for file in self.files.finished():
            data = file.path.read_bytes()
            assert (file.size, file.crc) == (len(data), zlib.crc32(data))
            found[file.name] = data.decode("ascii")
            headers.append(file.header_bytes)
        texts = list(found.values())
        covered = headers.copy()
        for piece in self.files.placed({name: number for number, name in enumerate(found)}):
            text = texts[piece.file][piece.offset : piece.offset + piece.length]
            assert (zlib.crc32(text.encode("ascii")), len(text)) == (piece.crc, piece.length)
            covered[piece.file] += piece.length
        assert covered == [len(text) for text in texts]
        return found


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Bench] = []

    def make(*, shared_header: bool = False) -> Bench:
        made.append(Bench(tmp_path, shared_header))
        return made[-1]

    yield make
    for bench in made:
        bench.files.close()


def test_pieces_stand_in_the_order_in_which_they_are_taken(make: Make) -> None:
    bench = make()
    bench.take(2, all=(0, "one\n"), other=(0, "1\n"))
    bench.take(1, all=(0, "two\n"))
    bench.take(2, all=(4, "three\n"))
    assert bench.finished() == {"all": "one\ntwo\nthree\n", "other": "1\n"}
    assert list(bench.finished()) == ["all", "other"]


def test_without_pieces_there_is_no_file_and_no_folder(make: Make, tmp_path: Path) -> None:
    bench = make()
    bench.take(1)
    assert bench.finished() == {}
    assert not (tmp_path / "appended").exists()
    assert bench.files.notices() == []


def open_below(folder: Path) -> int:
    """Count our own descriptors only: the collector closes those of other tests whenever it likes."""
    links = map(Path, glob.glob("/proc/self/fd/*"))
    return sum(link.is_symlink() and str(os.readlink(link)).startswith(f"{folder}/") for link in links)


def test_more_files_than_may_be_open_are_put_together_all_the_same(make: Make, tmp_path: Path) -> None:
    bench = make()
    count, open_before = 3 * appended_module._MOST_OPEN, open_below(tmp_path)
    for turn in "ab":
        for number in range(count):
            bench.take(1, **{f"f{number}": (0, f"{turn}{number}\n")})
    the_list_of_places = 1
    still_open = open_below(tmp_path) - open_before
    assert still_open == appended_module._MOST_OPEN + the_list_of_places
    assert bench.finished() == {f"f{number}": f"a{number}\nb{number}\n" for number in range(count)}


def test_a_piece_larger_than_a_block_is_copied_whole(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appended_module, "_BLOCK_BYTES", 3)
    bench = make(shared_header=True)
    bench.take(1, all=(4, "first\n"))
    bench.take(2, all=(0, "head\n0123456789\n"))
    assert bench.finished() == {"all": "head\nfirst\n0123456789\n"}


def test_what_an_earlier_assembly_left_is_gone(make: Make) -> None:
    make().take(1, all=(0, "old\n"), other=(0, "old\n"))
    bench = make()
    bench.take(1, all=(0, "new\n"))
    assert bench.finished() == {"all": "new\n"}
    assert len(list((bench.folder / "appended").iterdir())) == 1


def test_names_that_are_not_utf_8_stay_what_they_are(make: Make) -> None:
    bench = make()
    name = os.fsdecode(b"\xff\n/\xfe")
    bench.take(1, **{name: (0, "x\n")})
    assert bench.finished() == {name: "x\n"}


def test_a_file_to_which_nothing_was_added_is_an_empty_file(make: Make) -> None:
    bench = make(shared_header=True)
    bench.take(1, all=(0, ""))
    assert bench.finished() == {"all": ""}
    bench.take(2, all=(0, "h\n1\n"))
    assert bench.finished() == {"all": "h\n1\n"}


# Headers


def two_workers(bench: Bench) -> None:
    """Each worker begins the file with the same line; the second piece of worker 1 comes before its first."""
    bench.take(1, all=(6, "1b\n"))
    bench.take(2, all=(0, "h\n2\n"))
    bench.take(1, all=(0, "h\n1a\n"))
    bench.take(3, all=(0, "h\n3\n"))


def test_a_shared_header_stands_once_and_on_top(make: Make) -> None:
    bench = make(shared_header=True)
    two_workers(bench)
    assert bench.finished() == {"all": "h\n1b\n2\n1a\n3\n"}
    assert bench.files.notices() == []


def test_a_shared_header_that_came_first_is_not_moved(make: Make, tmp_path: Path) -> None:
    bench = make(shared_header=True)
    bench.take(1, all=(0, "h\n1\n"))
    bench.take(2, all=(0, "h\n2\n"))
    assert bench.finished() == {"all": "h\n1\n2\n"}


def test_a_shared_header_without_rows_stands_all_the_same(make: Make) -> None:
    bench = make(shared_header=True)
    bench.take(1, all=(0, "h\n"))
    bench.take(2, all=(0, "h\n"))
    assert bench.finished() == {"all": "h\n"}


def test_another_first_line_is_no_shared_header(make: Make) -> None:
    bench = make(shared_header=True)
    bench.take(1, all=(0, "h\n1\n"))
    bench.take(2, all=(0, "other\n2\n"))
    assert bench.finished() == {"all": "h\n1\nother\n2\n"}


def test_a_line_like_the_header_further_down_is_a_row(make: Make) -> None:
    bench = make(shared_header=True)
    bench.take(1, all=(0, "h\nh\n1\n"))
    bench.take(1, all=(5, "h\n2\n"))
    assert bench.finished() == {"all": "h\nh\n1\nh\n2\n"}


def test_unless_a_header_is_shared_every_first_line_stays_and_is_reported_once(make: Make) -> None:
    bench = make()
    two_workers(bench)
    bench.take(3, other=(0, "h\n1\n"))
    assert bench.finished()["all"] == "1b\nh\n2\nh\n1a\nh\n3\n"
    notice, late = bench.files.notices()
    assert late.startswith("all: what a worker wrote first, a header perhaps, stands behind rows")
    assert notice.startswith("all begins 3 times with the same line (h), once for each worker")
    assert "shared_header: true" in notice


@settings(max_examples=60)
@given(pieces=st.lists(st.tuples(st.integers(1, 3), st.lists(st.integers(0, 9), max_size=3)), max_size=10))
def test_a_shared_header_is_all_that_is_left_out(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, list[int]]]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("bench"), shared_header=True)
    sizes: dict[int, int] = {}
    taken: list[tuple[int, int, str]] = []
    for part, rows in pieces:
        text = ("h\n" if part not in sizes else "") + "".join(f"{row}\n" for row in rows)
        at = sizes.get(part, 0)
        sizes[part] = at + len(text)
        if text:
            taken.append((part, at, text))
    for part, at, text in reversed(taken):  # plan order need not be the order of time
        bench.take(part, all=(at, text))
    in_plan = list(reversed(taken))
    if len(sizes) == 1:  # one worker's file stays as it was written
        in_plan = taken
    rows = "".join(text.removeprefix("h\n") for _, _, text in in_plan)
    assert bench.finished() == ({"all": "h\n" + rows} if taken else {})
    bench.files.close()


# Pieces without an end


def test_pieces_of_several_workers_that_end_within_a_line_are_reported_once(make: Make) -> None:
    bench = make()
    bench.take(1, all=(0, "1"), own=(0, "1"))
    bench.take(2, all=(0, "2"))
    bench.take(1, own=(1, "2"))
    assert bench.finished() == {"all": "12", "own": "12"}
    (notice,) = bench.files.notices()
    assert notice.startswith(
        "all was put together from pieces of 2 workers that do not end with a line break"
    )


def test_of_many_such_files_five_are_named(make: Make) -> None:
    bench = make()
    for part in (1, 2):
        bench.take(part, **{f"f{number}": (0, "h\nx\n") for number in range(9)})
    notices = bench.files.notices()
    assert len(notices) == 6
    assert notices[-1] == "4 more files are like these"


# Torn parts


@pytest.mark.parametrize("cut", [1, 10, 22, 24])
def test_a_part_that_ends_too_early_is_an_error(make: Make, cut: int) -> None:
    bench = make()
    bench.take(1, all=(0, "0123\n"))
    path = bench.folder / "parts" / "1"
    whole = path.stat().st_size - 4
    assert whole == 28
    os.truncate(path, 4 + cut)
    with pytest.raises(StorageError, match=r"part 1 does not hold what was recorded .*; resume the job"):
        bench.take_from(1, 4, whole)


def test_a_part_with_something_else_in_place_of_pieces_is_an_error(make: Make) -> None:
    bench = make()
    (bench.folder / "parts" / "1").write_bytes(bytes(range(60)))
    with pytest.raises(StorageError, match="part 1 does not hold what was recorded"):
        bench.take_from(1, 4, 40)
