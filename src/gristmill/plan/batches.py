"""Files cut into mini-batches: by number, or by size.

The cut by number is arithmetic over the lengths of the names: apart from the names themselves no Python
object is made for a file. The cut by size asks for the size of each file. This module must not know where
names come from or where bytes go.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate, islice
from typing import NamedTuple, Protocol

NAMES_ASKED_AT_ONCE = 1_024
"""Names whose sizes are asked for between two pauses: two to three milliseconds."""

FileSizes = Callable[[bytes, list[bytes]], list[int]]
"""Gives the sizes of files in bytes, by the prefix and the names that a cutter is given."""


class Ends(NamedTuple):
    """Where mini-batches end, in order."""

    paths: array[int]
    """In bytes of `paths`, from its first byte."""
    items: array[int] | None = None
    """In items, from the first one of the plan; None: by arithmetic."""
    sizes: array[int] | None = None
    """In bytes of the files, from the first one of the plan; None: nobody asked."""


class Cutter(Protocol):
    """Turns a stream of names into the bytes of `paths` and the ends of mini-batches."""

    items: int
    """Items taken so far, and those before."""
    most_names: int
    """How many names `add` takes at once, so that it takes a few milliseconds."""

    def add(self, prefix: bytes, names: list[bytes]) -> bytes:
        """Take the next files, all in one folder, and return their bytes in `paths`."""

    def finish(self) -> None:
        """End the last mini-batch, where one is begun; safe to repeat."""

    def take_ends(self) -> Ends:
        """Return where mini-batches end: those not yet taken, in order."""


class BatchCutter:
    """Cuts by number of files alone.

    Parameters
    ----------
    mini_batch_size
        Files in one mini-batch, at least 1; the last mini-batch may be shorter (contract, section 4).
    size_bytes
        Bytes that stand before the first path.
    """

    most_names: int = sys.maxsize

    def __init__(self, mini_batch_size: int, *, size_bytes: int = 0, items: int = 0) -> None:
        if mini_batch_size < 1:
            raise ValueError(f"mini_batch_size is {mini_batch_size}; it must be at least 1")
        self._mini_batch_size = mini_batch_size
        self._begun = 0
        self.items: int = items
        """Files taken so far, and those before."""
        self.size_bytes = size_bytes
        """Bytes given back so far, and those before."""
        self._ends: array[int] = array("Q")

    def add(self, prefix: bytes, names: list[bytes]) -> bytes:
        """Take the next files, all in one folder.

        Parameters
        ----------
        prefix
            The folder's relative path with a final ``/``, or nothing.
        names
            One or more file names in it, in order.

        Returns
        -------
        bytes
            Their relative paths, each ended by NUL. Ends of full mini-batches are kept for `take_ends`.
        """
        data = prefix + (b"\0" + prefix).join(names) + b"\0"
        until_full = self._mini_batch_size - self._begun
        if len(names) >= until_full:
            widths = map((len(prefix) + 1).__add__, map(len, names))
            ends = accumulate(widths, initial=self.size_bytes)
            self._ends.extend(islice(ends, until_full, None, self._mini_batch_size))
        self._begun = (self._begun + len(names)) % self._mini_batch_size
        self.items += len(names)
        self.size_bytes += len(data)
        return data

    def finish(self) -> None:
        """End the last mini-batch, where one is begun; safe to repeat."""
        if self._begun:
            self._ends.append(self.size_bytes)
            self._begun = 0

    def take_ends(self) -> Ends:
        """Return where mini-batches end: those not yet taken, in order."""
        taken, self._ends = self._ends, array("Q")
        return Ends(taken)


class SizeCutter:
    """Cuts by size: a mini-batch ends before the file that would exceed the bound (contract, section 4).

    A larger file is alone. The cut depends on nothing but the files and the bounds.

    Parameters
    ----------
    mini_batch_bytes
        The most bytes in one mini-batch, at least 1.
    mini_batch_size
        The most files in one mini-batch; None: any number.
    file_sizes
        Asks for the sizes of files.
    size_bytes, items, file_bytes
        Bytes of `paths`, items, and bytes of files that stand before the first path.
    """

    most_names: int = NAMES_ASKED_AT_ONCE

    def __init__(
        self,
        mini_batch_bytes: int,
        mini_batch_size: int | None,
        file_sizes: FileSizes,
        *,
        size_bytes: int = 0,
        items: int = 0,
        file_bytes: int = 0,
    ) -> None:
        if mini_batch_bytes < 1 or (mini_batch_size is not None and mini_batch_size < 1):
            raise ValueError(f"cannot cut at {mini_batch_bytes} bytes and {mini_batch_size} files")
        self._most_bytes = mini_batch_bytes
        self._most_files = mini_batch_size or sys.maxsize
        self._file_sizes = file_sizes
        self.items: int = items
        """Files taken so far, and those before."""
        self._size_bytes = size_bytes
        self._file_bytes = file_bytes
        self._begun = 0
        """Files in the mini-batch that is not full yet."""
        self._began_at = file_bytes
        """Bytes of files before it."""
        self._ends = Ends(array("Q"), array("Q"), array("Q"))

    def add(self, prefix: bytes, names: list[bytes]) -> bytes:
        """Take the next files, all in one folder.

        Parameters
        ----------
        prefix
            The folder's relative path with a final ``/``, or nothing.
        names
            One or more file names in it, in order.

        Returns
        -------
        bytes
            Their relative paths, each ended by NUL. Ends of full mini-batches are kept for `take_ends`.
        """
        data = prefix + (b"\0" + prefix).join(names) + b"\0"
        widths = map((len(prefix) + 1).__add__, map(len, names))
        ends = list(accumulate(widths, initial=self._size_bytes))
        totals = list(accumulate(self._file_sizes(prefix, names), initial=self._file_bytes))
        at = 0
        while True:
            fit = max(bisect_right(totals, self._began_at + self._most_bytes, at) - 1, at)
            fit = min(fit, at + self._most_files - self._begun)
            if fit == at and not self._begun:
                fit = at + 1
            if fit >= len(names):
                break
            self._end_before(ends[fit], self.items + fit, totals[fit])
            at = fit
        self._begun += len(names) - at
        self.items += len(names)
        self._size_bytes, self._file_bytes = ends[-1], totals[-1]
        return data

    def finish(self) -> None:
        """End the last mini-batch, where one is begun; safe to repeat."""
        if self._begun:
            self._end_before(self._size_bytes, self.items, self._file_bytes)

    def take_ends(self) -> Ends:
        """Return where mini-batches end: those not yet taken, in order."""
        taken, self._ends = self._ends, Ends(array("Q"), array("Q"), array("Q"))
        return taken

    def _end_before(self, *end: int) -> None:
        for ends, one in zip(self._ends, end, strict=True):
            assert ends is not None
            ends.append(one)
        self._begun, self._began_at = 0, end[2]
