"""The engine of this machine: worker processes in one event loop, no threads (design, D1 to D3)."""

from __future__ import annotations

import selectors
import shutil
import time
from collections.abc import Callable, Iterable, Sequence

from gristmill.engine.archive import worker_archive
from gristmill.engine.contract import Event, Farewell, Load, Notice, Scored, StartFailed, Task
from gristmill.engine.crew import check_gpus
from gristmill.engine.devices import VISIBLE
from gristmill.engine.ground import Ground, sweep_earlier
from gristmill.engine.launch import (
    PARTS_PER_START,
    Assignment,
    slots_path,
)
from gristmill.engine.machine import MachineMemory
from gristmill.engine.performance import PerformanceLog
from gristmill.engine.seats import Seats
from gristmill.engine.solitude import Solitude
from gristmill.engine.supervisor import Supervisor
from gristmill.engine.sweep import WORKER_MARK, sweep
from gristmill.engine.watchdog import Watchdog
from gristmill.engine.worker_state import State
from gristmill.errors import JobError, RequestError, StorageError, in_words
from gristmill.storage.publish import sync_file
from gristmill_worker.slot import Slot

#: Work that is queued ahead of a worker covers about this much time: it never waits for us.
QUEUE_AHEAD_S = 0.020
#: What waits behind a mini-batch that has been running for this long is taken back.
STUCK_S = 0.050
#: The most mini-batches in one task.
LARGEST_TASK = 16384
#: Slots are looked at this often.
_CLOCK_S = 0.050
#: `shutdown()` and the interpreter's own clean-up have this long, all workers together.
SHUTDOWN_LIMIT_S = 30.0
#: After `shutdown()` a worker has this long for the interpreter's own end.
_LAST_BREATH_S = 5.0
_WEIGHT_OF_LATEST = 0.3
_STRAYS = "a process that it started still runs"
_NOT_KEPT = "workers are not kept warm: {why}"
_SPAWNS_AT_ONCE = 8


