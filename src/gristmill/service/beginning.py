"""How jobs begin: one that is new, one that has waited for its turn, one that goes on.

Everything that can be refused is refused before work begins. It must not know who works on a job, nor how a
queue is kept.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gristmill.engine.contract import Engine
from gristmill.engine.crew import Resources, crew_for, resources_for
from gristmill.errors import GristmillError, HomeError, JobError, JobStateError, StorageError, in_words
from gristmill.faults import reach
from gristmill.run.execution import Execution, RunIdentity
from gristmill.run.job_folder import Job, JobFolder, Origin, Status
from gristmill.run.unbegun import end_unbegun
from gristmill.service.advice import advice, circumstances
from gristmill.service.new_job import OTHER_HOME, check_alone, new_job
from gristmill.service.overlap import overlap_notices
from gristmill.service.preparation import clear_output, prepare
from gristmill.service.request import RunRequest, check_output
from gristmill.service.resuming import ResumeRequest, make_ready
from gristmill.service.running import Cancelling, RunningJob
from gristmill.service.script_reading import warnings_of_script
from gristmill.service.surroundings import Surroundings
from gristmill.service.warming import NOTHING_STAYS, Warming
from gristmill.settings import Home
from gristmill.spec.values import Deployment

if TYPE_CHECKING:
    from gristmill.engine.warm_pool import WarmPool

CANCELLED_WAITING = "cancelled by gristmill job cancel before it began"
Building = Callable[[], AbstractContextManager[object]]
#: A job that has ended its process so often, and got nowhere, is not begun again by itself.
MOST_STARTS = 3
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
#: How a job is resumed where nothing is said.
AS_IT_IS = ResumeRequest()


@dataclass(frozen=True, kw_only=True)
class Ready:
    """What a job has when it is ready to be begun."""

    surroundings: Surroundings
    notices: tuple[str, ...]


class Beginning:
    """Begins the jobs of one home."""

    def __init__(self, home: Home, say: Callable[[str], None], warm: WarmPool | None = None) -> None:
        """Take the home as it is.

        Parameters
        ----------
        home
            Where the jobs are.
        say
            Is told what takes a while before a job can begin: an environment that is built.
        warm
            Keeps workers between jobs; None: all of them end with their job.
        """
        self._home = home
        self._say = say
        self._warm = warm

    def run(self, request: RunRequest) -> RunningJob:
        """Make a job and begin it; where something is refused, nothing of it is left.

        Raises
        ------
        RequestError
            Something that was asked for cannot be done.
        """
        job = new_job(request, Origin.RUN, self._home)
        with Surroundings.of(job.deployment, self._home, self._say) as surroundings:
            return self._run(request, job, surroundings)

    def _run(self, request: RunRequest, job: Job, surroundings: Surroundings) -> RunningJob:
        """Make a job of which nothing is to be refused but what its script and its Python say."""
        deployment, interpreter = surroundings.deployment, surroundings.interpreter
        warned = warnings_of_script(deployment, interpreter.version)
        resources = self._resources_for(deployment)
        crew = crew_for(deployment, resources)
        folder = JobFolder(self._home.jobs / job.name)
        job = _placed(replace(job, deployment=deployment), surroundings, crew.workers)
        overlaps = overlap_notices(job, self._home.jobs)
        making = folder.create()
        ours = None if job.staging.exists() else job.staging if job.output.exists() else job.output
        try:
            prepared = prepare(folder, job)
            clear_output(job)
            surroundings.write(folder)
            notices = (
                *deployment.notices,
                *surroundings.notices,
                *crew.notices,
                *warned,
                *overlaps,
                *prepared,
            )
            running = self._begin(folder, lambda execution: _planned(execution, surroundings, notices))
            running.notices += _advice(running.execution, resources, chose_workers=request.chose_workers)
        except BaseException as error:
            shutil.rmtree(folder.path, ignore_errors=True)
            if ours is not None:
                shutil.rmtree(ours, ignore_errors=True)
            if isinstance(error, StorageError):
                raise HomeError(
                    f"job {job.name} cannot be made: {in_words(error.__cause__ or error)}; {OTHER_HOME}"
                ) from error
            raise
        finally:
            making.close()
        reach("job.created")
        return running

    def go_on(self, folder: JobFolder, job: Job, request: ResumeRequest, *, rerun: bool) -> RunningJob:
        """Begin a job again, after everything that it depends on was looked at.

        Raises
        ------
        RequestError
            Something that was asked for cannot be done; nothing was started.
        """
        with Surroundings.of_job(job, folder, self._home, self._say) as surroundings:
            compared = surroundings.compared(folder, is_forced=request.force)

            def ready(execution: Execution) -> Ready:
                folder.cancel_request.unlink(missing_ok=True)  # that was an earlier start
                return Ready(surroundings=surroundings, notices=(*compared, *make_ready(execution, request)))

            running = self._begin(folder, ready, rerun=rerun)
            running.notices += running.execution.notices
            if request.force:
                surroundings.write(folder)
            return running

    def start(
        self, folder: JobFolder, building: Building = nullcontext, *, again: bool = False
    ) -> RunningJob | None:
        """Begin a job that was made before and has waited, or whose process has died.

        Parameters
        ----------
        folder
            The job; it is locked from here on, so that nobody else begins it.
        building
            Is in force while its environment is built; a KeyboardInterrupt then cancels the job.
        again
            Whether one that has ended is begun, too, whoever ended it.

        Returns
        -------
        RunningJob or None
            None where it has ended instead, cancelled or failed; it says why.

        Raises
        ------
        UnknownJobError
            There is no such job any more.
        JobStateError
            Another process works on it, or it has ended.
        StorageError
            Not even that it has failed can be written down; it waits as before.
        """

        def ready(execution: Execution) -> Ready:
            if again:
                folder.cancel_request.unlink(missing_ok=True)
                execution.job = replace(execution.job, runner_starts=0)
            elif execution.job.status.is_final:
                raise JobStateError(f"job {folder.name} has ended already")
            try:
                return self._ready(execution, building)
            except KeyboardInterrupt:
                if again:
                    raise  # whoever began it does not want to wait; it stays as it was
                execution.job = end_unbegun(folder, execution.job, Status.CANCELED, CANCELLED_WAITING)
            except StorageError:
                _uncount(execution)  # there is no room: it waits until there is
                raise
            except (GristmillError, OSError) as error:
                if getattr(error, "errno", None) in _NO_ROOM:
                    _uncount(execution)
                    raise StorageError(f"{in_words(error, with_path=True)}; make room") from error
                execution.job = end_unbegun(folder, execution.job, Status.FAILED, in_words(error))
            raise _EndedInsteadError

        try:
            return self._begin(folder, ready)
        except _EndedInsteadError:
            return None

    def _ready(self, execution: Execution, building: Building) -> Ready:
        """Do what `run` does before a job begins, with what was kept when it was made."""
        folder = execution.folder
        if folder.cancel_request.exists():
            raise KeyboardInterrupt
        job = execution.job = _counted(execution)
        folder.write(job)
        folder.tell("preparing", start=job.runner_starts)
        code = folder.code  # what was copied then, and not what has become of it since
        with building():
            surroundings = Surroundings.of_job(
                replace(job, deployment=replace(job.deployment, code=code)), folder, self._home, self._say
            )
        try:
            if folder.journal.exists():
                compared = surroundings.compared(folder, is_forced=False)
                notices = (*compared, *make_ready(execution, AS_IT_IS), *execution.notices)
                return Ready(surroundings=surroundings, notices=notices)
            return self._first(execution, surroundings)
        except BaseException:
            surroundings.release()
            raise

    def _first(self, execution: Execution, surroundings: Surroundings) -> Ready:
        """Make a job ready that has not begun yet."""
        folder, job = execution.folder, execution.job
        check_output(job, job.overwrite)
        check_alone(job, self._home)
        warned: tuple[str, ...] = ()
        if surroundings.ready is not None:  # else its Python was known when it was made
            warned = warnings_of_script(surroundings.deployment, surroundings.interpreter.version)
        deployment = replace(job.deployment, packages=surroundings.deployment.packages)
        resources = self._resources_for(deployment)
        crew = crew_for(deployment, resources)
        execution.job = _placed(replace(job, deployment=deployment), surroundings, crew.workers)
        job.staging.mkdir(parents=True, exist_ok=True)
        clear_output(job)
        surroundings.write(folder)
        execution.plan_first()
        told = _advice(execution, resources, chose_workers=True)
        return Ready(
            surroundings=surroundings, notices=(*surroundings.notices, *crew.notices, *warned, *told)
        )

    def _resources_for(self, deployment: Deployment) -> Resources:
        """Return what this machine has: what workers take that wait for a job is there for this one."""
        return resources_for(deployment, self._warm.taken_bytes() if self._warm is not None else 0)

    def _begin(
        self, folder: JobFolder, ready: Callable[[Execution], Ready], *, rerun: bool = False
    ) -> RunningJob:
        cancelling = Cancelling(folder)
        found: list[Surroundings] = []

        warming = Warming(self._warm, self._home, folder)

        def make_engine(job: Job, identity: RunIdentity) -> Engine:
            return warming.engine(job, identity, found[0], execution.useful_workers)

        def name_run(job: Job) -> str:
            return warming.mark(job, found[0])

        execution = Execution(folder, make_engine, cancelling.reason, rerun=rerun, name_run=name_run)
        try:
            made_ready = ready(execution)
            found.append(made_ready.surroundings)
            execution.check_earlier_output()
        except BaseException:
            execution.release()
            for surroundings in found:
                surroundings.release()
            raise
        notices = made_ready.notices
        if self._warm is None and execution.job.deployment.settings.keep_warm_s:
            notices = (*notices, NOTHING_STAYS)
        useful = execution.useful_workers
        if useful < execution.job.workers and execution.job.deployment.settings.workers:
            notices = (
                *notices,
                f"{useful} of {execution.job.workers} workers are started: there is no more work",
            )
        return RunningJob(folder, execution, notices, cancelling, warming.over(found[0].handed_over()))


class _EndedInsteadError(Exception):
    """A job that was to begin has ended."""


def _planned(execution: Execution, surroundings: Surroundings, notices: tuple[str, ...]) -> Ready:
    """Make a new job ready: only its plan is to be begun."""
    execution.plan_first()
    return Ready(surroundings=surroundings, notices=notices)


def _counted(execution: Execution) -> Job:
    """Count a start by the runner; refuse it where too many have got nowhere."""
    job, ledger = execution.job, execution.ledger
    done = ledger.scored.count + ledger.failed.count
    starts = job.runner_starts + 1 if done == job.runner_done else 1
    if starts > MOST_STARTS:
        raise JobError(
            f"the process that ran job {job.name} has ended {MOST_STARTS} times without finishing a "
            "mini-batch: it was killed, or ran out of memory. What it said last is in the runner's log; "
            f"gristmill resume {job.name} tries once more, before your eyes"
        )
    return replace(job, status=Status.PREPARING, message="", runner_starts=starts, runner_done=done)


def _uncount(execution: Execution) -> None:
    """Take a start back that came to nothing for want of room."""
    with suppress(StorageError):
        execution.folder.write(replace(execution.job, runner_starts=execution.job.runner_starts - 1))


def _placed(job: Job, surroundings: Surroundings, workers: int) -> Job:
    """Write into a job where and with how many workers it runs."""
    interpreter = surroundings.interpreter
    version = ".".join(map(str, interpreter.version))
    return replace(job, workers=workers, python=interpreter.path, python_version=version)


def _advice(execution: Execution, resources: Resources, *, chose_workers: bool) -> tuple[str, ...]:
    return advice(circumstances(execution, resources, chose_workers))
