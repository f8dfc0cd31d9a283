"""The end of a job that waits: whoever gets its lock writes its last word."""

from __future__ import annotations

from gristmill.errors import JobLockedError
from gristmill.run.job_folder import JobFolder, Status
from gristmill.run.lock import JobLock
from gristmill.run.unbegun import end_unbegun
from gristmill.service.beginning import CANCELLED_WAITING
from gristmill.service.running import CANCELLED


def cancel_waiting(folder: JobFolder) -> bool:
    """End a job on which nobody works.

    Parameters
    ----------
    folder
        The job.

    Returns
    -------
    bool
        Whether it has ended; False where a process has begun it in this moment: that is to be asked.

    Raises
    ------
    JobError
        There is no room to say so.
    """
    lock = JobLock(folder.lock)
    try:
        lock.acquire()
    except JobLockedError:
        return False
    try:
        job = folder.read()
        if not job.status.is_final:
            why = CANCELLED if folder.journal.exists() else CANCELLED_WAITING
            end_unbegun(folder, job, Status.CANCELED, why)
        return True
    finally:
        lock.release()
