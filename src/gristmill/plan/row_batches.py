"""Entries of tabular files cut into mini-batches: a piece of a split file is one of its own.

All others are grouped as usual, by number and by size. This module must not know how rows are counted.
"""

from __future__ import annotations

import sys
from array import array

from gristmill.plan.batches import NAMES_ASKED_AT_ONCE, Ends, FileSizes
from gristmill_worker.row_ranges import MARK, parsed


class RowCutter:
    """Cuts where items are rows.

    Parameters
    ----------
    mini_batch_size
        The most files in one mini-batch; None: any number.
    mini_batch_bytes
        The most bytes in one mini-batch, except that a larger file is alone; None: any number.
    file_sizes
        Asks for the sizes of files whose rows are not counted.
    size_bytes, items, file_bytes
        Bytes of `paths`, items, and bytes of files that stand before the first entry.
    """

    most_names: int = NAMES_ASKED_AT_ONCE

    def __init__(
        self,
        mini_batch_size: int | None,
        mini_batch_bytes: int | None,
        file_sizes: FileSizes,
        *,
        size_bytes: int = 0,
        items: int = 0,
        file_bytes: int = 0,
    ) -> None:
        self._most_files = mini_batch_size or sys.maxsize
        self._most_bytes = mini_batch_bytes or sys.maxsize
        self._file_sizes = file_sizes
        self.items: int = items
        """Items taken so far, and those before."""
        self._size_bytes = size_bytes
        self._file_bytes = file_bytes
        self._begun = 0
        """Files in the mini-batch that is not full yet."""
        self._began_at = file_bytes
        """Bytes of files before it."""
        self._ends = Ends(array("Q"), array("Q"), array("Q"))

    def add(self, prefix: bytes, names: list[bytes]) -> bytes:
        """Take the next entries, all in one folder.

        Parameters
        ----------
        prefix
            The folder's relative path with a final ``/``, or nothing.
        names
            One or more file names in it, in order, with their row ranges.

        Returns
        -------
        bytes
            The entries, each ended by NUL. Ends of full mini-batches are kept for `take_ends`.
        """
        for name in names:
            found = parsed(name).range if MARK in name else None
            if found is None:
                self._take(1, sum(self._file_sizes(prefix, [name])), len(prefix) + len(name) + 1)
                continue
            if not found.is_whole:
                self.finish()
            size = found.size if found.is_whole else found.end - found.begin
            self._take(found.items, size, len(prefix) + len(name) + 1)
            if not found.is_whole:
                self.finish()
        return prefix + (b"\0" + prefix).join(names) + b"\0"

    def finish(self) -> None:
        """End the last mini-batch, where one is begun; safe to repeat."""
        if self._begun:
            for ends, end in zip(self._ends, (self._size_bytes, self.items, self._file_bytes), strict=True):
                assert ends is not None
                ends.append(end)
            self._begun, self._began_at = 0, self._file_bytes

    def take_ends(self) -> Ends:
        """Return where mini-batches end: those not yet taken, in order."""
        taken, self._ends = self._ends, Ends(array("Q"), array("Q"), array("Q"))
        return taken

    def _take(self, items: int, size: int, width: int) -> None:
        if self._begun >= self._most_files or self._file_bytes + size > self._began_at + self._most_bytes:
            self.finish()
        self._begun += 1
        self.items += items
        self._file_bytes += size
        self._size_bytes += width
