"""Replacement: how files take the place of those that the job has published before.

All of them lie ready below ``replacing`` in the hidden folder, under the names that they will have, before
the journal says that they are the output. Then they are renamed one by one. Whoever comes after a crash
renames those that are left: each name holds the old file or the new one, whole, at any time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from gristmill.errors import StorageError, in_words
from gristmill.faults import reach
from gristmill.run.earlier import Places, changed_meanwhile, is_as_published, last_publications
from gristmill.storage.publish import sync_folder

_FOLDER = "replacing"


class Replacement:
    """The files of one job that are to take the place of older ones."""

    def __init__(self, staging: Path, output: Path, last: str) -> None:
        """Touch nothing yet.

        Parameters
        ----------
        staging
            The hidden folder of the job, on the output's file system.
        output
            The output folder.
        last
            The name of the file that is moved after all others: the predictions.
        """
        self.folder = staging / _FOLDER
        """Where they lie ready."""
        self._output = output
        self._last = last

    def begin(self) -> None:
        """Make the folder anew: what an earlier start put there was not recorded.

        Raises
        ------
        StorageError
            It cannot be made.
        """
        try:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise self._storage_error(error) from error

    def sync(self) -> None:
        """Make the names of all files survive a loss of power; their bytes do already.

        Raises
        ------
        StorageError
            The disk does not take it.
        """
        try:
            for here, _, _ in os.walk(self.folder):
                sync_folder(Path(here))
            sync_folder(self.folder.parent)
        except OSError as error:
            raise self._storage_error(error) from error

    def put_in_place(self, journal: Path, *, is_sure: bool) -> None:
        """Move all files to their places; safe to repeat.

        Parameters
        ----------
        journal
            The job's journal, which tells what was published before.
        is_sure
            Whether it is known that nobody has touched the older files; else they are read, and left where
            they are no longer what was published.

        Raises
        ------
        StorageError
            The output folder is gone or cannot be written, or an older file was changed by somebody.
        """
        older = last_publications(journal, 2)[0]
        try:
            for name in self._names():
                if not is_sure:
                    self._check(name, older)
                reach("replace.before_rename")
                target = self._output / name
                target.parent.mkdir(parents=True, exist_ok=True)
                os.rename(self.folder / name, target)
                sync_folder(target.parent)
                reach("replace.after_rename")
        except OSError as error:
            raise self._storage_error(error) from error

    def without_successor(self, journal: Path) -> list[str]:
        """Return the names of older files that scripts appended to, and of which nothing is left."""
        older, newer = last_publications(journal, 2)
        names = {file.name for file in newer.files}
        gone = [file.name for file in older.files if file.name not in names]
        return [name for name in gone if is_as_published(self._output, name, older)]

    def _names(self) -> list[str]:
        names = sorted(_files_below(self.folder))
        return sorted(names, key=lambda name: name == self._last)

    def _check(self, name: str, older: Places) -> None:
        target = self._output / name
        if os.path.lexists(target) and not is_as_published(self._output, name, older):
            raise changed_meanwhile(target)

    def _storage_error(self, error: OSError) -> StorageError:
        return StorageError(
            f"the output in {self._output} cannot be replaced: {in_words(error)}; the older one, and all "
            "that was finished, are kept. Make room or repair the folder, then resume the job"
        )


def whereabouts(staging: Path, output: Path, name: str) -> Path:
    """Return where a published file is: in its place, or, after a crash in the middle of a replacement, still
    ready for it.
    """
    ready = staging / _FOLDER / name
    return ready if os.path.lexists(ready) else output / name


def _files_below(folder: Path) -> Iterator[str]:
    for here, _, files in os.walk(folder):
        for name in files:
            yield str(Path(here, name).relative_to(folder))
