"""The fit of a call's cost, the next size, and what the time goes into: pure functions over values."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles.measurements import linear, sizes
from gristmill.engine.trial import Call
from gristmill.service.tuning.climb import LARGEST, Room, next_size, share_for_comparing
from gristmill.service.tuning.cost import cost_of, peak_at
from gristmill.service.tuning.crews import Crew, crews_to_try, rate_of
from gristmill.service.tuning.facts import SizeCost
from gristmill.service.tuning.log import growth_of, shares_of

ROOM = Room(files=2048, seconds=10.0, memory_bytes=None)


def call(names: str = "a", worker: int = 1, **values: float) -> Call:
    told: dict[str, float] = {
        "began_at": 0.0,
        "ended_at": 1.0,
        "cpu_s": 0.0,
        "stalled_s": 0.0,
        "written_s": 0.0,
        **values,
    }
    return Call(
        worker=worker,
        names=tuple(names),
        results=len(names),
        read_bytes=0,
        written_bytes=0,
        peak_bytes=0,
        **told,
    )


@given(st.floats(0, 10), st.floats(1e-6, 10), st.integers(2, 10))
def test_a_line_is_found_whatever_it_is(fixed_s: float, file_s: float, powers: int) -> None:
    cost = cost_of(sizes(linear(fixed_s, file_s), 1 << powers))

    assert cost.is_linear
    assert cost.seconds(100) == pytest.approx(fixed_s + 100 * file_s, rel=1e-6, abs=1e-9)


def test_one_odd_measurement_does_not_move_the_line() -> None:
    odd = cost_of(sizes(lambda n: 1.0 if n == 8 else 0.1 + 0.01 * n, 256))

    assert odd.file_s == pytest.approx(0.01, rel=0.05)
    assert odd.fixed_s == pytest.approx(0.1, rel=0.1)


def test_where_no_line_fits_the_measurements_are_believed() -> None:
    cost = cost_of(sizes(lambda n: 0.001 * n * n, 64))

    assert not cost.is_linear
    assert cost.seconds(32) == pytest.approx(1.024)
    assert 0.256 < cost.seconds(24) < 1.024


def test_memory_between_two_sizes_is_that_of_the_larger() -> None:
    known = sizes(linear(0, 1), 64, memory=lambda n: n)

    assert (peak_at(known, 20), peak_at(known, 32), peak_at(known, 100)) == (32, 32, 64)


def climbed(
    cost: Callable[[int], float], room: Room = ROOM, memory: Callable[[int], int] = lambda _: 0
) -> list[int]:
    seen: list[SizeCost] = []
    while (size := next_size(seen, room)) is not None:
        told = cost(size)
        seen.append(SizeCost(size=size, calls=1, seconds=told, slowest_s=told, peak_bytes=memory(size)))
    return [one.size for one in seen]


def test_climb_begins_with_one_file() -> None:
    assert next_size((), ROOM) == 1


def test_climb_ends_where_a_call_costs_nothing_more() -> None:
    assert climbed(linear(0.0, 0.001)) == [1, 2, 4, 8]


def test_climb_goes_on_while_the_fixed_cost_counts() -> None:
    assert climbed(linear(0.1, 0.01))[-1] == 512
    assert climbed(linear(0.01, 0.01))[-1] == 64


def test_climb_ends_where_a_call_would_take_too_long() -> None:
    assert climbed(linear(1.0, 1.0)) == [1, 2, 4, 8]


def test_climb_ends_where_a_call_would_take_too_much_memory() -> None:
    room = Room(files=2048, seconds=10.0, memory_bytes=1000)

    assert climbed(linear(0.1, 0.001), room, lambda n: 100 * n) == [1, 2, 4, 8]


def test_climb_never_goes_above_the_sample_nor_above_what_anybody_wants() -> None:
    assert climbed(linear(1.0, 1e-6), Room(files=5, seconds=10.0, memory_bytes=None)) == [1, 2, 4, 5]
    assert climbed(linear(1.0, 1e-6), Room(files=10**6, seconds=10.0, memory_bytes=None))[-1] == LARGEST


def test_climb_turns_back_where_files_get_dearer() -> None:
    assert climbed(lambda n: 0.01 * n + 0.01 * n * n) == [1, 2, 4, 8]


def test_enough_time_is_kept_for_starting_other_workers() -> None:
    assert share_for_comparing(left_s=40.0, start_s=0.1) == 0.55
    assert share_for_comparing(left_s=40.0, start_s=8.0) == pytest.approx(0.4)
    assert share_for_comparing(left_s=40.0, start_s=60.0) == 0.55  # they cannot be started at all


def test_waiting_that_the_second_reading_lacks_was_for_files() -> None:
    first = call("ab", ended_at=1.0, cpu_s=0.3, written_s=0.1)
    again = call("ab", ended_at=0.5, cpu_s=0.3, written_s=0.1)

    shares = shares_of([(first, again)])

    told = (shares.computing, shares.reading, shares.waiting, shares.writing)
    assert told == pytest.approx((0.3, 0.5, 0.1, 0.1))
    assert shares.reading_s == pytest.approx(0.25)


def test_core_that_others_had_is_nobodys_wait() -> None:
    busy = call(ended_at=1.0, cpu_s=0.4, stalled_s=0.6)

    assert shares_of([(busy, busy)]).computing == pytest.approx(1.0)


def test_threads_and_child_processes_count_as_cores() -> None:
    threads = call(ended_at=1.0, cpu_s=3.5)

    shares = shares_of([(threads, threads)])

    assert (shares.computing, shares.cores) == (1.0, 3.5)


def test_largest_file_counts_only_where_the_time_follows_the_size() -> None:
    by_size = [(size, size / 100) for size in range(1, 11)]
    by_chance = [(size, 1.0 + size % 2) for size in range(1, 11)]

    assert growth_of(by_size, 50) == 5.0
    assert growth_of(by_size, 5000) == 20.0
    assert growth_of(by_chance, 50) == 1.0
    assert growth_of(by_size[:3], 50) == 1.0
    assert growth_of([(10, 1.0)] * 8, 50) == 1.0


def crew(**values: object) -> Crew:
    usual = {"size": 1, "call_s": 0.1, "start_s": 1, "share": 4, "cores": 4, "fitting": 100, "waits": False}
    return Crew(**{**usual, **values})  # type: ignore[arg-type]


def test_more_workers_than_cores_are_tried_only_where_they_wait() -> None:
    assert crews_to_try(crew()) == [1, 4]
    assert crews_to_try(crew(waits=True)) == [1, 4, 8, 16, 32]
    assert crews_to_try(crew(waits=True, fitting=9)) == [1, 4, 8]
    assert crews_to_try(crew(share=1, cores=1, waits=True)) == [1, 2, 4, 8]
    assert crews_to_try(crew(share=2, fitting=2)) == [1, 2]
    assert crews_to_try(crew(share=1, fitting=1)) == [1]


def test_rate_is_what_each_worker_did_in_its_own_time() -> None:
    calls = [
        call("abcd", worker=1, began_at=0.0, ended_at=1.0),
        call("abcd", worker=1, began_at=1.0, ended_at=2.0),
        call("ab", worker=2, began_at=0.5, ended_at=1.0),
    ]

    assert rate_of(calls) == pytest.approx(4.0 + 4.0)
