"""The index of a published file finds every range, whatever the order in which it was told of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gristmill.engine.contract import Span
from gristmill.run.placed import PlacedIndex
from gristmill.run.records import Placed

NUMBER = st.integers(0, (1 << 64) - 1)
SPANS = st.builds(Span, st.integers(0, 9), st.just(1), st.integers(0, 3), st.integers(0, 2))
PLACED = st.builds(Placed, SPANS, NUMBER, NUMBER, st.integers(0, (1 << 32) - 1))


@given(st.lists(PLACED, unique_by=lambda one: one.span), SPANS)
def test_every_range_is_found_and_no_other(ranges: list[Placed], other: Span) -> None:
    index = PlacedIndex()
    for one in ranges:
        index.add(one)
    assert [index.of(one.span) for one in ranges] == ranges
    assert sorted(index) == sorted(ranges)
    assert [one.span.first for one in index] == sorted(one.span.first for one in ranges)
    assert (index.of(other) is None) == (other not in [one.span for one in ranges])
