"""The manifest of a listing that was cut off, and how much of it still holds.

A process that is killed while it lists leaves mini-batches that may have been worked on already. The
folder is listed anew, since it may have changed; the old files are set aside as ``paths.previous`` and the
like, and the new listing is compared with them as it is written. At the first difference they are cut down to
what both have in common, on disk and before the new mini-batch exists. So at every moment, and after any
number of interruptions, they hold the mini-batches on which all listings agree.
"""

from __future__ import annotations

import os
from array import array
from pathlib import Path

from gristmill.plan.batches import Ends
from gristmill.plan.layout import ITEMS, OFFSETS, PATHS, SIZES
from gristmill.plan.numbers import ENTRY_BYTES, entries_from_bytes

_SUFFIX = ".previous"


def set_aside(folder: Path) -> None:
    """Keep the files of an unfinished manifest for comparison, unless older ones are kept already.

    ``paths.previous`` is renamed last: while it is missing, this can be repeated after a crash.
    """
    if (folder / (PATHS + _SUFFIX)).exists():
        return
    (folder / SIZES).unlink(missing_ok=True)
    for name in (ITEMS, OFFSETS, PATHS):
        if (folder / name).exists():
            (folder / name).rename(folder / (name + _SUFFIX))


def forget(folder: Path) -> None:
    """Remove the files that were set aside; safe to repeat."""
    for name in (PATHS, OFFSETS, ITEMS):
        (folder / (name + _SUFFIX)).unlink(missing_ok=True)


class PreviousManifest:
    """The files that were set aside in a folder, compared with what is written now.

    Parameters
    ----------
    folder
        The manifest's folder; `OSError` is passed on to the caller throughout.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths = _open_existing(folder / (PATHS + _SUFFIX))
        self._offsets = _open_existing(folder / (OFFSETS + _SUFFIX)) if self._paths >= 0 else -1
        self._items = _open_existing(folder / (ITEMS + _SUFFIX)) if self._paths >= 0 else -1
        self.exists: bool = self._paths >= 0
        """Whether an earlier listing was cut off here."""
        self.unchanged_mini_batches = 0
        """Leading mini-batches that were compared and found the same in both."""
        self.compared: bool = not self.exists
        """Whether `unchanged_mini_batches` is final."""
        self._agreed_bytes = 0
        self._paths_differ = False

    def compare(self, paths: bytes, at: int, ends: Ends) -> None:
        """Compare the next part of the new manifest, before it is written.

        Parameters
        ----------
        paths
            The next bytes of `paths`.
        at
            Where they begin.
        ends
            The ends of the next mini-batches, all within `paths` and what came before.
        """
        if self.compared:
            return
        if not self._paths_differ:
            old = os.pread(self._paths, len(paths), at)
            same = len(paths) if old == paths else _common_length(old, paths)
            self._agreed_bytes = at + same
            self._paths_differ = same < len(paths)
        old_ends = self._old(self._offsets, len(ends.paths))
        new_items = ends.items or array("Q")
        old_items = self._old(self._items, len(new_items))
        for number, (end, old_end) in enumerate(zip(ends.paths, old_ends, strict=False)):
            is_same = new_items[number : number + 1] == old_items[number : number + 1]
            if end != old_end or end > self._agreed_bytes or not is_same:
                self.conclude()
                return
            self.unchanged_mini_batches += 1
        if self.unchanged_mini_batches == self._known():
            self.conclude()

    def conclude(self) -> None:
        """Cut the old manifest down to what is unchanged, durably; nothing more is compared."""
        if self.compared:
            return
        self.compared = True
        if self._offsets >= 0:
            os.ftruncate(self._offsets, (self.unchanged_mini_batches + 1) * ENTRY_BYTES)
            os.fsync(self._offsets)

    def accept(self) -> None:
        """Take what is there as already compared: the new manifest is finished."""
        self.unchanged_mini_batches = self._known()
        self.compared = True

    def forget(self) -> None:
        """Remove the old manifest: from now on the new one is all there is."""
        self.close()
        forget(self._folder)
        self.exists = False
        self.compared = True

    def close(self) -> None:
        """Close the files; safe to repeat."""
        for descriptor in (self._paths, self._offsets, self._items):
            if descriptor >= 0:
                os.close(descriptor)
        self._paths = self._offsets = self._items = -1

    def _known(self) -> int:
        size = os.fstat(self._offsets).st_size if self._offsets >= 0 else 0
        return max(0, size // ENTRY_BYTES - 1)

    def _old(self, descriptor: int, count: int) -> array[int]:
        """Return the next ends of the old manifest, those that are to be compared next."""
        if descriptor < 0:
            return array("Q")
        first = (self.unchanged_mini_batches + 1) * ENTRY_BYTES
        return entries_from_bytes(os.pread(descriptor, count * ENTRY_BYTES, first))


def _open_existing(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1


def _common_length(one: bytes, other: bytes) -> int:
    """Return how many leading bytes are the same, by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
