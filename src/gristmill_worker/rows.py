"""Rows: what ``run()`` returned, as the bytes that go to the worker's part.

Two formats are written: the contract's (section 1.1: a list line by line, a data frame separated by
spaces) and our own comma-separated one (section 1.5). Lists are written here, data frames by the pandas
that made them. Nothing but the standard library is imported: the types of pandas and numpy are known by
name, so that a script which uses neither never waits for them. The same result gives the same bytes
on every Python.

This file must not know of mini-batches, parts or messages.
"""

import json
import re
import sys
from collections.abc import Iterator, MappingView
from functools import partial
from itertools import chain
from typing import Any, Callable, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Set, Tuple

from gristmill_worker.frame_settings import FILE_NAME, written_columns
from gristmill_worker.frames import SEPARATORS, FrameRows, as_utf8, frame_text

#: What a user is told once per job, by the key that stands in `Encoded.notices`.
NOTICES: Dict[str, str] = {
    "nested_elements": (
        "{script}: run() returned dicts, lists or tuples inside its list; each was written as its Python "
        "text, which is hard to read back. Return a pandas DataFrame to get one column per value."
    ),
    "array_elements": (
        "{script}: run() returned arrays, tensors or data frames inside its list; each was written as its "
        "printed form, which rounds numbers and leaves out the middle of long arrays, so values may be lost. "
        "Return a pandas DataFrame with one column per value, or call .tolist() on each."
    ),
    "line_breaks": (
        "{script}: run() returned elements that contain line breaks; each of them takes more than one line "
        "of the output, so lines no longer match elements. Return a pandas DataFrame, which quotes them."
    ),
}


class BadReturn(Exception):
    """``run()`` returned what no rows can be made of; the message is for the user."""


class Encoded(NamedTuple):
    """The rows of one result."""

    #: The rows, each ended by a line feed; empty when there are none.
    data: bytes
    #: ``len()`` of the result: what counts.
    results: int
    #: The names of the columns; None where they have none (a list in the contract's format).
    header: Optional[Tuple[str, ...]]
    #: Keys of `NOTICES`, to be told once per job.
    notices: Tuple[str, ...]
    #: The header as pandas writes it above these rows, ended by a line feed; empty unless it was asked for.
    line: bytes = b""


def encoder(
    output_format: str,
    script_name: str,
    frame_arguments: Optional[Dict[str, Any]] = None,
    with_header: bool = False,
) -> Callable[[object, Sequence[str]], Encoded]:
    """Return the function that turns what ``run()`` returned into rows.

    Parameters
    ----------
    output_format
        ``"azure"`` (contract, section 1.1), ``"csv"`` (section 1.5) or ``"none"`` (``summary_only``: nothing
        is written, results are checked and counted all the same).
    script_name
        The scoring script's file name, for messages.
    frame_arguments
        Arguments of ``pandas.DataFrame.to_csv`` that differ for frames in the ``"azure"`` format: what
        `frame_settings.frame_settings` returned.
    with_header
        Whether frames in the ``"azure"`` format come with the line that stands above their rows.

    Returns
    -------
    Callable[[object, Sequence[str]], Encoded]
        Takes the result and the ``n`` files of the mini-batch as they are to be written. It raises
        `BadReturn` for a result of a wrong type or where pandas refuses ``frame_arguments``, and whatever
        the ``str()`` of an element raises. The result is never changed; calling it again gives the same
        bytes.

    Raises
    ------
    ValueError
        There is no such output format.
    """
    azure_frame: Callable[..., Encoded] = partial(_azure_frame, FrameRows(" "))
    if frame_arguments and [*frame_arguments] == ["sep"] and frame_arguments["sep"] in SEPARATORS:
        azure_frame = partial(_azure_frame, FrameRows(frame_arguments["sep"]))
    elif frame_arguments:
        azure_frame = partial(_set_frame, arguments=frame_arguments)
    if with_header:
        azure_frame = _Headed(azure_frame, {"sep": " ", **(frame_arguments or {})})
    formats: Dict[str, Tuple[Callable[..., Encoded], Callable[..., Encoded]]] = {
        "azure": (_azure_list, azure_frame),
        "csv": (_csv_list, partial(_csv_frame, FrameRows(","))),
        "none": (_count, _count),
    }
    if output_format not in formats:
        raise ValueError(f"unknown output format {output_format!r}; known are {', '.join(formats)}")
    encode_list, encode_frame = formats[output_format]

    def encode(result: object, files: Sequence[str]) -> Encoded:
        if isinstance(result, (list, tuple)):
            return encode_list(result, files) if result else _NO_ROWS
        if "pandas.DataFrame" in _lineage(type(result)):
            frame: Any = result
            return encode_frame(frame, files) if len(frame) else _NO_ROWS
        elements = _elements(result, script_name)
        return encode_list(elements, files) if elements else _NO_ROWS

    return encode


