"""Jobs: run, resume, rerun, show, list, logs, cancel, verify, replay: every door calls these verbs."""

from __future__ import annotations

import builtins
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.engine.contract import Engine
from gristmill.engine.crew import crew_for, resources_for
from gristmill.engine.launch import worker_archive
from gristmill.engine.local import LocalEngine
from gristmill.errors import (
    HomeError,
    JobStateError,
    OutputError,
    RequestError,
    StorageError,
    UnknownJobError,
    in_words,
)
from gristmill.faults import reach
from gristmill.run.execution import Execution, RunIdentity
from gristmill.run.job_folder import Job, JobFolder, Status, utc_now
from gristmill.run.lock import is_held
from gristmill.run.progress import Progress
from gristmill.run.verify import Verification, verify_job
from gristmill.service.advice import advice, circumstances
from gristmill.service.assignment import assignment_of
from gristmill.service.in_flight import ProcessStacks, stacks
from gristmill.service.overlap import check_apart, overlap_notices
from gristmill.service.preparation import prepare
from gristmill.service.request import (
    RunRequest,
    check_format,
    check_name,
    check_output,
    checked_input,
    free_name,
    made_up_name,
)
from gristmill.service.rerunning import something_to_rerun
from gristmill.service.resuming import ResumeRequest, make_ready
from gristmill.service.running import Cancelling, RunningJob
from gristmill.service.script_reading import warnings_of_script
from gristmill.service.surroundings import Surroundings
from gristmill.service.views import JobView, view_of
from gristmill.settings import Home

if TYPE_CHECKING:
    from gristmill.service.replay_part import Wanted
    from gristmill.service.replaying import Replayed

__all__ = ["JobView", "Jobs", "Progress", "ResumeRequest", "RunRequest", "RunningJob", "Verification"]

_OTHER_HOME = "make room and give yourself access there, or set GRISTMILL_HOME to a folder that you can write"


#: How a job is resumed where nothing is said.
_AS_IT_IS = ResumeRequest()


