"""What is left of a job whose process was killed before it was accepted: its name is free again."""

from __future__ import annotations

import fcntl
import os
import shutil

from gristmill.errors import RequestError
from gristmill.run.job_folder import JobFolder, Origin, Status
from gristmill.run.lock import is_held
from gristmill.service.queue.waiting import Waiting
from gristmill.settings import Home

_BEFORE = (Status.PREPARING, Status.NOT_STARTED)


def remove_unaccepted(folder: JobFolder, home: Home) -> bool:
    """Remove a job that was made to wait, was never accepted, and that nobody makes any more.

    Parameters
    ----------
    folder
        The job, if there is one.
    home
        Where it is.

    Returns
    -------
    bool
        Whether there is none now: it was removed, or had never been there.
    """
    try:
        making = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(making, fcntl.LOCK_EX | fcntl.LOCK_NB)
        job = folder.read()
        is_left = job.origin is not Origin.RUN and job.status in _BEFORE and not job.runner_starts
        if not is_left or Waiting(home).has(folder.name) or is_held(folder.lock):
            return False
        shutil.rmtree(job.staging, ignore_errors=True)
        shutil.rmtree(folder.path, ignore_errors=True)
        return True
    except (BlockingIOError, RequestError):
        return False
    finally:
        os.close(making)