_NO_ROWS = Encoded(b"", 0, None, ())


def _count(result: Any, files: Sequence[str]) -> Encoded:
    return Encoded(b"", len(result), None, ())


# The contract's format (1.1)


def _azure_list(elements: Sequence[Any], files: Sequence[str]) -> Encoded:
    """One line per element: its ``str()``, unquoted."""
    kinds = set(map(type, elements))
    text = "\n".join(elements if kinds == {str} else map(str, elements))
    notices = []
    if any(issubclass(kind, _NESTED) for kind in kinds):
        notices.append("nested_elements")
    if any(map(_is_array, kinds)):
        notices.append("array_elements")
    if "\r" in text or text.count("\n") != len(elements) - 1:
        notices.append("line_breaks")
    return Encoded(as_utf8(text) + b"\n", len(elements), None, tuple(notices))


def _azure_frame(rows: FrameRows, frame: Any, files: Sequence[str]) -> Encoded:
    """Rows without header and index."""
    return Encoded(rows(frame), len(frame), tuple(map(str, frame.columns)) or None, ())


def _set_frame(frame: Any, files: Sequence[str], *, arguments: Dict[str, Any]) -> Encoded:
    """Rows as the settings file beside the script wants them."""
    try:
        text = frame_text(frame, {"sep": " ", **arguments})
        header = written_columns(frame, arguments)
    except MemoryError:
        raise
    except Exception as error:  # pandas refuses arguments with errors of many types
        frame_text(frame, {"sep": " "})  # raises it again where a value of the frame is to blame
        raise BadReturn(
            f"pandas cannot write the data frame that run() returned with the arguments in {FILE_NAME}: "
            f"{type(error).__name__}: {error}; correct append_row there"
        ) from error
    return Encoded(as_utf8(text), len(frame), header or None, ())


class _Headed:
    """Adds its header line to each encoded frame; frames with the same columns have the same one."""

    def __init__(self, encode_frame: Callable[..., Encoded], arguments: Dict[str, Any]) -> None:
        self._encode_frame = encode_frame
        self._arguments = arguments
        self._lines: Dict[Tuple[str, ...], bytes] = {}

    def __call__(self, frame: Any, files: Sequence[str]) -> Encoded:
        encoded = self._encode_frame(frame, files)
        if not encoded.header:
            return encoded
        line = self._lines.get(encoded.header)
        if line is None:
            line = self._lines[encoded.header] = as_utf8(frame_text(frame.iloc[:0], self._arguments, True))
        return encoded._replace(line=line)


# Our own format (1.5)


def _csv_list(elements: Sequence[Any], files: Sequence[str]) -> Encoded:
    """A list of dicts: their keys are the columns; any other list: ``file`` and ``prediction``."""
    matching = len(elements) == len(files)
    kinds = set(map(type, elements))
    columns: Dict[str, Sequence[Any]] = {}
    if all(issubclass(kind, dict) for kind in kinds):
        columns = _columns_of(elements)
        if matching and "file" not in columns:
            columns = {"file": files, **columns}
    if not columns:
        columns = {"file": files if matching else [""] * len(elements), "prediction": elements}
    notices: Set[str] = set()
    cells = [_quoted(_texts(values, notices), len(columns) == 1) for values in columns.values()]
    text = "\n".join(map(",".join, zip(*cells)))
    return Encoded(as_utf8(text) + b"\n", len(elements), tuple(columns), tuple(sorted(notices)))


def _csv_frame(rows: FrameRows, frame: Any, files: Sequence[str]) -> Encoded:
    """The frame's own columns, with ``file`` in front where there is one row per file and no such column."""
    header = tuple(map(str, frame.columns))
    if len(frame) == len(files) and "file" not in header:
        frame = _with_files(frame, files)
        header = ("file", *header)
    return Encoded(rows(frame), len(frame), header or None, ())


def _columns_of(rows: Sequence[Dict[Any, Any]]) -> Dict[str, Sequence[Any]]:
    """Turn dicts into columns: all keys in order of first appearance, None where a dict has no such key."""
    keys = dict.fromkeys(chain.from_iterable(rows))
    if not all(type(key) is str for key in keys):
        rows = [{str(key): value for key, value in row.items()} for row in rows]
        keys = dict.fromkeys(map(str, keys))
    return {key: [row.get(key) for row in rows] for key in keys}


def _with_files(frame: Any, files: Sequence[str]) -> Any:
    """Return a shallow copy of the frame with the files as its first column."""
    beside = frame.copy(deep=False)
    # Plain numbers take an insertion where duplicated, categorical or multi-level names refuse it.
    beside.columns = list(range(len(frame.columns)))
    # As objects: pandas' own text type refuses file names that are not UTF-8.
    column = sys.modules["pandas"].Series(list(files), index=beside.index, dtype=object)
    beside.insert(0, "file", column)
    return beside


