"""Where each range's rows are in the assembled file: a list on disk, since it may be as long as the plan."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from gristmill.engine.contract import Span
from gristmill.run.records import Placed

_ENTRY = struct.Struct("<QIIIQQII")
_ENTRIES_AT_ONCE = 4096


class PlacedRanges:
    """An append-only list of placed ranges with the id of their columns."""

    def __init__(self, path: Path) -> None:
        """Begin an empty list; an earlier one at ``path`` is overwritten.

        Raises
        ------
        OSError
            The file cannot be made.
        """
        self._file = open(path, "w+b")

    def add(self, placed: Placed, header: int) -> None:
        """Append a range.

        Raises
        ------
        OSError
            The disk is full.
        """
        self._file.write(_ENTRY.pack(*placed.span, *placed[1:], header))

    def read(self) -> Iterator[Placed]:
        """Yield all ranges, in the order in which they were added."""
        return (placed for placed, _ in self.read_with_headers())

    def read_with_headers(self) -> Iterator[tuple[Placed, int]]:
        """Yield all ranges with the id of their columns."""
        self._file.flush()
        self._file.seek(0)
        while block := self._file.read(_ENTRY.size * _ENTRIES_AT_ONCE):
            for fields in _ENTRY.iter_unpack(block):
                yield Placed(Span(*fields[:4]), *fields[4:7]), fields[7]

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()
