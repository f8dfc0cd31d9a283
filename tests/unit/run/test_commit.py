"""Putting the output together; orders and interruptions are in tests/property/test_commit.py."""

from __future__ import annotations

import resource
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gristmill.engine.contract import Span
from gristmill.errors import StorageError
from gristmill.run import commit
from gristmill.run.commit import PAUSE_BELOW_BYTES, Committer, free_bytes
from gristmill.run.waiting import Rows

Make = Callable[..., Committer]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make committers over `tmp_path`, closed at the end."""
    made: list[Committer] = []
    (tmp_path / "parts").mkdir()

    def one(columns: tuple[tuple[str, ...], ...] = (), *, with_header: bool = False) -> Committer:
        made.append(Committer(tmp_path / "parts", tmp_path / "scratch", list(columns), with_header))
        return made[-1]

    yield one
    for committer in made:
        committer.close()


def rows(folder: Path, first: int, data: bytes, *, part: int = 1, header: int = 0, batches: int = 1) -> Rows:
    """Append rows to a part."""
    path = folder / "parts" / f"{part}.part"
    with open(path, "ab") as file:
        offset = file.seek(0, 2)
        file.write(data)
    return Rows(Span(first, batches), part, offset, len(data), zlib.crc32(data), header)


def finished(committer: Committer, folder: Path) -> bytes:
    committer.advance()
    committer.assemble()
    committer.publish(folder / "predictions.csv")
    return (folder / "predictions.csv").read_bytes()


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_rows_come_in_plan_order_from_any_part(make: Make, tmp_path: Path) -> None:
    committer = make()
    committer.add(rows(tmp_path, 1, b"one\n", part=2))
    committer.add(rows(tmp_path, 0, b"zero\n", part=1))
    assert finished(committer, tmp_path) == b"zero\none\n"


def test_what_is_ahead_of_a_gap_waits(make: Make, tmp_path: Path) -> None:
    committer = make()
    committer.add(rows(tmp_path, 0, b"zero\n"))
    committer.add(rows(tmp_path, 2, b"two\n"))
    committer.advance()
    assert committer.bytes_waiting == 4
    assert not committer.is_complete


def test_a_range_without_rows_closes_its_gap(make: Make, tmp_path: Path) -> None:
    committer = make()
    committer.add(rows(tmp_path, 3, b"three\n"))
    committer.add(Rows(Span(0, 3), 0, 0, 0, 0, 0))
    assert finished(committer, tmp_path) == b"three\n"
    assert committer.is_complete


def test_large_ranges_are_copied_between_small_ones(make: Make, tmp_path: Path) -> None:
    committer = make()
    large = bytes(range(256)) * 1024
    for first, data in enumerate((b"a\n", large, b"b\n", large, b"c\n")):
        committer.add(rows(tmp_path, first, data))
    assert finished(committer, tmp_path) == b"a\n" + large + b"b\n" + large + b"c\n"


def test_more_parts_than_may_be_open_are_read(make: Make, tmp_path: Path) -> None:
    committer = make()
    for first in range(200):
        committer.add(rows(tmp_path, first, b"%d\n" % first, part=first % 100))
    assert finished(committer, tmp_path) == b"".join(b"%d\n" % first for first in range(200))


def test_nothing_appears_under_the_final_name_before_it_is_published(make: Make, tmp_path: Path) -> None:
    committer = make()
    committer.add(rows(tmp_path, 0, b"zero\n"))
    committer.advance()
    committer.assemble()
    assert not (tmp_path / "predictions.csv").exists()


def test_a_job_without_any_row_gives_an_empty_file(make: Make, tmp_path: Path) -> None:
    committer = make(with_header=True)
    committer.add(Rows(Span(0), 0, 0, 0, 0, 0))
    assert finished(committer, tmp_path) == b""


def test_the_places_of_ranges_follow_the_header(make: Make, tmp_path: Path) -> None:
    committer = make((("a", "b"),), with_header=True)
    committer.add(rows(tmp_path, 0, b"1,2\n", header=1, batches=2))
    committer.add(rows(tmp_path, 2, b"3,4\n", header=1))
    assert finished(committer, tmp_path) == b"a,b\n1,2\n3,4\n"
    assert [(placed.span, placed.offset, placed.length) for placed in committer.placed()] == [
        (Span(0, 2), 4, 4), (Span(2), 8, 4),
    ]  # fmt: skip


def test_the_header_is_measured(make: Make, tmp_path: Path) -> None:
    committer = make((("a", "b"),), with_header=True)
    committer.add(rows(tmp_path, 0, b"1,2\n", header=1))
    committer.advance()
    assembly = committer.assemble()
    assert (assembly.size, assembly.header_bytes, assembly.header_crc) == (8, 4, zlib.crc32(b"a,b\n"))
    assert assembly.columns == ("a", "b")


def test_columns_that_appear_while_the_job_runs_are_found(make: Make, tmp_path: Path) -> None:
    committer = make((("a",), ("b", "a")), with_header=True)
    committer.add(rows(tmp_path, 0, b"1\n", header=1))
    committer.add(rows(tmp_path, 1, b"2,3\n", header=2))
    assert finished(committer, tmp_path) == b"a,b\n1,\n3,2\n"


def test_headerless_rows_of_one_kind_keep_their_columns_beside_them(make: Make, tmp_path: Path) -> None:
    committer = make((("a", "b"),))
    committer.add(rows(tmp_path, 0, b"1 2\n", header=1))
    committer.advance()
    assembly = committer.assemble()
    assert (assembly.columns, assembly.header_bytes) == (("a", "b"), 0)


def test_headerless_rows_of_two_kinds_have_no_columns_and_stay_as_they_are(
    make: Make, tmp_path: Path
) -> None:
    committer = make((("a", "b"),))
    committer.add(rows(tmp_path, 0, b"text\n", header=0))
    committer.add(rows(tmp_path, 1, b"1 2\n", header=1))
    committer.advance()
    assert committer.assemble().columns is None
    committer.publish(tmp_path / "predictions.csv")
    assert (tmp_path / "predictions.csv").read_bytes() == b"text\n1 2\n"


@pytest.mark.parametrize(("free", "has_room"), [(PAUSE_BELOW_BYTES - 1, False), (PAUSE_BELOW_BYTES, True)])
def test_while_the_disk_is_nearly_full_there_is_no_room_for_assembling(
    make: Make, monkeypatch: pytest.MonkeyPatch, free: int, has_room: bool
) -> None:
    monkeypatch.setattr(commit, "free_bytes", lambda folder: free)
    assert make().has_room() is has_room


def test_a_partial_output_leaves_gaps_out(make: Make, tmp_path: Path) -> None:
    committer = make()
    committer.add(rows(tmp_path, 5, b"five\n"))
    committer.add(rows(tmp_path, 2, b"two\n"))
    committer.advance_over_gaps()
    committer.assemble()
    committer.publish(tmp_path / "predictions.partial.csv")
    assert (tmp_path / "predictions.partial.csv").read_bytes() == b"two\nfive\n"


def test_publishing_replaces_an_older_file_and_makes_its_folder(make: Make, tmp_path: Path) -> None:
    committer = make()
    committer.add(rows(tmp_path, 0, b"new\n"))
    committer.advance()
    committer.assemble()
    committer.publish(tmp_path / "out" / "predictions.csv")
    assert (tmp_path / "out" / "predictions.csv").read_bytes() == b"new\n"


def test_a_part_that_ends_too_early_is_named_with_its_mini_batch(make: Make, tmp_path: Path) -> None:
    committer = make()
    committer.add(rows(tmp_path, 7, b"seven\n", part=9)._replace(length=50))
    with pytest.raises(StorageError, match="part 9 ends before byte 50: rows of mini-batch 7 are gone"):
        committer.advance_over_gaps()


def test_a_part_that_is_gone_is_an_error(make: Make) -> None:
    committer = make()
    committer.add(Rows(Span(0), 9, 0, 5, 0, 0))
    with pytest.raises(StorageError, match=r"9\.part"):
        committer.advance()


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_full_disk_is_told_and_loses_nothing(make: Make, tmp_path: Path, size: int) -> None:
    data = b"x" * (size - 1) + b"\n"
    place = rows(tmp_path, 0, data)
    committer = make()
    committer.add(place)
    with file_size_limit(size // 2), pytest.raises(StorageError, match="nothing that was finished is lost"):
        finished(committer, tmp_path)
    committer.close()
    again = make()
    again.add(place)
    assert finished(again, tmp_path) == data


def test_a_disk_that_fills_with_the_list_of_places_is_told(make: Make, tmp_path: Path) -> None:
    committer = make()
    for first in range(100):
        committer.add(rows(tmp_path, first, b"x\n"))
    finished(committer, tmp_path)
    with file_size_limit(1000), pytest.raises(StorageError):
        list(committer.placed())


def test_a_scratch_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "scratch").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be assembled"):
        Committer(tmp_path, tmp_path / "scratch", [], False)


def test_a_target_that_is_a_folder_is_an_error(make: Make, tmp_path: Path) -> None:
    (tmp_path / "predictions.csv" / "x").mkdir(parents=True)
    with pytest.raises(StorageError, match="resume the job"):
        finished(make(), tmp_path)


def test_closing_twice_is_allowed(make: Make) -> None:
    committer = make()
    committer.close()
    committer.close()


def test_free_room_is_that_of_the_folders_disk(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0
    with pytest.raises(StorageError, match="cannot be used"):
        free_bytes(tmp_path / "gone")


def test_an_assembled_file_is_compared_with_a_published_one(make: Make, tmp_path: Path) -> None:
    committer = make()
    committer.add(rows(tmp_path, 0, b"zero\n"))
    committer.advance()
    committer.assemble()
    (tmp_path / "same").write_bytes(b"zero\n")
    (tmp_path / "other").write_bytes(b"Zero\n")
    assert committer.is_same_as(tmp_path / "same")
    assert not committer.is_same_as(tmp_path / "other")
