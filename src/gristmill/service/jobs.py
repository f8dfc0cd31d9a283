"""Jobs: run, resume, rerun, show, list, logs, cancel, verify, replay: every door calls these verbs."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.errors import (
    JobStateError,
    RequestError,
    UnknownJobError,
)
from gristmill.run.job_folder import JobFolder, Origin, Status
from gristmill.run.lock import is_held
from gristmill.run.progress import Progress
from gristmill.run.verify import Verification, verify_job
from gristmill.service.beginning import AS_IT_IS, Beginning
from gristmill.service.in_flight import ProcessStacks, stacks
from gristmill.service.request import (
    RunRequest,
)
from gristmill.service.rerunning import something_to_rerun
from gristmill.service.resuming import ResumeRequest
from gristmill.service.running import RunningJob
from gristmill.service.views import JobView, view_of
from gristmill.settings import Home

if TYPE_CHECKING:
    from gristmill.engine.warm_pool import WarmPool
    from gristmill.service.queue.following import FollowedJob
    from gristmill.service.queue.line import Waiter
    from gristmill.service.replay_part import Wanted
    from gristmill.service.replaying import Replayed

__all__ = ["JobView", "Jobs", "Progress", "ResumeRequest", "RunRequest", "RunningJob", "Verification"]


class Jobs:
    """The jobs of one home."""

    def __init__(
        self, home: Home, say: Callable[[str], None] = lambda _: None, warm: WarmPool | None = None
    ) -> None:
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
        self.home = home
        self._beginning = Beginning(home, say, warm)

    def run(self, request: RunRequest) -> RunningJob:
        """Make a job and begin it.

        Raises
        ------
        RequestError
            Something that was asked for cannot be done: every cause that can be known before work begins.
            Nothing was started and no job is left behind.
        """
        return self._beginning.run(request)

    def resume(self, name: str, request: ResumeRequest = AS_IT_IS) -> RunningJob:
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
        if job.starts == 0 and job.origin is not Origin.RUN:
            return self._begin_waiting(folder, request)
        return self._beginning.go_on(folder, job, request, rerun=job.status is Status.COMPLETED)

    def rerun(self, name: str, request: ResumeRequest = AS_IT_IS) -> RunningJob | None:
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
        return self._beginning.go_on(folder, job, request, rerun=True)

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
        folder.read()
        return self._view(folder, self._line())

    def list(self) -> list[JobView]:
        """Return all jobs that can be read and are not archived, the newest first."""
        views, line = [], self._line()
        for path in self.home.jobs.iterdir() if self.home.jobs.is_dir() else ():
            try:
                view = self._view(self._folder(path.name), line)
                if not view.is_archived:
                    views.append(view)
            except RequestError:
                continue  # a folder without a readable job.json: made a moment ago, or not a job
        return sorted(views, key=lambda view: (view.created_at, view.name), reverse=True)

    def follow(self, name: str) -> FollowedJob:
        """Follow a job that another process works on, or is going to.

        Raises
        ------
        UnknownJobError
            There is no such job.
        JobStateError
            Its ``job.json`` cannot be read.
        """
        from gristmill.service.queue.following import FollowedJob  # a run never waits
        from gristmill.service.queue.waking import wake_if_needed

        wake_if_needed(self.home)
        return FollowedJob(self.home, self._folder(name))

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
        from gristmill.service.queue.cancelling import cancel_waiting

        view = self.show(name)
        if view.waiting is not None and cancel_waiting(self._folder(name)):
            return self.show(name)
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

    def _line(self) -> builtins.list[Waiter]:
        """Look who waits for the runner, and see to it that there is one."""
        from gristmill.service.queue.line import Line
        from gristmill.service.queue.waking import wake_if_needed

        wake_if_needed(self.home)
        return Line(self.home).look()[0]

    def _view(self, folder: JobFolder, line: Sequence[Waiter]) -> JobView:
        from gristmill.service.queue.line import place_of

        held = is_held(folder.lock)  # first: a job that ends meanwhile is not one that was interrupted
        return view_of(folder.read(), folder, is_held=held, place=place_of(folder.name, line, self.home))

    def _begin_waiting(self, folder: JobFolder, request: ResumeRequest) -> RunningJob:
        """Begin a job here and now that waited for the runner, or did so until it was cancelled."""
        if request.force or request.new or request.overrides:
            raise JobStateError(
                f"job {folder.name} has never begun, so that nothing of it can be changed: resume it as it "
                "is, or start a new one"
            )
        running = self._beginning.start(folder, again=True)
        if running is None:
            raise JobStateError(f"job {folder.name} cannot begin: {folder.read().message}")
        return running

    def _folder(self, name: str) -> JobFolder:
        if not name or "/" in name or name in (".", ".."):
            raise UnknownJobError(
                f"{name!r} is not the name of a job; gristmill job list names those that are"
            )
        return JobFolder(self.home.jobs / name)


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
