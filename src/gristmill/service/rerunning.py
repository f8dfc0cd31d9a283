"""Rerun: whether what failed in a job can be scored again, before anything is started."""

from __future__ import annotations

from gristmill.errors import JobStateError
from gristmill.run.job_folder import Job, JobFolder, Status
from gristmill.run.lock import is_held


def something_to_rerun(job: Job, folder: JobFolder) -> bool:
    """Say whether anything failed in a job that is Completed.

    Parameters
    ----------
    job
        The job as it stands.
    folder
        Its folder.

    Returns
    -------
    bool
        False where the job is Completed and nothing failed in it.

    Raises
    ------
    JobStateError
        It is not Completed.
    """
    if is_held(folder.lock):
        return True  # whoever takes the lock is told who has it
    if not (job.status is Status.COMPLETED or job.rerunning):
        raise JobStateError(
            f"job {job.name} is {job.status.value}, and only what failed in a Completed job is rerun: "
            f"gristmill resume {job.name} goes on with it, and tries again what had failed"
        )
    return job.rerunning or bool(job.counts.failed)
