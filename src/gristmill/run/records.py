"""What can be recorded about a job, and its form in the journal.

A record is its kind (one byte), the length of its body (u32) and the body: a fixed struct for what comes
in numbers, JSON for what is rare.
"""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple

from gristmill.engine.contract import Farewell, Scored, Span

RECORD_HEAD = struct.Struct("<BI")
_SCORED = struct.Struct("<QIIIHQQQQQIIIdIQIB")
_FAREWELL = struct.Struct("<IQIQQIQ")
_PLACED = struct.Struct("<QIIIQQI")
_REVOKED = struct.Struct("<QIIIQQQQ")
_PIECE = struct.Struct("<IQIIIIQQQI")

START, SCORED, FAILED, COLUMNS, MODULES, PLAN, MARK, REVOKED, PLACED, PUBLISHED, FAREWELL, FILE, DIVIDED = (
    range(1, 14)
)
PIECE = 14


class Start(NamedTuple):
    """A process has begun to work on the job."""

    fence: int
    run_id: str
    host: str
    pid: int
    at: str
    """UTC, ISO 8601."""
    retry_failed: bool
    """Whether ranges that had failed for good before get new tries."""
    rerun: bool = False
    """Whether a job whose output is published begins to score again what failed in it: that output stands,
    and is where the rows of older ranges are, until a later `Published` replaces it. The short ranges are
    revoked in the same group."""


class FailedTry(NamedTuple):
    """A try that failed, and whether it was the last one."""

    span: Span
    attempt: int
    reason: str
    message: str
    traceback: str
    seconds: float
    worker: int
    log: str
    final: bool
    items: int
    """Items in the span."""
    at: str
    """UTC, ISO 8601."""
    activity: str = ""
    """``computing`` or ``waiting`` when its time was up; empty otherwise."""
    alone_next: bool = False
    """Whether the range needs a node for itself from now on."""


class Divided(NamedTuple):
    """A span whose tries are used up is taken apart: these parts are to be run in its place."""

    span: Span
    parts: tuple[tuple[int, int], ...]
    """(first item, items) of each, which together are all items of the span."""


class JobColumns(NamedTuple):
    """The columns that rows may have, under an id that holds within the job."""

    header: int
    names: tuple[str, ...]
    line: str = ""
    """The line that stands above such rows; empty where the output has none, or its own."""
    types: tuple[str, ...] = ()
    """The type of each column, by the names of `value_types`; none where the output has no types."""


class Modules(NamedTuple):
    """The script's own modules as the first worker loaded them: (path, SHA-256)."""

    modules: tuple[tuple[str, str], ...]
    is_anew: bool = False
    """Whether the code is another from here on, and what was known of it before does not hold."""


class PlanComplete(NamedTuple):
    """The listing is over: the plan is what it is."""

    mini_batches: int
    items: int


class Mark(NamedTuple):
    """Everything before this survives a loss of power."""


class Revoked(NamedTuple):
    """A range whose end state is void, as if it had never been run: its rows were lost with the power, or the
    listing that it belongs to was cut off and came out differently when it was made again. With a `total` of
    0, that the mini-batch was taken apart is void.
    """

    span: Span
    total: int
    succeeded: int
    part: int
    """With `offset`, which record of the range is void; both 0 for a range that had failed."""
    offset: int


class Placed(NamedTuple):
    """Where a range's rows are in the published file."""

    span: Span
    offset: int
    length: int
    crc: int


class PublishedFile(NamedTuple):
    """A file that scripts append to appeared under its final name."""

    name: str
    """Relative to the output folder."""
    size: int
    crc: int
    script_name: str = ""
    """The name that the script gave it; empty where it is the same."""
    header_bytes: int = 0
    """How long the first line is that several workers wrote and that stands there once, before all pieces."""


class PlacedPiece(NamedTuple):
    """Where a piece that one mini-batch added to a file is in that file, as it was published.

    The pieces of one file follow each other without a gap from its `header_bytes` to its end, not always in
    the order of their records: a file that one worker wrote may stand in the order in which it was written.
    The `PlacedPiece` records since the last start belong to the next `Published`, as `Placed` do.
    """

    file: int
    """Which of the `PublishedFile` records since the last start, from 0."""
    span: Span
    """Which mini-batch, or part of one; without batches: what a worker left at its end."""
    part: int
    """The part that it came from, which tells the worker."""
    at: int
    """Where it began in the worker's own file, in bytes."""
    offset: int
    """Where it is in the published file, in bytes."""
    length: int
    crc: int


