"""What a plan and its input differ in: files that came later, and files that are gone.

Two streams of sorted names are compared chunk by chunk, so that ten million names cost no more memory than
ten thousand, and hardly anything is done name by name. This module must not know where the names come from.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

CHUNK_NAMES = 4_096
"""Names that are compared at once, about; lists that are shorter are joined."""

EXAMPLES = 3
"""Names that are told one by one; further ones are only counted."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a plan and its input differ in."""

    new: int = 0
    """Files in the input that the plan does not have."""
    gone: int = 0
    """Files of the plan that the input does not have any more."""
    some_new: tuple[bytes, ...] = ()
    """The first of the new ones, as relative paths."""
    some_gone: tuple[bytes, ...] = ()
    """The first of those that are gone."""

    def and_also(self, gone: list[bytes], new: list[bytes]) -> Changes:
        """Return these changes with some more."""
        return Changes(
            new=self.new + len(new),
            gone=self.gone + len(gone),
            some_new=(*self.some_new, *new[: EXAMPLES - len(self.some_new)]),
            some_gone=(*self.some_gone, *gone[: EXAMPLES - len(self.some_gone)]),
        )


def differences(
    old: Iterator[list[bytes]], now: Iterator[list[bytes]]
) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Compare two streams of names.

    Parameters
    ----------
    old, now
        Names in bytewise order, none of them twice, in lists of any length.

    Yields
    ------
    tuple[list[bytes], list[bytes]]
        Names that only ``old`` has, and names that only ``now`` has, each in order; both lists may be empty.
    """
    left, right = _Stream(old), _Stream(now)
    while left.names and right.names:
        bound = min(left.names[-1], right.names[-1])
        before, after = left.take(bound), right.take(bound)
        if before == after:
            yield [], []
        else:
            here, there = set(before), set(after)
            yield [one for one in before if one not in there], [one for one in after if one not in here]
    while left.names:
        yield left.take(left.names[-1]), []
    while right.names:
        yield [], right.take(right.names[-1])


class _Stream:
    """Sorted names: those at hand, never none while there are more."""

    def __init__(self, chunks: Iterator[list[bytes]]) -> None:
        self._chunks = chunks
        self._position = 0
        self.names: list[bytes] = []
        self._refill()

    def take(self, bound: bytes) -> list[bytes]:
        """Return those of the names at hand that are not beyond a bound."""
        end = bisect_right(self.names, bound, self._position)
        taken = self.names[self._position : end]
        self._position = end
        if end == len(self.names):
            self._refill()
        return taken

    def _refill(self) -> None:
        self._position = 0
        self.names = []
        for chunk in self._chunks:
            self.names += chunk
            if len(self.names) >= CHUNK_NAMES:
                return
