"""A script is measured: one worker with more and more files, all sizes over the same files, several workers.

Sizes are compared over the same files, in another order each time, so that neither the files nor the page
cache favour one of them. An interrupt, or the end of the budget, leaves what is known. This module must not
know what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gristmill.engine.trial import Call, Failure, Started, Trial
from gristmill.service.judgement import own_part
from gristmill.service.tuning.budget import Budget
from gristmill.service.tuning.climb import Room, next_size, share_for_comparing
from gristmill.service.tuning.cost import cost_of
from gristmill.service.tuning.facts import LeftOut, Start
from gristmill.service.tuning.log import Log, cost_of_size
from gristmill.service.tuning.supply import Supply

#: So many files are tried before the script itself is to blame.
_FIRST_FILES = 5
#: A call may take so much longer than expected, and so many seconds more, before it is taken to hang.
_PATIENCE, _PATIENCE_S = 20.0, 10.0
_ROUNDS = 5
#: For one size in one round, unless four calls take longer.
_ENOUGH_S = 0.15
_MOST_CALLS = 256
#: Starts again after a worker has died, at most, and the part of the budget that they may take.
_MOST_DEATHS, _FOR_DEATHS = 16, 0.25
#: Calls that look for a bad file among others, at most.
_MOST_SEARCHING = 60
#: The part of the budget for a first look at each size.
_FOR_CLIMBING = 0.3
_LONGEST_CALL_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What measuring has to keep to."""

    init_timeout_s: float
    memory_bytes: int | None
    """The most for one worker; None: nobody knows."""