class LocalEngine:
    """Runs tasks in worker processes on this machine; see `contract.Engine` for what each method promises."""

    def __init__(
        self,
        assignment: Assignment,
        ground: Ground,
        memory: MachineMemory | None = None,
        *,
        seats: int | None = None,
        give_way: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare; nothing is started yet.

        Parameters
        ----------
        assignment
            What the workers are to do.
        ground
            What they stand on.
        memory
            Tells how much memory is left; this machine's own unless given.
        seats
            How many workers are started; None: all that the assignment says.
        give_way
            Called when memory is short; says whether what nobody works with just now was given up for it.
        """
        self._assignment = assignment
        self._ground = ground
        self._seat_count = assignment.workers if seats is None else seats
        self._selector = selectors.DefaultSelector()
        self._seats = Seats()
        self._next_part = assignment.fence * PARTS_PER_START
        self._seconds_per_batch: float | None = None
        self._unsynced: set[int] = set()
        self._last_clock = 0.0
        self._closing = False
        self._performance = PerformanceLog(assignment)
        self._watchdog = Watchdog(assignment.memory_per_worker_bytes, memory or MachineMemory(), give_way)
        self._solitude = Solitude()

    def start(self) -> None:
        """Start the guard, then the workers."""
        assignment = self._assignment
        _check_gpus(assignment)
        try:
            self._archive = worker_archive(assignment.cache)
            sweep_earlier(assignment.earlier_runs)
            self._ground.open(assignment, self._selector)
            self._watchdog.start()
            self._seats.add(slots_path(assignment), self._seat_count)
            self._fill_seats(time.monotonic(), None)
        except OSError as error:
            self.close()
            raise JobError(
                f"the workers cannot be started: {in_words(error, with_path=True)}; make room or give "
                "access there, then resume the job"
            ) from error

    def room(self) -> int:
        """Return what the neediest worker would take."""
        needy = self._seats.neediest()
        if needy is None or self._solitude.is_wanted:
            return 0
        if self._seconds_per_batch is None:
            return 0 if needy.outstanding_batches else 1
        expected_s = needy.outstanding_batches * self._seconds_per_batch
        if needy.outstanding_batches and expected_s >= QUEUE_AHEAD_S:
            return 0
        return max(1, min(LARGEST_TASK, int(QUEUE_AHEAD_S / max(self._seconds_per_batch, 1e-9))))

    def submit(self, task: Task) -> None:
        """Hand a task to the neediest worker; one that is to be alone waits until all rest."""
        if task.alone:
            self._solitude.ask(task)
            return
        needy = self._seats.neediest()
        assert needy is not None, "submit() without room()"
        needy.submit(task)
        self._watch_writes(needy)

    def events(self, timeout_s: float) -> Sequence[Event]:
        """Return what has happened."""
        host, events = self._solitude.seek(self._seats.alive())
        if host is not None:
            self._watch_writes(host)
        now = time.monotonic()
        wait_s = 0.0 if events else max(0.0, min(timeout_s, self._last_clock + _CLOCK_S - now))
        deaths: list[Supervisor] = []
        for key, mask in self._selector.select(wait_s):
            self._on_ready(key.data, mask, events, deaths)
        for supervisor in deaths:
            self._bury(supervisor, events)
        now = time.monotonic()
        if now - self._last_clock >= _CLOCK_S:
            self._last_clock = now
            self._on_clock(now, events)
        self._learn(events)
        return events

    def restart(self, worker: int, after_s: float) -> None:
        """Start a worker in an empty slot, after a pause."""
        self._seats[worker].start_at = time.monotonic() + after_s

    def give_up(self, worker: int) -> None:
        """Leave a slot empty for good."""
        self._seats[worker].given_up = True

    def sync(self) -> None:
        """Sync every part that an event has named since the last time."""
        for part in sorted(self._unsynced):
            try:
                sync_file(self._assignment.part_path(part))
            except OSError as error:
                raise StorageError(
                    f"the rows of job {self._assignment.job} cannot be made durable: "
                    f"{in_words(error, with_path=True)}; make room or repair the disk, then resume the job"
                ) from error
        self._unsynced.clear()

    def load(self) -> Load:
        """Return how busy the workers are."""
        return self._seats.load(self._solitude.waiting_batches)

    def wind_down(self, limit_s: float) -> Sequence[Event]:
        """Take back what is not begun, and wait for what is running."""
        events: list[Event] = self._solitude.give_back()
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            for supervisor in self._seats.alive():
                events.extend(supervisor.recall_if_stuck(0.0))
            if all(supervisor.is_idle for supervisor in self._seats.alive()):
                break
            events.extend(self.events(_CLOCK_S))
        return events

    def halt(self) -> Sequence[Event]:
        """Kill every worker now and return what had finished and what is not started."""
        self._closing = True
        events: list[Event] = self._solitude.give_back()
        alive = self._seats.alive()
        for supervisor in alive:
            supervisor.halt()
        for supervisor in alive:
            supervisor.process.wait()
            self._bury(supervisor, events)
        self._learn(events)
        return events

    def close(self) -> Sequence[Event]:
        """Let the workers end, and make sure that nothing of the run is left."""
        self._closing = True
        events: list[Event] = self._solitude.give_back()
        for supervisor in self._seats.alive():
            self._dismiss(supervisor, events)
        deadline = time.monotonic() + SHUTDOWN_LIMIT_S
        while self._seats.alive() and time.monotonic() < deadline:
            events.extend(self.events(deadline - time.monotonic()))
            self._part(events)
            for supervisor in self._seats.alive():
                gone_at = supervisor.said_goodbye_at
                if gone_at is not None and time.monotonic() - gone_at > _LAST_BREATH_S:
                    supervisor.kill()  # threads of the script keep it alive
        for supervisor in self._seats.alive():
            supervisor.kill()
            supervisor.process.wait()
            self._bury(supervisor, events)
        self._end_run()
        return events

    # The crew

    def _spawn(self, worker: int) -> None:
        seat = self._seats[worker]
        seat.start_at = None
        seat.slot.clear()
        part = self._next_part
        self._next_part += 1
        supervisor = self._taken_over(seat.slot, worker, part)
        if supervisor is None:
            launched = self._ground.launch(self._archive, worker, part)
            supervisor = Supervisor(self._assignment, launched, seat.slot, worker, part, time.monotonic())
        seat.supervisor = supervisor
        self._watchdog.watch(supervisor)
        self._selector.register(supervisor.channel.incoming, selectors.EVENT_READ, (supervisor, "read"))
        self._selector.register(supervisor.process, selectors.EVENT_READ, (supervisor, "death"))
        self._watch_writes(supervisor)

    def _taken_over(self, slot: Slot, worker: int, part: int) -> Supervisor | None:
        """Let a worker go on that is loaded, if there is one for this slot."""
        loaded = self._ground.take(worker)
        if loaded is None:
            return None
        taken = self._ground.terms(self._assignment, loaded, time.monotonic())
        try:
            return Supervisor.take_over(self._assignment, loaded, slot, worker, part, taken)
        except OSError:
            self._ground.leave(worker, loaded)
            raise

    def _bury(self, supervisor: Supervisor, events: list[Event]) -> None:
        """A worker is dead: collect what it owes, kill what it left, fill its seat again."""
        self._watchdog.bury(supervisor, time.monotonic())
        happened = supervisor.on_death()
        events.extend(happened)
        self._performance.note_end(supervisor.worker, supervisor.process.id, supervisor.peak_bytes)
        if not self._closing or self._ground.keeps_workers:  # else what is left of the whole run is killed
            sweep(WORKER_MARK, supervisor.berth.mark)
        self._forget(supervisor)
        supervisor.close()
        shutil.rmtree(supervisor.berth.folder, ignore_errors=True)
        seat = self._seats[supervisor.worker]
        if not self._closing and not any(isinstance(event, StartFailed) for event in happened):
            seat.start_at = 0.0

    def _forget(self, supervisor: Supervisor) -> None:
        """Look at a worker no longer; its seat is empty."""
        self._selector.unregister(supervisor.process)
        for pipe in (supervisor.channel.incoming, supervisor.channel.outgoing):
            if pipe in self._selector.get_map():
                self._selector.unregister(pipe)
        self._seats[supervisor.worker].supervisor = None

    def _on_ready(
        self, who: tuple[Supervisor | None, str], mask: int, events: list[Event], deaths: list[Supervisor]
    ) -> None:
        supervisor, what = who
        if supervisor is None:
            self._ground.replace_guard()
        elif what == "read":
            events.extend(supervisor.on_readable())
            if supervisor.channel.has_hung_up:  # its process shows its end; the pipe would wake us until then
                self._selector.unregister(supervisor.channel.incoming)
        elif what == "write":
            supervisor.channel.send()
            self._watch_writes(supervisor)
        else:
            deaths.append(supervisor)

    def _on_clock(self, now: float, events: list[Event]) -> None:
        alive = self._seats.alive()
        events.extend(self._watchdog.on_clock(now, alive, self._solitude.host))
        self._performance.sample(now, [(s.worker, s.process.id, *self._watchdog.usage(s)) for s in alive])
        for supervisor in alive:
            events.extend(supervisor.on_clock(now))
            events.extend(supervisor.recall_if_stuck(STUCK_S))
        is_free = not self._solitude.is_wanted and self._watchdog.may_start(bool(alive))
        if not self._closing and (is_free or not alive):
            self._fill_seats(now, events)

    def _fill_seats(self, now: float, events: list[Event] | None) -> None:
        """Start workers in seats that are to be filled: a few at a time, so that nothing else waits for it.

        Without ``events``, at the very start, a worker that cannot be spawned is an error.
        """
        for worker in self._seats.due(now, _SPAWNS_AT_ONCE):
            try:
                self._spawn(worker)
            except OSError as error:
                if events is None:
                    raise
                why = f"the worker cannot be started: {in_words(error, with_path=True)}"
                events.append(StartFailed(worker, why, "", ""))

    def _watch_writes(self, supervisor: Supervisor) -> None:
        watched = supervisor.channel.outgoing in self._selector.get_map()
        if supervisor.channel.wants_to_write and not watched:
            self._selector.register(supervisor.channel.outgoing, selectors.EVENT_WRITE, (supervisor, "write"))
        elif watched and not supervisor.channel.wants_to_write:
            self._selector.unregister(supervisor.channel.outgoing)

    def _learn(self, events: Iterable[Event]) -> None:
        """Follow how long a mini-batch takes, and which parts are not synced."""
        for event in events:
            if isinstance(event, Scored):
                if event.length or event.attached:
                    self._unsynced.add(event.part)
                latest = event.seconds / event.span.batches
                before = self._seconds_per_batch
                self._seconds_per_batch = (
                    latest if before is None else before + _WEIGHT_OF_LATEST * (latest - before)
                )
            elif isinstance(event, Farewell) and event.attached:
                self._unsynced.add(event.part)

    # The end

    def _dismiss(self, supervisor: Supervisor, events: list[Event]) -> None:
        """Let a worker end, or rest where it may stay; one that still loads stays as it is."""
        keeps = self._ground.keeps_workers and not supervisor.is_being_killed
        if supervisor.state is State.LOADING and keeps:
            self._leave(supervisor)
        elif not supervisor.is_idle:
            supervisor.halt()
        elif supervisor.unfit or not keeps:
            self._stop(supervisor, supervisor.unfit if keeps else "", events)
        else:
            supervisor.rest()
            self._watch_writes(supervisor)

    def _part(self, events: list[Event]) -> None:
        """Once all that are to rest do so, leave those that can go on with another job; others end."""
        alive = self._seats.alive()
        rested = [supervisor for supervisor in alive if supervisor.state is State.RESTED]
        if not rested or any(supervisor.state is State.RESTING for supervisor in alive):
            return
        strays = self._ground.with_strays([supervisor.berth.mark for supervisor in rested])
        for supervisor in rested:
            why = _STRAYS if supervisor.berth.mark in strays else supervisor.unfit
            if why:
                self._stop(supervisor, why, events)
            else:
                self._leave(supervisor)

    def _stop(self, supervisor: Supervisor, why: str, events: list[Event]) -> None:
        """Let a worker end; say why it does not stay where it might have."""
        if why:
            events.append(Notice("not_kept_warm", _NOT_KEPT.format(why=why)))
        supervisor.stop()
        self._watch_writes(supervisor)

    def _leave(self, supervisor: Supervisor) -> None:
        """Let a worker stay behind, out of this engine's sight."""
        self._watchdog.leave(supervisor)
        self._performance.note_end(supervisor.worker, supervisor.process.id, supervisor.peak_bytes)
        self._forget(supervisor)
        self._ground.leave(supervisor.worker, supervisor.loaded())

    def _end_run(self) -> None:
        """Nothing of the run is left behind but what stays on its ground."""
        self._seats.close()
        self._ground.close()
        self._watchdog.close()


def _check_gpus(assignment: Assignment) -> None:
    """Refuse to start where the GPUs are fewer than when the job was made: it is resumed somewhere else."""
    if VISIBLE not in assignment.environment_variables and assignment.gpus_per_worker:
        try:
            check_gpus(assignment.workers, assignment.gpus_per_worker, assignment.devices)
        except RequestError as error:
            raise JobError(f"{error}. Resume the job where there are enough") from error
