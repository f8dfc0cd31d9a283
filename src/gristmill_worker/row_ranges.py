"""Row ranges: how a manifest says which rows of a file belong to a mini-batch.

An entry of ``paths`` is a relative path, which is one item. Where files are split by rows, the entry of a
tabular file has a row range behind it, after ``//``, which no relative path contains::

    <path>//<w or p>,<first row>,<rows>,<begin>,<end>,<header>,<size>,<mtime>

``w``: all of the file, which is passed as it is; ``p``: a piece of it. Rows are counted from 0 over the whole
file; ``begin`` and ``end`` are the bytes of these rows (of Parquet: their share of it), ``header`` is how
many bytes at the beginning of the file are its header; ``size`` in bytes and ``mtime`` in nanoseconds are
those of the file when its rows were counted. One row is one item; a file without rows is one item, too.

The planner writes these, the worker and whoever names the inputs of a range read them.
"""

import os
from typing import List, NamedTuple, Optional

MARK = b"//"
#: Bytes in the name of a file, on most file systems.
_LONGEST_NAME = 255


class RowRange(NamedTuple):
    """Some rows of a file."""

    is_whole: bool
    first: int
    rows: int
    begin: int
    end: int
    header: int
    size: int
    mtime_ns: int

    @property
    def items(self) -> int:
        """As how many items it counts."""
        return self.rows or 1

    def to_bytes(self) -> bytes:
        """Return what stands behind the path, with the mark."""
        kind = b"w" if self.is_whole else b"p"
        return b"%s%s,%s" % (MARK, kind, b",".join(b"%d" % number for number in self[1:]))


class Input(NamedTuple):
    """A file of a mini-batch, or those of its rows that are wanted."""

    name: bytes
    """The path relative to the input folder."""
    range: Optional[RowRange]
    """None: it is one item."""
    skipped: int
    """Rows of the range that stand before those that are wanted."""
    items: int
    """Items that are wanted."""

    @property
    def is_a_piece(self) -> bool:
        """Whether it is not the file as a whole."""
        return self.range is not None and not (self.range.is_whole and self.items == self.range.items)

    @property
    def first_row(self) -> int:
        """Its first row in the file."""
        return self.range.first + self.skipped if self.range is not None else 0

    @property
    def rows(self) -> int:
        """How many rows it has; of a file that is not split, 1."""
        return min(self.items, self.range.rows) if self.range is not None else self.items

    @property
    def piece_name(self) -> bytes:
        """The path relative to the input folder; of a piece, with its rows: ``a.rows-0-99.csv``."""
        if not self.is_a_piece:
            return self.name
        stem, extension = os.path.splitext(self.name)
        first = self.first_row
        rows = b".rows-%d-%d%s" % (first, first + self.rows - 1, extension)
        over = len(os.path.basename(stem)) + len(rows) - _LONGEST_NAME
        return (stem[:-over] if over > 0 else stem) + rows


def parsed(entry: bytes) -> Input:
    """Return all of an entry of the manifest.

    Raises
    ------
    ValueError
        What stands behind the mark is no row range.
    """
    name, mark, numbers = entry.partition(MARK)
    if not mark:
        return Input(name, None, 0, 1)
    kind, *fields = numbers.split(b",")
    found = RowRange(kind == b"w", *map(int, fields))
    return Input(name, found, 0, found.items)


def name_in(entry: bytes) -> bytes:
    """Return the path in an entry."""
    return entry.partition(MARK)[0]


def items_in(entries: List[bytes]) -> int:
    """Return as how many items some entries count."""
    return sum(parsed(one).items if MARK in one else 1 for one in entries)


def inputs_in(entries: List[bytes], first_item: int = 0, items: int = 0) -> List[Input]:
    """Return the inputs of a mini-batch, or of a part of it.

    Parameters
    ----------
    entries
        Those of the mini-batch.
    first_item
        The first item wanted, counted within the mini-batch.
    items
        How many; 0: all from there on.
    """
    found = []
    begin, end = first_item, first_item + items if items else None
    position = 0
    for one in map(parsed, entries):
        skipped = max(0, begin - position)
        past = one.items if end is None else min(one.items, end - position)
        if past > skipped:
            found.append(one._replace(skipped=skipped, items=past - skipped))
        position += one.items
    return found
