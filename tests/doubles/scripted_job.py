"""A job without processes: a real scheduler, journal, ledger and committer over a `ScriptedEngine`.

They are put together in the order in which `gristmill.run.execution` does it, for a start and for a resume.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from doubles.scripted_engine import ScriptedEngine, numbered_rows
from gristmill.engine.contract import Span
from gristmill.run import replay
from gristmill.run.assembly import Assembly
from gristmill.run.commit import Committer
from gristmill.run.delivery import Delivery
from gristmill.run.growing_plan import Plan
from gristmill.run.journal import Journal
from gristmill.run.ledger import Ledger
from gristmill.run.outputs import Outputs
from gristmill.run.records import Published, Start, key_of
from gristmill.run.scheduler import Ending, Scheduler
from gristmill.run.triage import Rules
from gristmill.spec.stop_rules import StopRule
from gristmill.spec.values import ErrorThreshold
from gristmill_worker.row_ranges import Input, parsed


class ScriptedPlan:
    """A plan that grows by some mini-batches with each step; it is its own manifest."""

    def __init__(
        self,
        items: int,
        mini_batch_size: int,
        grows_by: int = 1 << 30,
        sizes: Sequence[int] | None = None,
    ) -> None:
        self._sizes = sizes
        self.all_batches = -(-items // mini_batch_size)
        self.mini_batches = 0
        self.complete = False
        self.manifest = self
        self.notices: list[str] = []
        self.root = "/in"
        self._size, self._items, self._grows_by = mini_batch_size, items, grows_by

    @property
    def items(self) -> int:
        return min(self.mini_batches * self._size, self._items)

    def item_count(self, mini_batch: int, batches: int = 1) -> int:
        assert 0 <= mini_batch <= mini_batch + batches <= self.mini_batches
        return min((mini_batch + batches) * self._size, self._items) - mini_batch * self._size

    def inputs_of(self, mini_batch: int, first_item: int = 0, items: int = 0) -> list[Input]:
        count = items or self.item_count(mini_batch) - first_item
        return [parsed(b"%d-%d" % (mini_batch, first_item + number)) for number in range(count)]

    def sizes_of(self, mini_batch: int, batches: int) -> array[int] | None:
        return None if self._sizes is None else array("Q", self._sizes[mini_batch : mini_batch + batches])

    def step(self, budget_s: float) -> None:
        self.mini_batches = min(self.all_batches, self.mini_batches + self._grows_by)
        self.complete = self.mini_batches == self.all_batches


class Killed(BaseException):
    """The process that works on the job is gone."""


@dataclass(kw_only=True)
class Ended:
    """What a start of a `ScriptedJob` leaves."""

    ending: Ending | None
    """None where it was killed."""
    ledger: Ledger
    engine: ScriptedEngine
    notices: list[str]
    output: bytes
    assembly: Assembly | None


EngineT = TypeVar("EngineT", bound=ScriptedEngine)


@dataclass(kw_only=True)
class Begun(Generic[EngineT]):
    """One start of a `ScriptedJob`, put together and not yet run."""

    scheduler: Scheduler
    ledger: Ledger
    engine: EngineT
    journal: Journal
    committer: Committer
    plan: Plan

    def close(self) -> None:
        """Close all files."""
        self.committer.close()
        self.journal.close()


@dataclass(kw_only=True)
class ScriptedJob:
    """A job without processes: start it, kill it, start it again."""

    folder: Path
    items: int
    mini_batch_size: int = 1
    script: Mapping[int, Sequence[str]] = field(default_factory=dict)
    poisons: Mapping[tuple[int, int], str] = field(default_factory=dict)
    max_retries: int = 3
    isolates: bool = False
    counts_rows: bool = False
    threshold: ErrorThreshold = field(default_factory=lambda: ErrorThreshold(items=-1, fraction=None))
    columns: Callable[[int], tuple[str, ...] | None] = lambda mini_batch: None
    rows: Callable[[int, int], list[bytes]] = numbered_rows
    with_header: bool = False
    grows_by: int = 1 << 30
    sizes: Sequence[int] | None = None
    """The sizes of the mini-batches; None: nobody knows them, and they come in plan order."""
    canary: int = 0
    stop_when: tuple[StopRule, ...] = ()
    calls: Counter[int] = field(default_factory=Counter)
    opens: Callable[[Span, int], int | None] = lambda span, poisoned: None
    blames: Callable[[Sequence[int]], Sequence[int]] = lambda poisoned: ()

    def __post_init__(self) -> None:
        self.staging = self.folder / "staging"
        self.output = self.folder / "output"
        self.journal_path = self.folder / "journal.bin"
        self.output.mkdir(parents=True, exist_ok=True)
        self._planned = 0

    def plan(self) -> ScriptedPlan:
        """Return the plan, of which nothing is listed yet."""
        return ScriptedPlan(self.items, self.mini_batch_size, self.grows_by, self.sizes)

    def part_path(self, part: int) -> Path:
        return self.staging / "parts" / f"{part}.part"

    def start(
        self,
        *,
        workers: int = 2,
        seed: int | None = None,
        starts: Mapping[int, Sequence[str]] | None = None,
        modules: Callable[[int], tuple[tuple[str, str], ...]] = lambda start: (),
        cancel_in_pass: int | None = None,
        kill_in_pass: int | None = None,
        retry_failed: bool = False,
        plan: Plan | None = None,
        dying_in_shutdown: frozenset[int] = frozenset(),
    ) -> Ended:
        """Run one start of the job to its end, and publish what it leaves."""
        plan = plan or self.plan()
        passes = iter(range(1, 1 << 60))

        def keep_lock() -> None:
            self._passes = next(passes)
            if self._passes == kill_in_pass:
                raise Killed

        def make_engine(fence: int) -> ScriptedEngine:
            return ScriptedEngine(
                staging=self.staging, item_count=plan.manifest.item_count,
                script=self.script, poisons=self.poisons, starts=starts or {},
                workers=workers, fence=fence, seed=seed, rows=self.rows, columns=self.columns,
                modules=modules, calls=self.calls,
                dying_in_shutdown=dying_in_shutdown, opens=self.opens, blames=self.blames,
            )  # fmt: skip

        begun = self.begin(
            plan, make_engine, retry_failed=retry_failed, keep_lock=keep_lock,
            cancel_reason=lambda: "asked to" if self._passes == cancel_in_pass else None,
        )  # fmt: skip
        notices: list[str] = []
        try:
            for progress in begun.scheduler.run():
                notices += progress.notices
        except Killed:
            return Ended(ending=None, ledger=begun.ledger, engine=begun.engine, notices=notices, output=b"",
                         assembly=None)  # fmt: skip
        else:
            ending = begun.scheduler.ending
            assembly, output = self.publish(begun.committer, begun.journal, ending)
            return Ended(ending=ending, ledger=begun.ledger, engine=begun.engine, notices=notices,
                         output=output, assembly=assembly)  # fmt: skip
        finally:
            self.planned(plan)
            begun.close()

    def begin(
        self,
        plan: Plan,
        make_engine: Callable[[int], EngineT],
        *,
        retry_failed: bool = False,
        keep_lock: Callable[[], None] = lambda: None,
        cancel_reason: Callable[[], str | None] = lambda: None,
    ) -> Begun[EngineT]:
        """Put one start of the job together, with an engine that is made for its fence number."""
        while plan.mini_batches < self._planned:  # a listing that was cut off is compared first
            plan.step(0)
        history = replay.read_history(self.journal_path)
        ledger = history.ledger
        fence = ledger.fence + 1
        journal = Journal(self.journal_path, fence, history.size)
        delivery = Delivery(self.staging, self.output, self.folder / "delivered.jsonl")
        start = Start(fence, f"run-{fence}", "host", 1, "2026-01-01T00:00:00.000Z", retry_failed)
        journal.record(start)
        ledger.apply(start)
        void = replay.lost_rows(self.journal_path, history, self.part_path)
        known = {key_of(one) for one in void}
        held = [scored for ones in ledger.held.values() for scored in ones.values()]
        lost = [*delivery.lost(history.untrusted), *held]
        void += [replay.revocation(one) for one in lost if key_of(one) not in known]
        delivery.withdraw(one.span for one in void)
        for record in void:
            journal.record(record)
            ledger.apply(record)
        journal.flush()
        engine = make_engine(fence)
        committer = Committer(self.staging / "parts", self.staging, ledger.columns, self.with_header)
        revoked = replay.read_history(self.journal_path).revoked
        outputs = Outputs(committer, delivery, plan.manifest.item_count)
        outputs.take_again(self.journal_path, history.size, self.part_path, revoked, ledger)
        scheduler = Scheduler(
            plan=plan, engine=engine, journal=journal, ledger=ledger,
            rules=Rules(
                largest_first=False if self.sizes is None else None,
                max_retries=self.max_retries, error_threshold=self.threshold, isolates=self.isolates,
                canary=self.canary, stop_when=self.stop_when, counts_rows=self.counts_rows,
            ),
            outputs=outputs, keep_lock=keep_lock, cancel_reason=cancel_reason,
        )  # fmt: skip
        return Begun(
            scheduler=scheduler, ledger=ledger, engine=engine, journal=journal, committer=committer, plan=plan
        )

    def planned(self, plan: Plan) -> None:
        """Know how far a start has come with its plan."""
        self._planned = plan.mini_batches

    def publish(self, committer: Committer, journal: Journal, ending: Ending) -> tuple[Assembly, bytes]:
        if ending.end.name == "ALL_DONE":
            committer.advance()
            target = self.output / "predictions.csv"
        else:
            committer.advance_over_gaps()
            target = self.output / "predictions.partial.csv"
        assembly = committer.assemble()
        committer.publish(target)
        if ending.end.name == "ALL_DONE":
            for placed in committer.placed():
                journal.record(placed)
            journal.record(Published(target.name, assembly.size, assembly.header_bytes, assembly.header_crc,
                                     "2026-01-01T00:00:01.000Z"))  # fmt: skip
            journal.mark()
        return assembly, target.read_bytes()
