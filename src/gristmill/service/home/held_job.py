"""A job that nobody else may touch for a moment: neither who works on it, nor who makes one of its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from gristmill.errors import JobLockedError, JobStateError, UnknownJobError
from gristmill.run.job_folder import JobFolder
from gristmill.run.lock import JobLock
from gristmill.settings import Home
from gristmill.storage.holding import held


def folder_of(home: Home, name: str) -> JobFolder:
    """Return the folder of a job, whether there is one or not.

    Raises
    ------
    UnknownJobError
        No job can be called so.
    """
    if not name or "/" in name or name in (".", ".."):
        raise UnknownJobError(f"{name!r} is not the name of a job; gristmill job list names those that are")
    return JobFolder(home.jobs / name)


@contextmanager
def alone(folder: JobFolder) -> Iterator[None]:
    """Hold a job.

    Raises
    ------
    JobStateError
        Somebody else has it; the message says what to do.
    StorageError
        Its lock cannot be made.
    """
    descriptor = held(folder.path)
    if descriptor < 0:
        raise JobStateError(f"job {folder.name} is being made, or removed, just now; try again")
    lock = JobLock(folder.lock)
    try:
        try:
            lock.acquire()
        except JobLockedError as error:
            raise JobStateError(
                f"job {folder.name} is running; gristmill job cancel {folder.name} stops it first"
            ) from error
        yield
    finally:
        lock.release()
        os.close(descriptor)
