"""What a call of ``run()`` takes, for any number of files: a fit of what was measured. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gristmill.service.tuning.facts import SizeCost

#: Where a line misses a measured point by more than this fraction, the points themselves are believed.
_LINEAR_WITHIN = 0.15


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a call takes: a fixed cost and a cost for each file, where that describes it."""

    fixed_s: float
    """Seconds for a call, whatever it is given."""
    file_s: float
    """Seconds for each file."""
    is_linear: bool
    """Whether these two describe it; else the cost of a file changes with their number."""
    points: tuple[tuple[int, float], ...]
    """What was measured: size and seconds, ascending."""

    def seconds(self, size: int) -> float:
        """Return what a call with so many files takes."""
        if self.is_linear or len(self.points) == 1:
            return self.fixed_s + self.file_s * size
        sizes = [one for one, _ in self.points]
        after = min(max(bisect_left(sizes, size), 1), len(sizes) - 1)
        (low, low_s), (high, high_s) = self.points[after - 1], self.points[after]
        return max(0.0, low_s + (high_s - low_s) * (size - low) / (high - low))


def cost_of(sizes: Sequence[SizeCost]) -> Cost:
    """Fit a line through what was measured, so that a single odd measurement does not matter.

    The slope is the median of the slopes between all pairs, the far ones weighing more; the fixed cost is
    the median of what is left, the short calls weighing more.

    Parameters
    ----------
    sizes
        At least one.
    """
    points = tuple(sorted((one.size, one.seconds) for one in sizes))
    if len(points) == 1:
        size, seconds = points[0]
        return Cost(fixed_s=0.0, file_s=seconds / size, is_linear=True, points=points)
    pairs = [
        ((high_s - low_s) / (high - low), float(high - low))
        for index, (low, low_s) in enumerate(points)
        for high, high_s in points[index + 1 :]
    ]
    file_s = max(0.0, _weighted_median(pairs))
    left = [(seconds - file_s * size, 1 / max(seconds, 1e-9)) for size, seconds in points]
    fixed_s = max(0.0, _weighted_median(left))
    misses = (abs(fixed_s + file_s * size - seconds) / max(seconds, 1e-9) for size, seconds in points)
    return Cost(fixed_s=fixed_s, file_s=file_s, is_linear=max(misses) <= _LINEAR_WITHIN, points=points)


def peak_at(sizes: Iterable[SizeCost], size: int) -> int:
    """Return the most memory of a call with so many files: what was measured with as many, or with more."""
    known = sorted(sizes, key=lambda one: one.size)
    enough = [one.peak_bytes for one in known if one.size >= size]
    return max([one.peak_bytes for one in known if one.size <= size] + enough[:1])


def _weighted_median(values: Iterable[tuple[float, float]]) -> float:
    ordered = sorted(values)
    half = sum(weight for _, weight in ordered) / 2
    seen = 0.0
    for value, weight in ordered:
        seen += weight
        if seen >= half:
            return value
    return ordered[-1][0]
