"""The scheduler, over every table of faults: each mini-batch ends once, after as many calls as the rule says.

A table gives, for a mini-batch, what each call of ``run`` does; what comes after its end is "ok".
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from doubles.scripted_engine import numbered_rows
from doubles.scripted_job import Ended, ScriptedJob
from gristmill.run.ledger import Ledger
from gristmill.run.replay import read_history
from gristmill.run.scheduler import End
from gristmill.spec.values import ErrorThreshold

FAILING = ("raise", "exit", "hang", "bad_return")
ACT = st.sampled_from([*FAILING, "ok", "short", "empty"])
TABLE = st.dictionaries(st.integers(0, 11), st.lists(ACT, min_size=1, max_size=4), max_size=8)
ITEMS = st.integers(1, 24)
SEED = st.none() | st.integers(0, 2**32)
WORKERS = st.integers(1, 4)
RETRIES = st.integers(0, 3)
GROWS_BY = st.sampled_from([1, 3, 1 << 30])


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the rules say about a table."""

    calls: dict[int, int]
    last: dict[int, str]
    """Mini-batch → what its last call did."""
    items: dict[int, int]

    @property
    def rows(self) -> dict[int, bytes]:
        return {n: b"".join(rows_of(act, n, self.items[n])) for n, act in self.last.items()}

    @property
    def not_succeeded(self) -> int:
        lost = {"short": lambda n: 1, "ok": lambda n: 0}
        return sum(lost.get(act, lambda n: self.items[n])(n) for n, act in self.last.items())


def rows_of(act: str, mini_batch: int, items: int) -> list[bytes]:
    kept = {"ok": items, "short": items - 1}.get(act, 0)
    return numbered_rows(mini_batch, items)[:kept]


