"""Which settings follow from what was measured, and why. Pure: values in, values out.

A job's time is estimated for many pairs of mini-batch size and workers, from the cost of a call and from how
workers get on side by side. Of what comes near the best, the smallest wins: fewer workers take less memory,
and a smaller mini-batch costs less when it has to be tried again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gristmill.service.tuning.cost import cost_of, peak_at
from gristmill.service.tuning.deadline import timeout_for
from gristmill.service.tuning.facts import Measurements, SideBySide

#: What Gristmill itself takes for a mini-batch: dispatch, journal, output.
MINI_BATCH_S = 0.0001
#: This part of the memory at hand is used at most; the rest is for the page cache and for surprises.
MEMORY_SHARE = 0.85
#: A number of workers, or a size, that is this near the best is as good.
WORKERS_WITHIN = 0.05
SIZE_WITHIN = 0.03
#: A mini-batch that takes longer costs too much when it is tried again, if fewer files would do.
LONGEST_MINI_BATCH_S = 60.0


class Binding(StrEnum):
    """What keeps it from being faster."""

    CPU = "CPU"
    MEMORY = "memory"
    READING = "reading"
    WAITING = "waiting"
    GPU = "GPU"
    START = "start"
    """Most of the job is the start of its workers."""
    INPUT = "input"
    """There are too few files for more workers."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A pair of settings, and what a job is going to take with it."""

    mini_batch_size: int
    workers: int
    seconds: float
    """For the whole input, the start of the workers included."""
    files_per_s: float
    """While all workers are at work."""


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What to set."""

    mini_batch_size: int
    workers: int
    timeout_s: int
    binds: Binding
    expected: Plan
    """With these settings."""
    as_it_is: Plan
    """With the settings that the deployment has now."""
    call_s: float
    """Seconds for one call of that size beside the other workers."""
    fixed_share: float
    """Which part of such a call is its fixed cost, 0 to 1."""
    fitting: int | None
    """How many workers the memory has room for; None: nobody knows."""
    idle: float
    """Which part of the workers' time is idle at the end, while others still work, 0 to 1."""


def decide(measured: Measurements) -> Recommendation:
    """Choose mini-batch size, workers and timeout.

    Parameters
    ----------
    measured
        At least one size.

    Returns
    -------
    Recommendation
        Workers × memory stays within `MEMORY_SHARE` of what is at hand, unless not even one worker fits.
    """
    return _Choice(measured).make()


