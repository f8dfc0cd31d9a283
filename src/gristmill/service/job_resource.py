"""A job as ``az ml job show`` shows one: the resource that scripts and programs read.

It is made of the job folder alone, and quickly, since scripts ask for it in loops. How a job went, in words
for people, is in `views`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gristmill.errors import RequestError, UnknownJobError
from gristmill.run.job_folder import Job, JobFolder, Origin, Status
from gristmill.run.lock import is_held
from gristmill.service.queue.waiting import Waiting
from gristmill.settings import Home

#: What the output of a batch deployment is called.
OUTPUT_NAME = "score"


@dataclass(frozen=True, kw_only=True)
class JobResource:
    """A job, for a door to show."""

    job: Job
    status: Status
    """As it is just now: a job whose end was asked for is not Running."""
    notices: tuple[str, ...] = ()
    """What the user should know beside it."""

    def to_json(self) -> dict[str, Any]:
        """Return the resource, its own name first."""
        job, deployment = self.job, self.job.deployment
        return {
            "name": job.name,
            "display_name": job.name,
            "type": "pipeline",
            "status": self.status.value,
            "endpoint_name": deployment.endpoint_name,
            "deployment_name": deployment.name,
            "experiment_name": job.experiment_name or job.deployment.endpoint_name or "default",
            "description": deployment.description,
            "compute": "local",
            "inputs": {"input": _data(job.input)},
            "outputs": {OUTPUT_NAME: {"type": "uri_folder", "path": str(job.output)}},
            "tags": {**deployment.tags, **job.tags},
            "properties": {**_git(job), **deployment.properties},
            "services": {},
            "id": f"/workspaces/{job.workspace}/jobs/{job.name}",
            "creation_context": {
                "created_at": job.created_at,
                "last_modified_at": job.ended_at or job.started_at or job.created_at,
            },
            "started_at": job.started_at or None,
            "ended_at": job.ended_at or None,
            "message": job.message or None,
            "counts": {
                "total": job.counts.total,
                "succeeded": job.counts.succeeded,
                "failed": job.counts.failed,
                "not_run": job.counts.not_run,
            },
        }


def find_job(home: Home, name: str) -> JobResource:
    """Return a job as it stands just now; one that waits for a runner which is gone gets one.

    Raises
    ------
    UnknownJobError
        There is no such job.
    JobStateError
        Its ``job.json`` cannot be read.
    """
    if not name or "/" in name or name in (".", ".."):
        raise UnknownJobError(f"{name!r} is not the name of a job; gristmill job list names those that are")
    folder = JobFolder(home.jobs / name)
    job = folder.read()
    return job_resource(job, folder, *_looked_after(home, job, folder))


def find_jobs(
    home: Home, workspace: str | None = None, *, archived: bool = False, only_archived: bool = False
) -> list[JobResource]:
    """Return the jobs that can be read, the newest first.

    Parameters
    ----------
    home
        Where they are.
    workspace
        Whose: jobs of endpoints of another one are left out; None: all. What was run without an endpoint
        belongs to the home, and to all of them.
    archived
        Whether those that are archived come, too.
    only_archived
        Whether only these come.

    Returns
    -------
    list of JobResource
        Without those whose ``job.json`` cannot be read.
    """
    _see_to_runner(home)
    found = []
    for path in home.jobs.iterdir() if home.jobs.is_dir() else ():
        folder = JobFolder(path)
        try:
            one = job_resource(folder.read(), folder)
        except RequestError:
            continue  # a folder without a readable job.json: made a moment ago, or not a job
        is_wanted = one.job.is_archived if only_archived else archived or not one.job.is_archived
        if is_wanted and _belongs_to(workspace, one.job):
            found.append(one)
    return sorted(found, key=lambda one: (one.job.created_at, one.job.name), reverse=True)


def _belongs_to(workspace: str | None, job: Job) -> bool:
    return workspace is None or job.workspace == workspace or job.origin is not Origin.INVOKE


def job_resource(job: Job, folder: JobFolder, *notices: str) -> JobResource:
    """Return a job as it stands just now.

    Parameters
    ----------
    job
        What its ``job.json`` holds.
    folder
        Its folder.
    notices
        What the user should know beside it.

    Returns
    -------
    JobResource
        For a door to show.
    """
    status = job.status
    if status is Status.RUNNING and folder.cancel_request.exists() and is_held(folder.lock):
        status = Status.CANCEL_REQUESTED
    return JobResource(job=job, status=status, notices=notices)


def _looked_after(home: Home, job: Job, folder: JobFolder) -> tuple[str, ...]:
    """See to it that somebody works on a job that has not ended, or say that nobody does."""
    if job.status.is_final or is_held(folder.lock):
        return ()
    if Waiting(home).has(job.name):
        _see_to_runner(home)
        return ()
    again = f"gristmill resume {job.name} goes on with it"
    return (f"no process works on job {job.name}: it was interrupted. {again}",)


def _see_to_runner(home: Home) -> None:
    """Start a runner where there is none and jobs wait for one."""
    if Waiting(home).names() and not is_held(home.runner / "lock"):
        from gristmill.service.queue.waking import wake_if_needed  # seldom, and it takes its time

        wake_if_needed(home)


def _git(job: Job) -> dict[str, str]:
    """Say where the code of a job stood, in the words of ``az``."""
    if job.git is None:
        return {}
    from gristmill.service.assets.git import GitState  # with all that asks git

    return GitState(**job.git).to_properties()


def _data(path: Path) -> dict[str, str]:
    """Describe an input; one that is gone counts as the folder that inputs mostly are."""
    return {"type": "uri_file" if path.is_file() else "uri_folder", "path": str(path)}
