"""The canary: some items from all over the plan first, each of them once, and the same output in the end."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doubles.scripted_job import Ended, ScriptedJob
from gristmill.run.progress import End
from gristmill.spec.stop_rules import StopRule
from gristmill.spec.values import ErrorThreshold

NEVER = ErrorThreshold(items=-1, fraction=None)
FIFTH = ErrorThreshold(items=None, fraction=0.2)
THIRD_BAD = StopRule(failures=None, count=None, fraction=0.3, window=None, minimum=1000)


def job(folder: Path, items: int, size: int, canary: int, **options: object) -> ScriptedJob:
    return ScriptedJob(folder=folder, items=items, mini_batch_size=size, canary=canary,
                       **{"isolates": True, **options})  # type: ignore[arg-type]  # fmt: skip


def rows(items: int, size: int, bad: set[int]) -> bytes:
    return b"".join(b"%d %d\n" % divmod(item, size) for item in range(items) if item not in bad)


def end(ended: Ended) -> End:
    assert ended.ending is not None
    return ended.ending.end


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 90), st.integers(1, 9), st.integers(1, 30), st.integers(1, 3), st.integers(0, 500),
    st.sampled_from([1, 3, 1 << 30]), st.booleans(),
)  # fmt: skip
def test_output_is_the_same_as_without_it_and_no_item_is_run_twice(
    items: int, size: int, canary: int, workers: int, seed: int, grows_by: int, isolates: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one = job(Path(folder), items, size, canary, grows_by=grows_by, isolates=isolates)
        ended = one.start(workers=workers, seed=seed)
        assert end(ended) is End.ALL_DONE
        assert ended.output == rows(items, size, set())
        assert (ended.ledger.items_succeeded, ended.ledger.tries_failed) == (items, 0)


@settings(max_examples=40, deadline=None)
@given(
    st.sets(st.integers(0, 79), max_size=6),
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 500),
)
def test_a_job_that_is_killed_in_its_canary_goes_on_and_ends_the_same(
    bad: set[int], kills: list[int], size: int, isolates: bool, seed: int
) -> None:
    poisons = {divmod(item, size): "raise" for item in bad}
    with tempfile.TemporaryDirectory() as folder:
        one = job(Path(folder), 80, size, 20, poisons=poisons, max_retries=1)
        for number in kills:
            if one.start(seed=seed, kill_in_pass=number).ending is not None:
                break
        ended = one.start(seed=seed)
        assert end(ended) is End.ALL_DONE
        assert ended.output == rows(80, size, bad)


def first_runs(ended: Ended, count: int) -> list[tuple[int, int]]:
    return [(task.span.first, task.span.items) for task in ended.engine.tasks[:count]]


def test_the_items_come_from_all_over_the_plan_and_come_first(tmp_path: Path) -> None:
    ended = job(tmp_path, 1000, 10, 20).start(workers=2)
    first = first_runs(ended, 20)
    assert sorted(first) == [(number * 5, 1) for number in range(20)]
    assert (
        "canary: 20 of 20 items from all over the input have results; now the rest is scored" in ended.notices
    )


def test_a_mini_batch_may_give_several_items(tmp_path: Path) -> None:
    ended = job(tmp_path, 1000, 500, 20).start(workers=1)
    assert sorted(first_runs(ended, 20)) == [(0, 1)] * 10 + [(1, 1)] * 10


def test_without_isolation_whole_mini_batches_go_first(tmp_path: Path) -> None:
    ended = job(tmp_path, 1000, 10, 25, isolates=False).start(workers=1)
    assert first_runs(ended, 3) == [(0, 0), (66, 0), (33, 0)]
    assert (
        "canary: 30 of 30 items from all over the input have results; now the rest is scored" in ended.notices
    )


def test_nothing_else_is_handed_out_before_it_has_passed(tmp_path: Path) -> None:
    ended = job(tmp_path, 400, 4, 20, poisons={(0, 0): "raise"}, threshold=FIFTH).start(workers=4)
    assert {items for _, items in first_runs(ended, 21)} == {1}
    assert end(ended) is End.ALL_DONE


@pytest.mark.parametrize("threshold", [NEVER, FIFTH])
def test_a_canary_of_which_all_items_fail_stops_the_job(tmp_path: Path, threshold: ErrorThreshold) -> None:
    poisons = {(number, item): "raise" for number in range(100) for item in range(4)}
    one = job(tmp_path, 400, 4, 10, poisons=poisons, threshold=threshold)
    assert end(one.start(workers=2)) is End.SCRIPT
    assert sum(one.calls.values()) <= 2 * 10


def test_it_stops_at_twenty_places_that_fail_alike(tmp_path: Path) -> None:
    poisons = {(number, 0): "raise" for number in range(400)}
    one = job(tmp_path, 400, 1, 100, poisons=poisons, threshold=NEVER, max_retries=3)
    assert end(one.start(workers=1)) is End.SCRIPT
    assert sum(one.calls.values()) <= 20 + 3 + 3


@pytest.mark.parametrize(
    ("bad", "wishes", "wanted"),
    [
        (4, {"threshold": FIFTH}, End.ALL_DONE),
        (5, {"threshold": FIFTH}, End.RULE),
        (19, {"threshold": NEVER}, End.ALL_DONE),
        (5, {"threshold": NEVER, "stop_when": (THIRD_BAD,)}, End.ALL_DONE),
        (6, {"threshold": NEVER, "stop_when": (THIRD_BAD,)}, End.RULE),
        (5, {"threshold": ErrorThreshold(items=4, fraction=None)}, End.THRESHOLD),
    ],
)
def test_it_stops_the_job_where_too_many_of_its_items_fail(
    tmp_path: Path, bad: int, wishes: dict[str, object], wanted: End
) -> None:
    poisons = {(number * 5, 0): "raise" for number in range(bad)}
    ended = job(tmp_path, 1000, 10, 20, poisons=poisons, **wishes).start(workers=1)
    assert end(ended) is wanted


def test_what_failed_in_it_gets_new_tries_first_when_the_job_is_resumed(tmp_path: Path) -> None:
    one = job(tmp_path, 400, 4, 10, poisons={(n * 10, 0): "raise" for n in range(3)}, threshold=FIFTH)
    assert end(one.start(workers=1)) is End.RULE
    one.poisons = {}
    ended = one.start(workers=1, retry_failed=True)
    assert sorted(first_runs(ended, 3)) == [(0, 1), (10, 1), (20, 1)]
    assert ended.output == rows(400, 4, set())


def test_a_job_that_is_past_it_is_not_held_up_again(tmp_path: Path) -> None:
    one = job(tmp_path, 400, 4, 10)
    one.start(workers=1, cancel_in_pass=30)
    ended = one.start(workers=1)
    assert not [notice for notice in ended.notices if notice.startswith("canary")]
    assert ended.output == rows(400, 4, set())


def test_an_input_that_is_no_larger_needs_none(tmp_path: Path) -> None:
    ended = job(tmp_path, 20, 4, 20).start(workers=1)
    assert {task.span.items for task in ended.engine.tasks} == {0}
