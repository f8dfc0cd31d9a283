"""The window of the backlog: what comes one by one, what as ranges, and what is taken out."""

from __future__ import annotations

from array import array

from gristmill.engine.contract import Span, Task
from gristmill.run.backlog import Backlog
from gristmill.run.window import Window
from unit.run.test_backlog import all_of, ledger_with


def filled(sizes: list[int], least: float, first: int = 0) -> Window:
    window = Window()
    window.fill(range(first, first + len(sizes)), array("Q", sizes), first, least)
    return window


def taken(window: Window, most: int) -> list[tuple[int, int]]:
    return [window.take(most) for _ in range(100) if window]


def test_large_ones_come_one_by_one_and_the_rest_in_plan_order() -> None:
    assert taken(filled([1, 9, 1, 1, 7, 1], least=5), 10) == [(1, 1), (4, 1), (0, 1), (2, 2), (5, 1)]


def test_equal_ones_keep_their_order() -> None:
    assert taken(filled([7, 7, 7], least=0, first=4), 10) == [(4, 1), (5, 1), (6, 1)]


def test_ranges_are_no_longer_than_wanted() -> None:
    assert taken(filled([1] * 5, least=2), 2) == [(0, 2), (2, 2), (4, 1)]


def test_one_that_is_taken_out_does_not_come() -> None:
    window = filled([1, 9, 1, 8], least=5)
    assert [window.discard(number) for number in (1, 2, 7)] == [True, True, False]
    assert (len(window), window.lowest, window.begins_large) == (2, 0, True)
    assert taken(window, 10) == [(3, 1), (0, 1)]
    assert window.lowest is None


def test_backlog_goes_on_in_plan_order_behind_the_window() -> None:
    backlog = Backlog(ledger_with())
    backlog.order(array("Q", [5, 9]), 0, 0.0)
    assert all_of(backlog, 4) == [Task(Span(1)), Task(Span(0)), Task(Span(2, 2))]


def test_what_is_done_or_was_tried_is_not_in_the_window() -> None:
    backlog = Backlog(ledger_with(scored=((1, 2),), failed=(4,), tried=(0,)))
    backlog.order(array("Q", [1, 2, 3, 4, 5, 6]), 0, 0.0)
    assert all_of(backlog, 6) == [Task(Span(0), 3), Task(Span(5)), Task(Span(3))]


def test_a_window_that_is_filled_again_keeps_what_is_left() -> None:
    backlog = Backlog(ledger_with())
    backlog.order(array("Q", [3, 9]), 0, 0.0)
    assert backlog.take(1, 4) == Task(Span(1))
    backlog.order(array("Q", [3, 9, 7, 1]), 0, 0.0)
    assert all_of(backlog, 4) == [Task(Span(2)), Task(Span(0)), Task(Span(3))]


def test_probes_are_taken_out_of_the_window() -> None:
    backlog = Backlog(ledger_with())
    backlog.order(array("Q", range(8)), 0, 0.0)
    assert backlog.take_fresh(7)
    assert not backlog.take_fresh(7)
    probes = backlog.fresh(16, 4)
    left = [
        n for task in all_of(backlog, 16) for n in range(task.span.first, task.span.first + task.span.batches)
    ]
    assert sorted([7, *probes, *left]) == list(range(16))
    assert len(probes) == 4


def test_remaining_and_lowest_count_the_window() -> None:
    backlog = Backlog(ledger_with(scored=((0, 1),)))
    assert backlog.lowest(6) == 1
    backlog.order(array("Q", [0, 1, 9]), 0, 0.0)
    assert (backlog.remaining(6), backlog.in_window, backlog.lowest(6)) == (5, 2, 1)
    assert backlog.begins_large
    backlog.put_back(Span(0), 1)
    assert not backlog.begins_large
