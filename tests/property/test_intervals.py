"""Intervals are a plain set of numbers, whatever is added and removed."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gristmill.run.intervals import MOST_INTERVALS, Intervals

NUMBER = st.integers(0, 40)
RANGE = st.tuples(NUMBER, st.integers(1, 15)).map(lambda pair: (pair[0], sum(pair)))
MOST = st.sampled_from([0, 2, MOST_INTERVALS])
CHANGES = st.lists(st.tuples(st.sampled_from(["add", "remove"]), RANGE), max_size=30)


def after(changes: list[tuple[str, tuple[int, int]]], most: int) -> tuple[Intervals, set[int]]:
    intervals, plain = Intervals(most), set[int]()
    for what, (start, end) in changes:
        numbers = set(range(start, end))
        if what == "add":
            assert intervals.add(start, end) == len(numbers - plain)
            plain |= numbers
        else:
            assert intervals.remove(start, end) == len(numbers & plain)
            plain -= numbers
    return intervals, plain


@given(CHANGES, MOST)
def test_intervals_hold_what_a_set_holds(changes: list[tuple[str, tuple[int, int]]], most: int) -> None:
    intervals, plain = after(changes, most)
    assert {number for number in range(60) if number in intervals} == plain
    assert [number for start, end in intervals for number in range(start, end)] == sorted(plain)
    assert intervals.count == len(plain)


@given(CHANGES, MOST)
def test_intervals_neither_touch_nor_overlap(changes: list[tuple[str, tuple[int, int]]], most: int) -> None:
    intervals, _ = after(changes, most)
    assert all(start < end for start, end in intervals)
    assert all(before[1] < behind[0] for before, behind in pairwise(intervals))


@given(CHANGES, MOST, NUMBER, NUMBER)
def test_a_gap_is_the_first_run_of_numbers_that_are_missing(
    changes: list[tuple[str, tuple[int, int]]], most: int, start: int, limit: int
) -> None:
    intervals, plain = after(changes, most)
    begin, end = intervals.gap(start, limit)
    missing = [number for number in range(start, limit) if number not in plain]
    run = [number for place, number in enumerate(missing) if number == missing[0] + place]
    assert list(range(begin, end)) == run
    assert begin <= end
