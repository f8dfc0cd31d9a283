"""Cells: single values as text or JSON, and the types of others' libraries, known by name.

Nothing but the standard library is imported: a script that uses neither pandas nor numpy waits for neither.
The same value gives the same text on every Python. This file must not know of rows or columns of a result.
"""

import base64
import json
import re
from datetime import date, time
from typing import Any, Callable, FrozenSet, Sequence, Set

# Cells of comma-separated rows


def texts(values: Sequence[Any], notices: Set[str]) -> Sequence[str]:
    """Return the text of each cell in a column."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    writers = {kind: _writer(kind) for kind in kinds}
    if any(writer is str and is_array(kind) for kind, writer in writers.items()):
        notices.add("array_elements")
    if set(writers.values()) == {str}:
        return list(map(str, values))
    return [writers[type(value)](value) for value in values]


def _writer(kind: type) -> Callable[[Any], str]:
    """Return what turns values of this type into the text of a cell."""
    names = lineage(kind)
    if names & _MISSING:
        return _empty
    if names & _MAY_BE_MISSING:
        return _text_unless_missing
    if issubclass(kind, (dict, list, tuple)):
        return json_text
    if is_array(kind) and hasattr(kind, "tolist"):
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


def json_text(value: Any) -> str:
    """Return the value as JSON, or its ``str()`` where JSON has no form for it (tuples as keys, cycles)."""
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)


def _array(value: Any) -> str:
    plain = value.tolist()
    return json_text(plain) if isinstance(plain, list) else _writer(type(plain))(plain)


def _plain(value: Any) -> Any:
    """Return numbers and arrays of numpy and its kin as Python's own; anything else as text."""
    return value.tolist() if hasattr(type(value), "tolist") else str(value)


def quoted(cells: Sequence[str], alone: bool) -> Sequence[str]:
    """Quote the cells that need it; one ``alone`` in its row also when empty: a blank line is no row."""
    # Not csv.writer: before Python 3.13 it leaves carriage returns unquoted, and csv.reader refuses them.
    joined = "".join(cells)
    if "," in joined or '"' in joined or "\n" in joined or "\r" in joined:
        special = _SPECIAL.search
        cells = ['"' + text.replace('"', '""') + '"' if special(text) else text for text in cells]
    return [text or '""' for text in cells] if alone else cells


_SPECIAL = re.compile('[,"\r\n]')


# Values of JSON lines and of JSON in typed columns


def json_value(value: Any) -> str:
    """Return a value as JSON that every reader takes.

    Missing values and NaN are ``null``, infinite numbers the texts ``Infinity`` and ``-Infinity``, dates and
    times in ISO form, bytes in base64, arrays lists; what JSON has no form for is its ``str()``. Text that is
    no Unicode may hold lone surrogates: `json_bytes` escapes them.
    """
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        return _encode(_spelled_out(value))
    except RecursionError:  # it is too deep
        return _encode(str(value))


def json_bytes(text: str) -> bytes:
    """Return JSON as UTF-8; bytes of file names that are none come back from a reader as they were."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return _SURROGATES.sub(lambda one: "\\u%04x" % ord(one.group()), text).encode("utf-8")


_SURROGATES = re.compile("[\ud800-\udfff]")


def is_missing(value: Any) -> bool:
    """Say whether a value stands for a missing one."""
    kind = type(value)
    if value is None or (kind is float and value != value):
        return True
    names = lineage(kind)
    return bool(names & _MISSING) or (bool(names & _MAY_BE_MISSING) and bool(value != value))


def _as_json(value: Any) -> Any:
    """Return what stands in JSON for a value that is not JSON's own."""
    if is_missing(value):
        return None
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return value.tolist() if hasattr(type(value), "tolist") else str(value)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_as_json).encode


def _spelled_out(value: Any, above: FrozenSet[int] = frozenset()) -> Any:
    """Return a value in which every number and every key is one that JSON has, and that ends."""
    if isinstance(value, float):
        infinite = "Infinity" if value > 0 else "-Infinity"
        return None if value != value else infinite if value - value else value
    if value is None or isinstance(value, (str, int)):
        return value
    if not isinstance(value, (dict, list, tuple)):
        return _spelled_out(_as_json(value), above)
    if id(value) in above:
        return str(value)
    above = above | {id(value)}
    if isinstance(value, dict):
        return {_key(key): _spelled_out(one, above) for key, one in value.items()}
    return [_spelled_out(one, above) for one in value]


def _key(key: Any) -> str:
    """Return the text that JSON has for a key, where the standard library knows one."""
    return json.dumps(key) if key is None or isinstance(key, bool) else str(key)


# Types, known by name


def lineage(kind: type) -> FrozenSet[str]:
    """Return the names of a type and its ancestors, as top-level package and class: ``pandas.DataFrame``."""
    return frozenset(f"{str(c.__module__).partition('.')[0]}.{c.__name__}" for c in kind.__mro__)


def is_array(kind: type) -> bool:
    """Tell arrays, tensors and frames, which print abbreviated, from single values."""
    # numpy's single values speak the protocol too.
    return hasattr(kind, "__array__") and "numpy.generic" not in lineage(kind)