# Cells of the native format


def _texts(values: Sequence[Any], notices: Set[str]) -> Sequence[str]:
    """Return the text of each cell in a column."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    writers = {kind: _writer(kind) for kind in kinds}
    if any(writer is str and _is_array(kind) for kind, writer in writers.items()):
        notices.add("array_elements")
    if set(writers.values()) == {str}:
        return list(map(str, values))
    return [writers[type(value)](value) for value in values]


def _writer(kind: type) -> Callable[[Any], str]:
    """Return what turns values of this type into the text of a cell."""
    lineage = _lineage(kind)
    if lineage & _MISSING:
        return _empty
    if lineage & _MAY_BE_MISSING:
        return _text_unless_missing
    if issubclass(kind, (dict, list, tuple)):
        return _json
    if _is_array(kind) and hasattr(kind, "tolist"):
        return _array
    return str


#: Types that stand for a missing value.
_MISSING = frozenset({"builtins.NoneType", "pandas.NAType"})
#: Types that have one value that stands for a missing one, and differs from itself.
_MAY_BE_MISSING = frozenset(
    {"builtins.float", "numpy.inexact", "numpy.datetime64", "numpy.timedelta64", "pandas.NaTType"}
)


def _empty(value: Any) -> str:
    return ""


def _text_unless_missing(value: Any) -> str:
    return "" if value != value else str(value)


def _json(value: Any) -> str:
    """Return the value as JSON, or its ``str()`` where JSON has no form for it (tuples as keys, cycles)."""
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)


def _array(value: Any) -> str:
    plain = value.tolist()
    return _json(plain) if isinstance(plain, list) else _writer(type(plain))(plain)


def _plain(value: Any) -> Any:
    """Return numbers and arrays of numpy and its kin as Python's own; anything else as text."""
    return value.tolist() if hasattr(type(value), "tolist") else str(value)


def _quoted(texts: Sequence[str], alone: bool) -> Sequence[str]:
    """Quote the cells that need it; one ``alone`` in its row also when empty: a blank line is no row."""
    # Not csv.writer: before Python 3.13 it leaves carriage returns unquoted, and csv.reader refuses them.
    joined = "".join(texts)
    if "," in joined or '"' in joined or "\n" in joined or "\r" in joined:
        special = _SPECIAL.search
        texts = ['"' + text.replace('"', '""') + '"' if special(text) else text for text in texts]
    return [text or '""' for text in texts] if alone else texts


_SPECIAL = re.compile('[,"\r\n]')


# Types, known by name


def _lineage(kind: type) -> FrozenSet[str]:
    """Return the names of a type and its ancestors, as top-level package and class: ``pandas.DataFrame``."""
    return frozenset(f"{str(c.__module__).partition('.')[0]}.{c.__name__}" for c in kind.__mro__)


_NESTED = (dict, list, tuple, set, frozenset)


def _is_array(kind: type) -> bool:
    """Tell arrays, tensors and frames, which print abbreviated, from single values."""
    # numpy's single values speak the protocol too.
    return hasattr(kind, "__array__") and "numpy.generic" not in _lineage(kind)


def _elements(result: Any, script_name: str) -> List[Any]:
    """Return the elements of an array or a series."""
    lineage = _lineage(type(result))
    if "numpy.ndarray" in lineage and result.ndim:
        return list(result)
    if "pandas.Series" in lineage:
        # A series hands out its float32 as Python's float: 0.10000000149011612 where numpy says 0.1.
        exact = "numpy.dtype" in _lineage(type(result.dtype)) and result.dtype.kind in "fc"
        return list(result.to_numpy() if exact else result)
    raise BadReturn(
        f"run() must return a list or a pandas DataFrame; {script_name} returned {_described(result)}"
    )


def _described(result: object) -> str:
    """Name the type of a wrong result, with the way out where there is one."""
    if result is None:
        return "None: is a return statement missing?"
    kind = type(result)
    package = str(kind.__module__).partition(".")[0]
    name = kind.__name__ if package == "builtins" else f"{package}.{kind.__name__}"
    named = ("an " if name[0] in "aeiouAEIOU" else "a ") + name
    if isinstance(result, (Iterator, MappingView, range)):
        return named + " (wrap it in list(...))"
    if getattr(result, "shape", None) == ():
        return named + (" of a single value" if _is_array(kind) else "")
    for method in ("to_pandas", "toPandas", "tolist", "numpy"):
        if hasattr(kind, method):
            return f"{named} (call .{method}() on it)"
    return named
