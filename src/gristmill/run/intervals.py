"""Sets of mini-batches as few long intervals: what is done of ten million stays small in memory.

Where they are done in no order at all (the largest first, say), the intervals are many and short, and each
new one would move half of the others. From some thousands on a byte for each number is both smaller and
quicker.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

#: More intervals than these are kept as a byte for each number.
MOST_INTERVALS = 4096


class Intervals:
    """A set of whole numbers, kept as sorted intervals that neither touch nor overlap, or as marks."""

    def __init__(self, most: int = MOST_INTERVALS) -> None:
        """Begin with an empty set, and go over to marks when it is in more than ``most`` intervals."""
        self._most = most
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._marks: bytearray | None = None
        """1 for each number that is in the set; those behind are not."""
        self.count = 0
        """How many numbers are in the set."""

    def add(self, start: int, end: int) -> int:
        """Add the numbers from ``start`` up to, not including, ``end``; return how many were new."""
        if start >= end:
            return 0
        if self._marks is not None:
            return self._mark(self._marks, start, end)
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
        if len(self._starts) > self._most:
            self._marks = _marks_of(self)
            self._starts, self._ends = [], []
        return new

    def remove(self, start: int, end: int) -> int:
        """Remove the numbers from ``start`` up to, not including, ``end``; return how many were there."""
        if start >= end:
            return 0
        if self._marks is not None:
            return self._unmark(self._marks, start, end)
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
        if self._marks is not None:
            return 0 <= number < len(self._marks) and bool(self._marks[number])
        place = bisect_right(self._starts, number) - 1
        return place >= 0 and number < self._ends[place]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the intervals as (start, end), in order."""
        if self._marks is not None:
            return _intervals_of(self._marks)
        return zip(self._starts, self._ends, strict=True)

    def gap(self, start: int, limit: int) -> tuple[int, int]:
        """Return the first interval at or after ``start`` and before ``limit`` that is not in the set.

        Returns
        -------
        tuple of int
            Start and end; equal when there is none.
        """
        if self._marks is not None:
            return _gap_of(self._marks, start, limit)
        place = bisect_right(self._starts, start) - 1
        if place >= 0 and start < self._ends[place]:
            start = self._ends[place]
        after = bisect_left(self._starts, start)
        end = self._starts[after] if after < len(self._starts) else limit
        return min(start, limit), max(min(end, limit), min(start, limit))

    def _mark(self, marks: bytearray, start: int, end: int) -> int:
        if end > len(marks):
            marks.extend(bytes(end - len(marks)))
        new = (end - start) - marks.count(1, start, end)
        marks[start:end] = b"\1" * (end - start)
        self.count += new
        return new

    def _unmark(self, marks: bytearray, start: int, end: int) -> int:
        end = min(end, len(marks))
        removed = marks.count(1, start, end)
        if start < end:
            marks[start:end] = bytes(end - start)
        self.count -= removed
        return removed


def _marks_of(intervals: Iterable[tuple[int, int]]) -> bytearray:
    marks = bytearray()
    for start, end in intervals:
        marks.extend(bytes(start - len(marks)))
        marks.extend(b"\1" * (end - start))
    return marks


def _intervals_of(marks: bytearray) -> Iterator[tuple[int, int]]:
    end = 0
    while (start := marks.find(1, end)) >= 0:
        found = marks.find(0, start)
        end = found if found >= 0 else len(marks)
        yield start, end


def _gap_of(marks: bytearray, start: int, limit: int) -> tuple[int, int]:
    begin = marks.find(0, start) if start < len(marks) else start
    if begin < 0:
        begin = len(marks)
    end = marks.find(1, begin)
    begin = min(begin, limit)
    return begin, max(begin, limit if end < 0 else min(end, limit))
