"""How far a job is, for the eyes of people: a bar on a terminal, a line every ten seconds elsewhere.

What is said is the same in both. This module must not know how a job is run; the clock is passed in.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gristmill.cli.show import counted, duration
from gristmill.cli.streams import Stderr

if TYPE_CHECKING:
    from gristmill.service.jobs import Progress

LINE_EVERY_S = 10.0
_WINDOW_S = 30.0
_SAMPLE_EVERY_S = 0.5


class Display(Protocol):
    """Where progress is shown."""

    def note(self, text: str) -> None:
        """Show a sentence, unless it was shown before."""

    def show(self, progress: Progress) -> None:
        """Show how far the job is, with its new sentences; as often as you like."""

    def close(self) -> None:
        """Leave the stream as a shell expects it."""


def display(stderr: Stderr, clock: Callable[[], float] = time.monotonic) -> Display:
    """Choose how progress is shown: a bar where somebody looks, else lines.

    Parameters
    ----------
    stderr
        Where it is shown.
    clock
        Seconds that never go back.

    Returns
    -------
    Display
        Ready to be shown something.
    """
    if stderr.isatty():
        from gristmill.cli.bar import ProgressBar  # its library is heavy, and needed nowhere else

        return ProgressBar(stderr, clock)
    return ProgressLines(stderr, clock)


class ProgressLines:
    """One line every ten seconds, and a last one: what a log file can hold."""

    def __init__(self, stderr: Stderr, clock: Callable[[], float]) -> None:
        self._stderr = stderr
        self._clock = clock
        self._pace = Pace()
        self._said: set[str] = set()
        self._next_line_at: float | None = None
        self._latest = ""

    def note(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._stderr.say(f"notice: {text}")

    def show(self, progress: Progress) -> None:
        now = self._clock()
        for text in progress.notices:
            self.note(text)
        self._pace.add(now, progress.done)
        if self._next_line_at is None:
            self._next_line_at = now + LINE_EVERY_S
        self._latest = sentence(progress, self._pace)
        if now >= self._next_line_at:
            self._next_line_at = now + LINE_EVERY_S
            self._say_latest()

    def close(self) -> None:
        self._say_latest()

    def _say_latest(self) -> None:
        if self._latest:
            self._stderr.say(self._latest)
            self._latest = ""


class Pace:
    """How many items were done in a second, over the last half minute."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._latest = (0.0, 0)

    def add(self, now: float, done: int) -> None:
        """Take in how many items were done at a moment. What a resumed job had before does not count."""
        self._latest = (now, done)
        if not self._samples or now - self._samples[-1][0] >= _SAMPLE_EVERY_S:
            self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[1][0] >= _WINDOW_S:
            self._samples.popleft()

    @property
    def items_per_s(self) -> float | None:
        """Items in a second; None while there is nothing to tell it from."""
        if not self._samples:
            return None
        elapsed = self._latest[0] - self._samples[0][0]
        done = self._latest[1] - self._samples[0][1]
        return done / elapsed if elapsed > 0 and done > 0 else None


def sentence(progress: Progress, pace: Pace) -> str:
    """Say in one line how far a job is.

    Parameters
    ----------
    progress
        How far it is.
    pace
        How fast it is.

    Returns
    -------
    str
        ``1,200 of 10,000 items, 3 failed, 250.3 items/s, 35 s left, 2 of 2 workers``; while the input is
        still being listed, ``of 10,000 or more``, and no time left.
    """
    more = "" if progress.plan_complete else " or more"
    parts = [f"{progress.done:,} of {counted(progress.items, 'item', more)}", f"{progress.failed:,} failed"]
    speed = pace.items_per_s
    if speed is not None:
        parts.append(f"{speed:,.1f} items/s")
        if progress.plan_complete and progress.done < progress.items:
            parts.append(f"{duration((progress.items - progress.done) / speed)} left")
    if progress.workers:
        parts.append(f"{progress.ready:,} of {counted(progress.workers, 'worker')}")
    return ", ".join(parts)
