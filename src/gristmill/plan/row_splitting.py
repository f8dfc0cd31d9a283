"""Names on their way from a listing to the manifest, with row ranges behind those of tabular files.

Every tabular file is read once for that, a few milliseconds at a time. This module must not know how
mini-batches are cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gristmill.plan.row_counting import RowSplit, kind_of, ranges_of

#: So many files are told of one by one; the others are counted.
_MOST_TOLD = 5
#: Names that are kept back at most.
_MOST_KEPT = 256


class RowSplitter:
    """Counts the rows of the files that pass by.

    Parameters
    ----------
    root
        The absolute folder that relative paths start from.
    split
        How files are split.
    """

    def __init__(self, root: Path, split: RowSplit) -> None:
        self._base = os.fsencode(root).rstrip(b"/") + b"/"
        self._split = split
        self._told: list[str] = []
        self._untold = 0

    def entries(self, prefix: bytes, names: list[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yield the same files as entries of the manifest (see `gristmill_worker.row_ranges`), in order.

        Parameters
        ----------
        prefix
            A folder's relative path with a final ``/``, or nothing.
        names
            Files in it.

        Yields
        ------
        tuple[bytes, list[bytes]]
            The prefix and some entries; none: a pause.
        """
        kept: list[bytes] = []
        for name in names:
            kind = kind_of(name)
            if kind is None:
                kept.append(name)
                continue
            told: list[str] = []
            blocks = 0
            has_range = False
            for found in ranges_of(self._base + prefix + name, kind, self._split, told):
                if found is None:
                    blocks += 1
                    if blocks > 1:  # it is large: what stands before it need not wait
                        yield prefix, kept
                        kept = []
                    else:
                        yield prefix, []
                    continue
                has_range = True
                kept.append(name + found.to_bytes())
            if not has_range:
                kept.append(name)
            if told or len(kept) >= _MOST_KEPT:
                self._tell(prefix + name, told)
                yield prefix, kept
                kept = []
        yield prefix, kept

    @property
    def notices(self) -> list[str]:
        """What the user should know of the files that have passed by."""
        more = f"{self._untold:,} more files could not be split by rows, or have a quote that is not closed"
        return [*self._told, more] if self._untold else list(self._told)

    def _tell(self, name: bytes, told: list[str]) -> None:
        for what in told:
            if len(self._told) < _MOST_TOLD:
                self._told.append(f"{os.fsdecode(name)} {what}")
            else:
                self._untold += 1
