"""Whatever happens to a job in whatever order: its journal tells its state, and every item ends once.

A state machine stands where the processes would: in each pass it chooses which worker does what. It kills
workers and the process that works on the job, cancels, and goes on, in any order.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from doubles.scripted_engine import ScriptedEngine
from doubles.scripted_job import Begun, ScriptedJob
from gristmill.engine.contract import Event, Notice, Scored, Span
from gristmill.run import scheduler
from gristmill.run.ledger import Ledger
from gristmill.run.progress import Progress
from gristmill.run.replay import read_history, scored_ranges

MOST_WORKERS = 3
POISON = st.sampled_from(["raise", "exit", "hang", "bad_return"])
POISONS = st.dictionaries(st.integers(0, 20), POISON, max_size=4)
ONCE = st.sampled_from(["raise", "exit", "hang", "bad_return", "file", "hold", "let_go", "ok"])
SCRIPT = st.dictionaries(st.integers(0, 5), st.lists(ONCE, min_size=1, max_size=3), max_size=3)
FILES = ("file", "hold", "let_go")
"""What a worker may do with files of its own, in a try that succeeds."""
MOVES = st.lists(
    st.tuples(
        st.integers(0, MOST_WORKERS - 1), st.sampled_from(["run", "run", "run", "tell", "drop", "die"])
    ),
    min_size=4,
    max_size=8,
)


class SteeredEngine(ScriptedEngine):
    """Does in each pass what it was told to do; a notice of its own makes every pass end with a progress."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.moves: deque[tuple[int, str]] = deque()
        self._passes = 0

    def events(self, timeout_s: float) -> Sequence[Event]:
        self._passes += 1
        events: list[Event] = [Notice(f"pass {self._passes}", "")]
        while self.moves:
            number, what = self.moves.popleft()
            worker = self._crew[number % len(self._crew)]
            if not worker.is_ready:
                worker.start_at = self.clock
                self._start(worker, events)
            elif what == "tell":
                self._tell_pending(worker, events)
            elif what == "drop":
                self._drop_queue(worker, events)
            elif worker.queue and what in FILES and not self._is_poisoned(worker.queue[0].span):
                self._run_next(worker, events, what)
            elif worker.queue:
                self._run_next(worker, events, "exit" if what == "die" else "")
        self._count(events)
        return events

    def _is_poisoned(self, span: Span) -> bool:
        items = range(span.first_item, span.first_item + (span.items or self.item_count(span.first)))
        return any((span.first, item) in self.poisons for item in items)


def state(ledger: Ledger) -> dict[str, object]:
    return {**vars(ledger), "scored": list(ledger.scored), "failed": list(ledger.failed)}


