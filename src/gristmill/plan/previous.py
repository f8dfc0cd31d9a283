"""The manifest of a listing that was cut off, and how much of it still holds.

A process that is killed while it lists leaves mini-batches that may have been worked on already. The
folder is listed anew, since it may have changed; the old files are set aside as ``paths.previous`` and
``offsets.previous``, and the new listing is compared with them as it is written. At the first difference
they are cut down to what both have in common, on disk and before the new mini-batch exists. So at every
moment, and after any number of interruptions, they hold the mini-batches on which all listings agree.
"""

from __future__ import annotations

import os
from array import array
from pathlib import Path

from gristmill.plan.layout import ENTRY_BYTES, OFFSETS, PATHS, entries_from_bytes

_SUFFIX = ".previous"


def set_aside(folder: Path) -> None:
    """Keep the files of an unfinished manifest for comparison, unless older ones are kept already.

    ``paths.previous`` is renamed last: while it is missing, this can be repeated after a crash.
    """
    if (folder / (PATHS + _SUFFIX)).exists():
        return
    for name in (OFFSETS, PATHS):
        if (folder / name).exists():
            (folder / name).rename(folder / (name + _SUFFIX))


def forget(folder: Path) -> None:
    """Remove the files that were set aside; safe to repeat."""
    (folder / (PATHS + _SUFFIX)).unlink(missing_ok=True)
    (folder / (OFFSETS + _SUFFIX)).unlink(missing_ok=True)


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
        self.exists: bool = self._paths >= 0
        """Whether an earlier listing was cut off here."""
        self.unchanged_mini_batches = 0
        """Leading mini-batches that were compared and found the same in both."""
        self.compared: bool = not self.exists
        """Whether `unchanged_mini_batches` is final."""
        self._agreed_bytes = 0
        self._paths_differ = False

    def compare(self, paths: bytes, at: int, boundaries: array[int]) -> None:
        """Compare the next part of the new manifest, before it is written.

        Parameters
        ----------
        paths
            The next bytes of `paths`.
        at
            Where they begin.
        boundaries
            The ends of the next mini-batches, all within `paths` and what came before.
        """
        if self.compared:
            return
        if not self._paths_differ:
            old = os.pread(self._paths, len(paths), at)
            same = len(paths) if old == paths else _common_length(old, paths)
            self._agreed_bytes = at + same
            self._paths_differ = same < len(paths)
        for boundary, old_boundary in zip(boundaries, self._old_boundaries(len(boundaries)), strict=False):
            if boundary != old_boundary or boundary > self._agreed_bytes:
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
        for descriptor in (self._paths, self._offsets):
            if descriptor >= 0:
                os.close(descriptor)
        self._paths = self._offsets = -1

    def _known(self) -> int:
        size = os.fstat(self._offsets).st_size if self._offsets >= 0 else 0
        return max(0, size // ENTRY_BYTES - 1)

    def _old_boundaries(self, count: int) -> array[int]:
        if self._offsets < 0:
            return array("Q")
        first = (self.unchanged_mini_batches + 1) * ENTRY_BYTES
        return entries_from_bytes(os.pread(self._offsets, count * ENTRY_BYTES, first))


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
