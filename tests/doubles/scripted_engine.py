"""An engine without processes: a table says what each try of each mini-batch does.

It keeps the rules of `gristmill.engine.local`: every mini-batch of every task is answered by exactly one
outcome, rows are in a part before the outcome that names them, a dead worker's queue is not started, a
part belongs to one incarnation. The clock is its own, so nothing ever waits.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gristmill.engine.contract import (
    Columns,
    Event,
    Failed,
    Farewell,
    Load,
    Notice,
    NotStarted,
    Ready,
    Reason,
    Scored,
    Span,
    StartFailed,
    Task,
    WorkerEnded,
)
from gristmill_worker.wire import PIECE_STRUCT

#: What a try may do; a mini-batch whose script is used up does "ok". "hold": a library opens a file in the
#: output folder, and the worker's outcomes are held from then on; "let_go": it closes the file. "evicted":
#: we stopped the worker, and the next try is to be alone; "cut_short": the worker was lost with its node.
ACTS = (
    "ok", "raise", "exit", "hang", "bad_return", "short", "empty", "file", "no_disk", "cut_short", "evicted",
    "hold", "hold_and_die", "let_go",
)  # fmt: skip
#: What a start of a worker may do; "die": it is ready, and gone before its first mini-batch.
STARTS = ("ok", "fail", "die")
TIMEOUT_S = 30.0
PARTS_PER_START = 1 << 20
_REASONS = {
    "raise": (Reason.EXCEPTION, "ValueError: no"),
    "bad_return": (Reason.BAD_RETURN, "run() must return a list or a pandas DataFrame"),
    "exit": (Reason.WORKER_DIED, "the worker ended with exit status 1"),
    "hang": (Reason.TIMEOUT, "run() did not return within 30 s (timeout) and its worker was killed"),
    "no_disk": (Reason.INFRASTRUCTURE, "OSError: no space left on device"),
    "evicted": (Reason.INFRASTRUCTURE, "the worker was stopped to free memory"),
    "cut_short": (Reason.INFRASTRUCTURE, "the node was lost"),
    "memory": (Reason.MEMORY, "more memory than memory_per_worker"),
}


def numbered_rows(mini_batch: int, items: int) -> list[bytes]:
    """Return a line for each item: its mini-batch and its number in it."""
    return [b"%d %d\n" % (mini_batch, item) for item in range(items)]


@dataclass(kw_only=True)
class _Worker:
    number: int
    part: int = 0
    size: int = 0
    """Bytes in its part."""
    queue: deque[Task] = field(default_factory=deque)
    start_at: float | None = 0.0
    is_ready: bool = False
    is_given_up: bool = False
    headers: dict[tuple[str, ...], int] = field(default_factory=dict)
    added: Counter[str] = field(default_factory=Counter)
    """Bytes that it has added to each file that all append to."""
    pending: Scored | None = None
    """Mini-batches that are done and not yet told."""
    is_holding: bool = False
    """Whether a library keeps a file open in its output folder."""

    @property
    def outstanding(self) -> int:
        return sum(task.span.batches for task in self.queue) + (
            self.pending.span.batches if self.pending is not None else 0
        )


@dataclass(kw_only=True)
class ScriptedEngine:
    """Does what its table says; see `gristmill.engine.contract.Engine` for what each method promises."""

    staging: Path
    """Parts go to ``parts/`` in it, files that scripts write to ``aside/``."""
    item_count: Callable[[int], int]
    """Items of a mini-batch."""
    script: Mapping[int, Sequence[str]] = field(default_factory=dict)
    """Mini-batch → what its first, second, … call does."""
    poisons: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """(Mini-batch, item) → what every call does that has this item."""
    starts: Mapping[int, Sequence[str]] = field(default_factory=dict)
    """Worker → what its first, second, … start does."""
    workers: int = 1
    fence: int = 1
    seed: int | None = None
    """Chooses interleavings, merged outcomes and recalls; None: workers take turns, one by one."""
    rows: Callable[[int, int], list[bytes]] = numbered_rows
    columns: Callable[[int], tuple[str, ...] | None] = lambda mini_batch: None
    line: Callable[[tuple[str, ...]], str] = lambda names: ""
    """The line that stands above rows with these columns."""
    types: Callable[[tuple[str, ...]], tuple[str, ...]] = lambda names: ()
    """The types of these columns, where the output has types."""
    modules: Callable[[int], tuple[tuple[str, str], ...]] = lambda start: ()
    """What the first, second, … worker that gets ready has loaded."""
    calls: Counter[int] = field(default_factory=Counter)
    """How often ``run`` was called for each mini-batch, over all engines that share this counter."""
    depth: int = 3
    """The most mini-batches handed to a worker at once."""
    pieces: Callable[[Span], Sequence[tuple[str, bytes]]] = lambda span: ()
    """What ``run`` adds to files that all append to: (name, bytes)."""
    dying_in_shutdown: frozenset[int] = frozenset()
    """Workers that never say goodbye."""
    opens: Callable[[Span, int], int | None] = lambda span, poisoned: None
    """Which item of a range with a poison at some item is opened last before it strikes; None: not known."""

    blames: Callable[[Sequence[int]], Sequence[int]] = lambda poisoned: ()
    """Which items an exception names, of those with a poison in its range."""

    def __post_init__(self) -> None:
        self.clock = 0.0
        self.answers: Counter[int] = Counter()
        self.handed_out: Counter[int] = Counter()
        self.tasks: list[Task] = []
        self.restarts: list[tuple[int, float]] = []
        self.started: Counter[int] = Counter()
        self.given_up: list[int] = []
        self.synced_parts: set[int] = set()
        self.is_closed = False
        self.is_halted = False
        self.neighbours: dict[int, int] = {}
        """Mini-batch → how many other workers had something to do when it was run last."""
        self._waiting_alone: Task | None = None
        self._host: _Worker | None = None
        self._random = random.Random(self.seed) if self.seed is not None else None
        self._crew = [_Worker(number=number) for number in range(self.workers)]
        self._next_part = self.fence * PARTS_PER_START
        self._ready_count = 0
        (self.staging / "parts").mkdir(parents=True, exist_ok=True)

    # The contract

    def start(self) -> None:
        """Every worker starts at time 0."""

    def room(self) -> int:
        needy = self._neediest()
        return 0 if needy is None or self._is_alone_wanted() else max(0, self.depth - needy.outstanding)

    def submit(self, task: Task) -> None:
        needy = self._neediest()
        assert needy is not None, "submit() without room()"
        if task.alone:
            assert not self.is_halted
            assert not self._is_alone_wanted(), "submit() without room()"
            self._waiting_alone = task
            self.tasks.append(task)
            self.handed_out.update(_numbers(task.span))
            return
        assert task.span.batches <= self.depth - needy.outstanding, "a task larger than room()"
        assert not self.is_halted
        needy.queue.append(task)
        self.tasks.append(task)
        self.handed_out.update(_numbers(task.span))

    def events(self, timeout_s: float) -> Sequence[Event]:
        events: list[Event] = []
        self._seek_solitude(events)
        able = [worker for worker in self._crew if self._can_move(worker)]
        if not able:
            starts = [w.start_at for w in self._crew if w.start_at is not None and not w.is_ready]
            self.clock = max(self.clock, min(starts)) if starts else self.clock + timeout_s
            self._count(events)
            return events
        if self._random is None:
            for worker in able:
                self._move(worker, events)
        else:
            for _ in range(self._random.randint(1, 4)):
                worker = self._random.choice(able)
                if self._can_move(worker):
                    self._move(worker, events)
        self._count(events)
        return events

    def restart(self, worker: int, after_s: float) -> None:
        self.restarts.append((worker, after_s))
        self._crew[worker].start_at = self.clock + after_s

    def give_up(self, worker: int) -> None:
        self.given_up.append(worker)
        self._crew[worker].is_given_up = True

    def sync(self) -> None:
        self.synced_parts.update(int(path.stem) for path in (self.staging / "parts").iterdir())

    def load(self) -> Load:
        return Load(
            workers=sum(not worker.is_given_up for worker in self._crew),
            ready=sum(worker.is_ready for worker in self._crew),
            idle=sum(worker.is_ready and not worker.outstanding for worker in self._crew),
            running=sum(worker.outstanding for worker in self._crew)
            + (0 if self._waiting_alone is None else self._waiting_alone.span.batches),
        )

    def wind_down(self, limit_s: float) -> Sequence[Event]:
        events: list[Event] = []
        self._give_back_alone(events)
        for worker in self._crew:
            self._tell_pending(worker, events)
            self._drop_queue(worker, events)
        self._count(events)
        return events

    def halt(self) -> Sequence[Event]:
        self.is_halted = True
        events: list[Event] = []
        self._give_back_alone(events)
        for worker in self._crew:
            self._tell_pending(worker, events)
            self._drop_queue(worker, events)
        self._count(events)
        return events

    def close(self) -> Sequence[Event]:
        events: list[Event] = []
        if not self.is_closed:
            self.is_closed = True
            events.append(Notice("shutdown", "shutdown() was called"))
            for worker in self._crew:
                if worker.is_ready and not self.is_halted and worker.number not in self.dying_in_shutdown:
                    events.append(Farewell(worker.number, worker.part, 0, worker.size, 0, 0))
        return events

    # What the table says

    def _neediest(self) -> _Worker | None:
        ready = [worker for worker in self._crew if worker.is_ready]
        return min(ready, key=lambda worker: worker.outstanding, default=None)

    def _can_move(self, worker: _Worker) -> bool:
        if self._is_alone_wanted() and self._host is not None and worker is not self._host:
            return False
        if worker.is_ready:
            return bool(worker.queue or worker.pending)
        return not worker.is_given_up and worker.start_at is not None and worker.start_at <= self.clock

    def _move(self, worker: _Worker, events: list[Event]) -> None:
        if not worker.is_ready:
            self._start(worker, events)
        elif not worker.queue or self._chance(0.3):
            self._tell_pending(worker, events)
        elif self._chance(0.1):
            self._drop_queue(worker, events)  # a recall
        else:
            self._run_next(worker, events)

    def _start(self, worker: _Worker, events: list[Event]) -> None:
        script = self.starts.get(worker.number, ())
        number = self.started[worker.number]
        self.started[worker.number] += 1
        act = script[number] if number < len(script) else "ok"
        worker.start_at, worker.part, worker.size, worker.headers = None, self._next_part, 0, {}
        worker.added = Counter()
        worker.is_holding = False
        self._next_part += 1
        if act != "fail":
            worker.is_ready = True
            self._ready_count += 1
            events.append(Ready(worker.number, 0.1, self.modules(self._ready_count), "3.11"))
        if act != "ok":
            worker.is_ready = False
            log = f"logs/{worker.number}"
            events.append(StartFailed(worker.number, "init() raised", "Traceback: in init()", log))

    def _run_next(self, worker: _Worker, events: list[Event], forced: str = "") -> None:
        """Run what is next, as the tables say or as is ``forced``."""
        task = worker.queue.popleft()
        span = task.span
        if span.batches > 1:
            rest = span._replace(first=span.first + 1, batches=span.batches - 1)
            worker.queue.appendleft(task._replace(span=rest))
            span = span._replace(batches=1)
        script = self.script.get(span.first, ())
        number = self.calls[span.first]
        self.calls[span.first] += 1
        self.neighbours[span.first] = sum(bool(one.queue) for one in self._crew if one is not worker)
        act = script[number] if number < len(script) else "ok"
        items = span.items or self.item_count(span.first)
        poisoned = [self.poisons.get((span.first, span.first_item + item)) for item in range(items)]
        act = forced or next((one for one in poisoned if one), act)
        self.clock += TIMEOUT_S if act == "hang" else 0.001
        if act in _REASONS:
            self._fail(worker, span, task.attempt, act, events)
        else:
            self._score(worker, span, task.attempt, act, events)

    def _is_alone_wanted(self) -> bool:
        """Say whether a task that is to be alone waits, or is not answered yet."""
        if self._host is not None and not (self._host.is_ready and self._host.outstanding):
            self._host = None
        return self._waiting_alone is not None or self._host is not None

    def _seek_solitude(self, events: list[Event]) -> None:
        """Let every queue be empty, then hand over the task that is to be alone."""
        ready = [worker for worker in self._crew if worker.is_ready]
        if self._waiting_alone is not None and ready:
            for worker in self._crew:
                self._tell_pending(worker, events)
                self._drop_queue(worker, events)
            self._host = ready[0]
            self._host.queue.append(self._waiting_alone)
            self._waiting_alone = None

    def _give_back_alone(self, events: list[Event]) -> None:
        if self._waiting_alone is not None:
            task, self._waiting_alone = self._waiting_alone, None
            events.append(NotStarted(task.span, task.attempt, alone=True))

    def _score(self, worker: _Worker, span: Span, attempt: int, act: str, events: list[Event]) -> None:
        items = self.item_count(span.first)
        total = span.items or items - span.first_item
        kept = 0 if act == "empty" else total - (act == "short")
        lines = self.rows(span.first, items)[span.first_item : span.first_item + kept]
        data = b"".join(lines)
        header = self._header(worker, span.first, events) if lines else 0
        files = self._set_aside(worker, span, attempt) if act in ("file", "let_go") else 0
        if act in ("hold", "hold_and_die", "let_go"):
            worker.is_holding = act != "let_go"
        offset = worker.size
        attached = self._attached(worker, span)
        if data or attached:
            with open(self.staging / "parts" / f"{worker.part}.part", "ab") as part:
                part.write(data + attached)
            worker.size += len(data) + len(attached)
        crc = zlib.crc32(data)
        succeeded = min(total, len(lines))
        scored = Scored(span, attempt, total, succeeded, worker.part, offset, len(data), crc, header, files,
                        0.001, worker.number, len(attached), zlib.crc32(attached) if attached else 0,
                        int(worker.is_holding))  # fmt: skip
        merged = _merged(worker.pending, scored, data) if self._random is not None else None
        if merged is None:
            self._tell_pending(worker, events)
        worker.pending = merged or scored
        if self._random is None or files or worker.is_holding or succeeded < total:
            self._tell_pending(worker, events)
        if act == "hold_and_die":
            self._end(worker, events)

    def _end(self, worker: _Worker, events: list[Event]) -> None:
        events.append(WorkerEnded(worker.number, f"worker {worker.number} is gone", worker.part))
        self._drop_queue(worker, events)
        worker.is_ready, worker.start_at = False, self.clock

    def _fail(self, worker: _Worker, span: Span, attempt: int, act: str, events: list[Event]) -> None:
        self._tell_pending(worker, events)
        reason, message = _REASONS[act]
        traceback = "Traceback: in run()" if act == "raise" else ""
        log = f"logs/{worker.number}:0"
        failed = Failed(span, attempt, reason, message, traceback, 0.001, worker.number, log)
        items = span.items or self.item_count(span.first)
        bad = [n for n in range(span.first_item, span.first_item + items) if (span.first, n) in self.poisons]
        last = self.opens(span._replace(items=items), bad[0]) if bad else None
        if last is not None:
            failed = failed._replace(opened=f"/in/{span.first}-{last}")
        blamed = tuple(f"/in/{span.first}-{item}" for item in self.blames(bad))
        failed = failed._replace(blamed=blamed if act == "raise" else ())
        events.append(failed._replace(alone_next=act == "evicted", cannot_write=act == "no_disk"))
        if act in ("exit", "hang", "evicted", "cut_short", "memory"):
            self._end(worker, events)

    def _header(self, worker: _Worker, mini_batch: int, events: list[Event]) -> int:
        names = self.columns(mini_batch)
        if names is None:
            return 0
        if names not in worker.headers:
            worker.headers[names] = len(worker.headers) + 1
            told = (self.line(names), self.types(names))
            events.append(Columns(worker.part, worker.headers[names], names, *told))
        return worker.headers[names]

    def _attached(self, worker: _Worker, span: Span) -> bytes:
        attached = b""
        for name, data in self.pieces(span):
            attached += PIECE_STRUCT.pack(len(name), len(data), worker.added[name]) + name.encode() + data
            worker.added[name] += len(data)
        return attached

    def _set_aside(self, worker: _Worker, span: Span, attempt: int) -> int:
        name = f"{span.first}-{span.first_item}-{attempt}"
        folder = self.staging / "aside" / str(worker.part) / name
        folder.mkdir(parents=True)
        part = f"-{span.first_item}" if span.items else ""
        (folder / f"{span.first}{part}.txt").write_text(f"{span.first}\n")
        return 1

    def _tell_pending(self, worker: _Worker, events: list[Event]) -> None:
        if worker.pending is not None:
            events.append(worker.pending)
            worker.pending = None

    def _drop_queue(self, worker: _Worker, events: list[Event]) -> None:
        events.extend(NotStarted(task.span, task.attempt, task.alone) for task in worker.queue)
        worker.queue.clear()

    def _chance(self, share: float) -> bool:
        return self._random is not None and self._random.random() < share

    def _count(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Scored | Failed | NotStarted):
                self.answers.update(_numbers(event.span))


def _numbers(span: Span) -> Iterator[int]:
    return iter(range(span.first, span.first + span.batches))


def _merged(before: Scored | None, scored: Scored, data: bytes) -> Scored | None:
    """Return one outcome for both, where a worker would tell them as one."""
    if (
        before is None
        or before.span.items
        or scored.span.items
        or before.span.first + before.span.batches != scored.span.first
        or (before.attempt, before.header) != (scored.attempt, scored.header)
        or scored.succeeded < scored.total
        or scored.files
        or scored.attached + before.attached
        or scored.held
    ):
        return None
    return before._replace(
        span=before.span._replace(batches=before.span.batches + 1),
        total=before.total + scored.total,
        succeeded=before.succeeded + scored.succeeded,
        length=before.length + scored.length,
        crc=zlib.crc32(data, before.crc),
        seconds=before.seconds + scored.seconds,
    )