class Jobs:
    """The jobs of one home."""

    def __init__(self, home: Home, say: Callable[[str], None] = lambda _: None) -> None:
        """Take the home as it is.

        Parameters
        ----------
        home
            Where the jobs are.
        say
            Is told what takes a while before a job can begin: an environment that is built.
        """
        self.home = home
        self._say = say

    def run(self, request: RunRequest) -> RunningJob:
        """Make a job and begin it.

        Raises
        ------
        RequestError
            Something that was asked for cannot be done: every cause that can be known before work begins.
            Nothing was started and no job is left behind.
        """
        deployment = request.deployment
        name = request.name or free_name(made_up_name(deployment), self.home.jobs)
        check_name(name)
        job = Job(
            name=name,
            deployment=deployment,
            input=checked_input(request.input),
            output=(request.output if request.output is not None else Path(name)).absolute(),
            workers=0,
            python=Path(),
            python_version="",
            overwrite=request.overwrite,
            status=Status.PREPARING,
            created_at=utc_now(),
        )
        check_format(deployment.settings.output_format)
        check_output(job, request.overwrite)
        check_apart(job)
        self._check_alone(job)
        self._check_cache()
        with Surroundings.of(deployment, self.home, self._say) as surroundings:
            return self._run(request, job, surroundings)

    def _run(self, request: RunRequest, job: Job, surroundings: Surroundings) -> RunningJob:
        """Make a job of which nothing is to be refused but what its script and its Python say."""
        deployment, interpreter = surroundings.deployment, surroundings.interpreter
        warned = warnings_of_script(deployment, interpreter.version)
        resources = resources_for(deployment)
        crew = crew_for(deployment, resources)
        folder = self._folder(job.name)
        job = replace(
            job,
            deployment=deployment,
            workers=crew.workers,
            python=interpreter.path,
            python_version=".".join(map(str, interpreter.version)),
        )
        overlaps = overlap_notices(job, self.home.jobs)
        making = folder.create()
        ours = None if job.staging.exists() else job.staging if job.output.exists() else job.output
        try:
            prepared = prepare(folder, job)
            surroundings.write(folder)
            notices = (
                *deployment.notices,
                *surroundings.notices,
                *crew.notices,
                *warned,
                *overlaps,
                *prepared,
            )
            running = self._begin(folder, surroundings, notices, _plan_first)
            running.notices += advice(circumstances(running.execution, resources, request.chose_workers))
        except BaseException as error:
            shutil.rmtree(folder.path, ignore_errors=True)
            if ours is not None:
                shutil.rmtree(ours, ignore_errors=True)
            if isinstance(error, StorageError):
                raise HomeError(
                    f"job {job.name} cannot be made: {in_words(error.__cause__ or error)}; {_OTHER_HOME}"
                ) from error
            raise
        finally:
            making.close()
        reach("job.created")
        return running

    def resume(self, name: str, request: ResumeRequest = _AS_IT_IS) -> RunningJob:
        """Go on with a job that was interrupted, cancelled, killed or has failed.

        Raises
        ------
        UnknownJobError
            There is no such job.
        JobLockedError
            Another process works on it.
        JobStateError
            It is Completed; there is nothing to go on with.
        JobChangedError
            Its code, model, settings or plan have changed since it was made, and it is not forced.
        RequestError
            Something that was asked for cannot be done; nothing was started.
        """
        folder = self._folder(name)
        job = folder.read()
        if job.status is Status.COMPLETED and not request.new:
            raise JobStateError(
                f"job {name} is Completed; there is nothing to resume. gristmill verify {name} checks it"
            )
        return self._go_on(folder, job, request, rerun=job.status is Status.COMPLETED)

    def rerun(self, name: str, request: ResumeRequest = _AS_IT_IS) -> RunningJob | None:
        """Score again what failed in a job that is Completed, and merge it into the same output.

        Returns
        -------
        RunningJob or None
            None where nothing failed, so that there is nothing to do.

        Raises
        ------
        UnknownJobError
            There is no such job.
        JobLockedError
            Another process works on it.
        JobStateError
            It is not Completed: resume goes on with it.
        JobChangedError
            Its output has changed since; or its code, model or settings, and it is not forced.
        RequestError
            Something that was asked for cannot be done; nothing was started.
        """
        folder = self._folder(name)
        job = folder.read()
        if not something_to_rerun(job, folder):
            return None
        return self._go_on(folder, job, request, rerun=True)

    def show(self, name: str) -> JobView:
        """Return how a job stands.

        Raises
        ------
        UnknownJobError
            There is no such job.
        JobStateError
            Its ``job.json`` cannot be read.
        """
        folder = self._folder(name)
        return view_of(folder.read(), folder, is_held=is_held(folder.lock))

    def list(self) -> list[JobView]:
        """Return all jobs that can be read, the newest first."""
        views = []
        for path in self.home.jobs.iterdir() if self.home.jobs.is_dir() else ():
            try:
                views.append(self.show(path.name))
            except RequestError:
                continue  # a folder without a readable job.json: made a moment ago, or not a job
        return sorted(views, key=lambda view: (view.created_at, view.name), reverse=True)

    def unreadable(self) -> builtins.list[str]:
        """Return the names of job folders whose ``job.json`` cannot be read."""
        names = []
        for path in self.home.jobs.iterdir() if self.home.jobs.is_dir() else ():
            try:
                self._folder(path.name).read()
            except RequestError:
                names.append(path.name)
        return sorted(names)

    def logs(self, name: str) -> builtins.list[Path]:
        """Return the log files of a job, the most telling ones first.

        Raises
        ------
        UnknownJobError
            There is no such job.
        """
        folder = self._folder(name)
        folder.read()
        files = [path for path in folder.logs.rglob("*") if path.is_file()]
        return sorted(files, key=lambda path: (_telling(path, folder.logs), str(path)))

    def stacks(self, name: str) -> builtins.list[ProcessStacks]:
        """Return the Python stacks of every worker of a running job; see `in_flight.stacks`."""
        return stacks(self._folder(name))

    def cancel(self, name: str, wait_s: float) -> JobView:
        """Ask for the end of a job, from any process, and wait for it.

        Raises
        ------
        UnknownJobError
            There is no such job.
        JobStateError
            It has ended, or nobody works on it.
        """
        view = self.show(name)
        if Status(view.status).is_final:
            raise JobStateError(f"job {name} has ended already: {view.summary}")
        if view.is_interrupted:
            raise JobStateError(
                f"no process works on job {name}: it was interrupted. gristmill resume {name} goes on with it"
            )
        self._folder(name).cancel_request.touch()
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline and is_held(self._folder(name).lock):
            time.sleep(0.05)
        return self.show(name)

    def verify(self, name: str) -> Verification:
        """Prove from plan, journal and output that nothing is lost and nothing is there twice.

        Raises
        ------
        UnknownJobError
            There is no such job.
        JobStateError
            A process works on it just now.
        """
        folder = self._folder(name)
        folder.read()
        if is_held(folder.lock):
            raise JobStateError(f"job {name} is running; verify it when it has ended")
        return verify_job(folder)

    def replay(self, name: str, wanted: Wanted, say: Callable[[str], None]) -> Replayed:
        """Run a file of a job, or its mini-batch, again on our terminal; see `replaying.replay_in`."""
        from gristmill.service.replaying import (
            replay_in,  # with all that a rehearsal needs, and a run does not
        )

        return replay_in(self._folder(name), self.home, wanted, say)

    def _folder(self, name: str) -> JobFolder:
        if not name or "/" in name or name in (".", ".."):
            raise UnknownJobError(
                f"{name!r} is not the name of a job; gristmill job list names those that are"
            )
        return JobFolder(self.home.jobs / name)

    def _check_cache(self) -> None:
        """Make what all jobs need once, while nothing is begun yet."""
        try:
            worker_archive(self.home.cache)
        except OSError as error:
            raise HomeError(
                f"the home {self.home.path} cannot be used: {error.strerror}, in {self.home.cache}; "
                f"{_OTHER_HOME}"
            ) from error

    def _check_alone(self, job: Job) -> None:
        """Refuse an output that another job, running now, is going to write."""
        for staging in job.output.glob(".gristmill-*"):
            other = self._folder(staging.name.removeprefix(".gristmill-"))
            if is_held(other.lock) and other.read().target == job.target:
                raise OutputError(
                    f"job {other.name} is running and will write {job.target}; choose another "
                    "--output-path, or "
                    f"wait for it (gristmill job show {other.name})"
                )

    def _go_on(self, folder: JobFolder, job: Job, request: ResumeRequest, *, rerun: bool) -> RunningJob:
        """Begin a job again, after everything that it depends on was looked at."""

        def ready(execution: Execution) -> tuple[str, ...]:
            return make_ready(execution, request)

        with Surroundings.of_job(job, folder, self.home, self._say) as surroundings:
            notices = surroundings.compared(folder, is_forced=request.force)
            running = self._begin(folder, surroundings, notices, ready, rerun=rerun)
            running.notices += running.execution.notices
            if request.force:
                surroundings.write(folder)
            return running

    def _begin(
        self,
        folder: JobFolder,
        surroundings: Surroundings,
        notices: tuple[str, ...],
        ready: Callable[[Execution], tuple[str, ...]],
        *,
        rerun: bool = False,
    ) -> RunningJob:
        cancelling = Cancelling(folder)

        def make_engine(job: Job, identity: RunIdentity) -> Engine:
            assignment = assignment_of(job, folder, identity, surroundings.interpreter, self.home.cache)
            return LocalEngine(replace(assignment, workers=execution.useful_workers), sys.executable)

        execution = Execution(folder, make_engine, cancelling.reason, rerun=rerun)
        try:
            notices += ready(execution)
            execution.check_earlier_output()
        except BaseException:
            execution.release()
            raise
        useful = execution.useful_workers
        if useful < execution.job.workers and execution.job.deployment.settings.workers:
            notices = (
                *notices,
                f"{useful} of {execution.job.workers} workers are started: there is no more work",
            )
        return RunningJob(folder, execution, notices, cancelling, surroundings.handed_over())


def _plan_first(execution: Execution) -> tuple[str, ...]:
    """Make a new job ready: only its plan is to be begun."""
    execution.plan_first()
    return ()


def _telling(path: Path, logs: Path) -> int:
    """Rank a log file: what tells most comes first."""
    name = str(path.relative_to(logs))
    order = (
        "job_result",
        "job_error",
        "user/error",
        "user/stderr",
        "user/stdout",
        "user/entry",
        "job_progress",
        "sys",
    )
    return next((rank for rank, start in enumerate(order) if name.startswith(start)), len(order))
