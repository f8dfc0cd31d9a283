"""A supervisor and a worker in every order of their steps: each mini-batch is answered once, by the truth.

Both are the real ones. The worker runs in a thread that moves only when it is given a turn, at the points
where the two can see each other: the slot, the recall flag, the pipes.
"""

from __future__ import annotations

import os
import select
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.engine import supervisor as supervisor_module
from gristmill.engine.berth import berth_of
from gristmill.engine.contract import Event, Failed, NotStarted, Reason, Scored, Span, Task, WorkerEnded
from gristmill.engine.environment import Interpreter
from gristmill.engine.launch import Assignment, Launched
from gristmill.engine.supervisor import Supervisor
from gristmill_worker import loop as worker_module
from gristmill_worker import slot as slots
from gristmill_worker import wire
from gristmill_worker.channel import Channel
from gristmill_worker.encoded import Encoded
from gristmill_worker.loop import Worker

NOWHERE = Path("/nowhere/job/logs/user")
ASSIGNMENT = Assignment(
    job="test", run_id="run", fence=1, code=NOWHERE, script=NOWHERE, plan=NOWHERE, root="/nowhere",
    staging=NOWHERE,
    logs=NOWHERE, scratch=NOWHERE, cache=NOWHERE, timeout_s=30.0,
    interpreter=Interpreter(path=NOWHERE, version=(3, 11, 0), cache_tag="", chosen=""),
)  # fmt: skip
BERTH = berth_of("run", NOWHERE, NOWHERE, 0, 0, 0)
MILLISECOND_NS = 1_000_000


class Abandoned(BaseException):
    """The test is over; the worker is to unwind."""


class Turns:
    """Lets the worker's thread move from one pause to the next, and no further."""

    def __init__(self) -> None:
        self._worker, self._test = threading.Semaphore(0), threading.Semaphore(0)
        self.is_over = False
        self.is_waiting = False

    def pause(self) -> None:
        if self.is_over:
            raise Abandoned
        self._test.release()
        self._worker.acquire()
        if self.is_over:
            raise Abandoned

    def begin(self, work: Any) -> None:
        def whole_life() -> None:
            try:
                self._worker.acquire()
                work()
            except Abandoned:
                pass
            finally:
                self.is_over = True
                self._test.release()

        self.thread = threading.Thread(target=whole_life)
        self.thread.start()

    def give(self, turns: int = 1) -> None:
        for _ in range(turns):
            if not self.is_over:
                self._worker.release()
                self._test.acquire()


class TurnedSlot(slots.Slot):
    """A slot in plain memory; for the worker's side each access is a pause."""

    def __init__(self, memory: bytearray, turns: Turns | None = None) -> None:
        self._memory = memory  # type: ignore[assignment]
        self._pause = turns.pause if turns else lambda: None

    def publish(self, *fields: Any) -> None:
        self._pause()
        super().publish(*fields)
        self._pause()

    def recalled(self) -> bool:
        seen = super().recalled()
        self._pause()
        return seen


class TurnedChannel(Channel):
    """A channel that gives up its turn instead of waiting."""

    def __init__(self, incoming: int, outgoing: int, turns: Turns) -> None:
        self._in, self._out, self._buffer, self._turns = incoming, outgoing, b"", turns

    def read(self) -> tuple[int, bytes]:
        while not self._buffer and not select.select([self._in], [], [], 0)[0]:
            self._turns.is_waiting = True
            self._turns.pause()
        self._turns.is_waiting = False
        return super().read()

    def write(self, data: bytes) -> None:
        self._turns.pause()
        super().write(data)


class Clock(SimpleNamespace):
    """Time that goes on by a fixed step whenever the worker looks at it."""

    def __init__(self, step_ns: int) -> None:
        super().__init__(now_ns=10**12, step_ns=step_ns, strftime=lambda *_: "", gmtime=lambda: None)

    def monotonic_ns(self) -> int:
        self.now_ns += self.step_ns
        return int(self.now_ns)


