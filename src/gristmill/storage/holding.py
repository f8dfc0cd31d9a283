"""Holding a folder, so that whoever finds it can tell work in progress from what a killed process left."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def held(path: Path) -> int:
    """Take the lock of a folder, without waiting; the kernel lets go of it when the process ends, however.

    Returns
    -------
    int
        A descriptor of the folder that holds its lock, to be closed by the caller; -1 where somebody else has
        it, or it is gone.

    Raises
    ------
    OSError
        The folder cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return -1
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return -1
