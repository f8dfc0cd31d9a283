"""The end of a job on which nobody works: cancelled while it waited, or not able to begin."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace

from gristmill.errors import JournalError
from gristmill.run.job_folder import Job, JobFolder, Status, utc_now
from gristmill.run.ledger import Ledger
from gristmill.run.replay import read_history
from gristmill.run.report import write_reports


def end_unbegun(folder: JobFolder, job: Job, status: Status, message: str) -> Job:
    """Write the last word of a job; what an earlier start has finished is kept, so that it can be resumed.

    Parameters
    ----------
    folder, job
        The job; whoever calls holds its lock.
    status
        How it ends.
    message
        Why.

    Returns
    -------
    Job
        As it stands then.

    Raises
    ------
    StorageError, OSError
        There is no room for that; the job stays as it was.
    """
    try:
        ledger = read_history(folder.journal).ledger
    except JournalError:
        ledger = Ledger()
    ended = replace(job, status=status, message=message, ended_at=utc_now())
    write_reports(folder, ended, ledger)
    folder.tell("ended", status=status.value, message=message)
    folder.write(ended)
    if not ledger.items_done:
        shutil.rmtree(job.staging, ignore_errors=True)
        with suppress(OSError):
            job.output.rmdir()
    return ended
