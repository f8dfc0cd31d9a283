"""What every engine promises (design, D1), as one suite; `test_engines` holds each engine to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import pytest

from doubles.assignment import Shift
from gristmill.engine.contract import (
    Engine,
    Failed,
    NotStarted,
    Ready,
    Scored,
    Span,
    StartFailed,
    Task,
    WorkerEnded,
)

#: What a script does to a mini-batch, call by call; afterwards all is well.
Acts = Mapping[int, Sequence[str]]
#: Makes an engine (as `Workshop.engine` does), starts it, and has it closed in the end.
Begin = Callable[..., Shift]


class Workshop(Protocol):
    """Makes an engine that acts by a table, and knows how often `run` was called."""

    def engine(
        self,
        batches: int,
        acts: Acts | None = None,
        *,
        starts: Mapping[int, Sequence[str]] | None = None,
        workers: int = 1,
        items: int = 1,
    ) -> Engine:
        """Return an engine over so many mini-batches of ``items`` files each; a hang lasts for ever.

        Acts are ``ok``, ``raise``, ``exit``, ``hang``, ``bad_return``, ``short`` (one result less) and
        ``empty``; the starts of a worker are ``ok`` or ``fail``.
        """

    def calls(self) -> Counter[int]:
        """Return how often `run` was called, by mini-batch."""

    def neighbours(self, batch: int) -> int:
        """Return how many mini-batches were run at the same time as this one."""

    def items_seen(self) -> Counter[int]:
        """Return how many items `run` was given in all, by mini-batch."""


class EngineSuite:
    """Facts about an engine; a subclass has the fixture `workshop`."""

    @pytest.fixture
    def open_engines(self) -> Iterator[list[Engine]]:
        """Whatever a test adds here is closed."""
        engines: list[Engine] = []
        yield engines
        for engine in engines:
            engine.halt()
            engine.close()

    @pytest.fixture
    def begin(self, workshop: Workshop, open_engines: list[Engine]) -> Begin:
        """Return a function that makes an engine, starts it, and has it closed in the end."""

        def begin(batches: int, acts: Acts | None = None, **more: object) -> Shift:
            engine = workshop.engine(batches, acts, **more)
            open_engines.append(engine)
            engine.start()
            return Shift(engine)

        return begin

    # Every mini-batch of a task is answered, once

    def test_every_mini_batch_is_answered_exactly_once(self, begin: Begin, workshop: Workshop) -> None:
        acts = {3: ["raise"], 5: ["exit"], 8: ["hang"], 11: ["bad_return"], 13: ["short"], 14: ["empty"]}
        shift = begin(60, acts, workers=2)
        shift.serve([Span(0, 60)])
        assert Counter(shift.answers()) - Counter(_given_back(shift)) == Counter(range(60))
        assert workshop.calls() == Counter(range(60))
        assert {event.span.first for event in shift.all(Failed)} == {3, 5, 8, 11}

    def test_one_hundred_mini_batches_of_ten_call_run_one_hundred_times_with_ten_each(
        self, begin: Begin, workshop: Workshop
    ) -> None:
        shift = begin(100, workers=2, items=10)
        shift.serve([Span(0, 100)])
        assert workshop.calls() == Counter(range(100))
        assert workshop.items_seen() == Counter(dict.fromkeys(range(100), 10))
        assert sum(event.total for event in shift.all(Scored)) == 1000
        assert sum(event.succeeded for event in shift.all(Scored)) == 1000

    # Faults, as a table

    @pytest.mark.parametrize(
        ("acts", "max_retries", "calls", "reasons", "starts"),
        [
            ([], 3, 1, [], 1),
            (["raise"] * 9, 3, 4, ["exception"] * 4, 1),
            (["raise", "ok"], 3, 2, ["exception"], 1),
            (["raise"] * 9, 0, 1, ["exception"], 1),
            (["bad_return"] * 9, 1, 2, ["bad_return"] * 2, 1),
            (["exit"] * 9, 2, 3, ["worker_died"] * 3, 4),
            (["exit", "ok"], 3, 2, ["worker_died"], 2),
            (["hang"] * 9, 1, 2, ["timeout"] * 2, 3),
            (["hang", "ok"], 3, 2, ["timeout"], 2),
            (["raise", "exit", "hang", "bad_return", "ok"], 9, 5,
             ["exception", "worker_died", "timeout", "bad_return"], 3),
        ],
    )  # fmt: skip
    def test_a_fault_costs_exactly_its_calls(
        self,
        begin: Begin,
        workshop: Workshop,
        acts: list[str],
        max_retries: int,
        calls: int,
        reasons: list[str],
        starts: int,
    ) -> None:
        shift = begin(4, {1: acts})
        shift.serve([Span(0, 4)], max_retries=max_retries)
        failures = shift.all(Failed)
        assert workshop.calls() == Counter({0: 1, 1: calls, 2: 1, 3: 1})
        assert [failure.reason.value for failure in failures] == reasons
        assert [failure.attempt for failure in failures] == list(range(1, len(reasons) + 1))
        assert {failure.span for failure in failures} <= {Span(1)}
        shift.ready(starts)
        assert len(shift.all(Ready)) == starts
        assert len(shift.all(WorkerEnded)) == starts - 1

    def test_missing_results_are_counted(self, begin: Begin) -> None:
        shift = begin(3, {0: ["short"], 2: ["empty"]}, items=4)
        shift.serve([Span(0, 3)])
        counts = {event.span.first: (event.total, event.succeeded) for event in shift.all(Scored)}
        assert counts == {0: (4, 3), 1: (4, 4), 2: (4, 0)}

    def test_what_was_queued_behind_a_death_is_not_started_and_costs_no_call(
        self, begin: Begin, workshop: Workshop
    ) -> None:
        shift = begin(30, {20: ["exit"]})
        shift.serve([Span(0, 30)])
        assert workshop.calls() == Counter(range(30))
        assert [failure.span for failure in shift.all(Failed)] == [Span(20)]

    # Workers

    def test_an_engine_without_a_ready_worker_has_no_room(self, begin: Begin) -> None:
        shift = begin(1)
        assert shift.engine.room() == 0
        shift.ready()
        assert shift.engine.room() > 0

    def test_room_is_0_once_every_worker_has_enough(self, begin: Begin) -> None:
        shift = begin(50, {0: ["hang"], 1: ["hang"]}, workers=2)
        shift.ready(2)
        for batch in range(50):
            if not shift.engine.room():
                break
            shift.engine.submit(Task(Span(batch)))
        assert shift.engine.room() == 0
        assert shift.engine.load().running == batch >= 2

    def test_a_failed_start_gives_the_script_s_own_traceback(self, begin: Begin, workshop: Workshop) -> None:
        shift = begin(2, starts={0: ["fail"]})
        shift.until(lambda: shift.all(StartFailed))
        [failure] = shift.all(StartFailed)
        assert failure.worker == 0
        assert "in init" in failure.traceback
        assert shift.all(Ready) == []
        assert shift.engine.room() == 0
        assert workshop.calls() == Counter()

    def test_a_slot_whose_start_failed_is_started_again_when_told(
        self, begin: Begin, workshop: Workshop
    ) -> None:
        shift = begin(2, starts={0: ["fail", "fail", "ok"]})
        for failures in (1, 2):
            shift.until(lambda wanted=failures: len(shift.all(StartFailed)) == wanted)
            shift.engine.restart(0, 0.01)
        shift.ready()
        shift.events.clear()
        shift.serve([Span(0, 2)])
        assert workshop.calls() == Counter(range(2))

    def test_a_slot_that_is_given_up_stays_empty_and_the_others_work_on(
        self, begin: Begin, workshop: Workshop
    ) -> None:
        shift = begin(10, starts={1: ["fail"]}, workers=2)
        shift.until(lambda: shift.all(StartFailed) and shift.all(Ready))
        shift.engine.give_up(1)
        assert shift.engine.load().workers == 1
        shift.serve([Span(0, 10)])
        assert workshop.calls() == Counter(range(10))
        assert {event.worker for event in shift.all(Scored)} == {0}
        assert len(shift.all(Ready)) == 1

    def test_load_counts_what_is_ready_and_what_is_running(self, begin: Begin) -> None:
        shift = begin(2, {0: ["hang"]}, workers=2)
        assert shift.engine.load().workers == 2
        shift.ready(2)
        shift.engine.submit(Task(Span(0)))
        load = shift.engine.load()
        assert (load.workers, load.ready, load.running) == (2, 2, 1)

    # Alone

    def test_a_task_that_is_to_be_alone_waits_until_all_others_rest(
        self, begin: Begin, workshop: Workshop
    ) -> None:
        shift = begin(4, {0: ["hang"]}, workers=2)
        shift.ready(2)
        shift.engine.submit(Task(Span(0)))
        shift.engine.submit(Task(Span(1), alone=True))
        shift.until(lambda: any(event.span == Span(1) for event in shift.all(Scored)))
        # 0 was hanging: it ended before, by its timeout, or had not begun
        assert shift.answers() == [0, 1]
        assert workshop.calls()[1] == 1

    def test_nothing_runs_beside_a_task_that_is_alone(self, begin: Begin, workshop: Workshop) -> None:
        shift = begin(30, workers=2)
        shift.ready(2)
        shift.serve([Span(0, 10)])
        shift.engine.submit(Task(Span(10), alone=True))
        shift.serve([Span(11, 10)])
        shift.until(lambda: 10 in shift.answers())
        assert workshop.neighbours(10) == 0
        assert workshop.calls() == Counter(range(21))

    def test_there_is_no_room_beside_a_task_that_is_alone(self, begin: Begin) -> None:
        shift = begin(3, {1: ["hang"]}, workers=2)
        shift.ready(2)
        shift.engine.submit(Task(Span(1), alone=True))
        assert shift.engine.room() == 0
        assert shift.engine.load().running == 1
        shift.until(lambda: shift.all(Failed))
        shift.until(shift.engine.room)
        shift.serve([Span(0), Span(2)])

    def test_what_waits_is_handed_back_when_a_task_is_to_be_alone(
        self, begin: Begin, workshop: Workshop
    ) -> None:
        shift = begin(40, {20: ["hang"], 21: ["hang"]}, workers=2)
        shift.serve([Span(0, 20)])
        submitted = 20
        while submitted < 39 and (shift.engine.room() and submitted < 24):
            shift.engine.submit(Task(Span(submitted)))
            submitted += 1
        if not shift.engine.room():
            shift.until(shift.engine.room)
        shift.engine.submit(Task(Span(39), alone=True))
        shift.until(lambda: 39 in shift.answers())
        assert set(range(20, submitted)) <= set(shift.answers())
        assert workshop.neighbours(39) == 0

    def test_one_task_after_the_other_can_be_alone(self, begin: Begin, workshop: Workshop) -> None:
        shift = begin(4, workers=2)
        shift.ready(2)
        for batch in range(4):
            shift.until(shift.engine.room)
            shift.engine.submit(Task(Span(batch), alone=True))
        shift.until(lambda: len(shift.answers()) == 4)
        assert [workshop.neighbours(batch) for batch in range(4)] == [0, 0, 0, 0]

    def test_a_death_while_alone_is_answered_and_the_work_goes_on(
        self, begin: Begin, workshop: Workshop
    ) -> None:
        shift = begin(6, {0: ["exit"]}, workers=2)
        shift.ready(2)
        shift.engine.submit(Task(Span(0), 2, alone=True))
        shift.until(lambda: shift.all(Failed))
        shift.until(shift.engine.room)
        shift.serve([Span(1, 5)])
        [failed] = shift.all(Failed)
        assert (failed.span, failed.attempt, failed.reason.value) == (Span(0), 2, "worker_died")
        assert workshop.calls() == Counter(range(6))

    def test_halt_hands_back_a_task_that_waits_to_be_alone(self, begin: Begin) -> None:
        shift = begin(2, {0: ["hang"]}, workers=2)
        shift.ready(2)
        shift.engine.submit(Task(Span(0)))
        shift.engine.submit(Task(Span(1), 3, alone=True))
        shift.events += shift.engine.halt()
        assert NotStarted(Span(1), 3, alone=True) in shift.events
        assert shift.answers() == [0, 1]
        assert shift.engine.load().running == 0

    # The end

    def test_halt_answers_all_that_is_owed(self, begin: Begin) -> None:
        shift = begin(40, {30: ["hang"], 31: ["hang"]}, workers=2)
        shift.serve([Span(0, 20)])
        submitted = 20
        while submitted < 40 and shift.engine.room():
            shift.engine.submit(Task(Span(submitted)))
            submitted += 1
        shift.events += shift.engine.halt()
        kept = Counter(shift.answers()) - Counter(_given_back(shift))
        assert submitted > 20
        assert set(shift.answers()) == set(range(submitted))
        assert max(kept.values()) == 1
        assert shift.all(Failed) == []
        assert shift.engine.load().running == 0

    def test_an_idle_engine_closes_twice_without_a_failure(self, begin: Begin) -> None:
        shift = begin(3, workers=2)
        shift.ready(2)
        shift.serve([Span(0, 3)])
        ending = [*shift.engine.close(), *shift.engine.close()]
        assert [event for event in ending if isinstance(event, Failed | StartFailed | WorkerEnded)] == []

    def test_sync_can_be_called_at_any_time(self, begin: Begin) -> None:
        shift = begin(3)
        shift.engine.sync()
        shift.serve([Span(0, 3)])
        shift.engine.sync()
        shift.engine.sync()
        assert len(shift.answers()) == 3


def _given_back(shift: Shift) -> list[int]:
    spans = [event.span for event in shift.all(NotStarted)]
    return [batch for span in spans for batch in range(span.first, span.first + span.batches)]
