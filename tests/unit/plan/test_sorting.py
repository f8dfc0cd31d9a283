"""Sorted runs, in memory and spilled."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import PlanError
from gristmill.plan.sorting import SortedNames


def test_names_beyond_the_allowance_are_spilled_and_merged(tmp_path: Path) -> None:
    names = [b"%04d" % (number * 7919 % 1000) for number in range(1000)]
    sorter = SortedNames(tmp_path, run_names=50, memory_names=200)
    for begin in range(0, 1000, 10):
        sorter.add(sorted(names[begin : begin + 10]))
    assert sorter.spilled_runs == 20
    assert [name for chunk in sorter.merged() for name in chunk] == sorted(names)
    sorter.close()


def test_names_within_the_allowance_stay_in_memory(tmp_path: Path) -> None:
    sorter = SortedNames(tmp_path / "is-not-there", run_names=10, memory_names=200)
    for number in range(199, -1, -1):
        sorter.add([b"%03d" % number])
    assert sorter.spilled_runs == 0
    assert [name for chunk in sorter.merged() for name in chunk] == [
        b"%03d" % number for number in range(200)
    ]


def test_the_temporary_file_has_no_name(tmp_path: Path) -> None:
    sorter = SortedNames(tmp_path, run_names=1, memory_names=0)
    sorter.add([b"a"])
    assert sorter.spilled_runs == 1
    assert list(tmp_path.iterdir()) == []
    sorter.close()


def test_chunks_stay_small_where_long_runs_follow_one_another(tmp_path: Path) -> None:
    names = [b"%06d" % number for number in range(60_000)]
    sorter = SortedNames(tmp_path, run_names=2_000, memory_names=6_000)
    for begin in range(58_000, -1, -2_000):
        sorter.add(names[begin : begin + 2_000])
    chunks = list(sorter.merged())
    assert [name for chunk in chunks for name in chunk] == names
    assert max(map(len, chunks)) <= 16_384
    sorter.close()


def test_nothing_added_merges_to_nothing(tmp_path: Path) -> None:
    sorter = SortedNames(tmp_path)
    assert list(sorter.merged()) == []


def test_a_scratch_folder_that_cannot_be_written_is_a_plan_error(tmp_path: Path) -> None:
    sorter = SortedNames(tmp_path / "is-not-there", run_names=1, memory_names=0)
    with pytest.raises(
        PlanError, match=r"cannot write the temporary list of a large folder in .*is-not-there"
    ):
        sorter.add([b"a"])
