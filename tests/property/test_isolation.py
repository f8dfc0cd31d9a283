"""Isolation: whichever files are bad, however they kill, every other file is scored, once and in order."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from doubles.scripted_job import Ended, ScriptedJob
from gristmill.run.probes import PLACES
from gristmill.run.replay import read_history
from gristmill.spec.values import ErrorThreshold

HARM = st.sampled_from(["raise", "exit", "hang", "bad_return"])
SIZE = 8
NEVER = ErrorThreshold(items=-1, fraction=None)
TENTH = ErrorThreshold(items=None, fraction=0.1)


def job(folder: str, items: int, poisons: dict[int, str], **options: object) -> ScriptedJob:
    placed = {divmod(item, SIZE): act for item, act in poisons.items()}
    return ScriptedJob(
        folder=Path(folder), items=items, mini_batch_size=SIZE, poisons=placed, isolates=True, **options
    )  # type: ignore[arg-type]


def rows(items: int, without: set[int]) -> bytes:
    return b"".join(b"%d %d\n" % divmod(item, SIZE) for item in range(items) if item not in without)


def failed_items(ended: Ended, items: int) -> set[int]:
    """Return the items of every range that failed for good."""
    ledger, found = ended.ledger, set()
    for first, end in ledger.failed:
        found |= set(range(first * SIZE, min(end * SIZE, items)))
    for span in ledger.divided.failed:
        begin = span.first * SIZE + span.first_item
        found |= set(range(begin, begin + span.items))
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(40, 90),
    st.dictionaries(st.integers(0, 89), HARM, max_size=20),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(0, 1000),
)
def test_every_file_but_the_bad_ones_is_scored_once_and_in_order(
    items: int, harm: dict[int, str], workers: int, max_retries: int, seed: int
) -> None:
    poisons = {item: act for item, act in harm.items() if item < items}
    with tempfile.TemporaryDirectory() as folder:
        ended = job(folder, items, poisons, max_retries=max_retries).start(workers=workers, seed=seed)
        assert ended.output == rows(items, set(poisons))
        assert failed_items(ended, items) == set(poisons)
        assert ended.ledger.items_failed == len(poisons)
        assert ended.ledger.items_succeeded == items - len(poisons)
        assert not ended.ledger.divided.pending
        assert not ended.ledger.divided.left


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.integers(0, 63), HARM, min_size=1, max_size=10),
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
    st.integers(0, 1000),
)
def test_a_job_that_is_killed_while_it_isolates_goes_on_and_ends_the_same(
    poisons: dict[int, str], kills: list[int], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one = job(folder, 64, poisons, max_retries=1)
        for number in kills:
            if one.start(seed=seed, kill_in_pass=number).ending is not None:
                break
        ended = one.start(seed=seed)
        history = read_history(one.journal_path)
        assert failed_items(ended, 64) == set(poisons)
        assert ended.ledger.items_succeeded == 64 - len(poisons)
        assert (history.ledger.items_failed, history.ledger.items_succeeded) == (
            len(poisons),
            64 - len(poisons),
        )
        assert (one.output / "predictions.csv").read_bytes() == rows(64, set(poisons))


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 64), st.integers(1, 4), st.integers(0, 3), st.randoms())
def test_calls_for_k_bad_files_stay_below_the_bound(
    size: int, bad: int, retries: int, chance: object
) -> None:
    """Halving: at most 2 k (ceil(log2(n)) + 1) calls beyond the whole tries, and k more for single files."""
    chosen = chance.sample(range(size), min(bad, size))  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        one = ScriptedJob(
            folder=Path(folder), items=2 * size, mini_batch_size=size, isolates=True, max_retries=retries,
            poisons={(1, item): "raise" for item in chosen},
        )  # fmt: skip
        ended = one.start(workers=1)
        k = len(chosen)
        whole, parts, again = retries + 1, 2 * k * (math.ceil(math.log2(size)) + 1), k
        assert ended.ledger.items_failed == k
        assert one.calls[1] <= whole + parts + again


def test_a_script_that_fails_on_everything_is_found_out_by_few_files(tmp_path: Path) -> None:
    items = 4000
    ended = job(str(tmp_path), items, dict.fromkeys(range(items), "raise"), threshold=TENTH).start()
    assert ended.ending is not None
    assert ended.ending.end.name == "SCRIPT"
    assert "it is the fault of the script" in ended.ending.message
    assert sum(ended.engine.calls.values()) == PLACES + 3


def test_where_the_job_may_not_stop_a_script_that_fails_on_everything_is_not_halved(tmp_path: Path) -> None:
    items = 400
    one = job(str(tmp_path), items, dict.fromkeys(range(items), "raise"), threshold=NEVER, max_retries=0)
    ended = one.start()
    assert ended.ending is not None
    assert ended.ending.end.name == "ALL_DONE"
    assert ended.ledger.items_failed == items
    assert sum(ended.engine.calls.values()) <= items // SIZE + 4 * PLACES


def test_first_mini_batches_that_are_bad_do_not_make_the_script_bad(tmp_path: Path) -> None:
    poisons = dict.fromkeys(range(5 * SIZE), "raise")
    ended = job(str(tmp_path), 400, poisons, threshold=ErrorThreshold(items=100, fraction=None)).start()
    assert ended.output == rows(400, set(poisons))


def test_first_mini_batches_that_fail_in_different_ways_are_taken_apart_at_once(tmp_path: Path) -> None:
    poisons = {0: "raise", SIZE: "exit", 2 * SIZE: "bad_return"}
    one = job(str(tmp_path), 3 * SIZE, poisons, max_retries=0)
    assert one.start(workers=1).output == rows(3 * SIZE, set(poisons))


def test_without_isolation_a_bad_file_takes_its_mini_batch_along(tmp_path: Path) -> None:
    one = job(str(tmp_path), 40, {11: "raise"})
    one.isolates = False
    ended = one.start()
    assert ended.output == rows(40, set(range(8, 16)))
    assert one.calls[1] == 4
