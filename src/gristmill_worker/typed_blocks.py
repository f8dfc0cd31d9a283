"""Typed blocks: the rows of a result with real types, of which the coordinator makes a Parquet file.

A block is a head (`HEAD`: mark, rows, length of the JSON, length of the Arrow stream), then JSON: a list with
an entry for each column, its values in the plain form of `value_types`, or null where the column is in the
Arrow stream behind it, under its number. Blocks of mini-batches follow each other in a part, each whole in
itself; their types travel with the names of the columns. What a list holds is written as JSON by the standard
library; columns of data frames by the pyarrow of the script's environment, where it is there.
"""

import importlib
import json
import struct
import sys
from typing import Any, Dict, List, Sequence, Tuple

from gristmill_worker.columns import columns_of, framed
from gristmill_worker.encoded import BadReturn, Encoded
from gristmill_worker.frames import LOAD_FROM_ROWS
from gristmill_worker.json_lines import refuse_twins
from gristmill_worker.provenance import Origin, Provenance
from gristmill_worker.value_types import typed

#: Mark, rows, length of the JSON, length of the Arrow stream.
HEAD = struct.Struct("<4sIQQ")
MARK = b"GRB1"

#: Names of pandas' dtypes that tell the type where pyarrow is not there to.
_DTYPES = {"float64": "double", "float32": "float", "bool": "bool", "int64": "int64"}
_DTYPES.update({name: name for name in ("int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64")})
#: Beginnings of the names of Arrow's types that are taken as they are; of others the values are looked at.
_PLAIN = (
    "int",
    "uint",
    "float",
    "double",
    "bool",
    "string",
    "binary",
    "date",
    "time",
    "duration",
    "decimal128",
)


def of_list(provenance: Provenance, elements: Sequence[Any], files: Sequence[str], origin: Origin) -> Encoded:
    """Encode a list.

    Raises
    ------
    BadReturn
        A column has the name of one of provenance.
    """
    columns = columns_of(provenance, elements, files, origin)
    block = _Block(len(elements))
    for values in columns.values():
        block.add(*typed(values))
    return block.encoded(tuple(columns))


def of_frame(provenance: Provenance, frame: Any, files: Sequence[str], origin: Origin) -> Encoded:
    """Encode a data frame.

    Raises
    ------
    BadReturn
        It has no columns, two have the same name, or one has that of one of provenance.
    """
    frame, header = framed(frame, provenance, files, origin)
    refuse_twins(header, "parquet")
    if not header:
        raise BadReturn("run() returned a data frame without columns, and parquet has no rows without them")
    block = _Block(len(frame))
    arrow = _pyarrow(len(frame))
    for place in range(len(header)):
        series = frame.iloc[:, place]
        taken = _by_arrow(arrow, series) if arrow is not None else None
        if taken is not None:
            block.add_arrow(*taken)
        elif str(series.dtype) in _DTYPES:
            block.add(_DTYPES[str(series.dtype)], _numbers(series))
        else:
            block.add(*typed(series.tolist()))
    return block.encoded(header)


class _Block:
    """The columns of one block, one after the other."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._types: List[str] = []
        self._plain: List[Any] = []
        self._arrow: Dict[str, Any] = {}

    def add(self, name: str, values: List[Any]) -> None:
        self._types.append(name)
        self._plain.append(values)

    def add_arrow(self, name: str, array: Any) -> None:
        self._arrow[str(len(self._types))] = array
        self._types.append(name)
        self._plain.append(None)

    def encoded(self, header: Tuple[str, ...]) -> Encoded:
        plain = json.dumps(self._plain, separators=(",", ":")).encode("ascii")
        stream: Any = b""
        if self._arrow:
            arrow = sys.modules["pyarrow"]
            batch = arrow.record_batch(list(self._arrow.values()), names=list(self._arrow))
            sink = arrow.BufferOutputStream()
            writer = arrow.ipc.new_stream(sink, batch.schema)
            writer.write_batch(batch)
            writer.close()
            stream = memoryview(sink.getvalue())
        head = HEAD.pack(MARK, self._rows, len(plain), len(stream))
        names = tuple(name.encode("utf-8", "backslashreplace").decode("utf-8") for name in header)
        return Encoded(b"".join((head, plain, stream)), self._rows, names, (), types=tuple(self._types))


def _numbers(series: Any) -> List[Any]:
    values: List[Any] = series.tolist()
    return [None if value != value else value for value in values] if series.dtype.kind == "f" else values


def _pyarrow(rows: int) -> Any:
    """Return pyarrow where pandas has loaded it, or the frame is worth it; None where it is not there."""
    if "pyarrow" in sys.modules or rows >= LOAD_FROM_ROWS:
        try:
            importlib.import_module("pyarrow.ipc")
            return sys.modules["pyarrow"]
        except Exception:  # it is not there, or is broken: the values are looked at then
            pass
    return None


def _by_arrow(arrow: Any, series: Any) -> Any:
    """Return a column's type and the column as Arrow has it; None where its values are to be looked at."""
    try:
        if str(series.dtype) == "object":
            return _texts_by_arrow(arrow, series)
        array = arrow.array(series, from_pandas=True)
        if not isinstance(array, arrow.Array):
            chunks = array.chunks
            array = chunks[0] if len(chunks) == 1 else arrow.concat_arrays(chunks)
        if arrow.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        name = str(array.type)
        shorter = {"large_string": "string", "string_view": "string", "halffloat": "float"}.get(name)
        if shorter is not None:
            array = array.cast({"string": arrow.string(), "float": arrow.float32()}[shorter])
        name = shorter or name
        return (name, array) if name.startswith(_PLAIN) else None
    except Exception:  # a dtype that it does not know, a text that is not Unicode, ...
        return None


def _texts_by_arrow(arrow: Any, series: Any) -> Any:
    values = series.to_numpy()
    kinds = set(map(type, values))
    if str in kinds and kinds <= {str, type(None), float}:
        return "string", arrow.array(values, arrow.string(), from_pandas=True)
    return None
