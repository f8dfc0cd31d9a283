"""Data frames as rows, written by the pandas that made them: any version of it, on any Python, alike.

pandas is not imported here: a frame brings its own. Where pyarrow is beside it, long frames are written by
that, if it gives the same bytes (`arrow_rows`).
"""

import importlib
import io
import re
import sys
from typing import Any, Dict, List, Optional

from gristmill_worker.arrow_rows import ArrowRows

#: Separators of `FrameRows`.
SEPARATORS = (" ", ",", ";", "\t", "|")
#: From here on a frame is worth the preparations that Arrow takes.
ARROW_FROM_ROWS = 100
#: From here on it is worth loading pyarrow, where nobody has (pandas itself does from 1.5 on).
LOAD_FROM_ROWS = 20_000


class FrameRows:
    """Writes frames with one separator and no other arguments."""

    def __init__(self, separator: str) -> None:
        self._separator = separator
        self._arrow: Optional[ArrowRows] = None
        self._is_settled = False

    def __call__(self, frame: Any) -> bytes:
        """Return the rows of a frame: minimal quoting, missing values empty, rows ended by a line feed.

        Raises
        ------
        Exception
            Whatever the ``str()`` of a value raises.
        """
        rows = None
        if len(frame) >= ARROW_FROM_ROWS:
            if not self._is_settled:
                self._settle(len(frame))
            if self._arrow is not None and type(frame).to_csv is sys.modules["pandas"].DataFrame.to_csv:
                rows = self._arrow.rows(frame)
        return as_utf8(frame_text(frame, {"sep": self._separator})) if rows is None else rows

    def _settle(self, rows: int) -> None:
        """Find out, once there is reason to, whether pyarrow is here and writes what pandas does."""
        if "pyarrow" not in sys.modules and rows < LOAD_FROM_ROWS:
            return
        self._is_settled = True
        try:
            pandas, numpy = sys.modules["pandas"], sys.modules["numpy"]
            compute = importlib.import_module("pyarrow.compute")
            arrow = ArrowRows(pandas, sys.modules["pyarrow"], compute, numpy, self._separator)
            odd = _odd_frame(pandas)
            if arrow.rows(odd) == as_utf8(frame_text(odd, {"sep": self._separator})):
                self._arrow = arrow
        except Exception:  # it is not there, or is broken: pandas does without it
            return


def _odd_frame(pandas: Any) -> Any:
    """Return a frame in which libraries that print otherwise than we think would show it."""
    floats = [0.0, -0.0, 0.1, 1.0, -1e-4, 9.9e-5, 1e-5, 1e-6, 9.9e-7, 1e-9, -9.9e-10, 1.5e-10, 1 / 3, 1e6]
    floats += [9999999999.5, 1e10, 1e15, 1e16, -1e22, 1e30, 5e-324, 2.0**53, float("inf"), float("nan")]
    texts: List[Optional[str]] = [
        "plain",
        "",
        " a",
        'say "hi"',
        "x,y",
        "a\rb",
        "a\nb",
        "\u65e5\u672c",
        "'",
        "\\",
        "\t",
        "nan",
    ]
    texts += [None] * (len(floats) - len(texts))
    series = pandas.Series
    return pandas.DataFrame(
        {
            "floats": floats,
            "singles": series(floats, dtype="float32"),
            "texts": texts,
            "objects": series(texts, dtype=object),
            "numbers": range(-8, len(floats) - 8),
            "truths": [value > 0 for value in floats],
            "nullable": series([None, *range(len(floats) - 1)], dtype="Int64"),
            "unsure": series([None, True, False] * len(floats), dtype="boolean")[: len(floats)],
            "categories": pandas.Categorical(texts),
        }
    )


def frame_text(frame: Any, arguments: Dict[str, Any], header: bool = False) -> str:
    """Let pandas write a frame: minimal quoting, missing values empty, rows ended by a line feed.

    Parameters
    ----------
    frame
        A ``pandas.DataFrame``.
    arguments
        Arguments of its ``to_csv``; without one for the index, the index is left out.
    header
        Whether the names of the columns stand above the rows.

    Returns
    -------
    str
        The text.

    Raises
    ------
    Exception
        Whatever pandas refuses the arguments with, or the ``str()`` of a value raises.
    """
    arguments = {**arguments, "header": header}
    text: str = _to_csv(frame, None, arguments, "\n")
    if "\r" in text:
        # Before Python 3.13 a carriage return is quoted only where it belongs to the line ending.
        rows = _RowSink(newline="")
        _to_csv(frame, rows, arguments, "\r\n")
        text = rows.getvalue()
    return text


def _to_csv(frame: Any, target: Optional[io.StringIO], arguments: Dict[str, Any], line_end: str) -> Any:
    options = {"index": False, **arguments}
    # Both names of it may be in the arguments, with the one value that is ours.
    for name in _LINE_END:
        options.pop(name, None)
    new, old = _LINE_END
    try:
        return frame.to_csv(target, **options, **{new: line_end})
    except TypeError as error:
        if f"argument '{new}'" not in str(error):
            raise
    return frame.to_csv(target, **options, **{old: line_end})


#: The option's name, and the one before pandas 1.5.
_LINE_END = ("lineterminator", "line_terminator")


class _RowSink(io.StringIO):
    """Takes rows that end in CR LF, one per call, and keeps them ended by LF."""

    def write(self, row: str) -> int:
        return super().write(row[:-2] + "\n")


# Text as bytes


def as_utf8(text: str) -> bytes:
    """Return UTF-8 in which undecodable bytes of file names come back as they were; it never fails."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _UNENCODABLE.sub(_escaped, text).encode("utf-8", "surrogateescape")


#: Lone surrogates that stand for no byte; they are written as ``\ud800``.
_UNENCODABLE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def _escaped(match: "re.Match[str]") -> str:
    return f"\\u{ord(match.group()):04x}"
