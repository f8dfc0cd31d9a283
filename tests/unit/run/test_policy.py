"""Decisions, as the contract's sections 2 and 5 put them."""

from __future__ import annotations

import pytest

from gristmill.run.policy import (
    AfterFailure,
    AfterStartFailure,
    after_failure,
    after_start_failure,
    is_exceeded,
    largest_task,
)
from gristmill.spec.values import ErrorThreshold

COUNT_0 = ErrorThreshold(items=0, fraction=None)
COUNT_5 = ErrorThreshold(items=5, fraction=None)
NEVER = ErrorThreshold(items=-1, fraction=None)
FIFTH = ErrorThreshold(items=None, fraction=0.2)


def test_three_retries_mean_four_tries() -> None:
    decisions = [after_failure(attempt, 3) for attempt in (1, 2, 3, 4)]
    assert decisions == [AfterFailure.RETRY] * 3 + [AfterFailure.GIVE_UP]


def test_without_retries_the_first_failure_is_final() -> None:
    assert after_failure(1, 0) is AfterFailure.GIVE_UP


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