class Pair:
    """A supervisor and its worker."""

    def __init__(self, turns: Turns, clock: Clock, raising: set[int]) -> None:
        self.turns, self.raising = turns, raising
        self.ran: Counter[int] = Counter()
        self.events: list[Event] = []
        self.submitted = 0
        self.is_killed = False
        memory = bytearray(slots.SLOT_BYTES)
        worker_in, self.out = os.pipe()
        self.incoming, worker_out = os.pipe()
        self.descriptors = [worker_in, worker_out, self.incoming, self.out]
        for descriptor in (self.incoming, self.out):
            os.set_blocking(descriptor, False)
        process: Any = SimpleNamespace(id=1 << 22, wait=lambda: 9, kill=self.kill)  # nobody has that id
        launched = Launched(process=process, incoming=self.incoming, outgoing=self.out, berth=BERTH)
        self.slot = TurnedSlot(memory)
        self.supervisor = Supervisor(ASSIGNMENT, launched, self.slot, 0, 1, 0.0)
        worker = Worker(
            channel=TurnedChannel(worker_in, worker_out, turns),
            slot=TurnedSlot(memory, turns),
            items=SimpleNamespace(  # type: ignore[arg-type]
                root="/", read=lambda first, n: [b""] * n, names=lambda *_: (["f"], ["/f"])
            ),
            stage=SimpleNamespace(),  # type: ignore[arg-type]  # no file is split by rows
            part=SimpleNamespace(offset=0, append=lambda data, crc: crc),  # type: ignore[arg-type]
            outbox=SimpleNamespace(  # type: ignore[arg-type]
                is_touched=lambda: False, put_back=list, begin=lambda: None
            ),
            encode=lambda result, names, mini_batch: Encoded(b"f\n", 1, None, ()),
            job_name="test",
            error_log=os.devnull,
        )
        worker.script = SimpleNamespace(  # type: ignore[assignment]  # nothing is loaded into the test's process
            run=self.run, takes_context=True, file_name="score.py", shutdown=None, code="/code"
        )
        os.write(
            worker_out, wire.frame(wire.READY, b'{"init_s": 0, "modules": [], "binding": 0, "unfit": ""}')
        )
        self.read()
        turns.begin(worker.serve)

    def run(self, paths: list[str], context: Any) -> list[str]:
        self.ran[context.minibatch_index] += 1
        self.turns.pause()
        if context.minibatch_index in self.raising:
            raise ValueError("no")
        return paths

    def kill(self) -> None:
        self.is_killed = True

    def read(self) -> None:
        self.events += self.supervisor.on_readable()

    def submit(self, batches: int) -> None:
        if self.supervisor.takes_work:
            self.supervisor.submit(Task(Span(self.submitted, batches)))
            self.submitted += batches

    def recall(self) -> None:
        self.events += self.supervisor.recall_if_stuck(1e-9)  # whatever runs, runs too long

    def begin_first(self) -> None:
        """Let the worker move until it is inside its first call of run()."""
        while not self.ran:
            self.turns.give()

    def drain(self) -> None:
        """Let both go on until nothing moves any more."""
        for _ in range(50 * (self.submitted + 1)):
            self.turns.give()
            self.read()
            if self.turns.is_waiting and not self.supervisor.outstanding_batches:
                break

    def numbers(self, *kinds: type) -> Counter[int]:
        spans = [event.span for event in self.events if isinstance(event, kinds)]  # type: ignore[attr-defined]
        return Counter(n for span in spans for n in range(span.first, span.first + span.batches))


@contextmanager
def pair(
    step_ns: int = MILLISECOND_NS, raising: set[int] | None = None, during_second_look: Any = lambda: 0
) -> Iterator[Pair]:
    turns, clock = Turns(), Clock(step_ns)
    both = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_module, "time", clock)
        looking = SimpleNamespace(
            sleep=lambda s: turns.give(during_second_look()),
            monotonic_ns=lambda: clock.now_ns + 1,
            monotonic=lambda: clock.now_ns / 1e9,
        )
        patch.setattr(supervisor_module, "time", looking)
        try:
            both = Pair(turns, clock, raising or set())
            yield both
        finally:
            turns.is_over = True
            turns._worker.release()
            turns.thread.join()
            for descriptor in both.descriptors if both else ():
                os.close(descriptor)


ACTIONS = st.one_of(
    st.tuples(st.just("turns"), st.integers(1, 12)),
    st.tuples(st.just("submit"), st.integers(1, 6)),
    st.tuples(st.just("read"), st.just(0)),
    st.tuples(st.just("recall"), st.just(0)),
)


def act(both: Pair, actions: list[tuple[str, int]]) -> None:
    for what, number in actions:
        if what == "turns":
            both.turns.give(number)
        elif what == "submit":
            both.submit(number)
        elif what == "read":
            both.read()
        else:
            both.recall()