class Measuring:
    """One script, measured by one worker after the other."""

    def __init__(
        self, trial: Trial, supply: Supply, limits: Limits, say: Callable[[str], None], *, is_cold: bool
    ) -> None:
        """Measure nothing yet.

        Parameters
        ----------
        say
            Is told what is going to take a while.
        is_cold
            Whether a job is going to find its files on the disk: then what the page cache holds of them is
            given up first.
        """
        self.log = Log()
        self.started: Start | None = None
        self.left_out: list[LeftOut] = []
        self.problem: LeftOut | None = None
        """Why nothing could be measured at all."""
        self._trial = trial
        self._supply = supply
        self._limits = limits
        self._say = say
        self._is_cold = is_cold
        self._cut_off: LeftOut | None = None
        self._deaths = 0
        self._searches = 0

    def start(self, share: int) -> bool:
        """Start the worker; return whether it is ready.

        Parameters
        ----------
        share
            How many workers are going to share the cores: numeric libraries take as many threads as that
            leaves.
        """
        self._trial.kill()
        self._trial.share_cores_among(share)
        (told,) = self._trial.start(1, self._limits.init_timeout_s)
        if isinstance(told, Failure):
            self.problem = _left_out(told)
            return False
        self.started = start_of(told)
        return True

    def first_calls(self, budget: Budget) -> bool:
        """Run single files until one returns; return whether one did. It is not counted: it may load more."""
        failed: list[LeftOut] = []
        for _ in range(min(_FIRST_FILES, self._supply.usable)):
            before = len(self.left_out)
            names = self._supply.take(1)
            if self._calls([names], budget):
                return True
            failed += self.left_out[before:]
            if not budget.left_s and len(self.left_out) == before:
                self.problem = self._cut_off
                return False
        self.problem = failed[0] if failed else None
        return False

    def climb(self, budget: Budget) -> None:
        """Take a first look at one size after the other: new files, then the same again."""
        climbing = budget.part(_FOR_CLIMBING)
        seen = self.log.climbed
        misses = 0
        while misses < _FIRST_FILES:
            room = Room(
                files=self._supply.usable,
                seconds=min(climbing.left_s / 4, _LONGEST_CALL_S) if seen else float("inf"),
                memory_bytes=self._limits.memory_bytes,
            )
            size = next_size(seen, room)
            if size is None or not budget.left_s:
                return
            usable = self._supply.usable
            calls = self._look_at(size, budget)
            if calls:
                seen.append(cost_of_size(size, calls, self.log))
            elif self._supply.usable == usable:
                return  # no file is to blame: so many at once are too many
            else:
                misses += 1

    def _look_at(self, size: int, budget: Budget) -> list[Call]:
        found: list[Call] = []
        for _ in range(3 if size == 1 else 1):
            names = self._new_files(size)
            first = self._calls([names], budget)
            if not first:
                return found
            again = self._calls([names, names] if first[0].seconds < 0.2 else [names], budget)
            if again:
                self.log.pairs.append((first[0], again[-1]))
                found += again
        return found

    def compare(self, budget: Budget) -> None:
        """Go through all sizes over the same files, in another order each time, as often as there is time."""
        start_s = self.started.seconds if self.started is not None else 0.0
        comparing = budget.part(share_for_comparing(budget.left_s, start_s))
        sizes = [one.size for one in self.log.climbed]
        if len(sizes) < 2:
            return
        self._say(f"comparing {len(sizes)} sizes over the same files")
        cost = cost_of(self.log.climbed)
        for number in range(_ROUNDS):
            share_s = comparing.left_s / ((_ROUNDS - number) * (len(sizes) + 1))
            if comparing.left_s < sum(cost.seconds(size) for size in sizes) + cost.seconds(sizes[-1]):
                return
            files = self._new_files(sizes[-1])
            if not self._calls([files], budget):
                continue
            told = dict(self._round(files, _turned(sizes, number), share_s, budget))
            if len(told) == len(sizes):
                self.log.rounds.append(told)

    def _round(
        self, files: list[str], sizes: Sequence[int], share_s: float, budget: Budget
    ) -> Iterator[tuple[int, list[Call]]]:
        cost = cost_of(self.log.climbed)
        for size in sizes:
            call_s = max(cost.seconds(size), 1e-6)
            most = max(1, min(_MOST_CALLS, int(min(share_s, max(_ENOUGH_S, 4 * call_s)) / call_s)))
            parts = [files[at : at + size] for at in range(0, len(files) - size + 1, size)][:most]
            told = self._calls(parts, budget)
            if len(told) == len(parts):
                yield size, told

    def _new_files(self, size: int) -> list[str]:
        names = self._supply.take(size)
        if self._is_cold:
            self._supply.forget_cached(names)
        return names

    def _calls(self, calls: Sequence[list[str]], budget: Budget) -> list[Call]:
        """Do calls, and return those that went well; of the others the bad files are sought and left out."""
        calls = [names for names in calls if names]
        if not calls or (not self._trial.workers and not self._revive(budget)):
            return []
        limit_s = self._limit_s(max(map(len, calls)), budget)
        told = self._trial.call(calls, limit_s, budget.end)
        good = [one for one in told if isinstance(one, Call)]
        self.log.note(good)
        for one in told:
            if isinstance(one, Failure):
                self._blame(one, budget)
        return good

    def _limit_s(self, size: int, budget: Budget) -> float:
        """Say how long a call may take: nobody knows before the first has returned."""
        if not self.log.climbed:
            return max(budget.left_s, 1.0)
        return _PATIENCE_S + _PATIENCE * cost_of(self.log.climbed).seconds(size)

    def _blame(self, failure: Failure, budget: Budget) -> None:
        """Find out which files a call failed for, and leave them out."""
        if failure.kind == "timeout" and not budget.left_s:
            self._cut_off = _left_out(failure)  # it may be a good call
            return
        names = list(failure.names)
        self._searches += 1
        is_dear = self._searches > _MOST_SEARCHING or self._has_died_enough(budget)
        if len(names) == 1 or is_dear:
            self.left_out.append(_left_out(failure))
            for name in names:
                self._supply.leave_out(name)
            return
        half = len(names) // 2
        before = len(self.left_out)
        for part in (names[:half], names[half:]):
            if budget.left_s:
                self._calls([part], budget)
        if len(self.left_out) == before and budget.left_s:  # only together: nobody is to blame alone
            self.left_out.append(_left_out(failure))

    def _has_died_enough(self, budget: Budget) -> bool:
        seconds = self._deaths * (self.started.seconds if self.started is not None else 0.0)
        return self._deaths >= _MOST_DEATHS or seconds > _FOR_DEATHS * budget.seconds

    def _revive(self, budget: Budget) -> bool:
        """Start a worker in the place of one that died."""
        self._deaths += 1
        if not budget.left_s or self._deaths > 2 * _MOST_DEATHS:
            return False
        return all(
            isinstance(told, Started)
            for told in self._trial.start(1, min(self._limits.init_timeout_s, budget.left_s))
        )


def start_of(told: Started) -> Start:
    """Return what a start tells."""
    return Start(
        boot_s=told.boot_s,
        import_s=told.import_s,
        init_s=told.init_s,
        peak_bytes=told.peak_bytes,
        held_bytes=told.held_bytes,
    )


def _left_out(failure: Failure) -> LeftOut:
    detail = own_part(failure.detail) if failure.kind == "timeout" else failure.detail
    return LeftOut(names=failure.names, kind=failure.kind, message=failure.message, detail=detail)


def _turned(sizes: Sequence[int], number: int) -> list[int]:
    """Return the sizes in another order each time."""
    at = (number * (len(sizes) // 2 + 1)) % len(sizes)
    turned = [*sizes[at:], *sizes[:at]]
    return turned[::-1] if number % 2 else turned
