"""JSON Lines: a result as one JSON object per row, with real numbers, lists and objects in it.

A row of a list of dicts has the keys that its dict has; missing values are ``null``. What other types become
is told at `cells.json_value`.
"""

import sys
from itertools import chain
from typing import Any, Dict, List, Sequence

from gristmill_worker.cells import json_bytes, json_value
from gristmill_worker.columns import framed, refuse_same
from gristmill_worker.encoded import BadReturn, Encoded
from gristmill_worker.provenance import Origin, Provenance


def of_list(provenance: Provenance, elements: Sequence[Any], files: Sequence[str], origin: Origin) -> Encoded:
    """Encode a list.

    Raises
    ------
    BadReturn
        A column has the name of one of provenance.
    """
    rows = elements
    if not all(issubclass(kind, dict) for kind in set(map(type, elements))):
        rows = [{"prediction": element} for element in elements]
    front = provenance.columns(len(rows), files, origin)
    if front:
        refuse_same(front, list(map(str, chain.from_iterable(rows))))
    if len(rows) == len(files):
        front["file"] = files
    elif rows is not elements:
        front["file"] = [""] * len(rows)
    if front:
        rows = [{**dict(zip(front, first)), **row} for first, row in zip(zip(*front.values()), rows)]
    return Encoded(json_bytes("\n".join(map(json_value, rows))) + b"\n", len(rows), None, ())


def of_frame(provenance: Provenance, frame: Any, files: Sequence[str], origin: Origin) -> Encoded:
    """Encode a data frame.

    Raises
    ------
    BadReturn
        Two columns have the same name, or one has that of one of provenance.
    """
    frame, header = framed(frame, provenance, files, origin)
    refuse_twins(header, "jsonl")
    if not header:
        return Encoded(b"{}\n" * len(frame), len(frame), None, ())
    cells = {name: _cells(frame.iloc[:, place]) for place, name in enumerate(header)}
    return _encoded(cells, len(frame))


def refuse_twins(names: Sequence[str], output_format: str) -> None:
    """Refuse columns of the same name: readers would see only one of them."""
    twins = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twins:
        raise BadReturn(
            f"run() returned a data frame with {names.count(twins[0])} columns called {twins[0]}, and "
            f"{output_format} needs a name of its own for each; rename them"
        )


def _encoded(cells: Dict[str, List[str]], rows: int) -> Encoded:
    form = ", ".join(json_value(name).replace("%", "%%") + ": %s" for name in cells)
    lines = map(("{" + form + "}").__mod__, zip(*cells.values()))
    return Encoded(json_bytes("\n".join(lines)) + b"\n", rows, None, ())


def _cells(series: Any) -> List[str]:
    """Return the cells of a column; a single float is not made longer by becoming Python's."""
    if str(series.dtype) not in ("float64", "float32"):
        return list(map(json_value, series.tolist()))
    values = series.to_numpy()
    texts = list(map(repr, values.tolist())) if values.itemsize == 8 else values.astype(str).tolist()
    if sys.modules["numpy"].isfinite(values).all():
        return texts
    return [_NOT_FINITE.get(text, text) for text in texts]


_NOT_FINITE = {"nan": "null", "inf": '"Infinity"', "-inf": '"-Infinity"'}
