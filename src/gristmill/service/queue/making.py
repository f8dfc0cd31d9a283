"""A job that is made now and begun later: its folder with everything that it needs, whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import NoReturn

from gristmill.engine.crew import crew_for, resources_for
from gristmill.engine.environment import choose_interpreter
from gristmill.errors import HomeError, StorageError, in_words
from gristmill.faults import reach
from gristmill.run.execution import Execution
from gristmill.run.job_folder import Job, JobFolder, Origin, Status
from gristmill.run.making import Making
from gristmill.service.new_job import OTHER_HOME, new_job
from gristmill.service.overlap import overlap_notices
from gristmill.service.preparation import prepare
from gristmill.service.queue.waiting import Waiting
from gristmill.service.request import RunRequest
from gristmill.service.script_reading import warnings_of_script
from gristmill.settings import Home


class MadeJob:
    """A job that stands there, NotStarted; nobody else touches it until this is closed."""

    def __init__(self, waiting: Waiting, folder: JobFolder, job: Job, making: Making) -> None:
        """Take over a folder that was just made.

        Parameters
        ----------
        waiting
            Who waits in its home.
        folder, job
            The job.
        making
            Held as long as nobody else is to touch it.
        """
        self.folder = folder
        self.job = job
        self.notices: tuple[str, ...] = ()
        self._waiting = waiting
        self._making = making
        self._ours = None if job.staging.exists() else job.staging if job.output.exists() else job.output

    def accept(self) -> None:
        """Let it wait for its turn; from here on it is going to be run, whatever is killed.

        Raises
        ------
        HomeError
            There is no room; the job is not accepted.
        """
        try:
            self._waiting.add(self.job.name)
            reach("submit.marked")
            self.job = replace(self.job, status=Status.QUEUED)
            self.folder.tell("queued", priority=self.job.priority)
            self.folder.write(self.job)
        except (OSError, StorageError) as error:
            self.discard()
            raise HomeError(
                f"job {self.job.name} cannot be queued: {in_words(error.__cause__ or error)}; {OTHER_HOME}"
            ) from error
        reach("submit.accepted")

    def discard(self) -> None:
        """Remove it, as if it had never been asked for."""
        self._waiting.remove(self.job.name)
        shutil.rmtree(self.folder.path, ignore_errors=True)
        if self._ours is not None:
            shutil.rmtree(self._ours, ignore_errors=True)

    def close(self) -> None:
        """Let others touch it; safe to repeat."""
        self._making.close()


def make_job(request: RunRequest, origin: Origin, home: Home) -> MadeJob:
    """Make a job that is to wait.

    Parameters
    ----------
    request
        What is asked for.
    origin
        Who asks.
    home
        Where the job is going to be.

    Returns
    -------
    MadeJob
        To be accepted or discarded, and closed.

    Raises
    ------
    RequestError
        Something cannot be done: every cause that can be known before it begins. Nothing is left of it.
    """
    job = new_job(request, origin, home)
    deployment = job.deployment
    warned: tuple[str, ...] = ()
    if deployment.packages is None:  # of an environment that is to be built nobody knows its Python yet
        interpreter = choose_interpreter(deployment.python)
        warned = warnings_of_script(deployment, interpreter.version)
        job = replace(job, python=interpreter.path, python_version=".".join(map(str, interpreter.version)))
    crew_for(deployment, resources_for(deployment))
    overlaps = overlap_notices(job, home.jobs)
    folder = JobFolder(home.jobs / job.name)
    made = MadeJob(Waiting(home), folder, job, folder.create())
    try:
        prepared = prepare(folder, job)
        _check_input(folder)
        made.job = replace(job, status=Status.NOT_STARTED)
        made.notices = (*deployment.notices, *warned, *overlaps, *prepared)
        folder.write(made.job)
    except BaseException as error:
        made.discard()
        made.close()
        if isinstance(error, StorageError):
            raise HomeError(
                f"job {job.name} cannot be made: {in_words(error.__cause__ or error)}; {OTHER_HOME}"
            ) from error
        raise
    reach("submit.made")
    return made


def _check_input(folder: JobFolder) -> None:
    """Plan the first mini-batch, so that bad input is known at once; what is in it is listed again when the
    job begins.
    """
    execution = Execution(folder, _no_engine)
    try:
        execution.plan_first()
    finally:
        execution.release()
    shutil.rmtree(folder.plan, ignore_errors=True)


def _no_engine(*_: object) -> NoReturn:
    raise AssertionError("a job that is only made runs nothing")
