"""How fast a job is, and how far, in one line."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from gristmill.shown.words import counted, duration

if TYPE_CHECKING:
    from gristmill.service.jobs import Progress

_WINDOW_S = 30.0
_SAMPLE_EVERY_S = 0.5


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


def fitting_sentence(progress: Progress, pace: Pace, room: int) -> str:
    """Say how far a job is in so many characters: the less room, the less is said.

    Parameters
    ----------
    progress
        How far it is.
    pace
        How fast it is.
    room
        Characters that there is room for.

    Returns
    -------
    str
        What `sentence` says; else without the workers, then without the pace; else ``12 %, 3 failed, 35 s
        left``, or the beginning of it.
    """
    items, failed, speed, left, workers = _parts(progress, pace)
    share = f"{progress.done * 100 // progress.items} %" if progress.plan_complete and progress.items else ""
    share = share or f"{progress.done:,} done"
    forms = (
        [items, failed, speed, left, workers],
        [items, failed, speed, left],
        [items, failed, left],
        [share, failed, left],
        [share, left],
        [share],
    )
    texts = (", ".join(filter(None, form)) for form in forms)
    return next((text for text in texts if len(text) <= room), share[: max(0, room)])


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
    return ", ".join(filter(None, _parts(progress, pace)))


def _parts(progress: Progress, pace: Pace) -> tuple[str, str, str, str, str]:
    """Return items, failed ones, pace, time left and workers; empty where there is nothing to say."""
    more = "" if progress.plan_complete else " or more"
    items = f"{progress.done:,} of {counted(progress.items, 'item', more)}"
    rate = left = ""
    speed = pace.items_per_s
    if speed is not None:
        rate = f"{speed:,.1f} items/s"
        if progress.plan_complete and progress.done < progress.items:
            left = f"{duration((progress.items - progress.done) / speed)} left"
    workers = f"{progress.ready:,} of {counted(progress.workers, 'worker')}" if progress.workers else ""
    return items, f"{progress.failed:,} failed", rate, left, workers
