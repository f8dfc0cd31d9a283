"""A job that was asked for and is not there yet: everything of it that can be refused without its script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gristmill.engine.archive import worker_archive
from gristmill.errors import HomeError, OutputError
from gristmill.run.job_folder import Job, JobFolder, Origin, Status, utc_now
from gristmill.run.lock import is_held
from gristmill.run.making import JOB, taken
from gristmill.service.assets.git import git_state
from gristmill.service.endpoints.named_input import input_at
from gristmill.service.overlap import check_apart
from gristmill.service.request import (
    RunRequest,
    check_format,
    check_name,
    check_output,
    checked_input,
    free_name,
    made_up_name,
)
from gristmill.settings import Home

OTHER_HOME = "make room and give yourself access there, or set GRISTMILL_HOME to a folder that you can write"
#: Below the folder of a job of an endpoint: where its predictions are unless another place is named.
OUTPUT_OF_INVOKED = Path("named-outputs", "score")


def new_job(request: RunRequest, origin: Origin, home: Home) -> Job:
    """Return the job that is asked for; nothing of it is written down.

    Parameters
    ----------
    request
        What is asked for.
    origin
        Who asks.
    home
        Where the job is going to be.

    Raises
    ------
    RequestError
        Something cannot be done; the message says what.
    """
    named = input_at(home, request.input)
    deployment = replace(request.deployment, notices=(*request.deployment.notices, *named.notices))
    name = request.name or free_name(made_up_name(deployment), home.jobs)
    check_name(name)
    if (home.jobs / name).exists():
        from gristmill.service.queue.unaccepted import remove_unaccepted  # few names were there before

        remove_unaccepted(JobFolder(home.jobs / name), home)
    if (home.jobs / name / JOB).exists():
        raise taken(name)  # else its output, in its own folder, would be said to be in the way
    job = Job(
        name=name,
        deployment=deployment,
        input=checked_input(named.path),
        output=_output(request, name, origin, home),
        workers=0,
        python=Path(),
        python_version="",
        overwrite=request.overwrite,
        status=Status.PREPARING,
        created_at=utc_now(),
        origin=origin,
        priority=request.priority,
        experiment_name=request.experiment_name,
        idempotency_key=request.idempotency_key,
        tags=request.tags,
        git=_git(request, origin),
        revision=request.revision,
    )
    check_format(deployment.settings.output_format)
    check_output(job, request.overwrite)
    check_apart(job)
    check_alone(job, home)
    _check_cache(home)
    return job


def check_alone(job: Job, home: Home) -> None:
    """Refuse an output that another job, running or waiting now, is going to write.

    Raises
    ------
    OutputError
        There is one.
    """
    for staging in job.output.glob(".gristmill-*"):
        folder = JobFolder(home.jobs / staging.name.removeprefix(".gristmill-"))
        if folder.name == job.name or not folder.path.is_dir():
            continue
        is_running = is_held(folder.lock)
        other = folder.read()
        if other.target == job.target and (is_running or other.status is Status.QUEUED):
            raise OutputError(
                f"job {folder.name} is {'running' if is_running else 'waiting'} and will write {job.target}; "
                f"choose another --output-path, or wait for it (gristmill job show {folder.name})"
            )


def _git(request: RunRequest, origin: Origin) -> Mapping[str, Any] | None:
    """Return where the code stands; what is invoked has a copy of it, and knows where that came from."""
    if request.git is not None or origin is Origin.INVOKE or request.deployment.is_generated:
        return request.git
    state = git_state(request.deployment.code)
    return state.to_json() if state is not None else None


def _output(request: RunRequest, name: str, origin: Origin, home: Home) -> Path:
    if request.output is not None:
        return request.output.absolute()
    return home.jobs / name / OUTPUT_OF_INVOKED if origin is Origin.INVOKE else Path(name).absolute()


def _check_cache(home: Home) -> None:
    """Make what all jobs need once, while nothing is begun yet."""
    try:
        worker_archive(home.cache)
    except OSError as error:
        raise HomeError(
            f"the home {home.path} cannot be used: {error.strerror}, in {home.cache}; {OTHER_HOME}"
        ) from error
