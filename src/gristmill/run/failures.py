"""The list of failures: every item without a result, with the reason, in plan order (contract, section 5.7).

It is made from the journal alone, streamed: in memory there are only the places of the records to be told.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator
from heapq import merge
from pathlib import Path
from typing import NamedTuple

from gristmill.engine.contract import Reason, Scored, Span
from gristmill.run.journal import read_journal, read_record
from gristmill.run.records import FailedTry, Revoked, Start
from gristmill.storage.publish import publish_stream


class Named(NamedTuple):
    """An input of a range: a file, or rows of one."""

    name: str
    """As the script got it, relative to the input folder: of some rows of a file ``a.rows-0-99.csv``."""
    file: str | None = None
    """The file, where its rows are counted."""
    first_row: int = 0
    """Its first row in the file, where its rows are counted."""
    items: int = 1
    """As how many items it counts."""

    @property
    def rows(self) -> dict[str, object]:
        """What is said of its rows; nothing where they are not counted."""
        if self.file is None:
            return {}
        return {"file": self.file, "first_row": self.first_row, "missing": self.items}


InputsOf = Callable[[int, int, int], list[Named]]
"""Names the inputs of (mini-batch, first item, items; 0 items: all)."""

_FIELDS = 3
_SORTED_AT_ONCE = 1 << 16
#: Where other readers than JSON's would see the end of a line.
_LINE_ENDS = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


def write_failures(journal: Path, target: Path, inputs_of: InputsOf, scratch: Path | None = None) -> int:
    r"""Publish the list of failures, one line of JSON for each failed item; safe to repeat.

    Parameters
    ----------
    journal
        The job's journal, flushed.
    target
        The file to be replaced; where nothing failed it is removed.
    inputs_of
        Names the items of a range, in plan order.

    Returns
    -------
    int
        Lines written. A range that failed has one for each of its files (``input``); of the first one
        the traceback stands there, the others say whose it is (``same_as``). A short range has one line
        (``inputs``), since nobody can know which of them have no result; ``missing`` says how many.

    Raises
    ------
    JournalError
        The journal cannot be read.
    OSError
        The list cannot be written; an older one is untouched.

    Notes
    -----
    A name that is not UTF-8 has its bytes as ``\udc80`` to ``\udcff``, which ``os.fsencode`` turns back.
    """
    lines = failure_lines(journal, inputs_of)
    first = next(lines, None)
    if first is None:
        target.unlink(missing_ok=True)
        return 0
    count = 1

    def counted() -> Iterator[bytes]:
        nonlocal count
        yield first
        for line in lines:
            count += 1
            yield line

    publish_stream(target, counted(), scratch)
    return count


def failure_lines(journal: Path, inputs_of: InputsOf) -> Iterator[bytes]:
    """Yield the lines of the list, each with its end.

    Raises
    ------
    JournalError
        The journal cannot be read.
    """
    places = _Places()
    places.read(journal)
    if not places.is_empty:
        yield from _lines(journal, places, inputs_of)


class _Places:
    """Where in the journal the ranges stand that have no result, or not all of them."""

    def __init__(self) -> None:
        self._failed = array("Q")  # (mini-batch, first item, position) one after the other
        self._short = array("Q")
        self._revoked: dict[Span, int] = {}
        """Range → where its last revocation stands."""
        self._revoked_rows: dict[tuple[int, int, Span], int] = {}
        """The same by part, offset and range: which record of a range it is."""

    def read(self, journal: Path) -> None:
        for record, _, position in read_journal(journal):
            if isinstance(record, FailedTry):
                if record.final:
                    self._failed.extend((record.span.first, record.span.first_item, position))
            elif isinstance(record, Scored):
                if record.succeeded < record.total:
                    self._short.extend((record.span.first, record.span.first_item, position))
            elif isinstance(record, Revoked):
                self._revoked[record.span] = position
                self._revoked_rows[record.part, record.offset, record.span] = position
            elif isinstance(record, Start) and record.retry_failed:
                del self._failed[:]  # these ranges got new tries

    @property
    def is_empty(self) -> bool:
        return not self._failed and not self._short

    def in_plan_order(self) -> Iterator[int]:
        """Yield the positions of the records, by mini-batch and first item."""
        runs = [run for places in (self._failed, self._short) for run in _sorted_runs(places)]
        for _, _, position in merge(*runs):
            yield position

    def is_void(self, record: FailedTry | Scored, position: int) -> bool:
        """Say whether a range was revoked after it was recorded."""
        if isinstance(record, FailedTry):
            return self._revoked.get(record.span, -1) > position
        return self._revoked_rows.get((record.part, record.offset, record.span), -1) > position


def _sorted_runs(places: array[int]) -> Iterator[Iterator[tuple[int, int, int]]]:
    """Sort piece by piece, in place, so that few numbers are objects at any time."""
    step = _SORTED_AT_ONCE * _FIELDS
    for begin in range(0, len(places), step):
        piece = places[begin : begin + step]
        ordered = sorted(zip(piece[0::3], piece[1::3], piece[2::3], strict=True))
        places[begin : begin + step] = array("Q", (number for place in ordered for number in place))
        yield _run(places, begin, min(begin + step, len(places)))


def _run(places: array[int], begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    for at in range(begin, end, _FIELDS):
        yield places[at], places[at + 1], places[at + 2]


def _lines(journal: Path, places: _Places, inputs_of: InputsOf) -> Iterator[bytes]:
    with open(journal, "rb") as file:
        for position in places.in_plan_order():
            record = read_record(file, position)
            assert isinstance(record, FailedTry | Scored), "a place is an outcome's"
            if places.is_void(record, position):
                continue
            if isinstance(record, Scored):
                yield _short_line(record, inputs_of)
            else:
                yield from _failed_lines(record, inputs_of)


def _failed_lines(failed: FailedTry, inputs_of: InputsOf) -> Iterator[bytes]:
    inputs = inputs_of(failed.span.first, failed.span.first_item, failed.span.items)
    for number, one in enumerate(inputs):
        yield _encoded(
            {
                "input": one.name,
                **one.rows,
                "reason": failed.reason,
                "message": failed.message,
                "tries": failed.attempt,
                "items": failed.items,
                "mini_batch": failed.span.first,
                "first_item": failed.span.first_item,
                "worker": failed.worker,
                "log": failed.log,
                **({"traceback": failed.traceback} if number == 0 else {"same_as": inputs[0].name}),
                "activity": failed.activity,
                "seconds": round(failed.seconds, 6),
                "at": failed.at,
            }
        )


def _short_line(scored: Scored, inputs_of: InputsOf) -> bytes:
    span = scored.span
    batches = range(span.first, span.first + span.batches)
    missing = scored.total - scored.succeeded
    inputs = [one for batch in batches for one in inputs_of(batch, span.first_item, span.items)]
    unit = "file" if all(one.file is None for one in inputs) else "row"
    return _encoded(
        {
            "inputs": [one.name for one in inputs],
            "reason": Reason.MISSING_RESULT.value,
            "message": (
                f"run() returned {scored.succeeded:,} {'result' if scored.succeeded == 1 else 'results'} for "
                f"{scored.total:,} {unit}{'' if scored.total == 1 else 's'}; return one element per {unit}"
            ),
            "tries": scored.attempt,
            "missing": missing,
            "items": scored.total,
            "mini_batch": span.first,
            "first_item": span.first_item,
            "worker": scored.worker,
            "log": "",
            "traceback": "",
            "activity": "",
            "seconds": round(scored.seconds, 6),
            "at": "",
        }
    )


def _encoded(values: dict[str, object]) -> bytes:
    text = json.dumps(values, ensure_ascii=False)
    for character, escape in _LINE_ENDS:
        text = text.replace(character, escape)
    return text.encode("utf-8", "backslashreplace") + b"\n"  # what is no character becomes its JSON escape
