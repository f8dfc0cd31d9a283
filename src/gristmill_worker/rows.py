"""Rows: what ``run()`` returned, as the bytes that go to the worker's part.

Four formats are written: the contract's (section 1.1: a list line by line, a data frame separated by
spaces), our own comma-separated one (section 1.5), JSON Lines (`json_lines`) and blocks of typed columns,
from which a Parquet file is made (`typed_blocks`). Nothing but the standard library is imported: the types
of pandas and numpy are known by name, so that a script which uses neither never waits for them. The same
result gives the same bytes on every Python.

This file must not know of mini-batches, parts or messages.
"""

from collections.abc import Iterator, MappingView
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from gristmill_worker import json_lines, typed_blocks
from gristmill_worker.cells import is_array, lineage, quoted, texts
from gristmill_worker.columns import columns_of, framed, with_json
from gristmill_worker.encoded import BadReturn, Encoded
from gristmill_worker.frame_settings import FILE_NAME, written_columns
from gristmill_worker.frames import SEPARATORS, FrameRows, as_utf8, frame_text
from gristmill_worker.provenance import Origin, Provenance

Encoder = Callable[..., Encoded]


def encoder(
    output_format: str,
    script_name: str,
    frame_arguments: Optional[Dict[str, Any]] = None,
    with_header: bool = False,
    provenance: Optional[Provenance] = None,
) -> Encoder:
    """Return the function that turns what ``run()`` returned into rows.

    Parameters
    ----------
    output_format
        ``"azure"`` (contract, section 1.1), ``"csv"`` (section 1.5), ``"jsonl"``, ``"parquet"`` (blocks of
        typed columns) or ``"none"`` (``summary_only``: nothing is written, results are checked and counted
        all the same).
    script_name
        The scoring script's file name, for messages.
    frame_arguments
        Arguments of ``pandas.DataFrame.to_csv`` that differ for frames in the ``"azure"`` format: what
        `frame_settings.frame_settings` returned.
    with_header
        Whether frames in the ``"azure"`` format come with the line that stands above their rows.
    provenance
        What stands in front of each row, in the formats that are ours; None: nothing.

    Returns
    -------
    Callable[[object, Sequence[str], int, Optional[Sequence[int]]], Encoded]
        Takes the result, the ``n`` files of the mini-batch as they are to be written, the number of the
        mini-batch (0 unless given), and of files that are pieces of others the rows that they begin with.
        It raises `BadReturn` for a result of a wrong type, of columns that the format cannot hold, or where
        pandas refuses ``frame_arguments``, and whatever the ``str()`` of an element raises. The result is
        never changed; calling it again gives the same bytes.

    Raises
    ------
    ValueError
        There is no such output format.
    """
    asked = provenance or Provenance()
    formats: Dict[str, Tuple[Encoder, Encoder]] = {
        "azure": (_azure_list, _azure_frames(frame_arguments, with_header)),
        "csv": (partial(_csv_list, asked), partial(_csv_frame, FrameRows(","), asked)),
        "jsonl": (partial(json_lines.of_list, asked), partial(json_lines.of_frame, asked)),
        "parquet": (partial(typed_blocks.of_list, asked), partial(typed_blocks.of_frame, asked)),
        "none": (_count, _count),
    }
    if output_format not in formats:
        raise ValueError(f"unknown output format {output_format!r}; known are {', '.join(formats)}")
    encode_list, encode_frame = formats[output_format]

    def encode(
        result: object, files: Sequence[str], mini_batch: int = 0, numbers: Optional[Sequence[int]] = None
    ) -> Encoded:
        origin = mini_batch, numbers
        if isinstance(result, (list, tuple)):
            return encode_list(result, files, origin) if result else _NO_ROWS
        if "pandas.DataFrame" in lineage(type(result)):
            frame: Any = result
            return encode_frame(frame, files, origin) if len(frame) else _NO_ROWS
        elements = _elements(result, script_name)
        return encode_list(elements, files, origin) if elements else _NO_ROWS

    return encode


