"""The state of a job, record by record."""

from __future__ import annotations

from gristmill.engine.contract import Scored, Span
from gristmill.run.ledger import Ledger
from gristmill.run.records import (
    FailedTry,
    JobColumns,
    Mark,
    Modules,
    Placed,
    PlanComplete,
    Published,
    Record,
    Revoked,
    Start,
)
from gristmill.run.replay import revocation


def after(*records: Record) -> Ledger:
    ledger = Ledger()
    for record in records:
        ledger.apply(record)
    return ledger


def scored(first: int, batches: int = 1, *, total: int = 10, succeeded: int = 10, attempt: int = 1) -> Scored:
    return Scored(Span(first, batches), attempt, total, succeeded, 1, 100, 5, 0, 0, 0, 0.5, 0)


def failed(first: int, attempt: int = 1, *, final: bool = False, message: str = "no") -> FailedTry:
    return FailedTry(Span(first), attempt, "exception", message, "", 0.25, 0, "log", final, 10, "")


def start(fence: int, *, retry_failed: bool = False) -> Start:
    return Start(fence, "run", "host", 1, "", retry_failed)


def test_a_new_ledger_knows_nothing() -> None:
    ledger = Ledger()
    assert (ledger.fence, ledger.items_done, ledger.scored.count, ledger.plan) == (0, 0, 0, None)


def test_missing_results_count_as_not_succeeded() -> None:
    ledger = after(scored(0, 2, total=20, succeeded=17))
    assert (ledger.items_succeeded, ledger.items_missing, ledger.items_not_succeeded) == (17, 3, 3)
    assert ledger.is_done(1)
    assert not ledger.is_done(2)


def test_a_failed_try_that_is_repeated_fails_no_item() -> None:
    ledger = after(failed(3))
    assert (ledger.items_failed, ledger.tries_failed, ledger.attempts) == (0, 1, {3: 1})
    assert not ledger.is_done(3)


def test_a_last_failed_try_fails_all_items() -> None:
    ledger = after(failed(3), failed(3, 2, final=True))
    assert (ledger.items_failed, ledger.tries_failed, ledger.attempts) == (10, 2, {})
    assert ledger.is_done(3)


def test_success_after_a_retry_counts_as_success() -> None:
    ledger = after(failed(3), scored(3, attempt=2))
    assert (ledger.items_succeeded, ledger.items_failed, ledger.attempts) == (10, 0, {})


def test_the_first_failure_is_kept() -> None:
    ledger = after(failed(3, message="first"), failed(1, message="second"))
    assert ledger.first_failure is not None
    assert ledger.first_failure.message == "first"


def test_time_in_run_is_added_up_over_good_and_bad_tries() -> None:
    assert after(failed(3), scored(3, attempt=2)).run_seconds == 0.75


def test_a_revoked_range_is_as_if_it_had_never_been_run() -> None:
    ledger = after(scored(0, 2, total=20, succeeded=17), revocation(scored(0, 2, total=20, succeeded=17)))
    assert (ledger.scored.count, ledger.items_succeeded, ledger.items_missing) == (0, 0, 0)


def test_a_revoked_failure_is_as_if_it_had_never_been_run() -> None:
    ledger = after(failed(3, final=True), Revoked(Span(3), 10, 0, 0, 0))
    assert (ledger.failed.count, ledger.items_failed) == (0, 0)


def test_a_revoked_try_gives_all_tries_back() -> None:
    assert after(failed(3), Revoked(Span(3), 10, 0, 0, 0)).attempts == {}


def test_revoking_what_gets_new_tries_anyway_changes_no_count() -> None:
    ledger = after(failed(1, final=True), start(2, retry_failed=True), Revoked(Span(1), 10, 0, 0, 0))
    assert (ledger.items_succeeded, ledger.items_missing, ledger.items_failed) == (0, 0, 0)


def test_a_start_after_a_failure_gives_failed_ranges_new_tries() -> None:
    ledger = after(failed(1, final=True), failed(2), scored(3), start(2, retry_failed=True))
    assert (ledger.failed.count, ledger.items_failed, ledger.attempts) == (0, 0, {})
    assert (ledger.first_failure, ledger.items_succeeded, ledger.fence) == (None, 10, 2)


def test_a_start_after_an_interruption_changes_nothing_but_the_fence() -> None:
    ledger = after(failed(1, final=True), failed(2), start(2))
    assert (ledger.failed.count, ledger.items_failed, ledger.attempts, ledger.fence) == (1, 10, {2: 1}, 2)


def test_columns_modules_plan_and_publication_are_remembered() -> None:
    plan, published = PlanComplete(3, 30), Published("p.csv", 5, 0, 0, "")
    ledger = after(
        JobColumns(1, ("a",)), JobColumns(2, ("b",)), Modules((("x.py", "1"),)), Modules((("y.py", "2"),)),
        plan, Placed(Span(0), 0, 5, 0), published, Mark(),
    )  # fmt: skip
    assert ledger.columns == [("a",), ("b",)]
    assert ledger.modules == {"x.py": "1", "y.py": "2"}
    assert (ledger.plan, ledger.published) == (plan, published)
