"""Rows with different columns in one file: the union of the columns, in order of first appearance."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

#: csv's own limit of 131,072 characters is a guard against bad files; these rows are our own.
_LONGEST_CELL = 2**31 - 1


def header_line(columns: Sequence[str]) -> bytes:
    """Return the first line of a comma-separated file with these columns."""
    return _rendered([list(columns)])


def union_of(headers: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return every column once, in order of first appearance; a name that one header has twice stays
    twice.
    """
    union: list[str] = []
    for header in headers:
        for name in header:
            if union.count(name) < header.count(name):
                union.append(name)
    return tuple(union)


def reshaped(rows: bytes, old: Sequence[str], new: Sequence[str]) -> bytes:
    """Return comma-separated rows of the columns ``old`` as rows of the columns ``new``.

    A column that the rows do not have is empty.
    """
    if tuple(old) == tuple(new):
        return rows
    places: list[int | None] = []
    free = list(range(len(old)))
    for name in new:
        place = next((i for i in free if old[i] == name), None)
        if place is not None:
            free.remove(place)
        places.append(place)
    csv.field_size_limit(_LONGEST_CELL)
    text = io.StringIO(rows.decode("utf-8", "surrogateescape"), newline="")
    return _rendered(
        [["" if place is None else cells[place] for place in places] for cells in csv.reader(text)]
    )


def other_columns_notice(first: Sequence[str], other: Sequence[str]) -> str:
    """Say that rows will stand below a header that is not theirs."""
    shown = "; ".join(", ".join(names)[:80] for names in (first, other))
    return (
        f"run() returned data frames with different columns ({shown}), and the output has one header, that "
        "of its first frame: rows with other columns do not fit below it. Return the same columns for every "
        "mini-batch, or let --format csv unite them"
    )


def _rendered(rows: list[list[str]]) -> bytes:
    """Return rows as text; a cell is quoted where a reader needs it.

    Not by ``csv.writer``: before Python 3.13 it leaves a carriage return unquoted, and readers end the row
    there.
    """
    lines = []
    for cells in rows:
        line = ",".join(map(_quoted, cells))
        lines.append((line or '""') + "\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def _quoted(cell: str) -> str:
    if any(character in cell for character in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell
