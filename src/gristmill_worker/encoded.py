"""What becomes of a result on its way to the worker's part: rows as bytes, or the refusal of it."""

from typing import Dict, NamedTuple, Optional, Tuple

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
    #: The type of each column, where the format has types.
    types: Tuple[str, ...] = ()
