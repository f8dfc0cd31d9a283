"""Sets of mini-batches as intervals; what holds for all of them is in tests/property/test_intervals.py."""

from __future__ import annotations

from gristmill.run.intervals import Intervals


def of(*ranges: tuple[int, int]) -> Intervals:
    intervals = Intervals()
    for start, end in ranges:
        intervals.add(start, end)
    return intervals


def test_neighbours_become_one_interval() -> None:
    assert list(of((0, 3), (5, 6), (3, 5))) == [(0, 6)]


def test_adding_what_is_there_adds_nothing() -> None:
    intervals = of((0, 10))
    assert intervals.add(3, 7) == 0
    assert intervals.count == 10


def test_removing_from_the_middle_leaves_both_ends() -> None:
    intervals = of((0, 10))
    assert intervals.remove(3, 7) == 4
    assert list(intervals) == [(0, 3), (7, 10)]
    assert (2 in intervals, 3 in intervals, 7 in intervals) == (True, False, True)


def test_a_gap_ends_at_the_limit() -> None:
    assert of((0, 3)).gap(1, 8) == (3, 8)


def test_without_a_gap_start_and_end_are_equal() -> None:
    assert of((0, 8)).gap(2, 8) == (8, 8)


def test_ten_million_numbers_in_order_are_one_interval() -> None:
    intervals = Intervals()
    for start in range(0, 10_000_000, 16_384):
        intervals.add(start, start + 16_384)
    assert len(list(intervals)) == 1
