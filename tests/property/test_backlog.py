"""Whatever was done before, and however the plan grows meanwhile, each mini-batch is handed out once."""

from __future__ import annotations

from array import array
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.engine.contract import Scored, Span
from gristmill.run.backlog import Backlog
from gristmill.run.ledger import Ledger
from gristmill.run.records import FailedTry

#: What became of each mini-batch of the plan in earlier starts.
BEFORE = st.lists(st.sampled_from(["fresh", "scored", "failed", "tried"]), min_size=1, max_size=12)


def ledger_of(before: list[str]) -> Ledger:
    ledger = Ledger()
    for number, what in enumerate(before):
        if what == "scored":
            ledger.apply(Scored(Span(number), 1, 1, 1, 1, 0, 0, 0, 0, 0, 0.0, 0))
        elif what != "fresh":
            is_final = what == "failed"
            ledger.apply(FailedTry(Span(number), 1, "exception", "no", "", 0.0, 0, "log", is_final, 1, ""))
    return ledger


@given(BEFORE, st.lists(st.integers(0, 12), max_size=6), st.integers(1, 3), st.booleans())
@example(["tried", "scored", "fresh"], [2], 1, False)  # the third was passed over before it was known
def test_each_mini_batch_that_is_not_done_is_handed_out_once(
    before: list[str], steps: list[int], most: int, in_order_of_size: bool
) -> None:
    backlog = Backlog(ledger_of(before))
    handed_out: Counter[int] = Counter()
    for known in (*sorted(min(step, len(before)) for step in steps), len(before)):
        if in_order_of_size:
            backlog.order(array("Q", range(known)), 0, 2.0)
        while (task := backlog.take(most, known)) is not None:
            handed_out.update(range(task.span.first, task.span.first + task.span.batches))
        assert backlog.lowest(known) == known
    assert handed_out == Counter(n for n, what in enumerate(before) if what in ("fresh", "tried"))
