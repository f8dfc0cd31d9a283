"""Sets of mini-batches as few long intervals: what is done of ten million stays small in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Intervals:
    """A set of whole numbers, kept as sorted intervals that neither touch nor overlap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.count = 0
        """How many numbers are in the set."""

    def add(self, start: int, end: int) -> int:
        """Add the numbers from ``start`` up to, not including, ``end``; return how many were new."""
        if start >= end:
            return 0
        low = bisect_left(self._ends, start)
        high = bisect_right(self._starts, end)
        covered = sum(self._ends[i] - self._starts[i] for i in range(low, high))
        if low < high:
            start = min(start, self._starts[low])
            end = max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]
        new = (end - start) - covered
        self.count += new
        return new

    def remove(self, start: int, end: int) -> int:
        """Remove the numbers from ``start`` up to, not including, ``end``; return how many were there."""
        if start >= end:
            return 0
        low = bisect_right(self._ends, start)
        high = bisect_left(self._starts, end)
        left: list[tuple[int, int]] = []
        removed = 0
        for i in range(low, high):
            begin, stop = self._starts[i], self._ends[i]
            removed += min(stop, end) - max(begin, start)
            left += [piece for piece in ((begin, start), (end, stop)) if piece[0] < piece[1]]
        self._starts[low:high] = [piece[0] for piece in left]
        self._ends[low:high] = [piece[1] for piece in left]
        self.count -= removed
        return removed

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._starts, number) - 1
        return place >= 0 and number < self._ends[place]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the intervals as (start, end), in order."""
        return zip(self._starts, self._ends, strict=True)

    def gap(self, start: int, limit: int) -> tuple[int, int]:
        """Return the first interval at or after ``start`` and before ``limit`` that is not in the set.

        Returns
        -------
        tuple of int
            Start and end; equal when there is none.
        """
        place = bisect_right(self._starts, start) - 1
        if place >= 0 and start < self._ends[place]:
            start = self._ends[place]
        after = bisect_left(self._starts, start)
        end = self._starts[after] if after < len(self._starts) else limit
        return min(start, limit), max(min(end, limit), min(start, limit))