class _Choice:
    def __init__(self, measured: Measurements) -> None:
        self._measured = measured
        self._cost = cost_of(measured.sizes)
        self._rates = _rates(measured)
        current = measured.current
        self._as_it_is = self._plan(min(current.mini_batch_size, measured.files.files), current.workers)

    def make(self) -> Recommendation:
        measured, cost = self._measured, self._cost
        plans = [
            self._plan(size, workers)
            for workers in self._crews()
            for size in self._sizes(workers)
            if self._fits(size, workers)
        ]
        chosen = self._or_as_it_is(self._best(plans))
        size, workers = chosen.mini_batch_size, chosen.workers
        slowdown = self._slowdown(workers)
        alone = cost.seconds(size)
        mini_batches = math.ceil(measured.files.files / size)
        return Recommendation(
            mini_batch_size=size,
            workers=workers,
            timeout_s=timeout_for(measured, cost, size, slowdown),
            binds=self._binding(chosen, plans),
            expected=chosen,
            as_it_is=self._as_it_is,
            call_s=self._call_s(size, workers),
            fixed_share=min(1.0, (cost.fixed_s + MINI_BATCH_S) / (alone + MINI_BATCH_S)),
            fitting=self._fitting(size),
            idle=1 - mini_batches / (math.ceil(mini_batches / workers) * workers),
        )

    def _best(self, plans: list[Plan]) -> Plan:
        fastest = min(plan.seconds for plan in plans)
        near = [plan for plan in plans if plan.seconds <= fastest * (1 + WORKERS_WITHIN)]
        workers = min(plan.workers for plan in near)
        of_crew = [plan for plan in plans if plan.workers == workers]
        short = [p for p in of_crew if self._call_s(p.mini_batch_size, workers) <= LONGEST_MINI_BATCH_S]
        of_crew = short or [min(of_crew, key=lambda plan: plan.mini_batch_size)]
        best = min(plan.seconds for plan in of_crew)
        good = [plan for plan in of_crew if plan.seconds <= best * (1 + SIZE_WITHIN)]
        return min(good, key=lambda plan: plan.mini_batch_size)

    def _or_as_it_is(self, best: Plan) -> Plan:
        """Return the settings of now where they are known to be possible, and as quick: why change them?"""
        now = self._as_it_is
        size, workers = now.mini_batch_size, now.workers
        is_known = size <= self._measured.sizes[-1].size and workers <= max(self._crews())
        is_short = size == 1 or self._call_s(size, workers) <= LONGEST_MINI_BATCH_S
        is_good = is_known and is_short and self._fits(size, workers) and now.seconds <= best.seconds
        return now if is_good else best

    def _crews(self) -> list[int]:
        """Return the numbers of workers that come into question."""
        measured = self._measured
        known = {one.workers for one in measured.side_by_side} | {one.workers for one in self._rates}
        wanted = {*range(1, measured.cores + 1), *known}
        most = min(measured.files.files, measured.gpu_workers or measured.files.files)
        return sorted({min(workers, most) for workers in wanted})

    def _sizes(self, workers: int) -> Iterator[int]:
        """Yield the sizes that come into question: those measured, and those that end evenly."""
        files = self._measured.files.files
        largest = min(files, self._measured.sizes[-1].size)
        found = {one.size for one in self._measured.sizes if one.size <= largest}
        found |= {math.ceil(files / (workers * rounds)) for rounds in range(1, 7)}
        yield from sorted(size for size in found if size <= largest)

    def _plan(self, size: int, workers: int) -> Plan:
        """Estimate a job: its workers start all at once, then do their mini-batches in turns."""
        files = self._measured.files.files
        mini_batches = math.ceil(files / size)
        busy = min(workers, mini_batches)
        call_s = self._call_s(size, busy)
        turns = math.ceil(mini_batches / busy)
        last_s = self._call_s(min(size, files), busy) if turns == 1 else call_s
        seconds = (turns - 1) * call_s + last_s
        rate = busy * size / call_s if call_s else math.inf
        start_s = self._start_s(busy)
        return Plan(mini_batch_size=size, workers=workers, seconds=start_s + seconds, files_per_s=rate)

    def _start_s(self, workers: int) -> float:
        return self._measured.start.seconds * max(1.0, workers / self._measured.cores)

    def _call_s(self, size: int, workers: int) -> float:
        """Return what a mini-batch takes beside the other workers, with what we need for it."""
        reading_s = self._measured.shares.reading_s * size
        return (self._cost.seconds(size) + reading_s) * self._slowdown(workers) + MINI_BATCH_S

    def _slowdown(self, workers: int) -> float:
        """Return how many times longer a call takes with so many workers than alone, at least 1."""
        rates = self._rates
        after = next((one for one in rates if one.workers >= workers), None)
        if after is None:
            rate = rates[-1].files_per_s  # more workers than any that were looked at bring nothing
        elif after.workers == workers:
            rate = after.files_per_s
        else:
            before = max((one for one in rates if one.workers < workers), key=lambda one: one.workers)
            share = (workers - before.workers) / (after.workers - before.workers)
            rate = before.files_per_s + share * (after.files_per_s - before.files_per_s)
        return max(1.0, workers * self._alone(rates[0]) / rate) if rate > 0 else 1.0

    def _alone(self, one: SideBySide) -> float:
        """Return the files per second of a worker alone on an idle machine."""
        if not one.is_measured:
            return one.files_per_s
        seconds = self._cost.seconds(one.size) + self._measured.shares.reading_s * one.size
        return one.size / seconds if seconds > 0 else one.files_per_s

    def _fits(self, size: int, workers: int) -> bool:
        measured, each = self._measured, peak_at(self._measured.sizes, size)
        at_hand = measured.memory_bytes * MEMORY_SHARE if measured.memory_bytes is not None else None
        limits = [one for one in (measured.worker_limit_bytes, at_hand) if one is not None]
        if size > measured.sizes[0].size and any(each > limit for limit in limits):
            return False
        fitting = self._fitting(size)
        return fitting is None or workers <= fitting

    def _fitting(self, size: int) -> int | None:
        memory = self._measured.memory_bytes
        if memory is None:
            return None
        each = max(self._measured.start.peak_bytes, peak_at(self._measured.sizes, size), 1)
        return max(1, int(memory * MEMORY_SHARE // each))

    def _binding(self, chosen: Plan, plans: list[Plan]) -> Binding:
        measured = self._measured
        size, workers = chosen.mini_batch_size, chosen.workers
        unbound = [self._plan(one, more) for more in self._crews() for one in self._sizes(more)]
        fastest = min(plan.seconds for plan in plans)
        if min(plan.seconds for plan in unbound) < fastest * (1 - WORKERS_WITHIN):
            return Binding.MEMORY
        if measured.gpu_workers is not None and workers >= measured.gpu_workers:
            return Binding.GPU
        if self._start_s(workers) > chosen.seconds / 2:
            return Binding.START
        if math.ceil(measured.files.files / size) <= workers < measured.cores:
            return Binding.INPUT
        return _of_shares(measured, workers)


def _of_shares(measured: Measurements, workers: int) -> Binding:
    """Say what most of a call goes into; where more workers than cores win something, it is no computing."""
    shares = measured.shares
    computes = shares.computing + shares.writing >= max(shares.reading, shares.waiting)
    if computes and workers <= measured.cores:
        return Binding.CPU
    return Binding.READING if shares.reading >= shares.waiting else Binding.WAITING


def _rates(measured: Measurements) -> tuple[SideBySide, ...]:
    """Return how fast crews are, ascending, from one worker to the largest that is worth a thought.

    Where it was not measured, workers do not disturb each other until there are as many as cores: threads of
    one worker, which keep several cores busy, seldom do as much as several workers.
    """
    if len(measured.side_by_side) > 1 and measured.side_by_side[0].workers == 1:
        return measured.side_by_side
    each = min(1.0, max(measured.shares.cores, 1 / (measured.cores * 4), 1e-3))
    full = max(1, min(math.ceil(measured.cores / each), measured.cores * _MOST_UNMEASURED))
    return tuple(
        SideBySide(
            workers=workers, size=1, files_per_s=min(workers, measured.cores / each), is_measured=False
        )
        for workers in sorted({1, *range(2, min(full, measured.cores) + 1), full})
    )


#: Workers for each core that are recommended at most where nobody has seen them side by side.
_MOST_UNMEASURED = 2
