"""Several workers side by side, while there is something to be won by more of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gristmill.engine.trial import Call, Failure, Trial
from gristmill.service.tuning.budget import Budget
from gristmill.service.tuning.log import Log
from gristmill.service.tuning.supply import Supply

#: Workers for each core that are tried at most, where they only wait; and in all.
_MOST_FOR_A_CORE, _MOST = 8, 64
#: Twice the workers have to win this much, or no more are tried.
_WORTH_IT = 1.15
#: For one look at a crew: seconds, at least, and calls of each worker, where there is time for them.
_LEAST_S = 1.5
_FEWEST_CALLS, _ENOUGH_CALLS = 3, 12
_MOST_FILES = 20_000
#: A crew in which a worker died of a bad file is tried once more.
_TRIES = 2
_PATIENCE, _PATIENCE_S = 20.0, 10.0


@dataclass(frozen=True, kw_only=True)
class Crew:
    """What is tried."""

    size: int
    """Files for one call."""
    call_s: float
    """What such a call takes alone."""
    start_s: float
    """Seconds for one start of a worker."""
    share: int
    """Workers that share the cores: as many are tried first."""
    cores: int
    fitting: int
    """The most that there is memory, or a GPU, for."""
    waits: bool
    """Whether a worker waits so much that more of them than cores may win something."""


def crews_to_try(crew: Crew) -> list[int]:
    """Return the numbers of workers that are tried, in order; a larger one only while it wins."""
    most = min(crew.fitting, crew.cores * _MOST_FOR_A_CORE, _MOST)
    if not crew.waits:
        most = min(most, crew.share)
    found, workers = [1], max(2, crew.share)
    while workers <= most:
        found.append(workers)
        workers *= 2
    return found


class SideBySide:
    """Tries crews, one after the other, and the small ones again at the end."""

    def __init__(
        self, trial: Trial, supply: Supply, log: Log, init_timeout_s: float, say: Callable[[str], None]
    ) -> None:
        self._trial = trial
        self._supply = supply
        self._log = log
        self._init_timeout_s = init_timeout_s
        self._say = say

    def measure(self, crew: Crew, budget: Budget) -> str:
        """Measure how crews get on; return why one could not be measured, or nothing."""
        self._log.crew_size = crew.size
        wanted = crews_to_try(crew)
        if len(wanted) < 2:
            return ""
        tried: list[int] = []
        for workers in wanted:
            span_s = self._span_s(crew, budget, len(wanted))
            missing = workers - self._trial.workers
            needed_s = crew.start_s * max(1.0, missing / crew.cores) * 1.5 + 2 * span_s
            if workers > 1 and needed_s > budget.left_s:
                if len(tried) > 1:
                    break
                return _too_long(workers, needed_s, budget)
            if workers > 2 or workers > self._trial.workers:
                self._say(f"measuring {workers} workers side by side")
            if not self._try(workers, crew, span_s, budget):
                return f"{workers} workers side by side: not all of them started, or their calls failed"
            tried.append(workers)
            if len(tried) > 2 and self._latest(workers) < _WORTH_IT * self._latest(tried[-2]):
                break
        for workers in reversed(tried):
            if budget.left_s > 2 * self._span_s(crew, budget, 2):
                self._try(workers, crew, self._span_s(crew, budget, len(tried)), budget)
        return ""

    def _latest(self, workers: int) -> float:
        return self._log.rates[workers][-1]

    def _span_s(self, crew: Crew, budget: Budget, crews: int) -> float:
        enough = max(_LEAST_S, _ENOUGH_CALLS * crew.call_s)
        return max(min(enough, budget.left_s / (3 * crews)), _FEWEST_CALLS * crew.call_s)

    def _try(self, workers: int, crew: Crew, span_s: float, budget: Budget) -> bool:
        tries = range(_TRIES)
        return any(budget.left_s and self._try_once(workers, crew, span_s, budget) for _ in tries)

    def _try_once(self, workers: int, crew: Crew, span_s: float, budget: Budget) -> bool:
        if self._trial.workers < workers:
            told = self._trial.start(workers, min(self._init_timeout_s, max(budget.left_s, 1.0)))
            if any(isinstance(one, Failure) for one in told) or self._trial.workers < workers:
                return False
        calls = max(_FEWEST_CALLS, min(round(span_s / crew.call_s), _MOST_FILES // (crew.size * workers)))
        shares = [[self._supply.take(crew.size) for _ in range(calls)] for _ in range(workers)]
        answers = self._trial.call_all(shares, _PATIENCE_S + _PATIENCE * crew.call_s * workers, budget.end)
        good = [one for one in answers if isinstance(one, Call)]
        for one in answers:
            if isinstance(one, Failure) and len(one.names) == 1:
                self._supply.leave_out(one.names[0])
        if len({one.worker for one in good}) < workers or len(good) < 2 * workers:
            return False
        for one in good:
            self._log.note_memory(one)
        self._log.rates.setdefault(workers, []).append(rate_of(good))
        return True


def rate_of(calls: Sequence[Call]) -> float:
    """Return the files per second of workers side by side: what each did in its own time, in all."""
    by_worker: dict[int, list[Call]] = {}
    for one in calls:
        by_worker.setdefault(one.worker, []).append(one)
    return sum(
        sum(len(one.names) for one in own)
        / max(max(one.ended_at for one in own) - min(one.began_at for one in own), 1e-9)
        for own in by_worker.values()
    )


def _too_long(workers: int, needed_s: float, budget: Budget) -> str:
    more = round(budget.seconds + needed_s - budget.left_s, -1) + 10
    return (
        f"{workers} workers side by side: they would take {needed_s:.0f} s, and {budget.left_s:.0f} s are "
        f"left; --budget {more:.0f} measures it"
    )
