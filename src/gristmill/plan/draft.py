"""A manifest while it is being written.

Appended in large pieces, `paths` before the `offsets` that point into it, so that workers may read along.
This module must not know where names come from or how they are cut.
"""

from __future__ import annotations

import os
import zlib
from array import array
from pathlib import Path

from gristmill.errors import PlanError
from gristmill.plan.layout import OFFSETS, PATHS, PLAN, Summary, bytes_from_entries, write_all, write_durably
from gristmill.plan.previous import PreviousManifest, set_aside


class ManifestDraft:
    """The files of an unfinished manifest, open for appending.

    An unfinished manifest that lies in the folder already is set aside and compared (see `previous`).

    Parameters
    ----------
    folder
        An existing folder without ``plan.json``.

    Raises
    ------
    PlanError
        When the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths = self._offsets = -1
        self._paths_size = self._paths_crc32 = self._offsets_crc32 = 0
        self.mini_batches = 0
        """Mini-batches that are on disk."""
        try:
            set_aside(folder)
            self.previous = PreviousManifest(folder)
            """The manifest of a listing that was cut off, as far as it still holds."""
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._paths = os.open(folder / PATHS, flags, 0o600)
            self._offsets = os.open(folder / OFFSETS, flags, 0o600)
            self._append_offsets(array("Q", [0]))
        except OSError as error:
            raise self._unwritable(error) from error

    def append(self, paths: bytes, boundaries: array[int]) -> None:
        """Write the next paths and the mini-batches that end in them; readable when this returns.

        Parameters
        ----------
        paths
            Relative paths, each ended by NUL.
        boundaries
            Where mini-batches end, counted from the first byte of the manifest.

        Raises
        ------
        PlanError
            When the disk is full or cannot be written.
        """
        try:
            self.previous.compare(paths, self._paths_size, boundaries)
            self._paths_crc32 = zlib.crc32(paths, self._paths_crc32)
            self._paths_size += write_all(self._paths, paths)
            self._append_offsets(boundaries)
        except OSError as error:
            raise self._unwritable(error) from error
        self.mini_batches += len(boundaries)

    def sync(self) -> None:
        """Bring all that was written to stable storage, and end the comparison: nothing more will come.

        Raises
        ------
        PlanError
            When the disk cannot be written.
        """
        try:
            self.previous.conclude()
            os.fsync(self._paths)
            os.fsync(self._offsets)
        except OSError as error:
            raise self._unwritable(error) from error

    def finish(
        self, *, root: Path, items: int, mini_batch_size: int, skipped: dict[str, int], notices: list[str]
    ) -> None:
        """Write ``plan.json``: the manifest is complete from here on. To be called after `sync`.

        Parameters
        ----------
        root, items, mini_batch_size, skipped, notices
            What `Summary` says about the listing.

        Raises
        ------
        PlanError
            When the disk cannot be written.
        """
        summary = Summary(
            items=items,
            mini_batches=self.mini_batches,
            mini_batch_size=mini_batch_size,
            root=str(root),
            paths_size=self._paths_size,
            paths_crc32=self._paths_crc32,
            offsets_crc32=self._offsets_crc32,
            skipped=skipped,
            notices=notices,
        )
        try:
            write_durably(self._folder / PLAN, summary.to_bytes())
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Close the files; safe to repeat."""
        self.previous.close()
        for descriptor in (self._paths, self._offsets):
            if descriptor >= 0:
                os.close(descriptor)
        self._paths = self._offsets = -1

    def _append_offsets(self, entries: array[int]) -> None:
        data = bytes_from_entries(entries)
        self._offsets_crc32 = zlib.crc32(data, self._offsets_crc32)
        write_all(self._offsets, data)

    def _unwritable(self, error: OSError) -> PlanError:
        return PlanError(
            f"the manifest in {str(self._folder)!r} cannot be written: {error.strerror}; "
            "free some space or give yourself access, then start again"
        )
