"""Progress in a notebook: one output, which is updated in place.

It is plain text, so that every notebook shows it, and a stored notebook keeps its last state. Nothing of
Jupyter is imported unless this process is a kernel and has done so already.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gristmill.shown.pace import Pace, sentence

if TYPE_CHECKING:
    from gristmill.service.jobs import Progress

DRAW_EVERY_S = 0.25
_BAR_WIDTH = 24


def is_notebook() -> bool:
    """Say whether this process is a notebook's kernel; nothing is imported to find out."""
    if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return getattr(shell, "kernel", None) is not None


class NotebookProgress:
    """A line with a bar; the job's name stands above it, notices below."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pace = Pace()
        self._title = ""
        self._line = ""
        self._latest: Progress | None = None
        self._notices: list[str] = []
        self._next_drawing_at = 0.0
        self._drawn = ""
        self._handle: Any = None

    def begin(self, title: str) -> None:
        self._title = title
        self._draw()

    def note(self, text: str) -> None:
        if text not in self._notices:
            self._notices.append(text)

    def show(self, progress: Progress) -> None:
        now = self._clock()
        for text in progress.notices:
            self.note(text)
        self._pace.add(now, progress.done)
        self._latest = progress
        self._line = f"{bar(progress)} {sentence(progress, self._pace)}"
        if now >= self._next_drawing_at:
            self._draw()

    def close(self) -> None:
        latest = self._latest
        if latest is not None and (latest.done < latest.items or not latest.plan_complete):
            # It has ended before its end: no time is left, no worker at work.
            self._line = f"{bar(latest)} {sentence(replace(latest, workers=0), Pace())}, stopped there"
        self._draw()

    def _draw(self) -> None:
        self._next_drawing_at = self._clock() + DRAW_EVERY_S
        lines = [self._title, self._line, *(f"notice: {text}" for text in self._notices)]
        text = "\n".join(line for line in lines if line)
        if text == self._drawn:
            return
        self._drawn = text
        shown = {"text/plain": text.encode("utf-8", "backslashreplace").decode("utf-8")}
        if self._handle is None:
            display = importlib.import_module("IPython.display").display
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


def bar(progress: Progress) -> str:
    """Draw how far a job is: ``[████████▌     ]  35 %``; an input that is still being listed has no end."""
    if not progress.plan_complete:
        return f"[{'·' * _BAR_WIDTH}]    %"
    share = progress.done / progress.items if progress.items else 0.0
    eighths = int(share * _BAR_WIDTH * 8)
    drawn = "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]
    return f"[{drawn:<{_BAR_WIDTH}}] {int(share * 100):3} %"
