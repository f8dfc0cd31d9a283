"""The tally against a list of every item in the order in which it ended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gristmill.engine.contract import Reason
from gristmill.run.tally import CLASSES, Tally
from gristmill.spec.rule_kinds import LARGEST_WINDOW
from gristmill.spec.stop_rules import FailureClass

EVENT = st.tuples(st.none() | st.sampled_from(sorted(CLASSES)), st.integers(1, 6))


@given(st.lists(EVENT, max_size=40), st.integers(1, 60), st.none() | st.sampled_from(FailureClass))
def test_a_window_holds_the_items_that_ended_last(
    events: list[tuple[Reason | None, int]], window: int, failures: FailureClass | None
) -> None:
    tally, ended = Tally(), []
    for reason, items in events:
        ended += [None if reason is None else CLASSES[reason]] * items
        if reason is not None:
            tally.add(reason, items, len(ended))
    for size, seen in ((window, ended[-window:]), (None, ended)):
        wanted = sum(one is not None and failures in (None, one) for one in seen)
        assert tally.failed(failures, size, len(ended)) == wanted


def test_every_reason_belongs_to_a_class() -> None:
    assert set(CLASSES) == set(Reason)


def test_no_more_is_remembered_than_the_largest_window_needs() -> None:
    tally, items = Tally(), 3 * LARGEST_WINDOW
    for done in range(1, items + 1):
        tally.add(Reason.TIMEOUT, 1, done)
    assert tally.failed(FailureClass.TIME, LARGEST_WINDOW, items) == LARGEST_WINDOW
    assert tally.failed(None, None, items) == items
    assert len(tally._ends) < LARGEST_WINDOW + 2048


def test_what_is_counted_anew_is_as_good_as_new() -> None:
    tally = Tally()
    tally.add(Reason.MEMORY, 3, 10)
    tally.clear()
    assert tally == Tally()
    assert tally.is_empty
