"""The window: mini-batches of a stretch of the plan that are not handed out yet, the largest first.

Those that are worth it come one by one, by size; the small ones behind them in plan order, as ranges. A
window has a bound, so that little has to wait for the first of it. This module must not know where sizes come
from.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable


class Window:
    """Mini-batches in the order in which they are to be handed out."""

    def __init__(self) -> None:
        self._large: list[int] = []
        """Those that come one by one, the next one last."""
        self._small: list[int] = []
        """Those that come as ranges, from the last one in the plan to the next one."""

    def __len__(self) -> int:
        return len(self._large) + len(self._small)

    @property
    def begins_large(self) -> bool:
        """Whether the next mini-batch is one of those that come one by one."""
        return bool(self._large)

    @property
    def lowest(self) -> int | None:
        """The first of those that are left in plan order; None where none is."""
        return min([*self._large, *self._small[-1:]], default=None)

    def left(self) -> list[int]:
        """Return all that are left, in plan order."""
        return sorted(self._large + self._small)

    def fill(self, mini_batches: Iterable[int], sizes: array[int], first: int, least: float) -> None:
        """Put mini-batches in order, in place of all that were in it.

        Parameters
        ----------
        mini_batches
            Their numbers, in plan order.
        sizes
            The sizes of consecutive mini-batches, these among them.
        first
            The number of the mini-batch that the first size belongs to.
        least
            How large a mini-batch must be to come one by one.
        """
        large: list[int] = []
        small: list[int] = []
        for number in mini_batches:
            (large if sizes[number - first] >= least else small).append(number)
        large.reverse()  # of equal ones, the first in the plan comes first
        large.sort(key=lambda number: sizes[number - first])
        small.reverse()
        self._large, self._small = large, small

    def take(self, most: int) -> tuple[int, int]:
        """Take the next of those that are left: the first number, and how many consecutive ones.

        Parameters
        ----------
        most
            How many there may be, at least 1.
        """
        if self._large:
            return self._large.pop(), 1
        first, count = self._small.pop(), 1
        while count < most and self._small and self._small[-1] == first + count:
            self._small.pop()
            count += 1
        return first, count

    def discard(self, mini_batch: int) -> bool:
        """Take one mini-batch out, because it is handed out otherwise; return whether it was there."""
        for some in (self._large, self._small):
            if mini_batch in some:
                some.remove(mini_batch)
                return True
        return False
