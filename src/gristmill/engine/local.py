"""The engine of this machine: worker processes in one event loop, no threads (design, D1 to D3)."""

from __future__ import annotations

import selectors
import shutil
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gristmill.engine.contract import Event, Farewell, Load, Scored, StartFailed, Task
from gristmill.engine.crew import check_gpus
from gristmill.engine.devices import VISIBLE
from gristmill.engine.guarding import Guarding
from gristmill.engine.launch import (
    PARTS_PER_START,
    Assignment,
    launch_worker,
    make_slots,
    scratch_folder,
    slots_path,
    worker_archive,
    worker_folder,
)
from gristmill.engine.machine import MachineMemory
from gristmill.engine.performance import PerformanceLog
from gristmill.engine.process import let_children_be_awaited
from gristmill.engine.solitude import Solitude
from gristmill.engine.supervisor import State, Supervisor
from gristmill.engine.sweep import RUN_MARK, WORKER_MARK, sweep
from gristmill.engine.watchdog import Watchdog
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
_SPAWNS_AT_ONCE = 8


@dataclass
class _Seat:
    """A slot of the crew: who sits there, or when somebody is to."""

    slot: Slot
    supervisor: Supervisor | None = None
    start_at: float | None = None
    given_up: bool = False


class LocalEngine:
    """Runs tasks in worker processes on this machine; see `contract.Engine` for what each method promises."""

    def __init__(self, assignment: Assignment, python: str, memory: MachineMemory | None = None) -> None:
        """Prepare; nothing is started yet.

        Parameters
        ----------
        assignment
            What the workers are to do.
        python
            Our own interpreter, for the guard.
        memory
            Tells how much memory is left; this machine's own unless given.
        """
        self._assignment = assignment
        self._selector = selectors.DefaultSelector()
        self._seats: list[_Seat] = []
        self._next_part = assignment.fence * PARTS_PER_START
        self._guarding = Guarding(assignment, python, self._selector)
        self._seconds_per_batch: float | None = None
        self._unsynced: set[int] = set()
        self._last_clock = 0.0
        self._closing = False
        self._ignores_children = False
        self._performance = PerformanceLog(assignment)
        self._watchdog = Watchdog(assignment.memory_per_worker_bytes, memory or MachineMemory())
        self._solitude = Solitude()

    def start(self) -> None:
        """Start the guard, then the workers."""
        assignment = self._assignment
        _check_gpus(assignment)
        try:
            self._ignores_children = let_children_be_awaited()
            assignment.scratch.mkdir(parents=True, exist_ok=True)
            make_slots(assignment)
            self._archive = worker_archive(assignment.cache)
            for earlier in assignment.earlier_runs:
                sweep(RUN_MARK, earlier)
                shutil.rmtree(scratch_folder(earlier), ignore_errors=True)
            self._guarding.start()
            self._watchdog.start()
            for worker in range(assignment.workers):
                self._seats.append(_Seat(Slot(str(slots_path(assignment)), worker), start_at=0.0))
            self._fill_seats(time.monotonic(), None)
        except OSError as error:
            self.close()
            raise JobError(
                f"the workers cannot be started: {in_words(error, with_path=True)}; make room or give "
                "access there, then resume the job"
            ) from error

    def room(self) -> int:
        """Return what the neediest worker would take."""
        needy = self._neediest()
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
        needy = self._neediest()
        assert needy is not None, "submit() without room()"
        needy.submit(task)
        self._watch_writes(needy)

    def events(self, timeout_s: float) -> Sequence[Event]:
        """Return what has happened."""
        host, events = self._solitude.seek(self._alive())
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
        supervisors = [seat.supervisor for seat in self._seats if seat.supervisor is not None]
        return Load(
            workers=sum(not seat.given_up for seat in self._seats),
            ready=sum(s.state is State.READY for s in supervisors),
            idle=sum(s.takes_work and not s.outstanding_batches for s in supervisors),
            running=sum(s.outstanding_batches for s in supervisors) + self._solitude.waiting_batches,
        )

    def wind_down(self, limit_s: float) -> Sequence[Event]:
        """Take back what is not begun, and wait for what is running."""
        events: list[Event] = self._solitude.give_back()
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            for supervisor in self._alive():
                events.extend(supervisor.recall_if_stuck(0.0))
            if all(supervisor.is_idle for supervisor in self._alive()):
                break
            events.extend(self.events(_CLOCK_S))
        return events

    def halt(self) -> Sequence[Event]:
        """Kill every worker now and return what had finished and what is not started."""
        self._closing = True
        events: list[Event] = self._solitude.give_back()
        alive = self._alive()
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
        for supervisor in self._alive():
            if supervisor.is_idle:
                supervisor.stop()
                self._watch_writes(supervisor)
            else:
                supervisor.halt()
        deadline = time.monotonic() + SHUTDOWN_LIMIT_S
        while self._alive() and time.monotonic() < deadline:
            events.extend(self.events(deadline - time.monotonic()))
            for supervisor in self._alive():
                gone_at = supervisor.said_goodbye_at
                if gone_at is not None and time.monotonic() - gone_at > _LAST_BREATH_S:
                    supervisor.kill()  # threads of the script keep it alive
        for supervisor in self._alive():
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
        launched = launch_worker(self._assignment, self._archive, worker, part)
        supervisor = Supervisor(self._assignment, launched, seat.slot, worker, part, time.monotonic())
        seat.supervisor = supervisor
        self._watchdog.watch(supervisor)
        self._selector.register(launched.incoming, selectors.EVENT_READ, (supervisor, "read"))
        self._selector.register(launched.process, selectors.EVENT_READ, (supervisor, "death"))

    def _bury(self, supervisor: Supervisor, events: list[Event]) -> None:
        """A worker is dead: collect what it owes, kill what it left, fill its seat again."""
        self._watchdog.bury(supervisor, time.monotonic())
        happened = supervisor.on_death()
        events.extend(happened)
        self._performance.note_end(supervisor.worker, supervisor.process.id, supervisor.peak_bytes)
        if not self._closing:  # else whatever is left of the whole run is killed in a moment
            sweep(WORKER_MARK, supervisor.mark)
        self._selector.unregister(supervisor.process)
        for pipe in (supervisor.incoming, supervisor.outgoing):
            if pipe in self._selector.get_map():
                self._selector.unregister(pipe)
        supervisor.close()
        folder = worker_folder(self._assignment, supervisor.worker, supervisor.part)
        shutil.rmtree(folder, ignore_errors=True)
        seat = self._seats[supervisor.worker]
        seat.supervisor = None
        if not self._closing and not any(isinstance(event, StartFailed) for event in happened):
            seat.start_at = 0.0

    def _on_ready(
        self, who: tuple[Supervisor | None, str], mask: int, events: list[Event], deaths: list[Supervisor]
    ) -> None:
        supervisor, what = who
        if supervisor is None:
            self._guarding.replace()
        elif what == "read":
            events.extend(supervisor.on_readable())
            if supervisor.has_hung_up:  # its end is seen by its process; the pipe would wake us until then
                self._selector.unregister(supervisor.incoming)
        elif what == "write":
            supervisor.on_writable()
            self._watch_writes(supervisor)
        else:
            deaths.append(supervisor)

    def _on_clock(self, now: float, events: list[Event]) -> None:
        alive = self._alive()
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
        left = _SPAWNS_AT_ONCE
        for worker, seat in enumerate(self._seats):
            if not left:
                return
            if seat.supervisor is None and seat.start_at is not None and seat.start_at <= now:
                left -= 1
                try:
                    self._spawn(worker)
                except OSError as error:
                    if events is None:
                        raise
                    events.append(
                        StartFailed(
                            worker, f"the worker cannot be started: {in_words(error, with_path=True)}", "", ""
                        )
                    )

    def _neediest(self) -> Supervisor | None:
        best: Supervisor | None = None
        for seat in self._seats:
            supervisor = seat.supervisor
            if (
                supervisor is not None
                and supervisor.takes_work
                and (best is None or supervisor.outstanding_batches < best.outstanding_batches)
            ):
                best = supervisor
        return best

    def _alive(self) -> list[Supervisor]:
        return [seat.supervisor for seat in self._seats if seat.supervisor is not None]

    def _watch_writes(self, supervisor: Supervisor) -> None:
        watched = supervisor.outgoing in self._selector.get_map()
        if supervisor.wants_to_write and not watched:
            self._selector.register(supervisor.outgoing, selectors.EVENT_WRITE, (supervisor, "write"))
        elif watched and not supervisor.wants_to_write:
            self._selector.unregister(supervisor.outgoing)

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

    def _end_run(self) -> None:
        """Nothing that carries the run's mark is left behind, and no temporary folder."""
        for seat in self._seats:
            seat.slot.close()
        self._seats.clear()
        sweep(RUN_MARK, self._assignment.run_id)
        shutil.rmtree(self._assignment.scratch, ignore_errors=True)
        self._guarding.close(is_clean=True)
        self._watchdog.close()
        if self._ignores_children:
            self._ignores_children = False
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def _check_gpus(assignment: Assignment) -> None:
    """Refuse to start where the GPUs are fewer than when the job was made: it is resumed somewhere else."""
    if VISIBLE not in assignment.environment_variables and assignment.gpus_per_worker:
        try:
            check_gpus(assignment.workers, assignment.gpus_per_worker, assignment.devices)
        except RequestError as error:
            raise JobError(f"{error}. Resume the job where there are enough") from error