class Published(NamedTuple):
    """The predictions file appeared under its final name; the `Placed` records since the last start
    belong to it. After a rerun it is written before the file replaces the older one: what is still to take
    its place lies below ``replacing`` in the hidden folder, and is moved by whoever goes on with the job.
    """

    file: str
    size: int
    header_bytes: int
    header_crc: int
    at: str
    rows: int = -1
    """How many rows a file has in which ranges are counted in rows (Parquet): there, `offset` and `length` of
    `Placed` are numbers of rows, and its CRC-32 is that of the rows as they were scored. -1: in bytes."""
    crc: int = 0
    """The CRC-32 of such a file."""


Record = (
    Start
    | Scored
    | FailedTry
    | JobColumns
    | Modules
    | PlanComplete
    | Mark
    | Revoked
    | Placed
    | Published
    | Farewell
    | PublishedFile
    | PlacedPiece
    | Divided
)


Key = tuple[int, int, Span]
"""Which record of a range: part, offset, and the range itself (a range without rows has no bytes of its
own).
"""


def key_of(record: Scored | Revoked) -> Key:
    """Return what tells a record of a range from any other of the same range."""
    return record.part, record.offset, record.span


def encode(record: Record) -> bytes:
    """Return a record as bytes; `decode` is its inverse."""
    if isinstance(record, Scored):
        return _framed(SCORED, _SCORED.pack(*record.span, *record[1:]))
    if isinstance(record, Farewell):
        return _framed(FAREWELL, _FAREWELL.pack(*record))
    if isinstance(record, Mark):
        return _framed(MARK, b"")
    if isinstance(record, Revoked):
        return _framed(REVOKED, _REVOKED.pack(*record.span, *record[1:]))
    if isinstance(record, Placed):
        return _framed(PLACED, _PLACED.pack(*record.span, *record[1:]))
    if isinstance(record, PlacedPiece):
        return _framed(PIECE, _PIECE.pack(record.file, *record.span, *record[2:]))
    kind = _KINDS[type(record)]
    return _framed(kind, json.dumps(record._asdict(), default=str).encode("ascii"))


def decode(kind: int, body: bytes) -> Record:
    """Return the record of this kind and body.

    Raises
    ------
    KeyError, ValueError, TypeError, struct.error
        It is not a record of this release.
    """
    if kind == SCORED:
        fields = _SCORED.unpack(body)
        return Scored._make((Span._make(fields[:4]), *fields[4:]))  # the one that there are millions of
    if kind == FAREWELL:
        return Farewell(*_FAREWELL.unpack(body))
    if kind == MARK:
        return Mark()
    if kind == REVOKED:
        fields = _REVOKED.unpack(body)
        return Revoked(Span(*fields[:4]), *fields[4:])
    if kind == PLACED:
        fields = _PLACED.unpack(body)
        return Placed._make((Span._make(fields[:4]), *fields[4:]))
    if kind == PIECE:
        fields = _PIECE.unpack(body)
        return PlacedPiece(fields[0], Span(*fields[1:5]), *fields[5:])
    values = json.loads(body)
    if kind == FAILED:
        values["span"] = Span(*values["span"])
    elif kind == DIVIDED:
        values["span"] = Span(*values["span"])
        values["parts"] = tuple((first, items) for first, items in values["parts"])
    elif kind == COLUMNS:
        values["names"] = tuple(values["names"])
        values["types"] = tuple(values.get("types", ()))
    elif kind == MODULES:
        values["modules"] = tuple((name, digest) for name, digest in values["modules"])
    record: Record = _TYPES[kind](**values)
    return record


def _framed(kind: int, body: bytes) -> bytes:
    return RECORD_HEAD.pack(kind, len(body)) + body


_TYPES: dict[int, Any] = {
    START: Start,
    FAILED: FailedTry,
    COLUMNS: JobColumns,
    MODULES: Modules,
    PLAN: PlanComplete,
    PUBLISHED: Published,
    FILE: PublishedFile,
    DIVIDED: Divided,
}
_KINDS: dict[Any, int] = {record: kind for kind, record in _TYPES.items()}
