"""How a start of a job comes to its engine: with workers of its own, or with those that stay loaded."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.engine.contract import Engine
from gristmill.engine.ground import OwnGround
from gristmill.engine.launch import Assignment
from gristmill.engine.local import LocalEngine
from gristmill.run.execution import RunIdentity
from gristmill.run.job_folder import Job, JobFolder
from gristmill.service.assignment import assignment_of
from gristmill.service.fingerprint import changed_code, code_state, model_state
from gristmill.service.surroundings import Surroundings
from gristmill.settings import Home

if TYPE_CHECKING:
    from gristmill.engine.standby import Standby
    from gristmill.engine.warm_pool import WarmPool

#: What is said where a deployment asks for workers that stay, and there is nobody who could keep them.
NOTHING_STAYS = (
    "gristmill.keep_warm_s has no meaning here: workers stay loaded between jobs that the runner runs, those "
    "of invoke and of run --detach"
)


def warm_folder(home: Home) -> Path:
    """Return where everything is that stays between jobs."""
    return home.runner / "warm"


class Warming:
    """The workers of one start of a job."""

    def __init__(self, pool: WarmPool | None, home: Home, folder: JobFolder) -> None:
        """Decide nothing yet.

        Parameters
        ----------
        pool
            Keeps workers between jobs; None: nobody does.
        home
            Whose job it is.
        folder
            The job.
        """
        self._pool = pool
        self._home = home
        self._folder = folder
        self._standby: Standby | None = None
        self._release: Callable[[], None] = lambda: None

    def mark(self, job: Job, surroundings: Surroundings) -> str:
        """Return the mark of this start: a new one, or that of what stays for jobs like this one.

        Raises
        ------
        OSError
            The code or the model cannot be read, or laid out where they stay.
        """
        keep_s = job.deployment.settings.keep_warm_s
        if self._pool is None or not keep_s:
            return os.urandom(16).hex()
        self._standby = self._found(self._pool, job, surroundings, keep_s)
        return self._standby.run_id

    def engine(self, job: Job, identity: RunIdentity, surroundings: Surroundings, seats: int) -> Engine:
        """Return the engine of this start, with so many workers.

        Raises
        ------
        OSError
            The model cannot be read, or laid out.
        """
        if identity.earlier:
            identity = replace(identity, earlier=self._left_of(identity.earlier))
        standby, interpreter = self._standby, surroundings.interpreter
        give_way = self._pool.give_way if self._pool is not None else lambda: False
        model = standby.model if standby is not None else None
        assignment = assignment_of(job, self._folder, identity, interpreter, self._home.cache, model)
        if standby is None:
            assignment = replace(assignment, workers=seats)
            return LocalEngine(assignment, OwnGround(sys.executable), give_way=give_way)
        return LocalEngine(standby.place(assignment), standby, seats=seats, give_way=give_way)

    def _left_of(self, runs: tuple[str, ...]) -> tuple[str, ...]:
        """Return the marks of earlier starts after which nobody looks."""
        from gristmill.engine.standby import is_looked_after  # a new job has none

        return tuple(run for run in runs if not is_looked_after(warm_folder(self._home), run))

    def over(self, release: Callable[[], None]) -> Callable[[], None]:
        """Return what is to be called when the job is over, with what it gives back."""
        self._release = release
        return self._end

    def _end(self) -> None:
        standby = self._standby
        if standby is None or not standby.holds(self._release):
            self._release()
        if standby is not None and self._pool is not None and not standby.workers:
            self._pool.drop(standby)

    def _found(self, pool: WarmPool, job: Job, surroundings: Surroundings, keep_s: float) -> Standby:
        """Return what stays for jobs like this one; make it where there is none, or its code was changed."""
        from gristmill.service.warm_key import warm_key  # most jobs need none

        model = job.deployment.model
        bare = replace(job, deployment=replace(job.deployment, model=None))
        identity = RunIdentity(fence=1, run_id="", earlier=())
        told = assignment_of(bare, self._folder, identity, surroundings.interpreter, self._home.cache)
        state = {} if model is None else {"": os.path.realpath(model.path), **model_state(model.path)}
        ready = surroundings.ready
        key = warm_key(told, state, ready.record.key if ready is not None else "")
        called = _called(job)
        standby, is_new = pool.standby(key, keep_s, called)
        if not is_new and changed_code(standby.code_state, {}, standby.code):
            pool.drop(standby)
            standby, is_new = pool.standby(key, keep_s, called)
        if is_new:
            try:
                _furnish(standby, told)
            except BaseException:
                pool.drop(standby)
                raise
            standby.hold(surroundings.release)
        return standby


def _called(job: Job) -> str:
    """Return the endpoint and the deployment, as the line of jobs names them."""
    deployment = job.deployment
    is_named = deployment.endpoint_name and deployment.name
    return f"{deployment.endpoint_name}/{deployment.name}" if is_named else deployment.called


def _furnish(standby: Standby, told: Assignment) -> None:
    """Give it a copy of the code."""
    shutil.copytree(told.code, standby.code, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    standby.code_state = code_state(standby.code)
