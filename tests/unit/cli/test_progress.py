"""What is said of a job's progress, and when."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.cli.streams import Stderr
from gristmill.shown.bar import ProgressBar
from gristmill.shown.pace import Pace, fitting_sentence, sentence
from gristmill.shown.progress import ProgressLines, display
from unit.cli.doubles import progress


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def lines(stream: io.StringIO, clock: Clock) -> ProgressLines:
    return ProgressLines(Stderr(stream), clock)


def test_a_line_is_said_every_ten_seconds_and_a_last_one(
    lines: ProgressLines, stream: io.StringIO, clock: Clock
) -> None:
    for second in range(26):
        clock.now = 1000.0 + second
        lines.show(progress(2 * second))
    lines.close()

    assert stream.getvalue().splitlines() == [
        "20 of 100 items, 0 failed, 2.0 items/s, 40 s left, 2 of 2 workers",
        "40 of 100 items, 0 failed, 2.0 items/s, 30 s left, 2 of 2 workers",
        "50 of 100 items, 0 failed, 2.0 items/s, 25 s left, 2 of 2 workers",
    ]


def test_last_line_is_not_said_twice(lines: ProgressLines, stream: io.StringIO, clock: Clock) -> None:
    lines.show(progress(0))
    clock.now += 10
    lines.show(progress(100, failed=3))
    lines.close()

    assert stream.getvalue() == "100 of 100 items, 3 failed, 10.0 items/s, 2 of 2 workers\n"


def test_nothing_is_said_of_a_job_that_took_no_step(lines: ProgressLines, stream: io.StringIO) -> None:
    lines.close()

    assert stream.getvalue() == ""


def test_no_numbers_are_said_of_a_job_that_waits(
    lines: ProgressLines, stream: io.StringIO, clock: Clock
) -> None:
    waits = replace(progress(0), items=0, plan_complete=False, workers=0, ready=0)
    for second in range(12):
        clock.now = 1000.0 + second
        lines.show(replace(waits, notices=("Queued: next in line",)))
    lines.close()

    assert stream.getvalue() == "notice: Queued: next in line\n"


def test_notice_is_said_at_once_and_once(lines: ProgressLines, stream: io.StringIO) -> None:
    lines.note("init() is missing")
    lines.show(progress(1, notices=["a worker died", "init() is missing"]))
    lines.show(progress(2, notices=["a worker died"]))

    assert stream.getvalue() == "notice: init() is missing\nnotice: a worker died\n"


def test_input_that_is_still_listed_has_no_end_yet() -> None:
    pace = Pace()
    pace.add(0.0, 0)
    pace.add(10.0, 1200)

    said = sentence(progress(1200, items=10_000, complete=False), pace)

    assert said == "1,200 of 10,000 or more items, 0 failed, 120.0 items/s, 2 of 2 workers"


def test_what_a_resumed_job_had_before_is_no_pace() -> None:
    pace = Pace()
    pace.add(0.0, 5000)
    pace.add(10.0, 5100)

    assert pace.items_per_s == 10.0


def test_pace_is_that_of_the_last_half_minute() -> None:
    pace = Pace()
    for second in range(101):
        pace.add(float(second), 0 if second < 60 else 3 * (second - 60))

    assert pace.items_per_s == 3.0


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 1000)), min_size=1, max_size=50))
def test_pace_is_never_negative_and_never_fails(steps: list[tuple[float, int]]) -> None:
    pace, now, done = Pace(), 0.0, 0
    for seconds, items in steps:
        now, done = now + seconds, done + items
        pace.add(now, done)

    assert pace.items_per_s is None or pace.items_per_s > 0


@pytest.mark.parametrize(
    ("stream_kind", "term", "kind"),
    [
        (Terminal, "xterm", ProgressBar),
        (Terminal, "dumb", ProgressLines),
        (io.StringIO, "xterm", ProgressLines),
    ],
)
def test_only_a_terminal_gets_a_bar(
    stream_kind: type[io.StringIO], term: str, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)

    assert type(display(Stderr(stream_kind()))) is kind


def test_bar_shows_the_sentence_and_notices_above_it(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    terminal = Terminal()
    bar = ProgressBar(Stderr(terminal), clock)
    for second in range(4):
        clock.now = 1000.0 + second
        bar.show(progress(10 * second, notices=["a worker [died]"]))
    bar.close()

    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert "30 of 100 items, 0 failed, 10.0 items/s, 7 s left, 2 of 2 workers" in shown
    assert shown.count("notice: a worker [died]") == 1


@pytest.mark.parametrize("columns", [20, 40, 60, 79, 80, 100, 120])
@pytest.mark.parametrize(("items", "complete"), [(100, True), (12_345_678, True), (12_345_678, False)])
def test_bar_is_one_line_that_leaves_room_for_a_typed_ctrl_c(
    columns: int, items: int, complete: bool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal()
    bar = ProgressBar(Stderr(terminal), clock)
    for second in range(4):
        clock.now = 1000.0 + second
        bar.show(progress(items // 5 + second, items=items, failed=7, complete=complete))
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    bar.close()

    widths = [len(line) for line in re.split(r"[\r\n]+", drawn)]
    assert 5 < max(widths) <= columns - 3
    assert "\n" not in drawn
    assert (" %" in drawn or "of 1" in drawn) if complete else "2,469,1" in drawn


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (80, "20 of 100 items, 0 failed, 2.0 items/s, 40 s left, 2 of 2 workers"),
        (60, "20 of 100 items, 0 failed, 2.0 items/s, 40 s left"),
        (40, "20 of 100 items, 0 failed, 40 s left"),
        (30, "20 %, 0 failed, 40 s left"),
        (20, "20 %, 40 s left"),
        (4, "20 %"),
        (2, "20"),
        (-1, ""),
    ],
)
def test_the_less_room_the_less_is_said(room: int, said: str) -> None:
    pace = Pace()
    pace.add(0.0, 0)
    pace.add(10.0, 20)

    assert fitting_sentence(progress(20), pace, room) == said


def test_job_of_a_moment_draws_no_bar(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    bar = ProgressBar(Stderr(terminal), clock)
    bar.show(progress(0))
    clock.now += 0.4
    bar.show(progress(100))
    bar.close()

    assert terminal.getvalue() == ""


def test_terminal_that_has_gone_is_no_error(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    monkeypatch.setenv("TERM", "xterm")
    bar = display(Stderr(Gone()), clock)
    bar.note("still here")
    for second in range(3):
        clock.now = 1000.0 + second
        bar.show(progress(second))
    bar.close()

    assert isinstance(bar, ProgressBar)
