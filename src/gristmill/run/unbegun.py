"""A job on which nobody works: how far it is, and its end where it is cancelled or cannot begin."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace

from gristmill.errors import JournalError
from gristmill.run.job_folder import Counts, Job, JobFolder, Status, utc_now
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
    ledger = _ledger(folder) or Ledger()
    counts = recorded_counts(folder) or job.counts
    ended = replace(job, status=status, message=message, counts=counts, ended_at=utc_now())
    write_reports(folder, ended, ledger)
    folder.tell("ended", status=status.value, message=message)
    folder.write(ended)
    if not ledger.items_done:
        shutil.rmtree(job.staging, ignore_errors=True)
        with suppress(OSError):
            job.output.rmdir()
    return ended


def recorded_counts(folder: JobFolder) -> Counts | None:
    """Return how far a job is whose process was killed, from its journal; None where that cannot be read."""
    ledger = _ledger(folder)
    if ledger is None:
        return None
    plan = ledger.plan
    total = plan.items if plan is not None else ledger.items_done
    return Counts(
        total=total,
        succeeded=ledger.items_succeeded,
        failed=ledger.items_not_succeeded,
        not_run=total - ledger.items_done,
        mini_batches=plan.mini_batches if plan is not None else 0,
        mini_batches_done=ledger.scored.count + ledger.failed.count,
    )


def _ledger(folder: JobFolder) -> Ledger | None:
    try:
        return read_history(folder.journal).ledger
    except JournalError:
        return None
