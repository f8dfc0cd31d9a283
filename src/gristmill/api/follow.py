"""Follow a job to its end from Python: where its progress is shown, and what an interrupt does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from gristmill.api.interrupts import Interrupts
from gristmill.api.notebook import NotebookProgress, is_notebook
from gristmill.api.words import in_python
from gristmill.shown.progress import Display, display, show_steps
from gristmill.shown.stream import Stream

if TYPE_CHECKING:
    from gristmill.service.jobs import JobView, Progress, RunningJob


def follow(running: RunningJob, *, progress: bool) -> JobView:
    """Work on a job until it has ended.

    Parameters
    ----------
    running
        The job, begun and not yet worked on.
    progress
        Whether it is shown how far the job is: in a notebook, as a bar on a terminal, or in lines on stderr.

    Returns
    -------
    JobView
        The job as it ended.

    Raises
    ------
    KeyboardInterrupt
        The job was interrupted; it has been cancelled in order, and what is finished is kept.
    JobError
        The job cannot go on, and could not even say so.
    """
    with Interrupts(running.cancel) as interrupts:
        show_steps(running, InPython(_display()) if progress else NoDisplay())
    view = running.view
    if interrupts.is_interrupted:
        onward = f"; {in_python(view.next_command)} goes on with it" if view.next_command else ""
        raise KeyboardInterrupt(f"job {view.name}: {view.summary}{onward}")
    return view


def teller(*, progress: bool) -> Callable[[str], None]:
    """Return what is told how things go before a job begins: stderr, or nobody."""
    if not progress:
        return lambda _: None
    say = Stream(sys.stderr).say
    return lambda text: say(in_python(text))


def _display() -> Display:
    return NotebookProgress() if is_notebook() else display(Stream(sys.stderr))


class InPython:
    """Any display, with notices in the words of Python."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self.begin = display.begin
        self.close = display.close

    def note(self, text: str) -> None:
        self._display.note(in_python(text))

    def show(self, progress: Progress) -> None:
        for text in progress.notices:
            self.note(text)
        self._display.show(replace(progress, notices=()))


class NoDisplay:
    """Shows nothing."""

    def begin(self, title: str) -> None:
        """Keep it quiet."""

    def note(self, text: str) -> None:
        """Keep it quiet."""

    def show(self, progress: Progress) -> None:
        """Keep it quiet."""

    def close(self) -> None:
        """Nothing is open."""
