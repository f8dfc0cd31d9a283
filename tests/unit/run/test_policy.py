"""Decisions, as the contract's sections 2 and 5 put them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.engine.contract import Reason
from gristmill.run.policy import (
    AfterStartFailure,
    FailedRange,
    after_failure,
    after_start_failure,
    is_exceeded,
    largest_task,
    parts_of,
)
from gristmill.spec.values import ErrorThreshold

COUNT_0 = ErrorThreshold(items=0, fraction=None)
COUNT_5 = ErrorThreshold(items=5, fraction=None)
NEVER = ErrorThreshold(items=-1, fraction=None)
FIFTH = ErrorThreshold(items=None, fraction=0.2)


def after(
    attempt: int,
    max_retries: int = 3,
    *,
    items: int = 10,
    is_part: bool = False,
    reason: Reason = Reason.EXCEPTION,
    isolates: bool = True,
    is_blamed: bool = False,
) -> str:
    failed = FailedRange(items=items, is_part=is_part, attempt=attempt, reason=reason, is_blamed=is_blamed)
    return after_failure(failed, max_retries, isolates).value


def test_three_retries_mean_four_tries() -> None:
    decisions = [after(attempt, isolates=False) for attempt in (1, 2, 3, 4)]
    assert decisions == ["retry"] * 3 + ["give up"]


def test_without_retries_the_first_failure_is_final() -> None:
    assert after(1, 0, isolates=False) == "give up"


def test_a_mini_batch_whose_tries_are_used_up_is_divided() -> None:
    assert [after(attempt) for attempt in (1, 2, 3, 4)] == ["retry"] * 3 + ["divide"]


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.MEMORY])
def test_after_a_timeout_or_a_death_by_memory_the_next_try_is_halved(reason: Reason) -> None:
    assert after(1, reason=reason) == "divide"
    assert after(1, reason=reason, isolates=False) == "retry"


@pytest.mark.parametrize("reason", [Reason.EXCEPTION, Reason.BAD_RETURN, Reason.WORKER_DIED])
def test_whole_repeats_are_for_the_others(reason: Reason) -> None:
    assert after(1, reason=reason) == "retry"


def test_a_mini_batch_of_one_file_has_all_its_tries() -> None:
    assert [after(attempt, items=1) for attempt in (1, 2, 3, 4)] == ["retry"] * 3 + ["give up"]


def test_a_part_has_one_try_and_a_single_file_two() -> None:
    assert after(1, items=5, is_part=True) == "divide"
    assert [after(attempt, items=1, is_part=True) for attempt in (1, 2)] == ["retry", "give up"]


def test_where_the_script_names_the_files_nothing_is_repeated_as_a_whole() -> None:
    assert after(1, is_blamed=True) == "divide"
    assert [after(attempt, items=1, is_blamed=True) for attempt in (1, 2)] == ["retry", "give up"]


def test_files_that_the_script_names_are_not_taken_out_once_isolation_is_off() -> None:
    decisions = [after(attempt, isolates=False, is_blamed=True) for attempt in (1, 2, 3, 4)]
    assert decisions == ["retry"] * 3 + ["give up"]


def test_a_part_is_given_up_once_isolation_is_off() -> None:
    assert after(1, items=5, is_part=True, isolates=False) == "give up"


@pytest.mark.parametrize(
    ("first_item", "items", "alone", "parts"),
    [
        (0, 10, [], ((0, 5), (5, 5))),
        (3, 5, [], ((3, 2), (5, 3))),
        (0, 2, [], ((0, 1), (1, 1))),
        (0, 10, [3], ((3, 1), (0, 3), (4, 6))),
        (0, 10, [0], ((0, 1), (1, 9))),
        (0, 10, [9], ((9, 1), (0, 9))),
        (4, 3, [9], ((4, 1), (5, 2))),
        (0, 6, [1, 4], ((1, 1), (4, 1), (0, 1), (2, 2), (5, 1))),
    ],
)
def test_a_range_is_halved_or_its_suspects_come_first(
    first_item: int, items: int, alone: list[int], parts: tuple[tuple[int, int], ...]
) -> None:
    assert parts_of(first_item, items, alone) == parts


@given(st.integers(0, 50), st.integers(2, 200), st.lists(st.integers(0, 300), max_size=30))
def test_parts_together_are_the_whole_range_and_each_is_smaller(
    first_item: int, items: int, alone: list[int]
) -> None:
    parts = parts_of(first_item, items, alone)
    covered = sorted(number for first, count in parts for number in range(first, first + count))
    assert covered == list(range(first_item, first_item + items))
    assert all(0 < count < items for _, count in parts)


@pytest.mark.parametrize(
    ("threshold", "failed", "done", "exceeded"),
    [
        (NEVER, 1000, 1000, False),
        (COUNT_0, 0, 10, False),
        (COUNT_0, 1, 1, True),
        (COUNT_5, 5, 5, False),
        (COUNT_5, 6, 1000, True),
        (FIFTH, 99, 99, False),
        (FIFTH, 20, 100, False),
        (FIFTH, 21, 100, True),
        (ErrorThreshold(items=None, fraction=0.0, minimum_sample=1), 1, 1, True),
    ],
)
def test_failures_must_exceed_the_threshold(
    threshold: ErrorThreshold, failed: int, done: int, exceeded: bool
) -> None:
    assert is_exceeded(threshold, failed, done) is exceeded


def test_a_first_start_that_fails_fails_the_job() -> None:
    assert after_start_failure(False, 1, 4).what is AfterStartFailure.FAIL_JOB


def test_a_later_start_is_tried_again_three_times_with_growing_pauses() -> None:
    decisions = [after_start_failure(True, failures, 4) for failures in (1, 2, 3)]
    assert [decision.what for decision in decisions] == [AfterStartFailure.START_AGAIN] * 3
    assert [decision.pause_s for decision in decisions] == [1.0, 5.0, 15.0]


def test_after_three_more_tries_the_slot_is_given_up() -> None:
    assert after_start_failure(True, 4, 2).what is AfterStartFailure.GIVE_UP_SLOT


def test_the_last_slot_is_not_given_up_but_fails_the_job() -> None:
    assert after_start_failure(True, 4, 1).what is AfterStartFailure.FAIL_JOB


def test_while_the_plan_grows_a_task_fills_the_room() -> None:
    assert largest_task(64, 2, 8, plan_complete=False) == 64


def test_near_the_end_a_task_is_half_a_workers_share() -> None:
    assert largest_task(64, 80, 4, plan_complete=True) == 10


def test_a_task_has_at_least_one_mini_batch() -> None:
    assert largest_task(64, 1, 4, plan_complete=True) == 1
    assert largest_task(64, 1, 0, plan_complete=True) == 1
