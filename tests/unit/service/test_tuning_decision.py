"""Which settings follow from measurements: a table of scripts, each with what an engineer would set."""

from __future__ import annotations

import dataclasses

import pytest

from doubles.measurements import GB, READS, WAITS, crews, linear, measurements
from gristmill.service.tuning.decision import MEMORY_SHARE, Binding, decide
from gristmill.service.tuning.facts import Current, Measurements, Shares

MB = 1_000_000
FIXED_HEAVY = linear(1.0, 0.001)
#: name: measurements, least and most mini-batch size, workers, what binds
TABLE: dict[str, tuple[Measurements, int, int, int, Binding]] = {
    "computes, and a call costs nothing": (measurements(linear(0.0, 0.01)), 1, 1, 4, Binding.CPU),
    "computes, with a small fixed cost": (measurements(linear(0.01, 0.01)), 16, 64, 4, Binding.CPU),
    "has a fixed cost above all": (measurements(FIXED_HEAVY), 256, 256, 4, Binding.CPU),
    "takes microseconds": (measurements(linear(0.0, 2e-6), files=100_000_000), 64, 256, 4, Binding.CPU),
    "waits, seen side by side": (
        measurements(
            linear(0.0, 0.05), shares=WAITS, side_by_side=crews(1, w1=20, w4=80, w8=160, w16=319, w32=322)
        ),
        1,
        1,
        16,
        Binding.WAITING,
    ),
    "waits, and nobody saw it": (measurements(linear(0.0, 0.05), shares=WAITS), 1, 1, 8, Binding.WAITING),
    "reads": (measurements(linear(0.0, 0.003), shares=READS), 1, 1, 8, Binding.READING),
    "computes and reads, seen side by side": (
        measurements(
            linear(0.0, 0.01),
            shares=Shares(reading=0.45, computing=0.55, waiting=0.0, writing=0.0, cores=0.55),
            side_by_side=crews(1, w1=100, w4=400, w8=700),
        ),
        1,
        1,
        8,
        Binding.READING,
    ),
    "keeps cores busy with threads, and nobody saw two": (
        measurements(
            linear(0.0, 0.01),
            shares=Shares(reading=0.0, computing=1.0, waiting=0.0, writing=0.0, cores=3.5),
        ),
        1,
        1,
        4,
        Binding.CPU,
    ),
    "needs much memory": (
        measurements(linear(0.01, 0.01), memory=lambda n: 6 * GB),
        16,
        64,
        2,
        Binding.MEMORY,
    ),
    "needs memory for each file": (
        measurements(linear(0.2, 0.01), memory=lambda n: GB + 200 * MB * n),
        16,
        16,
        3,
        Binding.MEMORY,
    ),
    "does not fit even once": (
        measurements(linear(0.01, 0.01), memory=lambda n: 20 * GB),
        1,
        1,
        1,
        Binding.MEMORY,
    ),
    "has three files": (measurements(linear(0.0, 1.0), files=3), 1, 1, 3, Binding.INPUT),
    "has one file": (measurements(linear(0.0, 90.0), files=1), 1, 1, 1, Binding.INPUT),
    "starts longer than it works": (
        measurements(linear(0.0, 0.01), files=20, start_s=60.0),
        1,
        20,
        1,
        Binding.START,
    ),
    "takes ever more for a file": (measurements(lambda n: 0.01 * n + 0.001 * n * n), 1, 1, 4, Binding.CPU),
    "is best at one size": (
        measurements(lambda n: 0.02 * n if n <= 32 else 0.06 * n, upto=128),
        1,
        32,
        4,
        Binding.CPU,
    ),
    "keeps all cores busy alone": (
        measurements(linear(0.0, 0.01), side_by_side=crews(8, w1=100, w4=101)),
        1,
        10,
        1,
        Binding.CPU,
    ),
    "has two GPUs": (measurements(linear(0.01, 0.01), gpu_workers=2), 16, 64, 2, Binding.GPU),
    "has few files and a fixed cost": (
        measurements(FIXED_HEAVY, files=100, upto=100),
        25,
        64,
        2,
        Binding.INPUT,
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_script_gets_the_settings_that_fit_it(name: str) -> None:
    measured, least, most, workers, binds = TABLE[name]

    chosen = decide(measured)

    assert least <= chosen.mini_batch_size <= most
    assert (chosen.workers, chosen.binds) == (workers, binds)


def test_timeout_holds_a_call_with_the_slowest_file_four_times() -> None:
    slow = measurements(linear(0.0, 1.0), files=1000, slowest_file_s=20.0)

    chosen = decide(slow)

    assert (chosen.mini_batch_size, chosen.timeout_s) == (1, 80)


def test_timeout_knows_that_larger_files_are_to_come() -> None:
    slow = measurements(linear(0.0, 1.0), files=1000, slowest_file_s=2.0, growth=15.0)

    assert decide(slow).timeout_s == 150


def test_timeout_is_never_shorter_than_half_a_minute() -> None:
    assert decide(measurements(linear(0.0, 1e-5))).timeout_s == 30


def test_timeout_grows_where_workers_hinder_each_other() -> None:
    alone = measurements(linear(0.0, 10.0), side_by_side=crews(1, w1=0.1, w4=0.2))

    assert decide(alone).timeout_s == 100  # 11 s, twice as slow, four times


def test_mini_batch_of_more_than_a_minute_is_not_worth_its_fixed_cost() -> None:
    chosen = decide(measurements(linear(20.0, 1.0), upto=128))

    assert chosen.call_s <= 60.0
    assert chosen.mini_batch_size == 32


def test_job_with_the_choice_is_not_slower_than_as_it_is() -> None:
    chosen = decide(measurements(FIXED_HEAVY, current=Current(mini_batch_size=10, workers=1, timeout_s=30)))

    assert chosen.as_it_is.seconds == pytest.approx(0.5 + 10_000 * 1.0101, rel=0.01)
    assert chosen.expected.seconds < chosen.as_it_is.seconds / 50


def test_settings_that_are_as_quick_are_left_alone() -> None:
    now = Current(mini_batch_size=100, workers=4, timeout_s=30)

    chosen = decide(measurements(linear(0.0, 0.01), current=now))

    assert (chosen.mini_batch_size, chosen.workers) == (100, 4)
    assert chosen.expected == chosen.as_it_is


def test_settings_that_were_not_measured_or_do_not_fit_are_not_kept() -> None:
    larger = Current(mini_batch_size=10_000, workers=4, timeout_s=30)
    more = Current(mini_batch_size=1, workers=400, timeout_s=30)

    assert decide(measurements(linear(0.0, 0.01), current=larger)).mini_batch_size == 1
    assert decide(measurements(linear(0.0, 0.01), current=more)).workers == 4


def test_limit_for_one_worker_is_kept() -> None:
    greedy = measurements(FIXED_HEAVY, memory=lambda n: 10 * MB * n, worker_limit_bytes=500 * MB)

    assert decide(greedy).mini_batch_size == 32


@pytest.mark.parametrize("gigabytes", [1, 3, 9, 100])
def test_workers_fit_into_memory_with_the_files_of_their_mini_batch(gigabytes: int) -> None:
    measured = measurements(
        FIXED_HEAVY, memory=lambda n: 300 * MB + 20 * MB * n, memory_bytes=gigabytes * GB, cores=16
    )

    chosen = decide(measured)

    peak = 300 * MB + 20 * MB * chosen.mini_batch_size
    assert chosen.workers * peak <= gigabytes * GB * MEMORY_SHARE


def test_nobody_knows_the_memory() -> None:
    chosen = decide(measurements(linear(0.01, 0.01), memory_bytes=None))

    assert (chosen.workers, chosen.fitting) == (4, None)


def test_a_busy_machine_is_seen_in_what_is_expected() -> None:
    quiet = measurements(linear(0.0, 0.01), side_by_side=crews(1, w1=100, w4=400))
    busy = dataclasses.replace(quiet, side_by_side=crews(1, w1=50, w4=200))

    assert decide(busy).expected.files_per_s == pytest.approx(
        decide(quiet).expected.files_per_s / 2, rel=0.02
    )
    assert decide(busy).workers == decide(quiet).workers == 4
