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
        Names that only ``old`` has, and names that only ``now`` has, each in order; both lists may be empty,
        and are where there is only a moment to pause: an empty list of either stream is one.
    """
    left, right = _Stream(old), _Stream(now)
    while True:
        for stream in (left, right):
            while stream.wants_more:
                stream.pull()
                yield [], []
        if not (left.names and right.names):
            break
        bound = min(left.names[-1], right.names[-1])
        before, after = left.take(bound), right.take(bound)
        if before == after:
            yield [], []
        else:
            here, there = set(before), set(after)
            yield [one for one in before if one not in there], [one for one in after if one not in here]
    while not left.is_over:
        yield left.rest(), []
    while not right.is_over:
        yield [], right.rest()


class _Stream:
    """Sorted names, and those of them that are at hand."""

    def __init__(self, chunks: Iterator[list[bytes]]) -> None:
        self._chunks = chunks
        self._has_ended = False
        self._position = 0
        self.names: list[bytes] = []

    @property
    def wants_more(self) -> bool:
        """Whether there are no names at hand, and may be more to come."""
        return not self.names and not self._has_ended

    @property
    def is_over(self) -> bool:
        """Whether there are no names left."""
        return not self.names and self._has_ended

    def pull(self) -> None:
        """Get some more names, or nothing where there is a moment to pause."""
        for chunk in self._chunks:
            self.names += chunk
            if not chunk or len(self.names) >= CHUNK_NAMES:
                return
        self._has_ended = True

    def take(self, bound: bytes) -> list[bytes]:
        """Return those of the names at hand that are not beyond a bound."""
        end = bisect_right(self.names, bound, self._position)
        taken = self.names[self._position : end]
        self._position = end
        if end == len(self.names):
            self._position, self.names = 0, []
        return taken

    def rest(self) -> list[bytes]:
        """Return the names at hand, or the next ones."""
        if not self.names:
            self.pull()
        taken = self.names[self._position :]
        self._position, self.names = 0, []
        return taken
