"""Columns: a result as named columns, for the formats that have them (contract, 1.5).

A list of dicts has their keys as columns, any other list ``file`` and ``prediction``, a data frame its own;
``file`` stands in front where there is one row per file and no such column, and before it what is asked for
of where a row comes from.
"""

import sys
from itertools import chain
from typing import Any, Dict, List, Sequence, Tuple

from gristmill_worker.cells import is_array, json_text
from gristmill_worker.encoded import BadReturn
from gristmill_worker.provenance import Origin, Provenance


def columns_of(
    provenance: Provenance, elements: Sequence[Any], files: Sequence[str], origin: Origin
) -> Dict[str, Sequence[Any]]:
    """Return the columns of a list, with a value for each of its elements; None where a dict has no such key.

    Raises
    ------
    BadReturn
        A column has the name of one that stands in front.
    """
    matching = len(elements) == len(files)
    columns: Dict[str, Sequence[Any]] = {}
    if all(issubclass(kind, dict) for kind in set(map(type, elements))):
        columns = _columns_of_dicts(elements)
        if matching and "file" not in columns:
            columns = {"file": files, **columns}
    if not columns:
        columns = {"file": files if matching else [""] * len(elements), "prediction": elements}
    if not provenance.names:
        return columns
    return _behind(provenance.columns(len(elements), files, origin), columns)


def _columns_of_dicts(rows: Sequence[Dict[Any, Any]]) -> Dict[str, Sequence[Any]]:
    """Turn dicts into columns: all keys in order of first appearance, None where a dict has no such key."""
    keys = dict.fromkeys(chain.from_iterable(rows))
    if not all(type(key) is str for key in keys):
        rows = [{str(key): value for key, value in row.items()} for row in rows]
        keys = dict.fromkeys(map(str, keys))
    return {key: [row.get(key) for row in rows] for key in keys}


def _behind(front: Dict[str, Sequence[Any]], columns: Dict[str, Sequence[Any]]) -> Dict[str, Sequence[Any]]:
    if front:
        refuse_same(front, list(columns))
        return {**front, **columns}
    return columns


def refuse_same(front: Dict[str, Sequence[Any]], names: Sequence[str]) -> None:
    """Refuse names that columns of provenance have."""
    same = [name for name in front if name in names]
    if same:
        raise BadReturn(
            f"run() returned a column called {same[0]}, and gristmill.provenance asks for one of that name; "
            "rename it, or leave that one out of provenance"
        )


def framed(
    frame: Any, provenance: Provenance, files: Sequence[str], origin: Origin
) -> Tuple[Any, Tuple[str, ...]]:
    """Return a frame with what stands in front of its own columns, and the names of all.

    The frame that was given is left as it is.

    Raises
    ------
    BadReturn
        A column has the name of one that stands in front.
    """
    header = tuple(map(str, frame.columns))
    front = provenance.columns(len(frame), files, origin)
    refuse_same(front, header)
    if len(frame) == len(files) and "file" not in header:
        front["file"] = files
    return (_with_front(frame, front), (*front, *header)) if front else (frame, header)


def _with_front(frame: Any, front: Dict[str, Sequence[Any]]) -> Any:
    """Return a shallow copy of the frame with more columns in front of its own."""
    beside = frame.copy(deep=False)
    # Plain numbers take an insertion where duplicated, categorical or multi-level names refuse it.
    beside.columns = list(range(len(frame.columns)))
    for place, (name, values) in enumerate(front.items()):
        # As objects: pandas' own text type refuses file names that are not UTF-8.
        dtype = "int64" if isinstance(values, range) else object
        beside.insert(place, name, sys.modules["pandas"].Series(values, index=beside.index, dtype=dtype))
    return beside


def with_json(frame: Any) -> Any:
    """Return a frame in which dicts, lists, tuples and arrays are JSON, as they are in a list of dicts."""
    nested: List[Tuple[int, Any]] = []
    for place, dtype in enumerate(frame.dtypes):
        if str(dtype) == "object":
            values = frame.iloc[:, place]
            if any(map(_is_nested, set(map(type, values.array)))):
                nested.append((place, values.map(_json_if_nested)))
    if not nested:
        return frame
    beside = frame.copy(deep=False)
    beside.columns = list(range(len(frame.columns)))
    for place, values in nested:
        beside[place] = values
    beside.columns = frame.columns
    return beside


def _json_if_nested(value: Any) -> Any:
    if not _is_nested(type(value)):
        return value
    return json_text(value.tolist() if is_array(type(value)) else value)


def _is_nested(kind: type) -> bool:
    return issubclass(kind, (dict, list, tuple)) or (is_array(kind) and hasattr(kind, "tolist"))
