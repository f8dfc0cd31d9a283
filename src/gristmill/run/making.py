"""The making of a job folder, from its first moment until ``job.json`` stands in it.

Whoever makes it holds a lock on the folder itself. A folder without a job that nobody holds was left by a
process that was killed while it made it: it is no job, and its name is free.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from gristmill.errors import JobStateError
from gristmill.storage.filesystem import is_network
from gristmill.storage.holding import held

#: On a network file system a lock may not be seen from another machine; there a folder is left alone so long.
_LEFTOVER_AGE_S = 60.0
JOB = "job.json"


def taken(name: str) -> JobStateError:
    """Return what is said of a name that a job has."""
    return JobStateError(
        f"there is a job called {name} already (gristmill job show {name}); choose another --job-name"
    )


class Making:
    """Held while a job folder is made; the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Make the folder, for its owner only, in place of one that was left behind.

        Raises
        ------
        FileExistsError
            There is a job of that name, or another process is making one.
        OSError
            The folder cannot be made.
        """
        self._descriptor = -1
        remove_leftover(path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.mkdir(mode=0o700)
        self._descriptor = held(path)
        if self._descriptor < 0:  # in that very moment it was taken for one that was left
            raise FileExistsError(path)

    def close(self) -> None:
        """Let go: the job is made, or given up. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def remove_leftover(path: Path) -> bool:
    """Remove a folder that was left by a process that was killed while it made a job, or removed one.

    Returns
    -------
    bool
        Whether it was one. Not where somebody holds it, nor where there is a job in it.
    """
    descriptor = held(path)
    if descriptor < 0:
        return False
    try:
        is_young = time.time() - os.fstat(descriptor).st_mtime < _LEFTOVER_AGE_S
        if (path / JOB).exists() or (is_young and is_network(path)):
            return False
        shutil.rmtree(path, ignore_errors=True)
        return True
    finally:
        os.close(descriptor)
