"""What calls have told so far, and what it adds up to. It must not know which calls come next."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gristmill.engine.trial import Call
from gristmill.service.tuning.facts import Shares, SideBySide, SizeCost

#: With fewer single files nothing is said of how their time grows with their size.
_FEWEST_SINGLES = 6
_CLEARLY_RELATED = 0.7
_MOST_GROWTH = 20.0


@dataclass(kw_only=True)
class Log:
    """Calls, by what they were for."""

    climbed: list[SizeCost] = field(default_factory=list)
    """A first look at each size, ascending."""
    pairs: list[tuple[Call, Call]] = field(default_factory=list)
    """The same files, as they were found and once more."""
    rounds: list[dict[int, list[Call]]] = field(default_factory=list)
    """All sizes over the same files."""
    peaks: dict[int, int] = field(default_factory=dict)
    """Size → the most memory of a call."""
    slowest: dict[int, float] = field(default_factory=dict)
    """Size → seconds of the slowest call, the first reading of its files included."""
    singles: list[tuple[str, float]] = field(default_factory=list)
    """A file, and the seconds of a call with it alone."""
    crew_size: int = 1
    """Files for one call of workers side by side."""
    rates: dict[int, list[float]] = field(default_factory=dict)
    """Workers → files per second side by side, for each time it was measured."""
    short: int = 0
    """Calls that returned fewer results than they had files."""

    def note(self, calls: Iterable[Call]) -> None:
        """Keep what is worth knowing of calls of a worker alone."""
        for one in calls:
            size = len(one.names)
            self.note_memory(one)
            self.slowest[size] = max(self.slowest.get(size, 0.0), seconds_of(one))
            self.short += one.results < size
            if size == 1:
                self.singles.append((one.names[0], seconds_of(one)))

    def note_memory(self, call: Call) -> None:
        """Keep the most memory of any call."""
        size = len(call.names)
        self.peaks[size] = max(self.peaks.get(size, 0), call.peak_bytes)

    def sizes(self) -> tuple[SizeCost, ...]:
        """Return what a call of each size takes: the median of the rounds, or the first look."""
        if not self.rounds:
            return tuple(self.climbed)
        return tuple(self._of_rounds(size) for size in sorted(self.rounds[0]))

    def _of_rounds(self, size: int) -> SizeCost:
        return SizeCost(
            size=size,
            calls=sum(len(one[size]) for one in self.rounds),
            seconds=statistics.median(statistics.fmean(map(seconds_of, one[size])) for one in self.rounds),
            slowest_s=self.slowest[size],
            peak_bytes=self.peaks[size],
        )

    def slowest_file_s(self) -> float:
        """Return the seconds of the slowest file that was alone."""
        return max((seconds for _, seconds in self.singles), default=0.0)

    def side_by_side(self) -> tuple[SideBySide, ...]:
        """Return how fast crews were: the median of all times they were measured."""
        return tuple(
            SideBySide(workers=workers, size=self.crew_size, files_per_s=statistics.median(rates))
            for workers, rates in sorted(self.rates.items())
        )


def seconds_of(call: Call) -> float:
    """Return the seconds of a call, without those in which other processes had the core."""
    return max(call.seconds - call.stalled_s, 1e-7)


def cost_of_size(size: int, calls: Sequence[Call], log: Log) -> SizeCost:
    """Return what calls of one size tell at first sight."""
    return SizeCost(
        size=size,
        calls=len(calls),
        seconds=statistics.median(map(seconds_of, calls)),
        slowest_s=log.slowest[size],
        peak_bytes=log.peaks[size],
    )


def shares_of(pairs: Sequence[tuple[Call, Call]]) -> Shares:
    """Say what the time of calls goes into, from the same files found as they were and once more.

    What neither computes nor writes waits. What waits only the first time waits for files; a core that other
    processes had is nobody's wait.
    """
    reading = waiting = computing = writing = spent = busy = files = 0.0
    for first, again in pairs:
        writing += first.written_s
        computing += min(first.cpu_s, _running_s(first))
        busy += first.cpu_s
        read = max(0.0, _idle_s(first) - _idle_s(again))
        reading += read
        waiting += _idle_s(first) - read
        spent += _running_s(first)
        files += len(first.names)
    total = (reading + waiting + computing + writing) or 1.0
    return Shares(
        reading=reading / total,
        computing=computing / total if computing + reading + waiting + writing else 1.0,
        waiting=waiting / total,
        writing=writing / total,
        cores=busy / spent if spent else 1.0,
        reading_s=reading / files if files else 0.0,
    )


def _running_s(call: Call) -> float:
    return max(call.seconds - call.written_s - call.stalled_s, 0.0)


def _idle_s(call: Call) -> float:
    return max(_running_s(call) - call.cpu_s, 0.0)


def growth_of(singles: Sequence[tuple[int, float]], largest_bytes: int) -> float:
    """Say how much longer the largest file takes than the largest that was alone in a call.

    Parameters
    ----------
    singles
        Bytes and seconds of each such file.
    largest_bytes
        Of the largest file that is known.

    Returns
    -------
    float
        1 where the time does not follow the size.
    """
    measured = max((size for size, _ in singles), default=0)
    if len(singles) < _FEWEST_SINGLES or not 0 < measured < largest_bytes:
        return 1.0
    sizes, seconds = zip(*singles, strict=True)
    try:
        related = statistics.correlation(sizes, seconds)
    except statistics.StatisticsError:
        return 1.0  # all alike
    return min(largest_bytes / measured, _MOST_GROWTH) if related > _CLEARLY_RELATED else 1.0
