"""The cut by number."""

from __future__ import annotations

import pytest

from gristmill.plan.batches import BatchCutter


def test_a_hundred_files_by_ten_are_ten_mini_batches() -> None:
    cutter = BatchCutter(10)
    cutter.add(b"", [b"%02d" % number for number in range(100)])
    cutter.finish()
    assert list(cutter.take_ends().paths) == list(range(30, 301, 30))


def test_the_last_mini_batch_may_be_shorter() -> None:
    cutter = BatchCutter(2)
    assert cutter.add(b"f/", [b"a", b"bb", b"c"]) == b"f/a\0f/bb\0f/c\0"
    assert list(cutter.take_ends().paths) == [9]
    cutter.finish()
    assert list(cutter.take_ends().paths) == [13]
    assert cutter.items == 3


def test_a_mini_batch_may_reach_over_folders() -> None:
    cutter = BatchCutter(3)
    cutter.add(b"a/", [b"1", b"2"])
    cutter.add(b"b/", [b"1", b"2", b"3"])
    cutter.finish()
    assert list(cutter.take_ends().paths) == [12, 20]


def test_finishing_twice_adds_nothing() -> None:
    cutter = BatchCutter(3)
    cutter.add(b"", [b"a"])
    cutter.finish()
    cutter.finish()
    assert list(cutter.take_ends().paths) == [2]


def test_a_mini_batch_of_no_files_is_refused() -> None:
    with pytest.raises(ValueError, match="mini_batch_size is 0; it must be at least 1"):
        BatchCutter(0)
