"""The line in which jobs wait: what is to be known of each, and whose turn it is.

Read from the jobs' folders, which are the truth; a job that has not changed is not read again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass

from gristmill.errors import JobStateError, UnknownJobError
from gristmill.run.job_folder import Job, JobFolder, Status
from gristmill.run.lock import is_held
from gristmill.service.queue.presence import trouble_of
from gristmill.service.queue.waiting import Waiting
from gristmill.settings import Home

_MOST_NAMED = 3
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True, kw_only=True)
class Waiter:
    """A job that waits or runs."""

    name: str
    status: Status
    priority: int
    created_at: str
    is_worked_on: bool
    """Whether a process has it just now."""
    deployment: str
    """The endpoint and the deployment that it is of, as ``endpoint/deployment``, or what that is called."""

    @property
    def turn(self) -> tuple[int, str, str]:
        """What the line is sorted by: the highest priority, then the oldest."""
        return (-self.priority, self.created_at, self.name)


class Line:
    """The jobs of a home that have been accepted and have not ended."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._waiting = Waiting(home)
        self._known: dict[str, tuple[tuple[int, int], Job]] = {}

    def look(self) -> tuple[list[Waiter], list[str]]:
        """Look who is there.

        Returns
        -------
        tuple
            Who waits or runs, in their turn; and the names of those of which there is nothing more to be
            done: they have ended, are gone, or cannot be read.
        """
        names = self._waiting.names()
        waiters, over = [], []
        for name in names:
            folder = JobFolder(self._home.jobs / name)
            if is_being_made(folder):
                continue
            try:
                job = self._read(folder)
            except (UnknownJobError, JobStateError):
                over.append(name)
                continue
            if job.status.is_final:
                over.append(name)
            else:
                waiters.append(waiter(job, is_worked_on=is_held(folder.lock)))
        self._known = {name: self._known[name] for name in names if name in self._known}
        return sorted(waiters, key=lambda one: one.turn), over

    def _read(self, folder: JobFolder) -> Job:
        try:
            found = os.stat(folder.path / "job.json")
        except OSError:
            return folder.read()  # which says what is wrong
        version = (found.st_ino, found.st_mtime_ns)
        known = self._known.get(folder.name)
        if known is None or known[0] != version:
            known = self._known[folder.name] = (version, folder.read())
        return known[1]


def waiter(job: Job, *, is_worked_on: bool) -> Waiter:
    """Return what the line knows of a job."""
    deployment = job.deployment
    named = deployment.endpoint_name and deployment.name
    return Waiter(
        name=job.name,
        status=job.status,
        priority=job.priority,
        created_at=job.created_at,
        is_worked_on=is_worked_on,
        deployment=f"{deployment.endpoint_name}/{deployment.name}" if named else deployment.called,
    )


def is_being_made(folder: JobFolder) -> bool:
    """Say whether the process that makes a job has not let go of it yet; see `run.making`."""
    try:
        descriptor = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def place_of(name: str, waiters: Iterable[Waiter], home: Home) -> tuple[int, str] | None:
    """Say where a job stands in the line, as `place_in_line` does, and what is in its way."""
    place = place_in_line(name, waiters)
    trouble = trouble_of(home, name) if place is not None else None
    return (place[0], f"{place[1]}; it cannot begin: {trouble}") if place and trouble else place


def place_in_line(name: str, waiters: Iterable[Waiter]) -> tuple[int, str] | None:
    """Say where a job stands in the line.

    Parameters
    ----------
    name
        The job.
    waiters
        Who waits or runs, in their turn.

    Returns
    -------
    tuple or None
        Its number, 1 for the next one, and the place in words: ``3rd in line behind a and b``; None where it
        does not wait.
    """
    everyone = list(waiters)
    waiting = [one.name for one in everyone if not one.is_worked_on]
    if name not in waiting:
        return None
    before = waiting[: waiting.index(name)]
    running = [one.name for one in everyone if one.is_worked_on]
    number = len(before) + 1
    if number > 1:
        return number, f"{_ordinal(number)} in line behind {_names(before)}"
    behind = f" behind {_names(running)}, which {'runs' if len(running) == 1 else 'run'}" if running else ""
    return number, f"next in line{behind}"


def _names(names: list[str]) -> str:
    """Name those right before a job, as far as they are few."""
    shown = names[-_MOST_NAMED:]
    more = len(names) - len(shown)
    listed = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
    others = "1 other" if more == 1 else f"{more:,} others"
    return f"{others}, {listed}" if more else listed


def _ordinal(number: int) -> str:
    last = 0 if number % 100 in (11, 12, 13) else number % 10
    return f"{number:,}{_ENDINGS.get(last, 'th')}"
