"""Data frames as text, written by the pandas that made them: any version of it, on any Python, alike.

pandas is not imported here: a frame brings its own.
"""

import io
from typing import Any, Dict, Optional


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
