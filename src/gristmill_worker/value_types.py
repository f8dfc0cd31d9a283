"""Types: what a column of Python values is, and the values in the plain form in which they travel as JSON.

The names are those of Arrow: ``int64``, ``double``, ``string``, ``timestamp[us]``, ``list<double>``. Three
are ours: ``json`` (objects, and lists that are no flat list of one type), ``mixed`` (values of different
types, as text), and ``null`` for a column in which all is missing. What each looks like in JSON is told at
`typed`.
"""

import base64
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import Any, Callable, Dict, List, Sequence, Set, Tuple

from gristmill_worker.cells import is_missing, json_bytes, json_value, lineage

_INT64 = (-(1 << 63), (1 << 63) - 1)
_FIRST_DAY = date(1970, 1, 1).toordinal()
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = 86_400_000_000
#: numpy's single values, by the name of their type; others become Python's own first.
_OF_NUMPY = {"float16": "float", "float32": "float", "bool_": "bool", "bool": "bool"}
_OF_NUMPY.update({name: name for name in ("int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64")})

Typed = Tuple[str, List[Any]]


def typed(values: Sequence[Any]) -> Typed:
    """Return the type of a column and its values in plain form, None where one is missing.

    Numbers, texts and booleans stand as they are; bytes in base64; dates as days, times as microseconds since
    midnight, timestamps as micro- or nanoseconds since 1970; decimals and JSON as text; lists as lists.
    """
    kinds = set(map(type, values))
    if kinds == {str}:
        return "string", _texts(values)
    if kinds == {int} or kinds == {bool}:
        return _integers(values) if kinds == {int} else ("bool", list(values))
    present = [None if is_missing(value) else value for value in values]
    kinds = set(map(type, present)) - {type(None)}
    if not kinds:
        return "null", present
    names = {_kind(kind) for kind in kinds}
    if len(names) > 1:
        names = {_common(names, present)}
    if names == {"mixed"}:
        return "mixed", [None if value is None else _as_text(value) for value in present]
    return _OF_KIND.get(next(iter(names)), _same_type(next(iter(names))))(present)


def _kind(kind: type) -> str:
    """Return what a type is, so that values of types that are the same can stand in one column."""
    if issubclass(kind, bool):
        return "bool"
    names = lineage(kind)
    if "numpy.generic" in names and kind.__name__ in _OF_NUMPY:
        return _OF_NUMPY[kind.__name__]
    for name, ours in _KINDS:
        if issubclass(kind, ours):
            return name
    if "numpy.integer" in names:
        return "integer"
    return "list" if "numpy.ndarray" in names else "other"


_KINDS: Tuple[Tuple[str, Any], ...] = (
    ("integer", int),
    ("double", float),
    ("text", str),
    ("binary", (bytes, bytearray)),
    ("timestamp", datetime),
    ("date", date),
    ("time", time),
    ("duration", timedelta),
    ("decimal", Decimal),
    ("json", dict),
    ("list", (list, tuple)),
)


def _common(names: Set[str], values: List[Any]) -> str:
    """Return the kind in which values of several kinds can stand, ``mixed`` where there is none."""
    if names <= _WHOLE:
        return "integer"
    if names <= {"float", "double"} or (
        names <= {"float", "double", *_WHOLE} and all(map(_is_exact, values))
    ):
        return "double"
    return "timestamp" if names == {"date", "timestamp"} else "mixed"


_WHOLE = frozenset({"integer", *_OF_NUMPY.values()} - {"float", "bool"})


def _is_exact(value: Any) -> bool:
    return value is None or isinstance(value, float) or int(float(value)) == int(value)


def _as_text(value: Any) -> str:
    """Return numbers, truth values, lists and objects as JSON has them, anything else as it is printed."""
    text = json_value(value)
    if not text.startswith('"'):
        return _text(text)
    return _text(value.isoformat() if isinstance(value, (date, time)) else str(value))


# One kind each


def _same_type(name: str) -> Callable[[List[Any]], Typed]:
    def plain(values: List[Any]) -> Typed:
        return name, [None if value is None else _own(value) for value in values]

    return plain


def _own(value: Any) -> Any:
    return value.tolist() if hasattr(type(value), "tolist") else value


def _integers(values: Sequence[Any]) -> Typed:
    plain = [None if value is None else int(value) for value in values]
    present = [value for value in plain if value is not None]
    least, most = min(present), max(present)
    if least >= _INT64[0] and most <= _INT64[1]:
        return "int64", plain
    if least >= 0 and most < 1 << 64:
        return "uint64", plain
    return "string", [None if value is None else str(value) for value in plain]


