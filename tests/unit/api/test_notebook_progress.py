"""Progress in a notebook: what is drawn, and how often."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from gristmill.api.notebook import NotebookProgress, bar, is_notebook
from unit.cli.doubles import progress


class Cell:
    """Takes what a cell is shown, as IPython's `display` does."""

    def __init__(self) -> None:
        self.displays = 0
        self.texts: list[str] = []

    def display(self, data: dict[str, str], *, raw: bool, display_id: bool) -> Cell:
        self.displays += 1
        return self.update(data, raw=raw)

    def update(self, data: dict[str, str], *, raw: bool) -> Cell:
        self.texts.append(data["text/plain"])
        return self


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    shown = Cell()
    module: Any = ModuleType("IPython.display")
    module.display = shown.display
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def test_one_display_is_updated_four_times_a_second_and_at_the_end(cell: Cell) -> None:
    clock = Clock()
    shown = NotebookProgress(clock)
    shown.begin("job j; output in out")
    for step in range(101):
        clock.now = 1000.0 + step / 100
        shown.show(progress(step))
    shown.close()

    assert cell.displays == 1
    assert len(cell.texts) == 5
    assert cell.texts[0] == "job j; output in out"
    assert cell.texts[-1].startswith(f"job j; output in out\n[{'█' * 24}] 100 % 100 of 100 items")


def test_a_job_that_stops_has_no_time_left(cell: Cell) -> None:
    clock = Clock()
    shown = NotebookProgress(clock)
    shown.begin("job j")
    for step in (0, 6):
        clock.now += 1
        shown.show(progress(step))
    assert "s left" in cell.texts[-1]
    shown.close()

    assert cell.texts[-1] == f"job j\n[█▍{' ' * 22}]   6 % 6 of 100 items, 0 failed, stopped there"


def test_notices_stand_below_once(cell: Cell) -> None:
    shown = NotebookProgress(Clock())
    shown.note("init() is missing")
    shown.show(progress(1, notices=["init() is missing", "a worker died"]))
    shown.close()

    assert cell.texts[-1].splitlines()[1:] == ["notice: init() is missing", "notice: a worker died"]


def test_text_that_is_not_utf8_is_escaped(cell: Cell) -> None:
    NotebookProgress(Clock()).begin("output in \udcff")

    assert cell.texts == ["output in \\udcff"]


@pytest.mark.parametrize(
    ("done", "items", "drawn"),
    [
        (0, 100, f"[{' ' * 24}]   0 %"),
        (50, 100, f"[{'█' * 12}{' ' * 12}]  50 %"),
        (999, 1000, f"[{'█' * 23}▉]  99 %"),
        (0, 0, f"[{' ' * 24}]   0 %"),
    ],
)
def test_bar_never_says_more_than_is_done(done: int, items: int, drawn: str) -> None:
    assert bar(progress(done, items=items)) == drawn


def test_input_that_is_still_listed_has_no_share() -> None:
    assert "%" in bar(progress(5, complete=False))
    assert "█" not in bar(progress(5, complete=False))


def test_this_is_no_notebook() -> None:
    assert not is_notebook()
