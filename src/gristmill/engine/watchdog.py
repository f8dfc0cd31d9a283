"""The memory watchdog: which worker is stopped, and when, before the kernel kills anybody (decision 0010).

Two things can be over: a worker over the limit that was given for it, and the machine over what it has.
Deciding is done by pure functions over values; the watchdog reads, asks them, and stops.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gristmill.engine.contract import Event, Notice, Reason
from gristmill.engine.kernel_kills import KernelKills
from gristmill.engine.machine import MachineMemory, MemoryReading
from gristmill.engine.memory import WorkerMemory, size_in_words
from gristmill.engine.supervisor import Supervisor
from gristmill.engine.worker_state import State

#: The memory of all workers is looked at this often.
LOOK_EVERY_S = 0.100
#: With very many workers less often: it takes this share of the time of our thread at most.
_SHARE_OF_LOOKING = 0.01
#: What must be left on the machine: this much, or this share of it, whichever is more; at most an eighth.
RESERVE_BYTES = 256_000_000
RESERVE_SHARE = 0.03
_MOST_RESERVE_SHARE = 1 / 8
#: With less than this share of what is used, our workers are not why memory is short.
OUR_SHARE = 1 / 4
#: A worker that was stopped while it loaded starts again when there is room for so many times what it had.
_MARGIN_OF_START = 1.25


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a worker takes, and what it does."""

    worker: int
    """Its slot."""
    taken_bytes: int
    """Its memory, with the processes that it started."""
    is_running: bool
    """Whether it is in ``run()``."""
    is_loading: bool
    """Whether it loads the script."""
    is_alone: bool = False
    """Whether it runs a task that is to be alone."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A worker to be stopped since the machine is short of memory."""

    worker: int
    """Its slot."""
    reason: Reason | None
    """What its mini-batch fails with; None: it was loading, and nothing fails."""


def reserve_of(total_bytes: int) -> int:
    """Return how much memory must be left on a machine, or in a control group, that has so much."""
    wanted = max(RESERVE_BYTES, int(total_bytes * RESERVE_SHARE))
    return min(wanted, int(total_bytes * _MOST_RESERVE_SHARE))


def is_short(now: MemoryReading, before: MemoryReading | None) -> bool:
    """Say whether less than the reserve is left, or will be at the next look if it goes on like this."""
    falling = 0 if before is None else max(0, before.available_bytes - now.available_bytes)
    return now.available_bytes - falling < reserve_of(now.total_bytes)


def is_ours(reading: MemoryReading, uses: Sequence[Use]) -> bool:
    """Say whether our workers are a real part of what is used; else stopping them would not help."""
    used = reading.total_bytes - reading.available_bytes
    return sum(use.taken_bytes for use in uses) >= used * OUR_SHARE


def whom_to_stop(uses: Sequence[Use]) -> Stop | None:
    """Choose the worker that is stopped when memory is short.

    It is the largest of those that do something. One that was loading has lost nothing, and starts again
    later; the only worker of all is left to load. While others run or load it is nobody's fault that one
    needs memory, and its mini-batch is tried again alone; one that had the machine for itself is too large.

    Returns
    -------
    Stop or None
        None where nobody runs anything, or the only worker is still loading.
    """
    busy = [use for use in uses if use.is_running or (use.is_loading and len(uses) > 1)]
    if not busy:
        return None
    largest = min(busy, key=lambda use: (-use.taken_bytes, use.worker))
    if largest.is_loading:
        return Stop(worker=largest.worker, reason=None)
    has_neighbours = len(busy) > 1 and not largest.is_alone
    return Stop(worker=largest.worker, reason=Reason.INFRASTRUCTURE if has_neighbours else Reason.MEMORY)