class Interleavings(RuleBasedStateMachine):
    """One job, from its first start to its last word."""

    @initialize(
        poisons=POISONS, script=SCRIPT, mini_batches=st.sampled_from([1, 4, 6, 9]),
        size=st.sampled_from([4, 3, 2, 1]),
        max_retries=st.integers(1, 2), isolates=st.sampled_from([True, True, False]),
        grows_by=st.sampled_from([1, 3, 1 << 30]), kills=st.sets(st.integers(3, 15), max_size=3),
        sizes=st.none() | st.lists(st.integers(0, 5), min_size=9, max_size=9),
        habits=st.lists(st.sampled_from([*FILES, "run"]), min_size=3, max_size=6),
    )  # fmt: skip
    def make(
        self, poisons: dict[int, str], script: dict[int, list[str]], mini_batches: int, size: int,
        max_retries: int, isolates: bool, grows_by: int, kills: set[int],
        sizes: list[int] | None, habits: list[str],
    ) -> None:  # fmt: skip
        self.folder = tempfile.TemporaryDirectory()
        self.items = mini_batches * size
        self.size = size
        self.job = ScriptedJob(
            folder=Path(self.folder.name), items=self.items, mini_batch_size=size, script=script,
            poisons={divmod(item, size): act for item, act in poisons.items()}, max_retries=max_retries,
            isolates=isolates, grows_by=grows_by,
            sizes=sizes,
        )  # fmt: skip
        self.kills, self.habits = kills, habits
        self.begun: Begun[SteeredEngine] | None = None
        self.steps: Iterator[Progress] = iter(())
        self.cancels = False
        self.has_failed = False
        self.is_done = False
        self.always = mock.patch.object(scheduler, "SYNC_EVERY_S", -1.0)  # a sync in every pass
        self.always.start()

    @precondition(lambda self: self.begun is None)
    @rule(workers=st.integers(1, MOST_WORKERS), torn=st.binary(max_size=20), retry_failed=st.booleans())
    def start_or_resume(self, workers: int, torn: bytes, retry_failed: bool) -> None:
        if torn:
            with open(self.job.journal_path, "ab") as journal:
                journal.write(b"GMJ2" + torn)
        plan = self.job.plan()
        self.cancels = self.is_done = False

        def make_engine(fence: int) -> SteeredEngine:
            return SteeredEngine(
                staging=self.job.staging, item_count=plan.item_count, script=self.job.script,
                poisons=self.job.poisons, workers=workers, fence=fence, calls=self.job.calls,
            )  # fmt: skip

        self.begun = self.job.begin(
            plan, make_engine, retry_failed=retry_failed and self.has_failed,
            cancel_reason=lambda: "asked to" if self.cancels else None,
        )  # fmt: skip
        self.steps = self.begun.scheduler.run()

    @precondition(lambda self: self.begun is not None)
    @rule(passes=st.lists(MOVES, min_size=3, max_size=8))
    def go_on(self, passes: list[list[tuple[int, str]]]) -> None:
        for moves in passes:
            if self.begun is not None:
                self.pass_with(moves)
                self.the_journal_tells_the_state()

    @precondition(lambda self: self.begun is not None)
    @rule(is_kill=st.booleans())
    def kill_the_coordinator_or_cancel(self, is_kill: bool) -> None:
        if is_kill:
            self.leave()
        else:
            self.cancels = True
            self.pass_with([])

    @invariant()
    def the_journal_tells_the_state(self) -> None:
        if getattr(self, "begun", None) is not None:
            assert state(read_history(self.job.journal_path).ledger) == state(self.begun.ledger)

    def teardown(self) -> None:
        """Whatever has happened: the job comes to its end, and every item has ended once."""
        if hasattr(self, "job"):
            try:
                self.come_to_an_end()
                self.check_output()
            finally:
                if self.begun is not None:
                    self.leave()
                self.always.stop()
                self.folder.cleanup()

    def come_to_an_end(self) -> None:
        self.cancels = False
        for number in range(2000):
            if number in self.kills and self.begun is not None:
                self.leave()
            if self.begun is None:
                if self.is_done:
                    break
                self.start_or_resume(2, b"", False)
            habit = self.habits[number % len(self.habits)] if number < 20 else "let_go"
            self.pass_with([(worker, what) for worker in range(MOST_WORKERS) for what in (habit, "tell")])
            self.the_journal_tells_the_state()
        assert self.is_done, "the job does not come to its end"

    def pass_with(self, moves: list[tuple[int, str]]) -> None:
        assert self.begun is not None
        self.begun.engine.moves.extend(moves)
        if next(self.steps, None) is None:
            self.ended()

    def ended(self) -> None:
        """Publish; what publishing records belongs to the state as well."""
        begun = self.begun
        assert begun is not None
        ending = begun.scheduler.ending
        _, self.output = self.job.publish(begun.committer, begun.journal, ending)
        self.is_done = ending.end.name == "ALL_DONE"
        self.has_failed = bool(begun.ledger.items_failed)
        self.last = read_history(self.job.journal_path)
        self.leave()

    def leave(self) -> None:
        assert self.begun is not None
        self.job.planned(self.begun.plan)
        self.begun.close()
        self.begun = None

    def check_output(self) -> None:
        ledger = self.last.ledger
        failed = {n * self.size + item for first, end in ledger.failed
                  for n in range(first, end) for item in range(self.size)}  # fmt: skip
        failed |= {span.first * self.size + span.first_item + item
                   for span, items in ledger.divided.failed.items() for item in range(items)}  # fmt: skip
        rows = [b"%d %d" % divmod(item, self.size) for item in range(self.items) if item not in failed]
        assert self.output.splitlines() == rows
        assert failed >= {item for item in range(self.items) if divmod(item, self.size) in self.job.poisons}
        assert ledger.items_failed == len(failed)
        assert ledger.items_succeeded == len(rows)
        assert (ledger.divided.pending, ledger.divided.left, ledger.attempts) == ({}, {}, {})
        ranges = list(scored_ranges(self.job.journal_path, self.last.revoked))
        begins = [(scored, scored.span.first * self.size + scored.span.first_item) for scored in ranges]
        items = [begin + item for scored, begin in begins for item in range(scored.total)]
        assert sorted(items) == sorted(set(range(self.items)) - failed)
        files = {file_of(scored) for scored in ranges if scored.files}
        assert {path.name for path in self.job.output.glob("*.txt")} == files


def file_of(scored: Scored) -> str:
    """Return the name of the file that the act "file" writes."""
    part = f"-{scored.span.first_item}" if scored.span.items else ""
    return f"{scored.span.first}{part}.txt"


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
