"""What the workers of a run stand on: a temporary folder, slots, a guard; and what becomes of all that."""

from __future__ import annotations

import selectors
import shutil
import signal
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from gristmill.engine.guarding import Guarding
from gristmill.engine.launch import Assignment, Launched, launch_worker, make_slots, scratch_folder
from gristmill.engine.loaded import Loaded, Taken
from gristmill.engine.process import let_children_be_awaited
from gristmill.engine.sweep import RUN_MARK, sweep


class Ground(Protocol):
    """What an engine asks of it."""

    keeps_workers: bool
    """Whether workers that are loaded may be left here when the job is over."""

    def open(self, assignment: Assignment, selector: selectors.BaseSelector) -> None:
        """Make ready for workers; the selector tells of the guard's death, as ``(None, "guard")``.

        Raises
        ------
        OSError
            There is no room, or no process can be started.
        """

    def replace_guard(self) -> None:
        """The guard is dead: start another."""

    def launch(self, archive: Path, worker: int, part: int) -> Launched:
        """Spawn a worker for a slot.

        Raises
        ------
        OSError
            It cannot be spawned.
        """

    def take(self, worker: int) -> Loaded | None:
        """Return the worker that was left here for a slot, for good; None where there is none."""

    def terms(self, assignment: Assignment, loaded: Loaded, now: float) -> Taken:
        """Return how a worker that was left here is taken over."""

    def leave(self, worker: int, loaded: Loaded) -> None:
        """Let a worker stay here; the engine does not look at it any more."""

    def with_strays(self, marks: Collection[str]) -> frozenset[str]:
        """Return those of the workers with these marks of which processes live that they have started."""

    def close(self) -> None:
        """The run is over: leave nothing of it, or nothing but what was left here."""


class OwnGround:
    """The ground of one run, which ends with it."""

    keeps_workers = False

    def __init__(self, python: str) -> None:
        """Take our own interpreter, for the guard."""
        self._python = python
        self._assignment: Assignment
        self._guarding: Guarding | None = None
        self._ignores_children = False

    def open(self, assignment: Assignment, selector: selectors.BaseSelector) -> None:
        """Make folders and slots, and start the guard."""
        self._assignment = assignment
        self._ignores_children = let_children_be_awaited()
        assignment.scratch.mkdir(parents=True, exist_ok=True)
        make_slots(assignment)
        self._guarding = Guarding(assignment.run_id, assignment.scratch, self._python)
        self._guarding.start()
        self._guarding.watch(selector)

    def replace_guard(self) -> None:
        """Somebody killed the guard; without one, our own death would leave orphans."""
        assert self._guarding is not None
        self._guarding.replace()

    def launch(self, archive: Path, worker: int, part: int) -> Launched:
        """Spawn a worker."""
        return launch_worker(self._assignment, archive, worker, part)

    def take(self, worker: int) -> Loaded | None:
        """Return None: every worker is a new one."""
        return None

    def terms(self, assignment: Assignment, loaded: Loaded, now: float) -> Taken:
        """Refuse: nothing was left here."""
        raise AssertionError("there is no worker to be taken over")

    def leave(self, worker: int, loaded: Loaded) -> None:
        """Refuse: nothing stays here."""
        raise AssertionError("a worker cannot outlive the ground of one run")

    def with_strays(self, marks: Collection[str]) -> frozenset[str]:
        """Return nobody: all of them are swept away in the end."""
        return frozenset()

    def close(self) -> None:
        """Nothing that carries the run's mark is left behind, and no temporary folder; idempotent."""
        if self._guarding is None:
            return
        sweep(RUN_MARK, self._assignment.run_id)
        shutil.rmtree(self._assignment.scratch, ignore_errors=True)
        self._guarding.close(is_clean=True)
        self._guarding = None
        if self._ignores_children:
            self._ignores_children = False
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def sweep_earlier(runs: Sequence[str]) -> None:
    """Remove what may be left of earlier runs of a job: processes and temporary folders."""
    for run_id in runs:
        sweep(RUN_MARK, run_id)
        shutil.rmtree(scratch_folder(run_id), ignore_errors=True)