class Watchdog:
    """Looks at the memory of the workers and of the machine, and stops workers."""

    def __init__(
        self, limit_bytes: int | None, memory: MachineMemory, give_way: Callable[[], bool] = lambda: False
    ) -> None:
        """Look at nothing yet.

        Parameters
        ----------
        limit_bytes
            The most that a worker may take, in bytes; None: as much as the machine has.
        memory
            Tells what is left on the machine.
        give_way
            Called before a worker is stopped because memory is short; says whether something else was given
            up for it.
        """
        self._limit = limit_bytes
        self._give_way = give_way
        self._memory = memory
        self._kills = KernelKills()
        self._workers = WorkerMemory()
        self._reading: MemoryReading | None = None
        self._look_after = 0.0
        self._has_stopped = False
        self._has_told = False
        self._needed_to_load = 0

    def start(self) -> None:
        """Count the kernel's kills from now on."""
        self._kills.start()

    def watch(self, supervisor: Supervisor) -> None:
        """Measure a worker from now on."""
        self._workers.add(supervisor.process.id, supervisor.berth.mark)

    def bury(self, supervisor: Supervisor, now: float) -> None:
        """Take in that a worker is dead, before it is asked what happened: what it had, and who killed it."""
        process = supervisor.process
        supervisor.peak_bytes = max(supervisor.peak_bytes, self._workers.forget(process.id))
        if process.was_killed and not supervisor.is_being_killed:
            proof = self._kills.proof_of(process.id, now)
            if proof:
                size = size_in_words(supervisor.peak_bytes)
                words = (
                    f"was killed by the kernel: the machine or its container ran out of memory ({proof}); "
                    f"it had {size}. Use fewer workers or smaller mini-batches, or set memory_per_worker"
                )
                supervisor.explain(Reason.MEMORY, words)

    def leave(self, supervisor: Supervisor) -> None:
        """Take in that a worker stays loaded and is not looked at any more."""
        supervisor.peak_bytes = max(supervisor.peak_bytes, self._workers.forget(supervisor.process.id))

    def usage(self, supervisor: Supervisor) -> tuple[int, int]:
        """Return what a worker takes now, and what it has taken at most, in bytes."""
        process = supervisor.process.id
        return self._workers.now_of(process), self._workers.peak_of(process)

    def on_clock(self, now: float, alive: Sequence[Supervisor], host: Supervisor | None) -> list[Event]:
        """Look at the memory, if it is time; stop whom it must be.

        Parameters
        ----------
        now
            Monotonic time, in seconds.
        alive
            The workers.
        host
            The one that runs a task alone, if there is one.
        """
        if now < self._look_after or not alive:
            return []
        began = time.thread_time()
        self._workers.look(now)
        self._kills.look(now)
        self._look_after = now + max(LOOK_EVERY_S, (time.thread_time() - began) / _SHARE_OF_LOOKING)
        for supervisor in alive:
            supervisor.peak_bytes = max(supervisor.peak_bytes, self._workers.peak_of(supervisor.process.id))
            self._keep_to_limit(supervisor)
        before, self._reading = self._reading, self._memory.read()
        if any(supervisor.is_being_killed for supervisor in alive):
            self._reading = None  # what it gives back is not there yet
        elif self._reading is not None and is_short(self._reading, before):
            if not self._give_way():
                return self._relieve(self._reading, alive, host)
            self._reading = None  # what was given up is not there yet
        return []

    def may_start(self, is_anybody_alive: bool) -> bool:
        """Say whether a worker may be started; after a stop, only where there is room for it again."""
        reading = self._reading
        if not self._has_stopped or not is_anybody_alive:
            return True
        if reading is None:
            return False
        room = reading.available_bytes - 2 * reserve_of(reading.total_bytes)
        return room >= self._needed_to_load * _MARGIN_OF_START

    def close(self) -> None:
        """Give back what is open."""
        self._kills.close()

    def _keep_to_limit(self, supervisor: Supervisor) -> None:
        limit, process = self._limit, supervisor.process.id
        is_open = supervisor.state in (State.LOADING, State.READY) and not supervisor.is_being_killed
        if limit is None or not is_open or not self._workers.is_over(process, limit):
            return
        loading = " while it loaded" if supervisor.state is State.LOADING else ""
        supervisor.stop_for(
            Reason.MEMORY,
            f"the worker took {size_in_words(self._workers.peak_of(process))} of memory{loading}, more than "
            f"its limit of {size_in_words(limit)} (memory_per_worker), and was stopped; raise the limit, or "
            "make mini-batches smaller",
        )

    def _relieve(
        self, reading: MemoryReading, alive: Sequence[Supervisor], host: Supervisor | None
    ) -> list[Event]:
        """The machine is short of memory: stop a worker, if that is of use."""
        by_slot = {supervisor.worker: supervisor for supervisor in alive}
        uses = [self._use_of(supervisor, host) for supervisor in alive]
        left = f"{size_in_words(reading.available_bytes)} of {size_in_words(reading.total_bytes)} left"
        if not is_ours(reading, uses):
            if self._has_told:
                return []
            self._has_told = True
            ours = size_in_words(sum(use.taken_bytes for use in uses))
            text = (
                f"memory is short ({left}), and the workers hold only {ours} of it; end what else needs it, "
                "before the kernel ends something"
            )
            return [Notice("memory_of_others", text)]
        stop = whom_to_stop(uses)
        if stop is None:
            return []
        victim = by_slot[stop.worker]
        size = size_in_words(self._workers.now_of(victim.process.id))
        self._has_stopped = True
        if stop.reason is None:
            self._needed_to_load = max(self._needed_to_load, self._workers.now_of(victim.process.id))
            victim.halt()
            text = (
                f"memory is short ({left}): a worker that was loading with {size} is stopped, and starts "
                "again when there is room; fewer workers (--workers) avoid it"
            )
            return [Notice("memory_while_loading", text)]
        if stop.reason is Reason.MEMORY:
            words = (
                f"memory ran short ({left}) although nothing ran beside this mini-batch, and its worker, "
                f"which had {size}, was stopped; make mini-batches smaller, or use a machine with more memory"
            )
        else:
            words = (
                f"memory ran short ({left}), and the largest of the workers, which had {size}, was stopped; "
                "its mini-batch is tried again alone, without using up a try; fewer workers avoid it"
            )
        victim.stop_for(stop.reason, words)
        return []

    def _use_of(self, supervisor: Supervisor, host: Supervisor | None) -> Use:
        return Use(
            worker=supervisor.worker,
            taken_bytes=self._workers.now_of(supervisor.process.id),
            is_running=supervisor.is_running,
            is_loading=supervisor.state is State.LOADING,
            is_alone=supervisor is host,
        )
