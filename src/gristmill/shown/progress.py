"""How far a job is, for the eyes of people: a bar on a terminal, a line every ten seconds elsewhere.

What is said is the same in both. A door may bring a display of its own. This module must not know how a job
is run; the clock is passed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gristmill.shown.pace import Pace, sentence
from gristmill.shown.stream import Stream
from gristmill.shown.words import near

if TYPE_CHECKING:
    from gristmill.service.jobs import Progress

LINE_EVERY_S = 10.0


class Display(Protocol):
    """Where progress is shown."""

    def begin(self, title: str) -> None:
        """Say which job it is; first of all, and once."""

    def note(self, text: str) -> None:
        """Show a sentence, unless it was shown before."""

    def show(self, progress: Progress) -> None:
        """Show how far the job is, with its new sentences; as often as you like."""

    def close(self) -> None:
        """Leave the stream as a shell expects it."""


def display(stream: Stream, clock: Callable[[], float] = time.monotonic) -> Display:
    """Choose how progress is shown: a bar where somebody looks, else lines.

    Parameters
    ----------
    stream
        Where it is shown.
    clock
        Seconds that never go back.

    Returns
    -------
    Display
        Ready to be shown something.
    """
    if stream.isatty():
        from gristmill.shown.bar import ProgressBar  # its library is heavy, and needed nowhere else

        return ProgressBar(stream, clock)
    return ProgressLines(stream, clock)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What one start of a job took."""

    seconds: float
    items: int
    """Items that came to an end state in it; what an earlier start had finished does not count."""


class Watched(Protocol):
    """A job that is shown: one that this process works on, or one that it follows."""

    @property
    def name(self) -> str: ...

    @property
    def output(self) -> Path: ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What is to be said first."""

    def steps(self) -> Iterator[Progress]:
        """Yield how far it is, until it has ended."""


def show_steps(running: Watched, shown: Display, clock: Callable[[], float] = time.monotonic) -> Taken:
    """Work on a job until it has ended, and show how far it is.

    Parameters
    ----------
    running
        The job, begun and not yet worked on, or one that is followed.
    shown
        Where it is shown; it is closed, whatever happens.
    clock
        Seconds that never go back.

    Returns
    -------
    Taken
        How long it took, for how many items.

    Raises
    ------
    JobError
        The job cannot go on, and could not even say so.
    RequestError
        It is followed, and there is nothing more to follow.
    """
    shown.begin(f"job {running.name}; output in {near(str(running.output))}")
    began, first, done = clock(), None, 0
    try:
        for text in running.notices:
            shown.note(text)
        for progress in running.steps():
            shown.show(progress)
            done = progress.done
            first = done if first is None else first
    finally:
        shown.close()
    return Taken(seconds=clock() - began, items=done - (first or 0))


class ProgressLines:
    """One line every ten seconds, and a last one: what a log file can hold."""

    def __init__(self, stream: Stream, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._pace = Pace()
        self._said: set[str] = set()
        self._next_line_at: float | None = None
        self._latest = ""

    def begin(self, title: str) -> None:
        self._stream.say(title)

    def note(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._stream.say(f"notice: {text}")

    def show(self, progress: Progress) -> None:
        now = self._clock()
        for text in progress.notices:
            self.note(text)
        self._pace.add(now, progress.done)
        if self._next_line_at is None:
            self._next_line_at = now + LINE_EVERY_S
        is_begun = progress.items or progress.plan_complete or progress.workers  # else it still waits
        self._latest = sentence(progress, self._pace) if is_begun else ""
        if now >= self._next_line_at:
            self._next_line_at = now + LINE_EVERY_S
            self._say_latest()

    def close(self) -> None:
        self._say_latest()

    def _say_latest(self) -> None:
        if self._latest:
            self._stream.say(self._latest)
            self._latest = ""
