"""Largest first, on a clock of its own: who is started when, and when everything is done."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from doubles.scripted_job import ScriptedJob
from doubles.timed_engine import TimedEngine
from gristmill.engine.contract import Load, Scored, Span, Task
from gristmill.plan.planner import Planner
from gristmill.run import policy
from gristmill.run.backlog import Backlog
from gristmill.run.largest_first import LargestFirst
from gristmill.run.ledger import Ledger
from unit.run.test_backlog import all_of


def handed_out(tmp_path: Path, sizes: Sequence[int], workers: int, **given: int) -> tuple[list[int], float]:
    """Run mini-batches that take a second per byte; return them as they were handed out, and the makespan."""
    known = given.pop("known", 1)
    job = ScriptedJob(folder=tmp_path, items=len(sizes), sizes=list(sizes) if known else None, **given)
    plan = job.plan()
    begun = job.begin(
        plan,
        lambda fence: TimedEngine(
            staging=job.staging, item_count=plan.item_count, workers=workers, fence=fence,
            seconds=lambda mini_batch: sizes[mini_batch] / 1000,
        ),
    )  # fmt: skip
    try:
        for _ in begun.scheduler.run():
            pass
        _, output = job.publish(begun.committer, begun.journal, begun.scheduler.ending)
    finally:
        begun.close()
    assert output == b"".join(b"%d 0\n" % number for number in range(len(sizes)))
    spans = [task.span for task in begun.engine.tasks]
    return [n for span in spans for n in range(span.first, span.first + span.batches)], begun.engine.clock


def greedy(seconds: Sequence[float], workers: int) -> float:
    """Return when workers are done that each take the next as soon as they are free."""
    free = [0.0] * workers
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return max(free)


def zipf(count: int, seed: int) -> list[int]:
    sizes = [int(40_000 / (rank + 8) ** 1.2) + 25 for rank in range(count)]
    random.Random(seed).shuffle(sizes)
    return sizes


def test_the_largest_are_started_first_and_the_output_is_in_order(tmp_path: Path) -> None:
    sizes = [100, 300, 50, 200, 400]
    assert handed_out(tmp_path, sizes, workers=2) == ([4, 1, 3, 0, 2], pytest.approx(0.55))


@pytest.mark.parametrize("workers", [2, 8])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_skewed_mini_batches_end_together(tmp_path: Path, workers: int, seed: int) -> None:
    sizes = zipf(300, seed)
    order, makespan = handed_out(tmp_path, sizes, workers)
    assert order == sorted(range(300), key=lambda number: -sizes[number])
    assert makespan == pytest.approx(greedy([sizes[n] / 1000 for n in order], workers))
    assert makespan < 1.01 * max(sum(sizes) / workers, max(sizes)) / 1000


def test_in_plan_order_they_do_not(tmp_path: Path) -> None:
    sizes = [*zipf(299, 1), 6_000]
    order, makespan = handed_out(tmp_path, sizes, workers=8, known=0)
    assert order == list(range(300))
    assert makespan > 1.4 * sum(sizes) / 8 / 1000


def test_of_a_growing_plan_the_largest_known_comes_first(tmp_path: Path) -> None:
    sizes = [100, 200, 150, 300, 120, 110, 130, 900]
    order, _ = handed_out(tmp_path, sizes, workers=1, grows_by=2)
    assert order == [3, 1, 7, 2, 6, 4, 5, 0]  # four are listed when the worker is ready, then two more


def test_small_ones_come_as_ranges_once_it_is_known_how_long_a_byte_takes(tmp_path: Path) -> None:
    sizes = [1] * 2_000 + [500]
    order, makespan = handed_out(tmp_path, sizes, workers=2)
    assert order[0] == 2_000
    assert order[1:] == list(range(2_000))
    assert makespan < 1.02 * sum(sizes) / 2 / 1000


def test_a_window_bounds_what_is_put_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "WINDOW_BATCHES", 4)
    sizes = [30, 60, 50, 40, 31, 32, 90, 33, 34, 35, 36, 95]
    order, _ = handed_out(tmp_path, sizes, workers=1)
    assert order[:4] == [1, 2, 3, 0]
    assert order[4:] == [11, 6, 10, 9, 8, 7, 5, 4]  # what is left is no longer than two windows


def test_a_resumed_job_goes_on_with_the_largest_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "LEAST_ORDERED_S", 0.0)
    sizes = [100, 300, 50, 200, 400, 250]
    job = ScriptedJob(folder=tmp_path, items=6, sizes=sizes)
    first = job.start(workers=1, kill_in_pass=4)
    done = [number for begin, end in first.ledger.scored for number in range(begin, end)]
    assert set(done) <= {4, 1, 5}
    second = job.start(workers=1)
    left = [number for number in (4, 1, 5, 3, 0, 2) if number not in done]
    assert left
    assert [task.span.first for task in second.engine.tasks] == left


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    """A plan that was cut by number: a file to a mini-batch, one of them gone."""
    (tmp_path / "in").mkdir()
    for number, blocks in enumerate((3, 9, 0, 5, 7)):
        (tmp_path / "in" / str(number)).write_bytes(b"x" * blocks * policy.TELLING_BYTES)
    planner = Planner(root=tmp_path / "in", folder=tmp_path / "plan", mini_batch_size=1)
    while not planner.complete:
        planner.step(1)
    (tmp_path / "in" / "3").unlink()
    yield planner
    planner.close()


def largest_first(planner: Planner, wanted: bool | None, *scored: Scored) -> tuple[LargestFirst, Backlog]:
    ledger = Ledger()
    for one in scored:
        ledger.apply(one)
    backlog = Backlog(ledger)
    return LargestFirst(planner, backlog, ledger, wanted=wanted), backlog


def took(mini_batch: int, seconds: float) -> Scored:
    return Scored(Span(mini_batch), 1, 1, 1, 0, 0, 0, 0, 0, 0, seconds, 0)


def test_sizes_are_asked_for_in_steps_once_files_take_long(planner: Planner) -> None:
    one, backlog = largest_first(planner, None, took(0, 0.5))
    steps = 0
    while one.is_due:
        one.advance(0.0)
        steps += 1
    assert steps >= 4
    assert [task.span for task in all_of(backlog, 5)] == [Span(1), Span(4), Span(2, 2)]
    assert not one.is_due


@pytest.mark.parametrize(
    ("wanted", "scored"), [(None, [took(0, 50e-6)]), (None, []), (False, [took(0, 5.0)])]
)
def test_no_file_is_asked_while_work_is_quick_or_order_is_not_wanted(
    planner: Planner, wanted: bool | None, scored: list[Scored]
) -> None:
    one, _ = largest_first(planner, wanted, *scored)
    assert not one.is_due


def test_where_it_is_wanted_nothing_is_handed_out_before_sizes_are_known(planner: Planner) -> None:
    one, backlog = largest_first(planner, True)
    assert backlog.take(1, 5) is None
    while one.is_due:
        one.advance(0.0)
    assert [task.span for task in all_of(backlog, 5)] == [Span(1), Span(4), Span(0), Span(2, 2)]


def test_what_was_handed_out_meanwhile_is_not_asked_about(planner: Planner) -> None:
    one, backlog = largest_first(planner, None, took(0, 0.5))
    one.advance(0.0)
    assert backlog.take(3, 5) == Task(Span(1, 3))
    while one.is_due:
        one.advance(0.0)
    assert all_of(backlog, 5) == [Task(Span(4))]


@pytest.mark.parametrize(
    ("remaining", "complete", "begins_large", "idle", "expected"),
    [
        (4, True, False, 0, False),
        (5, True, False, 0, True),
        (4, True, False, 1, True),
        (1, False, False, 0, True),
        (99, False, True, 0, False),
        (99, False, True, 1, True),
    ],
)
def test_at_the_end_nothing_waits_behind_another_nor_does_what_is_large(
    remaining: int, complete: bool, begins_large: bool, idle: int, expected: bool
) -> None:
    load = Load(workers=2, ready=2, running=2, idle=idle)
    assert policy.may_wait(remaining, load, complete, begins_large) is expected


def test_files_are_asked_for_their_sizes_once_they_take_long() -> None:
    assert not policy.may_ask_for_sizes(0.0, 0)
    assert not policy.may_ask_for_sizes(0.001, 10)
    assert policy.may_ask_for_sizes(0.002, 10)


def test_what_takes_less_than_is_queued_ahead_is_not_put_in_order() -> None:
    assert policy.least_to_be_ordered(0.0, 0) == 1.0
    assert policy.least_to_be_ordered(2.0, 1_000) == pytest.approx(10.0)
    assert policy.least_to_be_ordered(2.0, 10) == 1.0


@pytest.mark.parametrize(("wanted", "order"), [(None, [1, 2, 3, 4]), (True, [1, 4, 3, 2])])
def test_a_few_bytes_more_change_the_order_only_where_it_is_asked_for(
    planner: Planner, wanted: bool | None, order: list[int]
) -> None:
    for number in range(2, 5):
        (Path(planner.manifest.root) / str(number)).write_bytes(b"x" * number)
    one, backlog = largest_first(planner, wanted, took(0, 0.5))
    while one.is_due:
        one.advance(0.0)
    spans = [task.span for task in all_of(backlog, 5)]
    assert [n for span in spans for n in range(span.first, span.first + span.batches)] == order