_NO_ROWS = Encoded(b"", 0, None, ())


def _count(result: Any, files: Sequence[str], origin: Origin) -> Encoded:
    return Encoded(b"", len(result), None, ())


# The contract's format (1.1)

_NESTED = (dict, list, tuple, set, frozenset)


def _azure_list(elements: Sequence[Any], files: Sequence[str], origin: Origin) -> Encoded:
    """One line per element: its ``str()``, unquoted."""
    kinds = set(map(type, elements))
    text = "\n".join(elements if kinds == {str} else map(str, elements))
    notices = []
    if any(issubclass(kind, _NESTED) for kind in kinds):
        notices.append("nested_elements")
    if any(map(is_array, kinds)):
        notices.append("array_elements")
    if "\r" in text or text.count("\n") != len(elements) - 1:
        notices.append("line_breaks")
    return Encoded(as_utf8(text) + b"\n", len(elements), None, tuple(notices))


def _azure_frames(frame_arguments: Optional[Dict[str, Any]], with_header: bool) -> Encoder:
    """Return what writes frames as the settings file beside the script wants them."""
    arguments = {"sep": " ", **(frame_arguments or {})}
    encode_frame: Encoder = partial(_set_frame, arguments=arguments)
    if [*arguments] == ["sep"] and arguments["sep"] in SEPARATORS:
        encode_frame = partial(_azure_frame, FrameRows(arguments["sep"]))
    return _Headed(encode_frame, arguments) if with_header else encode_frame


def _azure_frame(rows: FrameRows, frame: Any, files: Sequence[str], origin: Origin) -> Encoded:
    """Rows without header and index."""
    return Encoded(rows(frame), len(frame), tuple(map(str, frame.columns)) or None, ())


def _set_frame(frame: Any, files: Sequence[str], origin: Origin, *, arguments: Dict[str, Any]) -> Encoded:
    try:
        text = frame_text(frame, arguments)
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

    def __call__(self, frame: Any, files: Sequence[str], origin: Origin) -> Encoded:
        encoded = self._encode_frame(frame, files, origin)
        if not encoded.header:
            return encoded
        line = self._lines.get(encoded.header)
        if line is None:
            line = self._lines[encoded.header] = as_utf8(frame_text(frame.iloc[:0], self._arguments, True))
        return encoded._replace(line=line)


# Our own comma-separated format (1.5)


def _csv_list(
    provenance: Provenance, elements: Sequence[Any], files: Sequence[str], origin: Origin
) -> Encoded:
    columns = columns_of(provenance, elements, files, origin)
    notices: Set[str] = set()
    cells = [quoted(texts(values, notices), len(columns) == 1) for values in columns.values()]
    text = "\n".join(map(",".join, zip(*cells)))
    return Encoded(as_utf8(text) + b"\n", len(elements), tuple(columns), tuple(sorted(notices)))


def _csv_frame(
    rows: FrameRows, provenance: Provenance, frame: Any, files: Sequence[str], origin: Origin
) -> Encoded:
    frame, header = framed(frame, provenance, files, origin)
    return Encoded(rows(with_json(frame)), len(frame), header or None, ())


# Elements of other results


def _elements(result: Any, script_name: str) -> List[Any]:
    """Return the elements of an array or a series."""
    names = lineage(type(result))
    if "numpy.ndarray" in names and result.ndim:
        return list(result)
    if "pandas.Series" in names:
        # A series hands out its float32 as Python's float: 0.10000000149011612 where numpy says 0.1.
        exact = "numpy.dtype" in lineage(type(result.dtype)) and result.dtype.kind in "fc"
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
        return named + (" of a single value" if is_array(kind) else "")
    for method in ("to_pandas", "toPandas", "tolist", "numpy"):
        if hasattr(kind, method):
            return f"{named} (call .{method}() on it)"
    return named
