"""Where a content is put together before it has its name: a folder that somebody holds, or litter."""

from __future__ import annotations

import os
import time
from pathlib import Path

from gristmill.storage.filesystem import is_network
from gristmill.storage.holding import held

#: On a network file system a lock may not be seen from another machine; there a folder is left alone so long.
_LEFTOVER_AGE_S = 3600.0


class Incoming:
    """A folder below ``parent``, held until it is closed; then it is removed with what is still in it."""

    def __init__(self, parent: Path) -> None:
        """Make the folder, for its owner only.

        Raises
        ------
        OSError
            It cannot be made.
        """
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path, self._descriptor = _made(parent)

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder, and let go of it. Idempotent."""
        if self._descriptor >= 0:
            remove_tree(self.path)
            os.close(self._descriptor)
            self._descriptor = -1


def remove_leftovers(parent: Path) -> int:
    """Remove the folders that nobody holds: those of processes that were killed.

    Returns
    -------
    int
        How many there were.
    """
    count = 0
    for path in list(parent.iterdir()) if parent.is_dir() else []:
        descriptor = held(path)
        if descriptor < 0:
            continue
        try:
            is_young = time.time() - os.fstat(descriptor).st_mtime < _LEFTOVER_AGE_S
            if not (is_young and is_network(path)):
                remove_tree(path)
                count += 1
        finally:
            os.close(descriptor)
    return count


def remove_tree(folder: Path) -> None:
    """Remove a folder and what is in it, read-only or not, however deep; what cannot go stays."""
    waiting, folders = [str(folder)], []
    while waiting:
        path = waiting.pop()
        folders.append(path)
        try:
            os.chmod(path, 0o700)
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        os.unlink(entry.path)
        except OSError:
            continue  # somebody else removes it just now, or it is not ours
    for path in reversed(folders):
        try:
            os.rmdir(path)
        except OSError:
            continue


def _made(parent: Path) -> tuple[Path, int]:
    while True:
        path = parent / os.urandom(8).hex()
        path.mkdir(mode=0o700)
        descriptor = held(path)
        if descriptor >= 0:  # else in that very moment it was taken for one that was left
            return path, descriptor
