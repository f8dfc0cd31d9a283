"""Typed rows: the blocks that workers write, as Arrow has them. The only place that reads them.

What a block looks like is told in `gristmill_worker.typed_blocks`, and the plain form of values in
`gristmill_worker.value_types`. pyarrow is loaded when it is first needed, at publication.
"""

from __future__ import annotations

import json
import re
import struct
from binascii import a2b_base64
from collections.abc import Iterator
from typing import Any, NamedTuple

from gristmill.errors import JobError
from gristmill.run.widening import is_text

_HEAD = struct.Struct("<4sIQQ")
_MARK = b"GRB1"
_TIMED = re.compile(r"(timestamp|time32|time64|duration)\[(s|ms|us|ns)(?:, tz=(.+))?\]")
_DECIMAL = re.compile(r"decimal128\((\d+), (-?\d+)\)")


def pyarrow() -> Any:
    """Import pyarrow.

    Raises
    ------
    JobError
        It is not installed.
    """
    try:
        import pyarrow  # heavy, and only for this format
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise JobError(
            f"a Parquet file needs pyarrow beside gristmill ({error}); nothing that was finished is lost: "
            "pip install 'gristmill[parquet]', then resume the job"
        ) from error
    return pyarrow


class Block(NamedTuple):
    """The rows of one mini-batch."""

    rows: int
    plain: list[list[Any] | None]
    """The values of each column in plain form; None where Arrow has it."""
    arrow: memoryview
    """A stream with the other columns, under their numbers; empty where there are none."""


def blocks_in(data: bytes) -> Iterator[Block]:
    """Yield the blocks in the rows of a range.

    Raises
    ------
    ValueError
        They are not what a worker wrote.
    """
    view, position = memoryview(data), 0
    while position < len(view):
        mark, rows, plain_bytes, arrow_bytes = _HEAD.unpack_from(view, position)
        if mark != _MARK:
            raise ValueError("the rows are not typed blocks")
        begin = position + _HEAD.size
        position = begin + plain_bytes + arrow_bytes
        plain = json.loads(bytes(view[begin : begin + plain_bytes]))
        yield Block(rows, plain, view[begin + plain_bytes : position])


def block_of(table: Any) -> bytes:
    """Return a table as a block with all columns in Arrow's form."""
    arrow = pyarrow()
    numbered = table.rename_columns([str(number) for number in range(table.num_columns)])
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, numbered.schema) as writer:
        writer.write_table(numbered)
    stream = memoryview(sink.getvalue())
    plain = json.dumps([None] * table.num_columns).encode("ascii")
    return b"".join((_HEAD.pack(_MARK, table.num_rows, len(plain), len(stream)), plain, stream))


def arrow_type(kind: str) -> Any:
    """Return Arrow's type of this name; text for those that are ours."""
    arrow = pyarrow()
    if is_text(kind):
        return arrow.string()
    if timed := _TIMED.fullmatch(kind):
        name, unit, zone = timed.groups()
        return getattr(arrow, name)(unit, zone) if zone else getattr(arrow, name)(unit)
    if decimal := _DECIMAL.fullmatch(kind):
        return arrow.decimal128(int(decimal[1]), int(decimal[2]))
    if kind.startswith("list<"):
        return arrow.list_(arrow_type(kind[5:-1]))
    name = {"bool": "bool_", "float": "float32", "double": "float64"}.get(kind, kind.partition("[")[0])
    return getattr(arrow, name)()


def from_plain(kind: str, values: list[Any]) -> Any:
    """Return values in plain form as an array."""
    arrow = pyarrow()
    if kind == "binary":
        return arrow.array([None if one is None else a2b_base64(one) for one in values], arrow.binary())
    if kind.startswith("decimal"):
        return arrow.array(values, arrow.string()).cast(arrow_type(kind))
    if kind.startswith(("timestamp", "time64", "duration")):
        return arrow.array(values, arrow.int64()).cast(arrow_type(kind))
    if kind.startswith("date32"):
        return arrow.array(values, arrow.int32()).cast(arrow_type(kind))
    return arrow.array(values, arrow_type(kind))


def from_stream(stream: memoryview) -> dict[int, Any]:
    """Return the columns of an Arrow stream by their number."""
    if not stream:
        return {}
    arrow = pyarrow()
    table = arrow.ipc.open_stream(arrow.py_buffer(stream)).read_all()
    return {int(name): table.column(name) for name in table.column_names}


def converted(column: Any, kind: str, wanted: str) -> Any:
    """Return a column of one type as one of a wider type.

    Raises
    ------
    ValueError
        A value has no place there.
    """
    arrow = pyarrow()
    if kind == wanted or (is_text(kind) and is_text(wanted)):
        return column
    if kind == "null":
        return arrow.nulls(len(column), arrow_type(wanted))
    if is_text(wanted):
        return _as_text(column, kind)
    try:
        return column.cast(arrow_type(wanted))
    except arrow.ArrowException as error:
        raise ValueError(str(error)) from error


def _as_text(column: Any, kind: str) -> Any:
    """Numbers, truth values and lists as JSON has them, times in ISO form."""
    arrow = pyarrow()
    if kind.startswith(("date", "time", "decimal")):
        return column.cast(arrow.string())
    if kind.startswith("duration"):
        return column.cast(arrow.int64()).cast(arrow.string())
    values = column.to_pylist()
    if kind == "binary":
        return arrow.array([None if one is None else str(one) for one in values], arrow.string())
    texts = [None if one is None else json.dumps(one, ensure_ascii=False) for one in values]
    return arrow.array(texts, arrow.string())
