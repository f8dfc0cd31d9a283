"""Whose turn it is: never too many at once, each job once, and to the slot that is warm for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gristmill.run.job_folder import Status
from gristmill.service.queue.dealing import Deal, Seat, deal
from gristmill.service.queue.line import Waiter, place_in_line

DEPLOYMENTS = ("e/a", "e/b", "score")


def waiter(name: str, *, priority: int = 0, held: bool = False, of: str = "score") -> Waiter:
    return Waiter(
        name=name,
        status=Status.QUEUED,
        priority=priority,
        created_at=f"2026-01-01T00:00:{name[-1]}",
        is_worked_on=held,
        deployment=of,
    )


def seat(number: int, job: str | None = None, *warm: str) -> Seat:
    return Seat(number=number, job=job, warm=frozenset(warm))


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Waiter], list[Seat], int]:
    most = draw(st.integers(1, 4))
    names = [f"j{number}" for number in range(draw(st.integers(0, 8)))]
    waiters = [
        waiter(name, held=draw(st.booleans()), of=draw(st.sampled_from(DEPLOYMENTS))) for name in names
    ]
    ours = draw(st.lists(st.sampled_from([*names, None]), max_size=most)) if names else []
    taken: set[str] = set()
    seats = []
    for number, job in enumerate(ours):
        warm = draw(st.sets(st.sampled_from(["e/a", "e/b"])))
        seats.append(seat(number, None if job in taken else job, *warm))
        taken.update([job] if job else [])
    return waiters, seats, most


@given(situations())
def test_no_more_run_at_once_than_may(situation: tuple[list[Waiter], list[Seat], int]) -> None:
    waiters, seats, most = situation
    running = {one.name for one in waiters if one.is_worked_on} | {one.job for one in seats if one.job}

    dealt = deal(waiters, seats, most, {}, 0.0)

    assert len(dealt) <= max(0, most - len(running))


@given(situations())
def test_each_job_is_dealt_once_and_each_slot_gets_one(
    situation: tuple[list[Waiter], list[Seat], int],
) -> None:
    waiters, seats, most = situation
    running = {one.name for one in waiters if one.is_worked_on} | {one.job for one in seats if one.job}

    dealt = deal(waiters, seats, most, {}, 0.0)

    assert len({one.job for one in dealt}) == len(dealt)
    assert not running & {one.job for one in dealt}
    given_to = [one.seat for one in dealt if one.seat is not None]
    assert len(set(given_to)) == len(given_to)
    assert {one.number for one in seats if one.job is None} >= set(given_to)
    assert len(seats) + sum(one.seat is None for one in dealt) <= most


@given(situations())
def test_nobody_is_overtaken(situation: tuple[list[Waiter], list[Seat], int]) -> None:
    waiters, seats, most = situation
    ours = {one.job for one in seats}
    can_begin = [one.name for one in waiters if not one.is_worked_on and one.name not in ours]

    dealt = [one.job for one in deal(waiters, seats, most, {}, 0.0)]

    assert dealt == can_begin[: len(dealt)]


def test_a_job_goes_to_the_slot_that_is_warm_for_it() -> None:
    seats = [seat(1, None, "e/b"), seat(2, None, "e/a")]

    assert deal([waiter("j1", of="e/a")], seats, 2, {}, 0.0) == [Deal(job="j1", seat=2)]


def test_a_new_slot_is_wanted_before_warm_workers_are_sent_away() -> None:
    assert deal([waiter("j1", of="e/b")], [seat(1, None, "e/a")], 2, {}, 0.0) == [Deal(job="j1", seat=None)]


def test_the_only_slot_takes_what_comes() -> None:
    assert deal([waiter("j1", of="e/b")], [seat(1, None, "e/a")], 1, {}, 0.0) == [Deal(job="j1", seat=1)]


def test_a_job_that_could_not_begin_is_passed_over_for_a_while() -> None:
    waiters = [waiter("j1"), waiter("j2")]

    assert deal(waiters, [seat(1)], 1, {"j1": 10.0}, 9.0) == [Deal(job="j2", seat=1)]
    assert deal(waiters, [seat(1)], 1, {"j1": 10.0}, 10.0) == [Deal(job="j1", seat=1)]


def test_a_job_of_a_slot_whose_runner_has_died_counts() -> None:
    assert deal([waiter("j1", held=True), waiter("j2")], [], 1, {}, 0.0) == []


def test_the_line_is_sorted_by_priority_and_then_by_age() -> None:
    line = [waiter("j1"), waiter("j3"), waiter("j2", priority=5), waiter("j0")]

    assert [one.name for one in sorted(line, key=lambda one: one.turn)] == ["j2", "j0", "j1", "j3"]


def test_a_place_in_the_line_is_said_in_words() -> None:
    line = [waiter("a1", held=True), waiter("b2"), waiter("c3"), waiter("d4"), waiter("e5"), waiter("f6")]

    assert place_in_line("a1", line) is None
    assert place_in_line("b2", line) == (1, "next in line behind a1, which runs")
    assert place_in_line("c3", line) == (2, "2nd in line behind b2")
    assert place_in_line("e5", line) == (4, "4th in line behind b2, c3 and d4")
    assert place_in_line("f6", line) == (5, "5th in line behind 1 other, c3, d4 and e5")
    assert place_in_line("b2", line[1:]) == (1, "next in line")
    assert place_in_line("x", line) is None
