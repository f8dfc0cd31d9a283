"""Following a job that another process works on: how far it is and what is said of it, until it has ended.

Everything is read from the job's folder, so that it does not matter who works on it, nor whether that dies
and another goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from gristmill.errors import JobStateError
from gristmill.run.job_folder import JobFolder, Status
from gristmill.run.lock import is_held
from gristmill.run.progress import Progress
from gristmill.run.pulse import read_pulse
from gristmill.service.queue.line import Line, is_being_made, place_of
from gristmill.service.queue.waiting import Waiting
from gristmill.service.queue.waking import wake_if_needed
from gristmill.service.views import JobView, view_of
from gristmill.settings import Home

_LOOK_EVERY_S = 0.2
_WAKE_EVERY_S = 1.0
_PLACE_EVERY_S = 5.0
#: A job that says that it runs, and that nobody has, for so long, was interrupted.
_DEAD_AFTER_S = 1.0
_NOTHING = Progress(items=0, plan_complete=False, done=0, failed=0, workers=0, ready=0)


class FollowedJob:
    """A job, as one that looks on sees it; shown like one that this process works on."""

    def __init__(
        self,
        home: Home,
        folder: JobFolder,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin to look.

        Parameters
        ----------
        home, folder
            The job.
        clock
            Seconds that never go back.
        pause
            Waits for so many seconds.

        Raises
        ------
        UnknownJobError, JobStateError
            There is no such job, or it cannot be read.
        """
        self._job = folder.read()
        self.name = folder.name
        self.folder: Path = folder.path
        self.output = self._job.output
        self.notices: tuple[str, ...] = ()
        self._home = home
        self._folder = folder
        self._clock = clock
        self._pause = pause
        self._events_at = 0
        self._place = ""
        self._next_place_at = self._next_wake_at = 0.0
        self._dead_since: float | None = None

    def steps(self) -> Iterator[Progress]:
        """Look until the job has ended; yield how far it is, and what is new.

        Raises
        ------
        JobStateError
            Nobody works on it, and nobody is going to: it was interrupted.
        UnknownJobError
            It was removed meanwhile.
        """
        while True:
            self._job = job = self._folder.read()  # first: what is said before it ends is read behind this
            progress = read_pulse(self._folder) if job.starts else None
            yield replace(progress or _NOTHING, notices=(*self._said(), *self._about_waiting()))
            if job.status.is_final:
                return
            self._check_alive()
            self._pause(_LOOK_EVERY_S)

    @property
    def view(self) -> JobView:
        """How the job stands now."""
        return view_of(self._job, self._folder, is_held=False)

    def _said(self) -> tuple[str, ...]:
        """Return what was said of it since the last time."""
        try:
            with open(self.folder / "events.jsonl", "rb") as file:
                file.seek(self._events_at)
                lines = file.read().splitlines(keepends=True)
        except OSError:
            return ()
        whole = [line for line in lines if line.endswith(b"\n")]
        self._events_at += sum(map(len, whole))
        return tuple(filter(None, map(_in_words, whole)))

    def _about_waiting(self) -> tuple[str, ...]:
        """Say where in the line it stands, when that has changed."""
        now = self._clock()
        if self._job.status is not Status.QUEUED or now < self._next_place_at:
            return ()
        self._next_place_at = now + _PLACE_EVERY_S
        place = place_of(self.name, Line(self._home).look()[0], self._home)
        if place is None or place[1] == self._place:
            return ()
        self._place = place[1]
        return (f"Queued: {place[1]}",)

    def _check_alive(self) -> None:
        """See to it that there is a runner for a job that waits for one; give up on one that has nobody."""
        now = self._clock()
        if is_held(self._folder.lock) or is_being_made(self._folder):
            self._dead_since = None
        elif Waiting(self._home).has(self.name):
            self._dead_since = None
            if now >= self._next_wake_at:
                self._next_wake_at = now + _WAKE_EVERY_S
                wake_if_needed(self._home)
        elif self._dead_since is None:
            self._dead_since = now
        elif now - self._dead_since > _DEAD_AFTER_S and not self._folder.read().status.is_final:
            raise JobStateError(
                f"no process works on job {self.name}: it was interrupted. gristmill resume {self.name} goes "
                "on with it"
            )


def _in_words(line: bytes) -> str | None:
    """Say an event in words, as far as whoever follows should know of it."""
    try:
        event: dict[str, Any] = json.loads(line)
        kind = event["event"]
        if kind in ("notice", "building"):
            return str(event["text"]).strip()
        if kind == "slot_died":
            return f"the process that ran the job {event['how']}; another goes on with it"
    except (ValueError, LookupError, TypeError):
        return None  # torn by a loss of power
    return None
