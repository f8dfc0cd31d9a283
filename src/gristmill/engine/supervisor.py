"""One worker's life: spawned, loading, ready, busy, dead; and every mini-batch that it was handed, answered.

The supervisor never blocks. It is told by its owner (the local engine) when a descriptor is ready, when the
worker is dead, and when it is time to look at deadlines; each call returns what has happened as events.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Any

from gristmill.engine.answers import failed_in, farewell_in, scored_in
from gristmill.engine.channel import Channel
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
from gristmill.engine.launch import Assignment, Launched, terms_of
from gristmill.engine.loaded import Loaded, Taken
from gristmill.engine.owed import OwedWork
from gristmill.engine.process import exit_in_words
from gristmill.engine.worker_state import State
from gristmill_worker import slot as slots
from gristmill_worker import wire

#: A slot is read again after this long before anything is killed or taken back because of it.
_SECOND_LOOK_S = 0.001
_WHEN = {
    slots.STARTING: " before it could load the script",
    slots.LOADING: " while it loaded the script or in init()",
}
#: An ordinal that no mini-batch has.
_NOBODY = -1


class Supervisor:
    """Watches one incarnation of a worker, from its spawning to its end."""

    def __init__(
        self, assignment: Assignment, launched: Launched, slot: slots.Slot, worker: int, part: int, now: float
    ) -> None:
        self.process = launched.process
        self.berth = launched.berth
        self.channel = Channel(launched.incoming, launched.outgoing)
        self.worker = worker
        self.part = part
        self.state = State.LOADING
        self.said_goodbye_at: float | None = None
        """When it answered that it was told to stop; then only the interpreter's own end is left."""
        self.peak_bytes = 0
        """The most memory that it had, as far as it is known."""
        self.unfit = ""
        """Why it cannot go on with another job; empty where it can, as far as is known."""
        self._assignment = assignment
        self._slot = slot
        self._spawned_at = now
        self._owed = OwedWork()
        self._recalled_to: int | None = None
        self._taken_back = 0
        self._python = ""
        self._binding = 0
        self._taken: Taken | None = None
        self._has_parted = False
        self._start_failure: StartFailed | None = None
        self._death: tuple[Reason, str] | None = None
        self._has_worked = False
        self._is_halted = False
        self._inquest = Inquest(assignment, self.process.id, worker, self.berth.stacks)
        self._blamed: int | None = None
        """The ordinal of the mini-batch that ran out of time."""
        self._at_deadline: slots.Activity | None = None
        """What it was doing when its time was up; what it does after that is not taken any more."""

    @classmethod
    def take_over(
        cls, assignment: Assignment, loaded: Loaded, slot: slots.Slot, worker: int, part: int, taken: Taken
    ) -> Supervisor:
        """Watch a worker that was loaded for another job, and tell it to go on with this one.

        Raises
        ------
        OSError
            The folder of a log cannot be made.
        """
        terms = {"binding": taken.binding, **terms_of(assignment, worker, part)}
        supervisor = cls(assignment, loaded.launched, slot, worker, part, taken.at)
        supervisor._binding, supervisor._taken, supervisor._python = taken.binding, taken, loaded.python
        supervisor.channel.send(wire.frame(wire.REBIND, json.dumps(terms).encode("ascii")))
        return supervisor

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

    def submit(self, task: Task) -> None:
        """Hand over a task."""
        self._owed.add(task)
        self.channel.send(wire.frame(wire.TASK, wire.TASK_STRUCT.pack(*task.span, task.attempt)))

    def stop(self) -> None:
        """Tell an idle worker that there is no more work."""
        if self.state in (State.READY, State.RESTED):
            self.state = State.STOPPING
            self.channel.send(wire.frame(wire.STOP))

    def rest(self) -> None:
        """Tell an idle worker that the job is over, and another one may come."""
        if self.state is State.READY:
            self.state = State.RESTING
            self.channel.send(wire.frame(wire.REST))

    def loaded(self) -> Loaded:
        """Return the worker for another supervisor to take over; this one does not know it any more."""
        launched = Launched(
            process=self.process,
            incoming=self.channel.incoming,
            outgoing=self.channel.outgoing,
            berth=self.berth,
        )
        return Loaded(launched=launched, python=self._python, is_ready=self.state is State.RESTED)

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

    def on_readable(self) -> list[Event]:
        """The worker has sent something."""
        events: list[Event] = []
        for kind, payload in self.channel.frames(is_heard=not self._inquest.has_begun):
            self._on_frame(kind, payload, events)
        if self._recalled_to is not None and not self._taken_back and not self._owed.batches:
            self._end_recall()  # it had begun everything before it saw the flag
        return events

    def on_death(self) -> list[Event]:
        """The process is dead: answer everything that it still owes."""
        events = self.on_readable()
        if self._taken is not None:  # it never was of this job, and another takes its place
            self.state = State.DEAD
            return []
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
        is_ending = self.state in (State.RESTING, State.RESTED, State.STOPPING)
        if self._is_halted:
            pass
        elif self.state is State.LOADING or not (running or self._has_worked or is_ending):
            events.append(self._start_failure or self._died_at_start(message, activity.state))
        elif is_ending and not self._has_parted:
            text = f"worker {self.worker} {words} in shutdown(); what it wrote there is lost"
            events.append(Notice("shutdown_died", text))
        elif not is_ending:
            events.append(WorkerEnded(self.worker, self._ended(words), self.part, self.peak_bytes))
        events.extend(self._owed.take_back(0, self._owed.batches))
        self.state = State.DEAD
        return events

    def on_clock(self, now: float) -> list[Event]:
        """Look at the deadlines: what is over is lost from then on, asked for its stacks, and killed."""
        if self._inquest.has_begun:
            if self._inquest.is_closed(now):
                self.kill()
        elif self._taken is not None:
            if now - self._spawned_at > self._taken.limit_s:
                self.kill()
        elif self._death is not None or self.state not in (State.LOADING, State.READY):
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
        self.channel.close()
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
            self._on_ready(message, events)
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
        elif kind == wire.RESTED:
            self.state, self.unfit = State.RESTED, message["unfit"]
            if "files" in message:
                self._on_farewell(message, events)
        elif kind == wire.BYE:
            self.said_goodbye_at = time.monotonic()
            if not self._has_parted:
                self._on_farewell(message, events)

    def _on_ready(self, message: dict[str, Any], events: list[Event]) -> None:
        if message["binding"] != self._binding:
            return  # it has loaded the script for the job before, and goes on with this one
        modules = tuple((name, digest) for name, digest in message["modules"])
        if self._taken is not None and not self._taken.proves(modules):
            self.kill()
            return
        self.state, self.unfit, self._taken = State.READY, message["unfit"], None
        events.append(Ready(self.worker, message["init_s"], modules, self._python))

    def _on_farewell(self, message: dict[str, Any], events: list[Event]) -> None:
        self._has_parted = True
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
