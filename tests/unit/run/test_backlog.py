"""What is handed out, in which order."""

from __future__ import annotations

from gristmill.engine.contract import Scored, Span, Task
from gristmill.run.backlog import Backlog
from gristmill.run.ledger import Ledger
from gristmill.run.records import FailedTry


def ledger_with(
    scored: tuple[tuple[int, int], ...] = (), failed: tuple[int, ...] = (), tried: tuple[int, ...] = ()
) -> Ledger:
    ledger = Ledger()
    for first, batches in scored:
        ledger.apply(Scored(Span(first, batches), 1, batches, batches, 1, 0, 0, 0, 0, 0, 0.0, 0))
    for number in failed:
        ledger.apply(failure(number, 4, final=True))
    for number in tried:
        ledger.apply(failure(number, 2, final=False))
    return ledger


def failure(number: int, attempt: int, *, final: bool) -> FailedTry:
    return FailedTry(Span(number), attempt, "exception", "no", "", 0.0, 0, "log", final, 1, "")


def all_of(backlog: Backlog, known: int, most: int = 100) -> list[Task]:
    tasks = []
    while (task := backlog.take(most, known)) is not None:
        tasks.append(task)
    return tasks


def test_fresh_mini_batches_come_in_plan_order() -> None:
    assert all_of(Backlog(Ledger()), 5, most=2) == [Task(Span(0, 2)), Task(Span(2, 2)), Task(Span(4, 1))]


def test_a_growing_plan_goes_on_where_it_was() -> None:
    backlog = Backlog(Ledger())
    assert all_of(backlog, 2) == [Task(Span(0, 2))]
    assert all_of(backlog, 5) == [Task(Span(2, 3))]


def test_what_is_done_is_left_out() -> None:
    backlog = Backlog(ledger_with(scored=((0, 2), (4, 1)), failed=(2, 6)))
    assert all_of(backlog, 9) == [Task(Span(3, 1)), Task(Span(5, 1)), Task(Span(7, 2))]


def test_what_was_tried_before_comes_first_with_the_next_try_and_only_once() -> None:
    backlog = Backlog(ledger_with(tried=(1, 4)))
    assert all_of(backlog, 6) == [
        Task(Span(1), 3), Task(Span(4), 3), Task(Span(0, 1)), Task(Span(2, 2)), Task(Span(5, 1)),
    ]  # fmt: skip


def test_what_was_handed_out_and_is_now_done_is_not_handed_out_again() -> None:
    ledger = Ledger()
    backlog = Backlog(ledger)
    backlog.take(3, 6)
    ledger.apply(Scored(Span(0, 3), 1, 3, 3, 1, 0, 0, 0, 0, 0, 0.0, 0))
    assert all_of(backlog, 6) == [Task(Span(3, 3))]


def test_what_came_back_goes_first_with_its_own_try() -> None:
    backlog = Backlog(Ledger())
    backlog.take(4, 8)
    backlog.put_back(Span(2, 2), 1)
    assert backlog.take(9, 8) == Task(Span(2, 2), 1)


def test_what_came_back_is_cut_to_what_is_asked_for() -> None:
    backlog = Backlog(Ledger())
    backlog.take(4, 4)
    backlog.put_back(Span(1, 3), 1)
    assert all_of(backlog, 4, most=2) == [Task(Span(1, 2)), Task(Span(3, 1))]


def test_a_retry_waits_behind_what_came_back() -> None:
    backlog = Backlog(Ledger())
    backlog.take(2, 2)
    backlog.retry(Span(0), 2)
    backlog.put_back(Span(1), 1)
    assert all_of(backlog, 2) == [Task(Span(1), 1), Task(Span(0), 2)]


def test_remaining_counts_what_waits_and_what_is_fresh() -> None:
    backlog = Backlog(Ledger())
    backlog.take(3, 10)
    backlog.put_back(Span(1, 2), 1)
    assert backlog.remaining(10) == 9


def test_of_a_finished_plan_nothing_is_handed_out() -> None:
    assert all_of(Backlog(ledger_with(scored=((0, 3),), failed=(3,))), 4) == []
