"""One worker's life: spawned, loading, ready, busy, dead; and every mini-batch that it was handed, answered.

The supervisor never blocks: what a full pipe does not take is kept and written later. It is
told by its owner (the local engine) when a descriptor is ready, when the worker is dead, and when it is
time to look at deadlines; each call returns what has happened as events.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from enum import Enum
from typing import Any

from gristmill.engine.answers import failed_in, farewell_in, scored_in
from gristmill.engine.contract import (
    Columns,
    Event,
    Failed,
    Notice,
    Ready,
    Reason,
    Span,
    StartFailed,
    Task,
    WorkerEnded,
)
from gristmill.engine.inquest import Inquest
from gristmill.engine.launch import Assignment, Launched
from gristmill.engine.owed import OwedWork
from gristmill.engine.process import exit_in_words
from gristmill_worker import slot as slots
from gristmill_worker import wire

_READ_BYTES = 1 << 16
#: A slot is read again after this long before anything is killed or taken back because of it.
_SECOND_LOOK_S = 0.001
_WHEN = {
    slots.STARTING: " before it could load the script",
    slots.LOADING: " while it loaded the script or in init()",
}
#: An ordinal that no mini-batch has.
_NOBODY = -1


class State(Enum):
    """Where a worker is in its life."""

    LOADING = "loading"
    READY = "ready"
    STOPPING = "stopping"
    DEAD = "dead"


class Supervisor:
    """Watches one incarnation of a worker, from its spawning to its end."""

    def __init__(
        self, assignment: Assignment, launched: Launched, slot: slots.Slot, worker: int, part: int, now: float
    ) -> None:
        self.process = launched.process
        self.incoming = launched.incoming
        self.outgoing = launched.outgoing
        self.worker = worker
        self.part = part
        self.state = State.LOADING
        self.said_goodbye_at: float | None = None
        """When it answered that it was told to stop; then only the interpreter's own end is left."""
        self.has_hung_up = False
        """Whether it has closed the channel, and will send no more; it may live on for a while."""
        self.peak_bytes = 0
        """The most memory that it had, as far as it is known."""
        self._assignment = assignment
        self._slot = slot
        self._spawned_at = now
        self._owed = OwedWork()
        self._recalled_to: int | None = None
        self._taken_back = 0
        self._received = bytearray()
        self._unsent = bytearray()
        self._python = ""
        self._start_failure: StartFailed | None = None
        self._death: tuple[Reason, str] | None = None
        self._has_worked = False
        self._is_halted = False
        self._inquest = Inquest(assignment, self.process.id, worker, part)
        self._blamed: int | None = None
        """The ordinal of the mini-batch that ran out of time."""
        self._at_deadline: slots.Activity | None = None
        """What it was doing when its time was up; what it does after that is not taken any more."""

    # What the owner asks of it

    @property
    def outstanding_batches(self) -> int:
        """How many mini-batches it was handed and has not answered."""
        return self._owed.batches

    @property
    def is_idle(self) -> bool:
        """Say whether it is ready and has nothing to do."""
        return self.state is State.READY and not self._owed.batches

    @property
    def takes_work(self) -> bool:
        """Say whether it may be handed a task."""
        return self.state is State.READY and self._recalled_to is None and self._death is None

    @property
    def wants_to_write(self) -> bool:
        """Say whether the pipe was full and something is left to be written."""
        return bool(self._unsent)

    def submit(self, task: Task) -> None:
        """Hand over a task."""
        self._owed.add(task)
        self._send(wire.frame(wire.TASK, wire.TASK_STRUCT.pack(*task.span, task.attempt)))

    def stop(self) -> None:
        """Tell an idle worker that there is no more work."""
        if self.state is State.READY:
            self.state = State.STOPPING
            self._send(wire.frame(wire.STOP))

    @property
    def mark(self) -> str:
        """What its process carries, and each that it starts (see `sweep.WORKER_MARK`)."""
        return f"{self._assignment.run_id}.{self.worker}.{self.part}"

    @property
    def is_running(self) -> bool:
        """Say whether it is in ``run()``."""
        return self.state is State.READY and self._slot.read().state == slots.RUNNING

    def stop_for(self, reason: Reason, words: str) -> None:
        """Kill the worker for what it is running now, if that is to blame; what it begins later is not."""
        if self._death is None:
            activity = self._slot.read()
            self._blamed = activity.ordinal if activity.state == slots.RUNNING else _NOBODY
            self._kill_for(reason, words)

    def explain(self, reason: Reason, words: str) -> None:
        """Say what killed the worker, where nobody here did; for an owner who can prove it."""
        if self._death is None and not self._is_halted:
            self._death = (reason, words)

    @property
    def is_being_killed(self) -> bool:
        """Say whether it was killed by us and its death has not been taken in yet."""
        return self._death is not None or self._is_halted

    def kill(self) -> None:
        """Kill the worker and its process group; the owner sweeps what has left the group."""
        self.process.kill()

    def halt(self) -> None:
        """Kill the worker for no fault of its mini-batch: what it is running counts as not started."""
        self._is_halted = True
        self.kill()

    # What the owner tells it

    def on_writable(self) -> None:
        """The pipe takes more."""
        self._send(b"")

    def on_readable(self) -> list[Event]:
        """The worker has sent something."""
        events: list[Event] = []
        received = self._received
        while True:
            try:
                chunk = os.read(self.incoming, _READ_BYTES)
            except BlockingIOError:
                break
            if not chunk:
                self.has_hung_up = True
                break
            received += chunk
            if len(chunk) < _READ_BYTES:
                break
        if self._inquest.has_begun:
            received.clear()
        header, position = wire.FRAME, 0
        while len(received) - position >= header.size:
            length, kind = header.unpack_from(received, position)
            end = position + header.size + length
            if len(received) < end:
                break
            self._on_frame(kind, bytes(received[position + header.size : end]), events)
            position = end
        del received[:position]
        if self._recalled_to is not None and not self._taken_back and not self._owed.batches:
            self._end_recall()  # it had begun everything before it saw the flag
        return events

    def on_death(self) -> list[Event]:
        """The process is dead: answer everything that it still owes."""
        events = self.on_readable()
        status = self.process.wait()
        activity = self._at_deadline or self._slot.read()
        self._take_pending(activity.pending, events)
        running = activity.state == slots.RUNNING and self._owed.begins_with(
            activity.first, activity.first_item
        )
        if self._is_halted or self._blamed not in (None, activity.ordinal):
            running = False  # no fault of its own: we stopped it, or meant the one before it
        if self._inquest.has_begun:
            self._death = (Reason.TIMEOUT, self._inquest.verdict(is_start=self.state is State.LOADING))
        reason, words = self._death or (Reason.WORKER_DIED, exit_in_words(status))
        message = words if self._death is not None else f"the worker {words}"
        if running:
            failed = Span(activity.first, 1, activity.first_item, activity.items)
            seconds = (time.monotonic_ns() - activity.since_ns) / 1e9
            opened, log = os.fsdecode(self._slot.opened()), self._log("stderr")
            told = (reason, message, "", seconds, self.worker, log)
            shared = reason is Reason.INFRASTRUCTURE  # it was stopped for what its neighbours took as well
            events.append(Failed(failed, activity.attempt, *told, opened=opened, alone_next=shared))
            self._owed.answer(1)
            self._inquest.complete(events)
        if self._is_halted:
            pass
        elif self.state is State.LOADING or not (running or self._has_worked or self.state is State.STOPPING):
            events.append(self._start_failure or self._died_at_start(message, activity.state))
        elif self.state is State.STOPPING and self.said_goodbye_at is None:
            text = f"worker {self.worker} {words} in shutdown(); what it wrote there is lost"
            events.append(Notice("shutdown_died", text))
        elif self.state is not State.STOPPING:
            events.append(WorkerEnded(self.worker, self._ended(words), self.part, self.peak_bytes))
        events.extend(self._owed.take_back(0, self._owed.batches))
        self.state = State.DEAD
        return events

    def on_clock(self, now: float) -> list[Event]:
        """Look at the deadlines: what is over is lost from then on, asked for its stacks, and killed."""
        if self._inquest.has_begun:
            if self._inquest.is_closed(now):
                self.kill()
        elif self._death is not None or self.state in (State.STOPPING, State.DEAD):
            pass
        elif self.state is State.LOADING:
            if self._inquest.is_over(-1, now - self._spawned_at, self._assignment.init_timeout_s):
                self._death = (Reason.TIMEOUT, self._inquest.begin(now))
        elif self._owed.batches:
            ordinal, spent_s = self._slot.read().ordinal, self._running_for()
            if self._inquest.is_over(ordinal, spent_s, self._assignment.timeout_s):
                return self._end_of_time(ordinal, now)
        return []

    def _end_of_time(self, ordinal: int, now: float) -> list[Event]:
        """The running mini-batch is over its limit, if it still is the one that runs after a second look."""
        time.sleep(_SECOND_LOOK_S)
        events = self.on_readable()  # what it has finished before counts
        activity = self._slot.read()
        if activity.state == slots.RUNNING and activity.ordinal == ordinal:
            self._at_deadline, self._blamed = activity, ordinal
            self._death = (Reason.TIMEOUT, self._inquest.begin(now))
        return events

    def recall_if_stuck(self, stuck_s: float) -> list[Event]:
        """Take back what waits behind a mini-batch that has been running for longer than ``stuck_s``.

        The recall flag is set and the slot looked at a moment later: whatever the worker had not begun by
        then it will not begin, since it looks at the flag after it has published what it begins. A worker
        that is between two mini-batches at that moment says itself what it dropped.
        """
        if not self.takes_work or self._owed.batches < 2 or self._running_for() < stuck_s:
            return []
        self._slot.set_recall(True)
        self._recalled_to = self._owed.handed_out
        time.sleep(_SECOND_LOOK_S)
        activity = self._slot.read()
        self._taken_back = 0
        if activity.state == slots.RUNNING:
            self._taken_back = self._owed.handed_out - activity.ordinal - 1
        return self._owed.take_back(self._owed.batches - self._taken_back, self._taken_back)

    def close(self) -> None:
        """Give back the descriptors of a dead worker."""
        os.close(self.incoming)
        os.close(self.outgoing)
        self.process.close()

    # Frames

    def _on_frame(self, kind: int, payload: bytes, events: list[Event]) -> None:
        if kind == wire.DONE:
            for fields in wire.RECORD_STRUCT.iter_unpack(payload):
                self._scored(fields, events)
        elif kind == wire.DROPPED:
            self._on_dropped(wire.DROPPED_STRUCT.unpack(payload)[0], events)
        else:
            message = json.loads(payload) if payload else {}
            self._on_message(kind, message, events)

    def _on_message(self, kind: int, message: dict[str, Any], events: list[Event]) -> None:
        if kind == wire.HELLO:
            self._python = message["python"]
        elif kind == wire.READY:
            self.state = State.READY
            modules = tuple((name, digest) for name, digest in message["modules"])
            events.append(Ready(self.worker, message["init_s"], modules, self._python))
        elif kind == wire.START_FAILED:
            self._start_failure = StartFailed(
                self.worker, message["message"], message["traceback"], self._log("error")
            )
            self.kill()  # threads of the script would keep it alive, and it has nothing more to say
        elif kind == wire.FAILED:
            log = self._log("error", message["log_offset"])
            events.append(failed_in(message, self.worker, log))
            self._has_worked = True
            self._owed.answer(1)
            if message["leaving"]:
                self._kill_for(Reason.WORKER_DIED, message["leaving"])
        elif kind == wire.HEADER:
            names, types = tuple(message["columns"]), tuple(message["types"])
            events.append(Columns(self.part, message["id"], names, message["line"], types))
        elif kind == wire.NOTICE:
            events.append(Notice(message["key"], message["text"]))
        elif kind == wire.BYE:
            self.said_goodbye_at = time.monotonic()
            problem = message["shutdown_error"]
            if problem:
                events.append(Notice("shutdown", f"shutdown() failed, which changes nothing: {problem}"))
            self.peak_bytes = max(self.peak_bytes, message["peak_bytes"])
            events.append(farewell_in(message, self.part, self.worker, self.peak_bytes))

    def _scored(self, fields: Sequence[Any], events: list[Event]) -> None:
        scored = scored_in(fields, self.part, self.worker)
        events.append(scored)
        self._has_worked = True
        self._owed.answer(scored.span.batches)

    def _take_pending(self, pending: slots.Record, events: list[Event]) -> None:
        """Take what the dead worker had finished and not sent; it may have been sent after all."""
        first, batches = pending[0], pending[1]
        if batches and self._owed.begins_with(first, pending[2]):
            self._scored(pending, events)

    # Recalls

    def _on_dropped(self, ordinal: int, events: list[Event]) -> None:
        """Put back what the worker dropped of its own accord, and end the recall with the last of it."""
        still_queued = max(0, self._owed.handed_out - ordinal - self._taken_back)
        dropped = self._owed.batches - still_queued
        if dropped > 0:
            events.extend(self._owed.take_back(0, dropped))
        if self._recalled_to is not None and ordinal >= self._recalled_to:
            self._end_recall()

    def _end_recall(self) -> None:
        self._recalled_to = None
        self._taken_back = 0
        self._slot.set_recall(False)

    # Small things

    def _running_for(self) -> float:
        """Return for how long the current mini-batch has been running, in seconds; 0 when none is."""
        activity = self._slot.read()
        if activity.state != slots.RUNNING:
            return 0.0
        return (time.monotonic_ns() - activity.since_ns) / 1e9

    def _kill_for(self, reason: Reason, words: str) -> None:
        self._death = (reason, words)
        self.kill()

    def _died_at_start(self, message: str, state: int) -> StartFailed:
        if self._death is None:
            message += _WHEN.get(state, " before its first mini-batch")
        log = self._inquest.noted(message) or self._log("stderr")
        return StartFailed(self.worker, message, self._inquest.stacks, log)

    def _ended(self, words: str) -> str:
        colon = ":" if self._death is not None else ""
        return f"worker {self.worker}{colon} {words}"

    def _log(self, kind: str, offset: int = -1) -> str:
        suffix = ".txt" if kind == "error" else f".{kind}.txt"
        path = self._assignment.log_path(kind, self.worker, suffix)
        name = str(path.relative_to(self._assignment.logs.parent.parent))
        return f"{name}:{offset}" if offset >= 0 else name

    def _send(self, data: bytes) -> None:
        """Write as much as the pipe takes; keep the rest."""
        unsent = self._unsent
        unsent += data
        while unsent:
            try:
                written = os.write(self.outgoing, unsent)
            except BlockingIOError:
                return
            except BrokenPipeError:
                unsent.clear()  # it is dying; its process descriptor will say so
                return
            del unsent[:written]
