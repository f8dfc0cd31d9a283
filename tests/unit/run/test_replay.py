"""What a journal says, before a job goes on."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from gristmill.engine.contract import Scored, Span
from gristmill.run.journal import Journal, intact_size
from gristmill.run.records import FailedTry, Mark, Record, Revoked, Start
from gristmill.run.replay import cut_off, lost_rows, read_history, revocation, scored_ranges

ROWS = b"0123456789" * 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.bin"


def write(path: Path, *records: Record) -> None:
    journal = Journal(path, 1, intact_size(path))
    for record in records:
        journal.record(record)
        journal.flush()
    journal.close()


def scored(first: int, batches: int = 1, *, offset: int = 0, length: int = 10, part: int = 1) -> Scored:
    crc = zlib.crc32(ROWS[offset : offset + length])
    return Scored(Span(first, batches), 1, batches, batches, part, offset, length, crc, 0, 0, 0.1, 0)


def failed(first: int, attempt: int = 1, *, final: bool = True) -> FailedTry:
    return FailedTry(Span(first), attempt, "exception", "no", "", 0.0, 0, "log", final, 1, "")


def start(fence: int) -> Start:
    return Start(fence, f"run-{fence}", "host", 1, "", False)


def lost_first(path: Path, folder: Path) -> list[int]:
    lost = lost_rows(path, read_history(path), lambda part: folder / f"{part}.part")
    return [record.span.first for record in lost]


def ranges(path: Path) -> list[Span]:
    return [record.span for record in scored_ranges(path, read_history(path).revoked)]


def test_a_new_job_has_no_history(path: Path) -> None:
    history = read_history(path)
    assert (history.size, history.run_ids, history.untrusted, history.ledger.fence) == (0, (), (), 0)
    assert ranges(path) == []


def test_the_marks_of_all_earlier_runs_are_known(path: Path) -> None:
    write(path, start(1), start(2))
    history = read_history(path)
    assert (history.run_ids, history.ledger.fence) == (("run-1", "run-2"), 2)


def test_the_whole_size_is_told_where_the_end_is_torn(path: Path) -> None:
    write(path, start(1))
    size = path.stat().st_size
    with open(path, "ab") as file:
        file.write(b"GMJ2 torn")
    assert read_history(path).size == size


def test_ranges_before_the_last_mark_are_trusted(path: Path) -> None:
    write(path, start(1), scored(0), Mark(), scored(1, offset=10))
    assert read_history(path).untrusted == (scored(1, offset=10),)


def test_a_revoked_range_is_neither_scored_nor_untrusted(path: Path) -> None:
    write(path, start(1), scored(0), scored(1, offset=10), revocation(scored(0)))
    assert ranges(path) == [Span(1)]
    assert read_history(path).untrusted == (scored(1, offset=10),)


def test_a_range_that_ran_again_after_it_was_revoked_counts_once(path: Path) -> None:
    again = scored(0, part=2)
    write(path, start(1), scored(0), revocation(scored(0)), start(2), again)
    assert list(scored_ranges(path, read_history(path).revoked)) == [again]


def test_a_range_without_rows_is_not_revoked_with_its_neighbour(path: Path) -> None:
    empty, behind = scored(0, length=0), scored(1)
    write(path, start(1), empty, behind, revocation(behind))
    assert ranges(path) == [Span(0)]
    assert 0 in read_history(path).ledger.scored


def test_rows_that_are_there_are_not_lost(path: Path, tmp_path: Path) -> None:
    (tmp_path / "1.part").write_bytes(ROWS)
    write(path, start(1), scored(0), scored(1, offset=10), Mark(), scored(2, offset=20))
    assert lost_first(path, tmp_path) == []


def test_after_a_mark_changed_rows_are_lost(path: Path, tmp_path: Path) -> None:
    (tmp_path / "1.part").write_bytes(ROWS[:20] + bytes(80))
    write(path, start(1), scored(0), Mark(), scored(1, offset=10), scored(2, offset=20))
    assert lost_first(path, tmp_path) == [2]


def test_rows_beyond_the_end_of_their_part_are_lost(path: Path, tmp_path: Path) -> None:
    (tmp_path / "1.part").write_bytes(ROWS[:15])
    write(path, start(1), scored(0), scored(1, offset=10), Mark(), scored(2, offset=20))
    assert lost_first(path, tmp_path) == [1, 2]


def test_rows_of_a_part_that_is_gone_are_lost(path: Path, tmp_path: Path) -> None:
    write(path, start(1), scored(0), Mark())
    assert lost_first(path, tmp_path) == [0]


def test_a_range_without_rows_is_never_lost(path: Path, tmp_path: Path) -> None:
    write(path, start(1), scored(0, length=0))
    assert lost_first(path, tmp_path) == []


def test_rows_that_were_revoked_are_not_lost_again(path: Path, tmp_path: Path) -> None:
    write(path, start(1), scored(0), revocation(scored(0)))
    assert lost_first(path, tmp_path) == []


def test_a_cut_off_listing_voids_what_lies_beyond_it(path: Path) -> None:
    write(path, start(1), scored(0, 2), scored(4, 2, offset=10), failed(1), failed(6))
    void = cut_off(path, frozenset(), 5)
    assert void == [revocation(scored(4, 2, offset=10)), Revoked(Span(6), 1, 0, 0, 0)]


def test_a_range_that_reaches_beyond_the_cut_is_void_as_a_whole(path: Path) -> None:
    write(path, start(1), scored(0, 6))
    assert cut_off(path, frozenset(), 5) == [revocation(scored(0, 6))]


def test_tries_that_were_to_be_repeated_are_void_too(path: Path) -> None:
    write(path, start(1), failed(7, final=False))
    assert cut_off(path, frozenset(), 5) == [Revoked(Span(7), 1, 0, 0, 0)]


def test_what_is_void_already_is_not_voided_again(path: Path) -> None:
    gone = revocation(scored(7))
    write(path, start(1), scored(7), failed(8), gone, Revoked(Span(8), 1, 0, 0, 0))
    assert cut_off(path, read_history(path).revoked, 5) == []


def test_a_range_that_failed_once_and_then_scored_is_voided_once(path: Path) -> None:
    write(path, start(1), failed(7, final=False), scored(7))
    assert cut_off(path, frozenset(), 5) == [revocation(scored(7))]


def test_ranges_that_failed_alone_and_scored_together_leave_no_count_behind(path: Path) -> None:
    together = scored(6, 2)._replace(attempt=2)
    write(path, start(1), failed(6, final=False), failed(7, final=False), together)
    ledger = read_history(path).ledger
    for record in cut_off(path, frozenset(), 5):
        ledger.apply(record)
    assert (ledger.scored.count, ledger.items_succeeded, ledger.items_missing) == (0, 0, 0)
