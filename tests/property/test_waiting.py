"""Rows come back in plan order, whatever the order in which they came and wherever they waited."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gristmill.engine.contract import Span
from gristmill.run.waiting import Rows, WaitingRows

NUMBER = st.integers(0, (1 << 32) - 1)


@contextmanager
def waiting(most_in_memory: int) -> Iterator[WaitingRows]:
    with tempfile.TemporaryDirectory() as folder:
        rows = WaitingRows(Path(folder), most_in_memory)
        try:
            yield rows
        finally:
            rows.close()
            assert not list(Path(folder).iterdir())


@st.composite
def plans(draw: st.DrawFn) -> list[Rows]:
    """Draw ranges that cover a plan, some of them parts of a mini-batch, in plan order."""
    found: list[Rows] = []
    first = draw(st.integers(0, 3))
    for _ in range(draw(st.integers(1, 30))):
        where = (
            draw(NUMBER),
            draw(st.integers(0, 1 << 60)),
            draw(NUMBER),
            draw(NUMBER),
            draw(st.integers(0, 9)),
        )
        if draw(st.integers(0, 5)):
            batches = draw(st.sampled_from([1, 1, 2, 700]))
            found.append(Rows(Span(first, batches), *where, True, draw(NUMBER), draw(st.booleans())))
            first += batches
        else:
            found += [Rows(Span(first, 1, item, 1), *where, item == 2) for item in range(3)]
            first += 1
    return found


@given(plans(), st.data(), st.integers(0, 4))
def test_ranges_come_back_one_after_the_other_as_soon_as_they_are_there(
    plan: list[Rows], data: st.DataObject, most_in_memory: int
) -> None:
    taken: list[Rows] = []
    with waiting(most_in_memory) as rows:
        for one in data.draw(st.permutations(plan)):
            rows.add(one)
            while len(taken) < len(plan):
                span = plan[len(taken)].span
                found = rows.take(span.first, span.first_item)
                if found is None:
                    break
                taken.append(found)
            assert len(rows) <= len(plan) - len(taken)
        assert (len(rows), rows.bytes_waiting) == (0, 0)
    assert taken == plan


@given(plans(), st.data(), st.integers(0, 4))
def test_with_gaps_the_rest_comes_back_in_plan_order(
    plan: list[Rows], data: st.DataObject, most_in_memory: int
) -> None:
    there = data.draw(st.permutations(plan))[: data.draw(st.integers(0, len(plan)))]
    with waiting(most_in_memory) as rows:
        for one in there:
            rows.add(one)
        assert rows.bytes_waiting == sum(one.length + one.attached for one in there)
        begun = plan[: data.draw(st.integers(0, len(plan)))]
        first = 0
        for one in begun:  # up to the first gap
            if rows.take(one.span.first, one.span.first_item) is None:
                break
            first = one.span.first + one.span.batches * one.is_last_part
            there.remove(one)
        assert list(rows.take_all(first)) == sorted(there)
        assert (len(rows), rows.bytes_waiting) == (0, 0)