@settings(max_examples=150)
@given(
    actions=st.lists(ACTIONS, max_size=40),
    raising=st.sets(st.integers(0, 30), max_size=4),
    step_ns=st.sampled_from([MILLISECOND_NS // 10, MILLISECOND_NS, 6 * MILLISECOND_NS]),
    looks=st.lists(st.integers(0, 14), min_size=1, max_size=8),
)
def test_whatever_the_order_every_mini_batch_is_answered_once_and_by_the_truth(
    actions: list[tuple[str, int]], raising: set[int], step_ns: int, looks: list[int]
) -> None:
    again = iter(looks * 100)
    with pair(step_ns, raising, lambda: next(again)) as both:
        act(both, actions)
        both.drain()
        assert both.numbers(Scored, Failed, NotStarted) == Counter(range(both.submitted))
        assert both.numbers(Scored, Failed) == both.ran
        assert both.numbers(Failed) == Counter(raising & set(both.ran))
        assert both.supervisor.outstanding_batches == 0
        assert both.supervisor.takes_work


@settings(max_examples=150)
@given(
    actions=st.lists(ACTIONS, max_size=40),
    raising=st.sets(st.integers(0, 30), max_size=4),
    step_ns=st.sampled_from([MILLISECOND_NS // 10, MILLISECOND_NS, 6 * MILLISECOND_NS]),
    looks=st.lists(st.integers(0, 14), min_size=1, max_size=8),
)
def test_whenever_a_worker_dies_what_it_owes_is_answered_once(
    actions: list[tuple[str, int]], raising: set[int], step_ns: int, looks: list[int]
) -> None:
    again = iter(looks * 100)
    with pair(step_ns, raising, lambda: next(again)) as both:
        act(both, actions)
        both.events += both.supervisor.on_death()
        blamed = [e for e in both.events if isinstance(e, Failed) and e.reason is Reason.WORKER_DIED]
        assert both.numbers(Scored, Failed, NotStarted) == Counter(range(both.submitted))
        assert all(both.ran[number] == 1 for number in both.numbers(Scored))
        assert all(both.ran[number] == 0 for number in both.numbers(NotStarted))
        assert len(blamed) <= 1


@settings(max_examples=100)
@given(
    actions=st.lists(ACTIONS, max_size=30),
    raising=st.sets(st.integers(0, 30), max_size=4),
    looks=st.lists(st.integers(0, 14), min_size=1, max_size=8),
)
def test_a_worker_that_has_nothing_to_do_never_looks_busy(
    actions: list[tuple[str, int]], raising: set[int], looks: list[int]
) -> None:
    again = iter(looks * 100)
    with pair(MILLISECOND_NS, raising, lambda: next(again)) as both:
        act(both, actions)
        both.drain()
        assert both.slot.read().state != slots.RUNNING


def test_a_mini_batch_that_is_waiting_when_its_worker_was_idle_for_long_does_not_time_out() -> None:
    with pair(raising={0}) as both:
        both.submit(1)
        both.drain()
        worker_module.time.now_ns += 3600 * 10**9  # type: ignore[attr-defined]
        both.submit(1)
        both.supervisor.on_clock(1.0)
        assert not both.is_killed


def test_a_mini_batch_that_ends_during_the_second_look_loses_no_neighbour() -> None:
    with pair(6 * MILLISECOND_NS, during_second_look=lambda: 6) as both:
        both.submit(10)
        both.begin_first()
        both.recall()
        both.drain()
        assert both.numbers(Scored, Failed, NotStarted) == Counter(range(10))


def test_a_mini_batch_begun_after_another_ran_too_long_is_not_blamed() -> None:
    with pair() as both:
        both.submit(2)
        both.begin_first()
        worker_module.time.now_ns += 31 * 10**9  # type: ignore[attr-defined]
        both.supervisor.on_clock(1.0)
        both.supervisor.on_clock(3.0)  # there are no stacks to wait for
        assert both.is_killed
        while both.slot.read().first == 0:
            both.turns.give()  # it returned, and the next one began, before the signal arrived
        assert both.ran == Counter([0])
        both.events += both.supervisor.on_death()
        assert both.numbers(Scored) == Counter()  # what returns after its time was up does not count
        assert both.numbers(Failed) == Counter([0])
        assert both.numbers(NotStarted) == Counter([1])
        assert [event for event in both.events if isinstance(event, WorkerEnded)]
