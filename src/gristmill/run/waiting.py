"""Rows that are not next in the plan yet: the first few in memory, all others in a file by mini-batch.

Where the largest mini-batches are run first, or the first one takes an hour, nearly all rows of a job wait
for one another. In memory that would be a third of a gigabyte for a million ranges; here each takes 48 bytes
of a file that has no name and goes with the process. Rows that come in order never get there.
"""

from __future__ import annotations

import heapq
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gristmill.engine.contract import Span

MOST_IN_MEMORY = 8192
_SLOT = struct.Struct("<IIQQIIQB7x")
_SLOTS_AT_ONCE = 512
_IS_THERE, _IS_PUBLISHED = 1, 2


class Rows(NamedTuple):
    """The rows of a range: where they are now, and what columns they have."""

    span: Span
    part: int
    offset: int
    length: int
    crc: int
    header: int
    """Id of the columns within the job; 0 where the rows have none."""
    is_last_part: bool = True
    """Whether the next range begins with the next mini-batch."""
    attached: int = 0
    """How long the pieces of other files are that follow the rows in the part, in bytes."""
    is_published: bool = False
    """Whether they, and the pieces, are in the output that was published before; `offset` and `length` are
    where."""


class WaitingRows:
    """Takes rows in any order and gives them back in plan order; `OSError` of its file is passed on."""

    def __init__(self, folder: Path, most_in_memory: int = MOST_IN_MEMORY) -> None:
        """Hold nothing yet; a file is made in ``folder`` once it is needed."""
        self._folder = folder
        self._most_in_memory = most_in_memory
        self._heap: list[Rows] = []
        self._file = -1
        self._on_disk = 0
        self._block = bytearray()
        """Some slots of the file, as they are there."""
        self._block_first = 0
        self.bytes_waiting = 0
        """How long all rows are, with what is attached to them, in bytes."""

    def __len__(self) -> int:
        """Return how many ranges wait."""
        return len(self._heap) + self._on_disk

    def add(self, rows: Rows) -> None:
        """Take the rows of a range."""
        if len(self._heap) < self._most_in_memory or rows.span.items:
            heapq.heappush(self._heap, rows)
        else:
            self._write(rows)
        self.bytes_waiting += rows.length + rows.attached

    def take(self, first: int, first_item: int) -> Rows | None:
        """Give back the range that begins with this item of this mini-batch; None while it is not here."""
        span = self._heap[0].span if self._heap else None
        if span is not None and (span.first, span.first_item) == (first, first_item):
            found: Rows | None = heapq.heappop(self._heap)
        else:
            found = self._read(first) if self._on_disk and not first_item else None
            self._on_disk -= found is not None
        if found is not None:
            self.bytes_waiting -= found.length + found.attached
        return found

    def take_all(self, first: int) -> Iterator[Rows]:
        """Give back all ranges in plan order; none that was not given back begins before ``first``."""
        rest = heapq.merge(sorted(self._heap), self._all_on_disk(first))
        self._heap = []
        for rows in rest:
            self.bytes_waiting -= rows.length + rows.attached
            yield rows

    def close(self) -> None:
        """Give back the file; idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, rows: Rows) -> None:
        if self._file < 0:
            path = self._folder / "waiting"
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            path.unlink()
        flags = _IS_THERE | _IS_PUBLISHED * rows.is_published
        where = (rows.part, rows.offset, rows.length, rows.crc, rows.header, rows.attached)
        slot = _SLOT.pack(rows.span.batches, *where, flags)
        os.pwrite(self._file, slot, rows.span.first * _SLOT.size)
        self._on_disk += 1
        at = (rows.span.first - self._block_first) * _SLOT.size
        if 0 <= at < len(self._block):
            self._block[at : at + _SLOT.size] = slot

    def _read(self, first: int) -> Rows | None:
        at = (first - self._block_first) * _SLOT.size
        if not 0 <= at < len(self._block):
            self._load(first)
            at = 0
        return _rows_of(first, *_SLOT.unpack_from(self._block, at))

    def _all_on_disk(self, first: int) -> Iterator[Rows]:
        end = os.fstat(self._file).st_size if self._on_disk else 0
        while first * _SLOT.size < end:
            self._load(first)
            for number, fields in enumerate(_SLOT.iter_unpack(bytes(self._block)), first):
                rows = _rows_of(number, *fields)
                if rows is not None:
                    self._on_disk -= 1
                    yield rows
            first += _SLOTS_AT_ONCE

    def _load(self, first: int) -> None:
        """Read some slots, the empty ones behind the end of the file included."""
        size = _SLOTS_AT_ONCE * _SLOT.size
        self._block = bytearray(os.pread(self._file, size, first * _SLOT.size).ljust(size, b"\0"))
        self._block_first = first


def _rows_of(
    first: int,
    batches: int,
    part: int,
    offset: int,
    length: int,
    crc: int,
    header: int,
    attached: int,
    flags: int,
) -> Rows | None:
    if not flags & _IS_THERE:
        return None
    is_published = bool(flags & _IS_PUBLISHED)
    return Rows(Span(first, batches), part, offset, length, crc, header, True, attached, is_published)
