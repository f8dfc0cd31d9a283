"""Where each range's rows, and the pieces of each file, are in what is assembled: lists on disk, since they
may be as long as the plan.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path

from gristmill.engine.contract import Span
from gristmill.run.records import Placed, PlacedPiece

_ENTRY = struct.Struct("<QIIIQQII?")
_PIECE = struct.Struct("<IQIIIIQQQI")
_ENTRIES_AT_ONCE = 4096
#: Numbers of a placed range without its first mini-batch.
_FIELDS = 6


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

    def add(self, placed: Placed, header: int, is_reshaped: bool = False) -> None:
        """Append a range.

        Parameters
        ----------
        placed
            Where its rows are.
        header
            The id of the columns that they had when they were scored.
        is_reshaped
            Whether they have those of an earlier output instead.

        Raises
        ------
        OSError
            The disk is full.
        """
        self._file.write(_ENTRY.pack(*placed.span, *placed[1:], header, is_reshaped))

    def read(self) -> Iterator[Placed]:
        """Yield all ranges, in the order in which they were added."""
        return (placed for placed, _, _ in self.read_with_headers())

    def read_with_headers(self) -> Iterator[tuple[Placed, int, bool]]:
        """Yield all ranges with the id of their columns, and whether they were reshaped."""
        self._file.flush()
        self._file.seek(0)
        while block := self._file.read(_ENTRY.size * _ENTRIES_AT_ONCE):
            for fields in _ENTRY.iter_unpack(block):
                yield Placed(Span(*fields[:4]), *fields[4:7]), fields[7], fields[8]

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()


class PlacedIndex:
    """Where each range's rows are in a published file, by range: numbers in a row, not an object for each."""

    def __init__(self) -> None:
        self._first = array("Q")
        self._fields = array("Q")

    def add(self, placed: Placed) -> None:
        """Take a range; they come in plan order, as they stand in the file, and then it is quick."""
        at = bisect_right(self._first, placed.span.first)
        self._first.insert(at, placed.span.first)
        fields = array("Q", (*placed.span[1:], *placed[1:]))
        self._fields[at * _FIELDS : at * _FIELDS] = fields

    def __iter__(self) -> Iterator[Placed]:
        """Yield all ranges in plan order."""
        return map(self._at, range(len(self._first)))

    def of(self, span: Span) -> Placed | None:
        """Return where the rows of a range are; None where it has none."""
        at = bisect_left(self._first, span.first)
        while at < len(self._first) and self._first[at] == span.first:
            placed = self._at(at)
            if placed.span == span:
                return placed
            at += 1
        return None

    def _at(self, number: int) -> Placed:
        fields = self._fields[number * _FIELDS : (number + 1) * _FIELDS]
        return Placed(Span(self._first[number], *fields[:3]), *fields[3:])


class PlacedPieces:
    """An append-only list of placed pieces."""

    def __init__(self, path: Path) -> None:
        """Begin an empty list; an earlier one at ``path`` is overwritten.

        Raises
        ------
        OSError
            The file cannot be made.
        """
        self._file = open(path, "w+b")

    def add(self, piece: PlacedPiece) -> None:
        """Append a piece.

        Raises
        ------
        OSError
            The disk is full.
        """
        self._file.write(_PIECE.pack(piece.file, *piece.span, *piece[2:]))

    def read(self) -> Iterator[PlacedPiece]:
        """Yield all pieces, in the order in which they were added."""
        self._file.flush()
        self._file.seek(0)
        while block := self._file.read(_PIECE.size * _ENTRIES_AT_ONCE):
            for fields in _PIECE.iter_unpack(block):
                yield PlacedPiece(fields[0], Span(*fields[1:5]), *fields[5:])

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()
