"""A document as a tree whose every key and value knows where it stands.

A deployment file, an option and the defaults of a bare script all become such trees, so that one check serves
all three and every message can say where the mistake stands. This module imports only the standard library;
it must not know YAML's syntax beyond the meaning of a plain scalar, nor what a deployment is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as PlainMapping
from collections.abc import Sequence as PlainSequence
from dataclasses import dataclass
from pathlib import Path

_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_TRUE = re.compile(r"(?:true|True|TRUE)\Z")
_FALSE = re.compile(r"(?:false|False|FALSE)\Z")
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}\Z")
_OCTAL = re.compile(r"0o[0-7]{1,400}\Z")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,400}\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z")
_NOT_A_NUMBER = re.compile(r"\.(?:nan|NaN|NAN)\Z")

Plain = None | bool | int | float | str


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a key or a value stands."""

    origin: str
    """What a message begins with: ``deployment.yml:3:5``, or the option as it was typed."""
    folder: Path
    """The folder that relative paths at this place are relative to."""
    order: tuple[int, int] = (0, 0)
    """Line and column, for sorting messages."""


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """One value."""

    place: Place
    text: str
    """The very text that stands there, without quotes."""
    value: Plain
    """What the text means in YAML 1.2."""


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A key of a mapping with what it holds."""

    path: str
    """The key with those above it, as its author wrote them: ``settings.mini_batch_size``."""
    place: Place
    """Where the key stands."""
    node: Node


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """Keys with what they hold."""

    place: Place
    entries: dict[str, Entry]


Node = Scalar | Sequence | Mapping


def meaning(text: str) -> Plain:
    """Say what a plain scalar means in YAML 1.2's core schema: ``no`` is a text, ``010`` is ten."""
    if _NULL.match(text):
        return None
    if _TRUE.match(text) or _FALSE.match(text):
        return bool(_TRUE.match(text))
    if _INTEGER.match(text):
        return int(text)
    if _OCTAL.match(text) or _HEXADECIMAL.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return float(text)
    if _INFINITE.match(text) or _NOT_A_NUMBER.match(text):
        return float(text.replace(".", ""))
    return text


def is_null(node: Node) -> bool:
    """Say whether the node stands for "nothing given"."""
    return isinstance(node, Scalar) and node.value is None


def tree(value: object, place: Place, path: str = "") -> Node:
    """Make a tree of plain values, all of which stand at one place.

    Parameters
    ----------
    value
        None, a boolean, a number, a text, a path, or mappings and lists of these.
    place
        Where they stand.
    path
        The key that holds the value, with those above it.

    Returns
    -------
    Node
        The tree. A value of any other kind counts as its text.
    """
    if isinstance(value, PlainMapping):
        entries = {}
        for key, below in value.items():
            below_path = f"{path}.{key}" if path else str(key)
            entries[str(key)] = Entry(path=below_path, place=place, node=tree(below, place, below_path))
        return Mapping(place=place, entries=entries)
    if isinstance(value, PlainSequence) and not isinstance(value, (str, bytes)):
        return Sequence(place=place, items=tuple(tree(item, place, path) for item in value))
    if value is None or isinstance(value, bool):
        return Scalar(place=place, text="" if value is None else str(value).lower(), value=value)
    if isinstance(value, (int, float)):
        return Scalar(place=place, text=str(value), value=value)
    return Scalar(place=place, text=str(value), value=str(value))


def plain(node: Node) -> object:
    """Make plain values of a tree, from which `tree` makes an equal one but for the places.

    Parameters
    ----------
    node
        The tree.

    Returns
    -------
    object
        Takes ``json.dumps``. A number or a boolean whose text says more than its value, such as ``1.10``,
        is given as that text, which every setting takes as well.
    """
    if isinstance(node, Mapping):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if node.value is None or isinstance(node.value, str):
        return node.value
    again = tree(node.value, node.place)
    return node.value if isinstance(again, Scalar) and again.text == node.text else node.text


def got(node: Node) -> str:
    """Say in a few words what stands there, for a message."""
    if isinstance(node, Mapping):
        return "(got a mapping)"
    if isinstance(node, Sequence):
        return "(got a list)"
    shown = repr(node.text)
    return f"(got {shown if len(shown) <= 80 else shown[:76] + '…' + shown[-1]})"