def _doubles(values: List[Any]) -> Typed:
    return "double", [None if value is None else float(value) for value in values]


def _texts(values: Sequence[Any]) -> List[Any]:
    """Return texts that are Unicode; a byte of a file name that is none is shown as an escape."""
    try:
        "".join([value for value in values if value is not None]).encode("utf-8")
        return [None if value is None else str.__str__(value) for value in values]
    except UnicodeEncodeError:
        return [None if value is None else _text(value) for value in values]


def _text(value: str) -> str:
    return str.__str__(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _others(values: List[Any]) -> Typed:
    return "string", [None if value is None else _text(str(value)) for value in values]


def _binaries(values: List[Any]) -> Typed:
    encode = base64.b64encode
    return "binary", [None if value is None else encode(value).decode("ascii") for value in values]


def _dates(values: List[Any]) -> Typed:
    return "date32[day]", [None if value is None else value.toordinal() - _FIRST_DAY for value in values]


def _timestamps(values: List[Any]) -> Typed:
    """Timestamps with a zone are instants; pandas' own may have nanoseconds."""
    present = [value for value in values if value is not None]
    aware = {getattr(value, "tzinfo", None) is not None for value in present}
    if len(aware) > 1:
        return "mixed", [None if value is None else _as_text(value) for value in values]
    zone = ", tz=UTC" if aware == {True} else ""
    if any(getattr(value, "nanosecond", 0) for value in present):
        return "timestamp[ns%s]" % zone, [
            None if value is None else _microseconds(value) * 1000 + getattr(value, "nanosecond", 0)
            for value in values
        ]
    return "timestamp[us%s]" % zone, [None if value is None else _microseconds(value) for value in values]


def _microseconds(value: Any) -> int:
    midnight: int = (value.toordinal() - _FIRST_DAY) * _DAY_US
    if not isinstance(value, datetime):
        return midnight
    offset = value.utcoffset() or timedelta(0)
    return midnight + _since_midnight(value) - offset // _MICROSECOND


def _since_midnight(value: Any) -> int:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return int(seconds * 1_000_000 + value.microsecond)


def _times(values: List[Any]) -> Typed:
    return "time64[us]", [None if value is None else _since_midnight(value) for value in values]


def _durations(values: List[Any]) -> Typed:
    spans = [None if value is None else value // _MICROSECOND for value in values]
    if any(span is not None and not _INT64[0] <= span <= _INT64[1] for span in spans):
        return _others(values)
    return "duration[us]", spans


def _decimals(values: List[Any]) -> Typed:
    before = after = 0
    for value in values:
        if value is None:
            continue
        if not value.is_finite():
            return _others(values)
        digits, exponent = len(value.as_tuple().digits), int(value.as_tuple().exponent)
        after = max(after, -exponent)
        before = max(before, digits + exponent, 1)
    if before + after > 38:
        return _others(values)
    texts = [None if value is None else str(value) for value in values]
    return "decimal128(%d, %d)" % (before + after, after), texts


def _jsons(values: List[Any]) -> Typed:
    return "json", [
        None if value is None else json_bytes(json_value(value)).decode("utf-8") for value in values
    ]


def _lists(values: List[Any]) -> Typed:
    """Flat lists of one type are lists; any other is JSON."""
    plain = [None if value is None else list(_own(value)) for value in values]
    inner, flat = typed(list(chain.from_iterable(value for value in plain if value is not None)))
    if inner not in _IN_LISTS:
        return _jsons(values)
    width = {str(getattr(value, "dtype", "")) for value in values if value is not None}
    if inner == "double" and width <= {"float32", "float16"}:
        inner = "float"
    own = iter(flat)
    return "list<%s>" % inner, [None if value is None else list(islice(own, len(value))) for value in plain]


_IN_LISTS = frozenset(("null", "bool", "int64", "uint64", "double", "float", "string"))

_OF_KIND: Dict[str, Callable[[List[Any]], Typed]] = {
    "integer": _integers,
    "double": _doubles,
    "text": lambda values: ("string", _texts(values)),
    "binary": _binaries,
    "timestamp": _timestamps,
    "date": _dates,
    "time": _times,
    "duration": _durations,
    "decimal": _decimals,
    "json": _jsons,
    "list": _lists,
    "other": _others,
}
