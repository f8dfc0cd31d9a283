"""The list of failures, made from journals as the running job writes them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.engine.contract import Scored, Span
from gristmill.errors import JournalError
from gristmill.run import failures
from gristmill.run.failures import Named, write_failures
from gristmill.run.journal import Journal
from gristmill.run.records import FailedTry, Mark, Record, Revoked, Start

START = Start(1, "run", "host", 7, "2026-01-01T00:00:00.000Z", False)
RETRY = START._replace(fence=2, retry_failed=True)
RESUME = START._replace(fence=2)


def failed(
    first: int, *, final: bool = True, attempt: int = 4, items: int = 2, first_item: int = 0
) -> FailedTry:
    span = Span(first, 1, first_item, items if first_item else 0)
    return FailedTry(
        span,
        attempt,
        "exception",
        "ValueError: no",
        "Traceback…",
        0.25,
        1,
        "logs/x:9",
        final,
        items,
        "2026-01-01",
    )


def scored(first: int, succeeded: int, *, batches: int = 1, part: int = 1, offset: int = 0) -> Scored:
    return Scored(Span(first, batches), 1, 2 * batches, succeeded, part, offset, 10, 99, 0, 0, 0.5, 0)


def revoked(record: FailedTry | Scored) -> Revoked:
    if isinstance(record, Scored):
        return Revoked(record.span, record.total, record.succeeded, record.part, record.offset)
    return Revoked(record.span, record.items, 0, 0, 0)


def inputs_of(mini_batch: int, first_item: int, items: int) -> list[Named]:
    return [Named(f"{mini_batch}/{item}") for item in range(first_item, first_item + (items or 2))]


def journal_of(path: Path, *records: Record) -> Path:
    journal = Journal(path, 1, 0)
    for record in records:
        journal.record(record)
        journal.flush()
    journal.close()
    return path


def listed(tmp_path: Path, *records: Record) -> list[dict[str, object]]:
    """Write a journal, make the list, and check that as many lines were promised as there are."""
    target = tmp_path / "failures.jsonl"
    count = write_failures(journal_of(tmp_path / "journal.bin", *records), target, inputs_of)
    lines = target.read_text().splitlines() if target.exists() else []
    assert len(lines) == count
    return [json.loads(line) for line in lines]


def named(lines: list[dict[str, object]]) -> list[object]:
    return [line.get("input") or line["inputs"] for line in lines]


def test_a_failed_range_has_a_line_for_each_item(tmp_path: Path) -> None:
    target = tmp_path / "failures.jsonl"
    journal = journal_of(tmp_path / "journal.bin", START, failed(3))
    assert write_failures(journal, target, inputs_of) == 2
    assert target.read_text() == (
        '{"input": "3/0", "reason": "exception", "message": "ValueError: no", "tries": 4, "items": 2, '
        '"mini_batch": 3, "first_item": 0, "worker": 1, "log": "logs/x:9", "traceback": "Traceback…", '
        '"activity": "", "seconds": 0.25, "at": "2026-01-01"}\n'
        '{"input": "3/1", "reason": "exception", "message": "ValueError: no", "tries": 4, "items": 2, '
        '"mini_batch": 3, "first_item": 0, "worker": 1, "log": "logs/x:9", "same_as": "3/0", '
        '"activity": "", "seconds": 0.25, "at": "2026-01-01"}\n'
    )


def test_a_short_range_has_one_line_that_names_all_its_files(tmp_path: Path) -> None:
    target = tmp_path / "failures.jsonl"
    journal = journal_of(tmp_path / "journal.bin", START, scored(5, 1))
    assert write_failures(journal, target, inputs_of) == 1
    assert target.read_text() == (
        '{"inputs": ["5/0", "5/1"], "reason": "missing_result", "message": "run() returned 1 result for 2 '
        'files; return one element per file", "tries": 1, "missing": 1, "items": 2, "mini_batch": 5, '
        '"first_item": 0, "worker": 0, "log": "", "traceback": "", "activity": "", '
        '"seconds": 0.5, "at": ""}\n'
    )


def test_a_timeout_says_what_was_being_done(tmp_path: Path) -> None:
    late = failed(3)._replace(reason="timeout", activity="waiting")

    assert [line["activity"] for line in listed(tmp_path, START, late)] == ["waiting", "waiting"]


def test_a_part_of_a_mini_batch_names_its_own_items(tmp_path: Path) -> None:
    assert named(listed(tmp_path, START, failed(3, first_item=4, items=3))) == ["3/4", "3/5", "3/6"]


def test_a_short_range_of_several_mini_batches_names_all_their_files(tmp_path: Path) -> None:
    assert named(listed(tmp_path, START, scored(1, 3, batches=2))) == [["1/0", "1/1", "2/0", "2/1"]]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ((START, scored(0, 2), Mark()), []),
        ((START, failed(0, final=False, attempt=1), scored(0, 2)), []),
        ((START, failed(0), RESUME), ["0/0", "0/1"]),
        ((START, failed(0), RETRY), []),
        ((START, failed(0), RETRY, failed(0)), ["0/0", "0/1"]),
        ((START, scored(0, 1), RETRY), [["0/0", "0/1"]]),
        ((START, failed(0), failed(1), revoked(failed(0))), ["1/0", "1/1"]),
        ((START, failed(0), revoked(failed(0)), failed(0)), ["0/0", "0/1"]),
        ((START, scored(0, 1), revoked(scored(0, 1))), []),
        ((START, scored(0, 1), revoked(scored(0, 1)), scored(0, 0, part=2)), [["0/0", "0/1"]]),
        ((START, scored(0, 1, part=2), revoked(scored(0, 1, part=3))), [["0/0", "0/1"]]),
        (
            (START, scored(0, 1, part=0), scored(1, 0, part=0), revoked(scored(0, 1, part=0))),
            [["1/0", "1/1"]],
        ),
        ((START, failed(2), scored(1, 1), failed(0)), ["0/0", "0/1", ["1/0", "1/1"], "2/0", "2/1"]),
        (
            (START, failed(1, first_item=3, items=1), failed(0), failed(1, first_item=1, items=1)),
            ["0/0", "0/1", "1/1", "1/3"],
        ),
    ],
)
def test_what_stands_is_listed_in_plan_order(
    tmp_path: Path, records: tuple[Record, ...], expected: list[object]
) -> None:
    assert named(listed(tmp_path, *records)) == expected


def test_a_list_that_is_out_of_date_is_removed(tmp_path: Path) -> None:
    (tmp_path / "failures.jsonl").write_text("old")
    assert listed(tmp_path, START, scored(0, 1), revoked(scored(0, 1))) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.bin"]


def test_without_a_journal_nothing_failed(tmp_path: Path) -> None:
    assert write_failures(tmp_path / "journal.bin", tmp_path / "failures.jsonl", inputs_of) == 0


def test_a_list_made_twice_is_the_same(tmp_path: Path) -> None:
    first = listed(tmp_path, START, failed(1), scored(0, 0))
    assert listed(tmp_path, START, failed(1), scored(0, 0)) == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["failures.jsonl", "journal.bin"]


def test_any_name_comes_back_from_its_own_line(tmp_path: Path) -> None:
    name = os.fsdecode("grüße \u2028 \x85\n".encode() + b"\xff\xfe")
    target = tmp_path / "failures.jsonl"
    write_failures(journal_of(tmp_path / "journal.bin", START, failed(0)), target, lambda *_: [Named(name)])
    text = target.read_text(encoding="utf-8")
    assert "grüße" in text
    assert len(text.splitlines()) == 1
    assert json.loads(text)["input"] == name


def test_what_cannot_be_written_leaves_the_old_list(tmp_path: Path) -> None:
    def broken(mini_batch: int, first_item: int, items: int) -> list[str]:
        raise OSError("gone")

    (tmp_path / "failures.jsonl").write_text("old")
    with pytest.raises(OSError, match="gone"):
        write_failures(
            journal_of(tmp_path / "journal.bin", START, failed(0)), tmp_path / "failures.jsonl", broken
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["failures.jsonl", "journal.bin"]
    assert (tmp_path / "failures.jsonl").read_text() == "old"


def test_a_journal_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.bin").mkdir()
    with pytest.raises(JournalError, match="cannot be read"):
        write_failures(tmp_path / "journal.bin", tmp_path / "failures.jsonl", inputs_of)


@given(order=st.permutations(range(9)), at_once=st.integers(1, 10), short=st.sets(st.integers(0, 8)))
def test_any_order_of_completion_gives_plan_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], at_once: int, short: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("list")
    records = [scored(first, 1) if first in short else failed(first, items=1) for first in order]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failures, "_SORTED_AT_ONCE", at_once)
        lines = listed(folder, START, *records)
    mini_batches = [line["mini_batch"] for line in lines if "same_as" not in line]
    assert mini_batches == list(range(9))
