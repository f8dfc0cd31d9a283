"""A few files, spread evenly over an input: what ``--limit`` scores in place of all of it.

The whole input is listed once, and only a few names are ever held: of every so many one is kept, and whenever
twice as many as wanted are kept, every other one is dropped. This module must not know what becomes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Protocol

NOT_SAMPLED = "not_sampled"
"""The reason for files that are left out."""


class Source(Protocol):
    """Where names come from: a listing, or an input list."""

    root: Path
    skipped: dict[str, int]
    notices: list[str]

    def walk(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yield the names, folder by folder."""


class Sample:
    """At most so many files of a source, in its order.

    Parameters
    ----------
    source
        All files.
    limit
        How many are wanted, at least 1.
    """

    def __init__(self, source: Source, limit: int) -> None:
        self.root = source.root
        self.skipped = source.skipped
        self.notices = source.notices
        self._source = source
        self._limit = limit

    def walk(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yield the chosen files, once the whole source is listed; until then there are only pauses.

        Raises
        ------
        InputError, PlanError
            As the source does.
        """
        kept: list[tuple[bytes, bytes]] = []
        found, every = 0, 1
        for prefix, names in self._source.walk():
            first = -found % every
            kept += [(prefix, name) for name in names[first::every]]
            found += len(names)
            while len(kept) > 2 * self._limit:
                kept = kept[::2]
                every *= 2
            yield b"", []
        chosen = _spread(kept, self._limit)
        if len(chosen) < found:
            self.skipped[NOT_SAMPLED] = found - len(chosen)
            self.notices.append(
                f"{len(chosen):,} of {found:,} files, spread over the input, are scored (--limit)"
            )
        for prefix, some in groupby(chosen, key=lambda one: one[0]):
            yield prefix, [name for _, name in some]


def _spread(kept: list[tuple[bytes, bytes]], limit: int) -> list[tuple[bytes, bytes]]:
    if len(kept) <= limit:
        return kept
    return [kept[(2 * number + 1) * len(kept) // (2 * limit)] for number in range(limit)]
