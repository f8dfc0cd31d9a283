"""Widening: the one type in which the values of two mini-batches can stand in one column, if there is one.

Types are the names that workers give them: those of Arrow, ``json`` (text that is JSON), ``mixed`` (values of
different types in one mini-batch, as text) and ``null`` (nothing but missing values). A type is only widened
to one that holds all of its values; a whole number too large for a float is found where it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_SIGNED = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_UNSIGNED = {"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}
_FLOATS = ("float", "double")
_UNITS = ("s", "ms", "us", "ns")
_TIMED = re.compile(r"(timestamp|time32|time64|duration)\[(s|ms|us|ns)(?:, tz=(.+))?\]")
_DATES = ("date32[day]", "date64[ms]")
_DECIMAL = re.compile(r"decimal128\((\d+), (-?\d+)\)")
_LIST = re.compile(r"list<(.+)>")
_MOST_DIGITS = 38

Schema = Sequence[tuple[str, str]]
"""Name and type of each column."""


class Conflict(NamedTuple):
    """Two types that no column can hold together."""

    column: str
    first: str
    second: str


def united(schemas: Iterable[Schema]) -> tuple[dict[str, str], list[Conflict]]:
    """Return the columns of all, in order of first appearance, each with a type that holds all of its values.

    Parameters
    ----------
    schemas
        The columns of each kind of rows that there are.

    Returns
    -------
    tuple
        Type by name, and what cannot stand in one column: such a column is of the type ``string``.
    """
    columns: dict[str, str] = {}
    conflicts: dict[str, Conflict] = {}
    for schema in schemas:
        for name, kind in schema:
            known = columns.get(name, "null")
            wider = widened(known, kind)
            if name not in conflicts and (wider is None or wider == "mixed"):
                conflicts[name] = Conflict(name, known, kind)
            columns[name] = wider or known
    columns.update(dict.fromkeys(conflicts, "string"))
    return columns, list(conflicts.values())


def widened(first: str, second: str) -> str | None:
    """Return the type that holds the values of both, None where there is none."""
    if first == second or second == "null":
        return first
    if first == "null":
        return second
    for rule in (_numbers, _times, _decimals, _lists):
        found = rule(first, second) or rule(second, first)
        if found is not None:
            return found
    return None


def _numbers(first: str, second: str) -> str | None:
    if first in _SIGNED and second in _SIGNED:
        return max(first, second, key=_SIGNED.__getitem__)
    if first in _UNSIGNED and second in _UNSIGNED:
        return max(first, second, key=_UNSIGNED.__getitem__)
    if first in _SIGNED and second in _UNSIGNED:
        bits = max(_SIGNED[first], 2 * _UNSIGNED[second])
        return f"int{bits}" if bits <= 64 else None
    if first in _FLOATS and (second in _FLOATS or second in _SIGNED or second in _UNSIGNED):
        return "double"
    return None


def _times(first: str, second: str) -> str | None:
    one, other = _TIMED.fullmatch(first), _TIMED.fullmatch(second)
    if first in _DATES:
        if second in _DATES:
            return _DATES[1]
        return second if other is not None and other[1] == "timestamp" and not other[3] else None
    if one is None or other is None:
        return None
    unit = max(one[2], other[2], key=_UNITS.index)
    if {one[1], other[1]} <= {"time32", "time64"}:
        return f"time64[{unit}]" if unit in ("us", "ns") else f"time32[{unit}]"
    if one[1] != other[1] or bool(one[3]) != bool(other[3]):
        return None
    zone = one[3] if one[3] == other[3] else "UTC"
    return f"{one[1]}[{unit}, tz={zone}]" if zone else f"{one[1]}[{unit}]"


def _decimals(first: str, second: str) -> str | None:
    one, other = _DECIMAL.fullmatch(first), _DECIMAL.fullmatch(second)
    if one is None or other is None:
        return None
    after = max(int(one[2]), int(other[2]))
    before = max(int(one[1]) - int(one[2]), int(other[1]) - int(other[2]))
    return f"decimal128({before + after}, {after})" if before + after <= _MOST_DIGITS else None


def _lists(first: str, second: str) -> str | None:
    one, other = _LIST.fullmatch(first), _LIST.fullmatch(second)
    if one is None:
        return None
    if other is None:
        return "json" if second == "json" else None
    inner = widened(one[1], other[1])
    return f"list<{inner}>" if inner is not None else "json"


def schema_of(names: Sequence[str], types: Sequence[str]) -> list[tuple[str, str]]:
    """Return names and types as one."""
    return list(zip(names, types, strict=True))


def is_text(kind: str) -> bool:
    """Say whether the values of a type are kept as text."""
    return kind in ("string", "json", "mixed")


def in_words(kind: str) -> str:
    """Return a type as a user calls it."""
    return {"string": "text", "double": "float64", "json": "JSON (dicts or nested lists)"}.get(kind, kind)