def expected(table: Mapping[int, Sequence[str]], items: int, size: int, max_retries: int) -> Expected:
    counts = {n: min(size, items - n * size) for n in range(-(-items // size))}
    calls, last = {}, {}
    for n in counts:
        acts = [*table.get(n, ()), *["ok"] * (max_retries + 1)][: max_retries + 1]
        calls[n] = next((at for at, act in enumerate(acts, 1) if act not in FAILING), max_retries + 1)
        last[n] = acts[calls[n] - 1]
    return Expected(calls=calls, last=last, items=counts)


@contextmanager
def job_of(
    table: Mapping[int, Sequence[str]], items: int, max_retries: int, grows_by: int = 1 << 30, limit: int = -1
) -> Iterator[ScriptedJob]:
    with tempfile.TemporaryDirectory() as folder:
        yield ScriptedJob(
            folder=Path(folder), items=items, mini_batch_size=2, script=table, max_retries=max_retries,
            grows_by=grows_by, threshold=ErrorThreshold(items=limit, fraction=None),
        )  # fmt: skip


def numbers(intervals: object) -> set[int]:
    return {n for start, end in intervals for n in range(start, end)}  # type: ignore[attr-defined]


def assert_accounted_for(ledger: Ledger, wanted: Expected) -> None:
    scored, failed = numbers(ledger.scored), numbers(ledger.failed)
    assert failed == {n for n, act in wanted.last.items() if act in FAILING}
    assert scored == set(wanted.last) - failed
    assert ledger.attempts == {}
    assert ledger.items_done == sum(wanted.items.values())
    assert ledger.items_not_succeeded == wanted.not_succeeded


def assert_everything_was_answered(ended: Ended) -> None:
    assert ended.engine.answers == ended.engine.handed_out
    assert ended.engine.is_closed


@settings(max_examples=60)
@given(TABLE, ITEMS, RETRIES, WORKERS, GROWS_BY, SEED)
def test_every_mini_batch_ends_once_and_is_called_as_often_as_the_rule_says(
    table: dict[int, list[str]], items: int, max_retries: int, workers: int, grows_by: int, seed: int | None
) -> None:
    wanted = expected(table, items, 2, max_retries)
    with job_of(table, items, max_retries, grows_by) as job:
        ended = job.start(workers=workers, seed=seed)
        assert ended.ending is not None
        assert ended.ending.end is End.ALL_DONE
        assert dict(job.calls) == wanted.calls
        assert_accounted_for(ended.ledger, wanted)
        assert_everything_was_answered(ended)
        assert ended.output == b"".join(wanted.rows.values())
        assert vars_of(read_history(job.journal_path).ledger) == vars_of(ended.ledger)


def vars_of(ledger: Ledger) -> dict[str, object]:
    """Return the state of a ledger; the publication is recorded by the job, not by the loop."""
    values = {**vars(ledger), "scored": list(ledger.scored), "failed": list(ledger.failed)}
    del values["published"]
    return values


@settings(max_examples=40)
@given(TABLE, ITEMS, RETRIES, st.lists(st.tuples(WORKERS, SEED), min_size=2, max_size=2))
def test_any_order_of_outcomes_gives_the_same_bytes(
    table: dict[int, list[str]], items: int, max_retries: int, orders: list[tuple[int, int | None]]
) -> None:
    outputs = set()
    for workers, seed in orders:
        with job_of(table, items, max_retries) as job:
            outputs.add(job.start(workers=workers, seed=seed).output)
    assert len(outputs) == 1


@settings(max_examples=40)
@given(TABLE, ITEMS, RETRIES, WORKERS, SEED, st.integers(0, 8))
def test_a_threshold_stops_exactly_when_failures_exceed_it(
    table: dict[int, list[str]], items: int, max_retries: int, workers: int, seed: int | None, limit: int
) -> None:
    wanted = expected(table, items, 2, max_retries)
    with job_of(table, items, max_retries, limit=limit) as job:
        ended = job.start(workers=workers, seed=seed)
        assert ended.ending is not None
        stops = wanted.not_succeeded > limit
        assert ended.ending.end is (End.THRESHOLD if stops else End.ALL_DONE)
        assert (ended.ledger.items_not_succeeded > limit) is stops
        assert_everything_was_answered(ended)
        kept = sorted(numbers(ended.ledger.scored))
        assert ended.output == b"".join(wanted.rows[n] for n in kept)


@settings(max_examples=40)
@given(TABLE, ITEMS, RETRIES, GROWS_BY, st.lists(st.tuples(WORKERS, SEED, st.integers(1, 15)), max_size=3))
def test_a_cancelled_job_keeps_what_is_finished_and_goes_on_with_the_rest(
    table: dict[int, list[str]], items: int, max_retries: int, grows_by: int,
    cancelled: list[tuple[int, int | None, int]],
) -> None:  # fmt: skip
    wanted = expected(table, items, 2, max_retries)
    with job_of(table, items, max_retries, grows_by) as job:
        for workers, seed, cancel_in_pass in cancelled:
            ended = job.start(workers=workers, seed=seed, cancel_in_pass=cancel_in_pass)
            assert_everything_was_answered(ended)
            kept = sorted(numbers(ended.ledger.scored))
            assert ended.output == b"".join(wanted.rows[n] for n in kept)
            if ended.ending is not None and ended.ending.end is End.ALL_DONE:
                break
            assert ended.ending is not None
            assert ended.ending.end is End.CANCELLED
        ended = job.start(workers=2)
        assert dict(job.calls) == wanted.calls
        assert_accounted_for(ended.ledger, wanted)
        assert ended.output == b"".join(wanted.rows.values())


@settings(max_examples=40)
@given(ITEMS, st.lists(st.tuples(WORKERS, SEED, st.integers(1, 15)), min_size=1, max_size=3), st.data())
def test_a_killed_job_goes_on_and_runs_only_what_is_missing(
    items: int, kills: list[tuple[int, int | None, int]], data: st.DataObject
) -> None:
    wanted = expected({}, items, 2, 1)
    with job_of({}, items, 1) as job:
        for workers, seed, kill_in_pass in kills:
            job.start(workers=workers, seed=seed, kill_in_pass=kill_in_pass)
            tear = data.draw(st.binary(max_size=30))
            with open(job.journal_path, "ab") as journal:
                journal.write(b"GMJ2" + tear)
        scored = numbers(read_history(job.journal_path).ledger.scored)
        before = dict(job.calls)
        ended = job.start(workers=2)
        assert {n: job.calls[n] for n in scored} == {n: before[n] for n in scored}
        assert {n: job.calls[n] for n in set(wanted.calls) - scored} == {
            n: before.get(n, 0) + 1 for n in set(wanted.calls) - scored
        }
        assert_accounted_for(ended.ledger, wanted)
        assert ended.output == b"".join(wanted.rows.values())


@settings(max_examples=40)
@given(ITEMS, st.tuples(WORKERS, SEED, st.integers(2, 15)), st.data())
def test_rows_that_the_power_took_are_run_again_and_no_others(
    items: int, killed: tuple[int, int | None, int], data: st.DataObject
) -> None:
    workers, seed, kill_in_pass = killed
    wanted = expected({}, items, 2, 1)
    with job_of({}, items, 1) as job:
        job.start(workers=workers, seed=seed, kill_in_pass=kill_in_pass)
        parts = sorted((job.staging / "parts").iterdir())
        if parts:
            part = data.draw(st.sampled_from(parts))
            part.write_bytes(part.read_bytes()[: data.draw(st.integers(0, part.stat().st_size))])
        ended = job.start(workers=2)
        assert max(job.calls.values()) <= 2
        assert_accounted_for(ended.ledger, wanted)
        assert ended.output == b"".join(wanted.rows.values())
        again = job.start(workers=2)
        assert sum(again.engine.handed_out.values()) == 0


@settings(max_examples=40)
@given(TABLE, ITEMS, WORKERS, SEED)
def test_failed_ranges_get_new_tries_when_a_failed_job_goes_on(
    table: dict[int, list[str]], items: int, workers: int, seed: int | None
) -> None:
    first, second = expected(table, items, 2, 0), expected({}, items, 2, 0)
    rest = {n: acts[1:] for n, acts in table.items()}
    with job_of(table, items, 0) as job:
        job.start(workers=workers, seed=seed)
        failed = {n for n, act in first.last.items() if act in FAILING}
        ended = job.start(workers=workers, seed=seed, retry_failed=True)
        assert dict(job.calls) == {n: 2 if n in failed else 1 for n in second.calls}
        last = {n: [*rest.get(n, ()), "ok"][0] if n in failed else act for n, act in first.last.items()}
        assert_accounted_for(ended.ledger, Expected(calls={}, last=last, items=first.items))


HELD_ACT = st.sampled_from(["hold", "hold", "let_go", "ok", "file", *FAILING])
HELD_TABLE = st.dictionaries(st.integers(0, 11), st.lists(HELD_ACT, min_size=1, max_size=3), max_size=10)
STARTS = st.lists(
    st.tuples(WORKERS, SEED, st.none() | st.integers(2, 15), st.none() | st.integers(2, 15),
              st.sets(st.integers(0, 3))),
    max_size=3,
)  # fmt: skip


@settings(max_examples=100)
@given(HELD_TABLE, ITEMS, STARTS)
def test_whatever_is_held_and_whoever_dies_every_row_is_there_once(
    table: dict[int, list[str]],
    items: int,
    starts: list[tuple[int, int | None, int | None, int | None, set[int]]],
) -> None:
    wanted = expected({}, items, 2, 0)
    with job_of(table, items, 9) as job:
        for workers, seed, kill_in_pass, cancel_in_pass, dying in starts:
            ended = job.start(workers=workers, seed=seed, kill_in_pass=kill_in_pass,
                              cancel_in_pass=cancel_in_pass, dying_in_shutdown=frozenset(dying))  # fmt: skip
            assert ended.ending is None or ended.ledger.held == {}
            kept = sorted(numbers(ended.ledger.scored))
            assert ended.ending is None or ended.output == b"".join(wanted.rows[n] for n in kept)
            assert vars_of(read_history(job.journal_path).ledger) == vars_of(ended.ledger)
        ended = job.start(workers=2)
        assert ended.ending is not None
        assert ended.ending.end is End.ALL_DONE
        assert_accounted_for(ended.ledger, wanted)
        assert ended.output == b"".join(wanted.rows.values())
        assert vars_of(read_history(job.journal_path).ledger) == vars_of(ended.ledger)
