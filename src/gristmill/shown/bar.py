"""A bar that moves, on a terminal. The only importer of `rich`.

It is drawn only by `ProgressBar.show`, never from a thread, and only once a job takes longer than a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, TYPE_CHECKING, cast

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Column
from rich.text import Text

from gristmill.shown.pace import Pace, fitting_sentence
from gristmill.shown.stream import Stream

if TYPE_CHECKING:
    from gristmill.service.jobs import Progress

FIRST_AFTER_S = 0.5
DRAW_EVERY_S = 0.1
_BAR_WIDTH = 24
#: Columns at the right that stay free: a line that wraps could not be wiped, and a terminal adds ``^C``.
_FREE = 3


class ProgressBar:
    """A bar with a sentence beside it; notices stand above it, and it is gone at the end."""

    def __init__(self, stream: Stream, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._console = Console(file=cast(IO[str], stream), highlight=False, markup=False)
        self._clock = clock
        self._pace = Pace()
        self._said: set[str] = set()
        self._column = BarColumn(bar_width=_BAR_WIDTH)
        self._bar = RichProgress(
            self._column,
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("", total=None)
        self._next_drawing_at: float | None = None
        self._is_drawn = False

    def begin(self, title: str) -> None:
        self._stream.say(title)

    def note(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._console.print(Text(f"notice: {text}"), soft_wrap=True)

    def show(self, progress: Progress) -> None:
        now = self._clock()
        for text in progress.notices:
            self.note(text)
        self._pace.add(now, progress.done)
        if self._next_drawing_at is None:
            self._next_drawing_at = now + FIRST_AFTER_S
        if now < self._next_drawing_at:
            return
        self._next_drawing_at = now + DRAW_EVERY_S
        width = self._console.width
        self._column.bar_width = min(_BAR_WIDTH, max(1, width // 5))
        self._bar.update(
            self._task,
            total=progress.items if progress.plan_complete else None,
            completed=progress.done,
            description=fitting_sentence(progress, self._pace, width - self._column.bar_width - 1 - _FREE),
        )
        if self._is_drawn:
            self._bar.refresh()
        else:
            self._is_drawn = True
            self._bar.start()

    def close(self) -> None:
        if self._is_drawn:
            self._bar.stop()
