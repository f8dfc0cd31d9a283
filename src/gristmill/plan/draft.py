"""A manifest while it is being written.

Appended in large pieces (see `appending`), so that workers may read along. This module must not know where
names come from.
"""

from __future__ import annotations

from pathlib import Path

from gristmill.errors import PlanError
from gristmill.plan.appending import ManifestFiles
from gristmill.plan.batches import Ends
from gristmill.plan.cut import Cut
from gristmill.plan.layout import PLAN, Summary, write_durably
from gristmill.plan.previous import PreviousManifest, set_aside


class ManifestDraft:
    """The files of an unfinished manifest, open for appending.

    An unfinished manifest that lies in the folder already is set aside and compared (see `previous`).

    Parameters
    ----------
    folder
        An existing folder without ``plan.json``.
    cut
        How it is cut.

    Raises
    ------
    PlanError
        When the folder cannot be written.
    """

    def __init__(self, folder: Path, cut: Cut) -> None:
        self._folder = folder
        self._cut = cut
        try:
            set_aside(folder)
            self.previous = PreviousManifest(folder)
            """The manifest of a listing that was cut off, as far as it still holds."""
            self._files = ManifestFiles(folder, cut)
        except OSError as error:
            raise self._unwritable(error) from error

    @property
    def mini_batches(self) -> int:
        """Mini-batches that are on disk."""
        return self._files.mini_batches

    def append(self, paths: bytes, ends: Ends) -> None:
        """Write the next paths and the mini-batches that end in them; readable when this returns.

        Parameters
        ----------
        paths
            Relative paths, each ended by NUL.
        ends
            Where mini-batches end.

        Raises
        ------
        PlanError
            When the disk is full or cannot be written.
        """
        try:
            self.previous.compare(paths, self._files.paths_size, ends)
            self._files.append(paths, ends)
        except OSError as error:
            raise self._unwritable(error) from error

    def sync(self) -> None:
        """Bring all that was written to stable storage, and end the comparison: nothing more will come.

        Raises
        ------
        PlanError
            When the disk cannot be written.
        """
        try:
            self.previous.conclude()
            self._files.sync()
        except OSError as error:
            raise self._unwritable(error) from error

    def finish(self, *, root: Path, items: int, skipped: dict[str, int], notices: list[str]) -> None:
        """Write ``plan.json``: the manifest is complete from here on. To be called after `sync`.

        Parameters
        ----------
        root, items, skipped, notices
            What `Summary` says about the listing.

        Raises
        ------
        PlanError
            When the disk cannot be written.
        """
        summary = Summary(
            items=items,
            root=str(root),
            skipped=skipped,
            notices=notices,
            **self._cut.described(),
            **self._files.described(),
        )
        try:
            write_durably(self._folder / PLAN, summary.to_bytes())
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Close the files; safe to repeat."""
        self.previous.close()
        self._files.close()

    def _unwritable(self, error: OSError) -> PlanError:
        return PlanError(
            f"the manifest in {str(self._folder)!r} cannot be written: {error.strerror}; "
            "free some space or give yourself access, then start again"
        )
