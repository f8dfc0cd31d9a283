"""What isolation costs at most, for bad files of any kinds in any places (docs/decisions/0009-isolation.md);
and that the parts of mini-batches are published like whole ones.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from doubles.scripted_job import ScriptedJob
from gristmill.run.journal import read_journal
from gristmill.run.records import FailedTry

HARM = st.sampled_from(["raise", "exit", "hang", "bad_return"])


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 64), st.lists(HARM, min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 1 << 30))
def test_calls_deaths_and_timeouts_stay_below_what_the_decision_says(
    size: int, kinds: list[str], retries: int, seed: int
) -> None:
    chosen = Random(seed).sample(range(size), min(len(kinds), size))
    poisons = {(1, item): kind for item, kind in zip(chosen, kinds, strict=False)}
    with tempfile.TemporaryDirectory() as folder:
        job = ScriptedJob(
            folder=Path(folder), items=2 * size, mini_batch_size=size, isolates=True, max_retries=retries,
            poisons=poisons,
        )  # fmt: skip
        ended = job.start(workers=1)
        failed = [entry.record for entry in read_journal(job.journal_path)]
        reasons = [record.reason for record in failed if isinstance(record, FailedTry)]
    k, depth = len(chosen), (size - 1).bit_length()  # the least number of halvings that leave one file
    assert ended.ledger.items_failed == k
    assert job.calls[1] <= (retries + 1) + 2 * k * depth + k
    assert reasons.count("worker_died") <= (retries + 1) + k * depth + k
    assert reasons.count("timeout") <= 1 + k * depth + k


#: What is opened last when an item strikes: it; all of the range before it; some more; any other.
READERS = {
    "one by one": lambda span, bad: bad,
    "all first": lambda span, bad: span.first_item + span.items - 1,
    "two ahead": lambda span, bad: min(bad + 2, span.first_item + span.items - 1),
    "backwards": lambda span, bad: span.first_item,
    "the last but one": lambda span, bad: max(span.first_item, span.first_item + span.items - 2),
}


@settings(max_examples=100, deadline=None)
@given(
    st.integers(2, 64),
    st.lists(HARM, min_size=1, max_size=4),
    st.integers(0, 3),
    st.sampled_from(sorted(READERS)),
    st.integers(0, 1 << 30),
)
@example(26, ["exit", "raise", "raise"], 0, "one by one", 0)  # what waited came back in reverse order
def test_a_hint_that_misleads_costs_little(
    size: int, kinds: list[str], retries: int, reader: str, seed: int
) -> None:
    chosen = Random(seed).sample(range(size), min(len(kinds), size))
    poisons = {(1, item): kind for item, kind in zip(chosen, kinds, strict=False)}
    with tempfile.TemporaryDirectory() as folder:
        job = ScriptedJob(
            folder=Path(folder), items=2 * size, mini_batch_size=size, isolates=True, max_retries=retries,
            poisons=poisons, opens=READERS[reader],
        )  # fmt: skip
        ended = job.start(workers=1)
    k, depth = len(chosen), (size - 1).bit_length()
    assert ended.ledger.items_failed == k
    assert job.calls[1] <= (retries + 1) + 2 * k * depth + 4 * k + 3
    if reader == "one by one":
        assert job.calls[1] <= (retries + 1) + 4 * k


@settings(max_examples=40, deadline=None)
@given(
    st.integers(10, 40),
    st.dictionaries(st.integers(0, 39), HARM, max_size=8),
    st.lists(st.tuples(st.integers(1, 4), st.none() | st.integers(0, 1000)), min_size=2, max_size=3),
)
def test_any_order_of_outcomes_of_parts_gives_the_same_bytes_and_publishing_again_changes_nothing(
    items: int, poisons: dict[int, str], orders: list[tuple[int, int | None]]
) -> None:
    outputs = set()
    for workers, seed in orders:
        with tempfile.TemporaryDirectory() as folder:
            job = ScriptedJob(
                folder=Path(folder), items=items, mini_batch_size=5, isolates=True, max_retries=1,
                poisons={divmod(item, 5): kind for item, kind in poisons.items()},
            )  # fmt: skip
            first = job.start(workers=workers, seed=seed)
            again = job.start(workers=workers, seed=seed)
            assert sum(again.engine.handed_out.values()) == 0
            outputs |= {first.output, again.output}
    assert len(outputs) == 1
