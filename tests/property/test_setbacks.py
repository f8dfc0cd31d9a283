"""Setbacks use up no try, yet end: whatever the engine answers, for ever, every range comes to its end."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from doubles.scripted_job import ScriptedJob
from gristmill.engine.contract import Span
from gristmill.run.journal import read_journal
from gristmill.run.ledger import Ledger
from gristmill.run.progress import End
from gristmill.run.records import FailedTry
from gristmill.run.replay import read_history
from gristmill.run.setbacks import MOST_SETBACKS

SIZE = 4
HARM = st.sampled_from(["raise", "exit", "hang", "bad_return", "memory", "evicted", "cut_short"])
POISONS = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, SIZE - 1)), HARM, max_size=8)
START = st.lists(st.sampled_from(["ok", "fail", "die"]), max_size=4)


def job(folder: str, poisons: dict[tuple[int, int], str], **options: object) -> ScriptedJob:
    return ScriptedJob(folder=Path(folder), items=5 * SIZE, mini_batch_size=SIZE, poisons=poisons,
                       **options)  # type: ignore[arg-type]  # fmt: skip


def good_rows(poisons: dict[tuple[int, int], str]) -> bytes:
    places = [divmod(item, SIZE) for item in range(5 * SIZE)]
    return b"".join(b"%d %d\n" % place for place in places if place not in poisons)


@settings(max_examples=25, deadline=None)
@given(POISONS, st.integers(1, 3), st.integers(0, 3), st.integers(0, 1000))
def test_every_good_file_is_scored_whatever_kills_the_workers_and_for_ever(
    poisons: dict[tuple[int, int], str], workers: int, max_retries: int, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one = job(folder, poisons, max_retries=max_retries, isolates=True)
        ended = one.start(workers=workers, seed=seed)
        assert ended.ending is not None
        assert ended.ending.end is End.ALL_DONE
        assert ended.output == good_rows(poisons)
        assert ended.ledger.items_failed == len(poisons)


@settings(max_examples=25, deadline=None)
@given(POISONS, st.lists(START, min_size=3, max_size=3), st.booleans(), st.integers(0, 1000))
def test_a_job_ends_however_its_workers_start(
    poisons: dict[tuple[int, int], str], starts: list[list[str]], isolates: bool, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one = job(folder, poisons, max_retries=1, isolates=isolates)
        ended = one.start(workers=3, seed=seed, starts=dict(enumerate(starts)))
        assert ended.ending is not None
        assert ended.ending.end in (End.ALL_DONE, End.CANNOT_START)
        assert ended.engine.answers == ended.engine.handed_out


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["evicted", "cut_short"]),
    st.lists(st.integers(1, 25), max_size=5),
    st.integers(0, 2),
    st.integers(0, 1000),
)
def test_no_kill_makes_the_count_of_setbacks_begin_anew(
    act: str, kills: list[int], max_retries: int, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one = job(folder, {(1, 2): act}, max_retries=max_retries, isolates=False)
        for number in kills:
            if one.start(seed=seed, kill_in_pass=number).ending is not None:
                break
        ended = one.start(seed=seed)
        tries = [entry.record for entry in read_journal(one.journal_path)
                 if isinstance(entry.record, FailedTry)]  # fmt: skip
        assert [one.attempt for one in tries] == [1] * MOST_SETBACKS + list(range(1, max_retries + 2))
        assert ended.ledger.failed.count == 1


def test_a_setback_uses_up_no_try_and_the_next_try_is_alone_where_it_needs_a_node(tmp_path: Path) -> None:
    one = ScriptedJob(folder=tmp_path, items=3, script={1: ["evicted", "raise", "ok"]}, max_retries=1)
    ended = one.start(workers=1)
    tasks = [(task.attempt, task.alone) for task in ended.engine.tasks if task.span == Span(1)]
    assert tasks == [(1, False), (1, True), (2, True)]
    assert (ended.ledger.items_succeeded, ended.ledger.items_failed) == (3, 0)


def test_a_lost_node_uses_up_no_try_and_needs_no_node_for_itself(tmp_path: Path) -> None:
    one = ScriptedJob(folder=tmp_path, items=3, script={1: ["cut_short"] * 3}, max_retries=0)
    ended = one.start(workers=1)
    assert {task.alone for task in ended.engine.tasks} == {False}
    assert (one.calls[1], ended.ledger.items_succeeded) == (4, 3)


def test_the_parts_of_a_range_that_needed_a_node_need_one_too(tmp_path: Path) -> None:
    one = ScriptedJob(folder=tmp_path, items=8, mini_batch_size=4, isolates=True, max_retries=1,
                      script={1: ["evicted", "memory"]})  # fmt: skip
    ended = one.start(workers=1)
    parts = [task.alone for task in ended.engine.tasks if task.span.items]
    assert parts == [True, True]
    assert ended.ledger.items_succeeded == 8


def test_what_was_cut_short_is_still_alone_in_the_next_start(tmp_path: Path) -> None:
    one = ScriptedJob(folder=tmp_path, items=6, script={4: ["evicted"]})
    passes = 1
    while True:
        ended = one.start(workers=1, kill_in_pass=passes)
        if any(isinstance(entry.record, FailedTry) for entry in read_journal(one.journal_path)):
            break
        passes += 1
    assert ended.ending is None
    again = one.start(workers=1)
    assert [task.alone for task in again.engine.tasks if task.span.first == 4] == [True]


def test_the_worst_setback_is_the_class_of_the_failure(tmp_path: Path) -> None:
    one = ScriptedJob(folder=tmp_path, items=2, script={1: ["cut_short"] * 9}, max_retries=1)
    ended = one.start(workers=1)
    assert one.calls[1] == MOST_SETBACKS + 2
    assert ended.ledger.first_failure is not None
    assert (ended.ledger.first_failure.reason, ended.ledger.first_failure.final) == ("infrastructure", True)


def test_replay_gives_the_same_setbacks(tmp_path: Path) -> None:
    one = ScriptedJob(folder=tmp_path, items=9, mini_batch_size=3, isolates=True, max_retries=1,
                      poisons={(1, 1): "evicted", (2, 0): "cut_short"})  # fmt: skip
    ended = one.start(workers=2, seed=3)
    replayed = read_history(one.journal_path).ledger
    assert (replayed.setbacks, replayed.tally) == (ended.ledger.setbacks, ended.ledger.tally)
    assert replayed.setbacks != Ledger().setbacks


def test_workers_that_die_for_ever_with_what_they_held_end_the_job(tmp_path: Path) -> None:
    one = ScriptedJob(folder=tmp_path, items=2, script={1: ["hold_and_die"] * 99})
    ended = one.start(workers=1)
    assert ended.ending is not None
    assert ended.ending.end is End.BROKEN
    assert ended.ending.message.startswith("10 workers in a row have died between two mini-batches")
    assert one.calls[1] == 10


def test_a_worker_that_dies_now_and_then_with_what_it_held_costs_nothing(tmp_path: Path) -> None:
    script = {number: ["hold_and_die"] * 3 for number in range(9)}
    ended = ScriptedJob(folder=tmp_path, items=9, script=script).start(workers=1)
    assert ended.ending is not None
    assert ended.ending.end is End.ALL_DONE
    assert ended.ledger.items_succeeded == 9
