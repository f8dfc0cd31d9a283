"""However many ranges wait, only a few of them are objects in memory."""

from __future__ import annotations

import gc
from pathlib import Path

from gristmill.engine.contract import Span
from gristmill.run.waiting import MOST_IN_MEMORY, Rows, WaitingRows


def rows_at(first: int) -> Rows:
    return Rows(Span(first), 1 << 20, 10 * first, 10, 7, 1)


def test_beyond_some_thousands_ranges_wait_in_a_file(tmp_path: Path) -> None:
    waiting = WaitingRows(tmp_path)
    before = [one for one in gc.get_objects() if isinstance(one, Rows)]  # what other tests have left
    count = 3 * MOST_IN_MEMORY
    for first in range(count, 0, -1):  # the first one takes an hour
        waiting.add(rows_at(first))
    in_memory = sum(isinstance(one, Rows) for one in gc.get_objects())
    assert in_memory - len(before) == MOST_IN_MEMORY
    assert (len(waiting), waiting.bytes_waiting) == (count, 10 * count)
    waiting.add(rows_at(0))
    assert [waiting.take(first, 0) for first in range(count + 1)] == [rows_at(n) for n in range(count + 1)]
    waiting.close()


def test_rows_that_come_in_order_never_get_to_the_disk(tmp_path: Path) -> None:
    waiting = WaitingRows(tmp_path / "not made")
    for first in range(3 * MOST_IN_MEMORY):
        waiting.add(rows_at(first))
        assert waiting.take(first, 0) == rows_at(first)
    waiting.close()
