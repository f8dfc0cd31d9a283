"""Settings given on the command line, laid over the tree of a deployment before it is checked.

An option such as ``--mini-batch-size 5`` and its long form ``--set settings.mini_batch_size=5`` are the same
thing: a path into the document, and a value. Where the document spells the same setting in another way (in
the older flat layout, or as an extension that stands for it), that spelling is taken out: the option wins.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gristmill.errors import SpecError
from gristmill.spec.layout import canonical_names, is_in_map, synonyms_of
from gristmill.spec.problems import Problem
from gristmill.spec.tree import Entry, Mapping, Node, Place, Plain, Scalar, is_null, meaning, tree

_SET = "--set "
_REMOVE = "--remove "
_AFTER_EVERY_LINE = 1 << 40


@dataclass(frozen=True, kw_only=True)
class Override:
    """One setting that stands above the file's."""

    path: str
    """The key with those above it: ``settings.mini_batch_size``."""
    value: object
    """None (back to the default; a tag, a property or a variable is taken away), a boolean, a number, a text,
    a path, or a mapping of these."""
    origin: str
    """The option as it was typed: ``--mini-batch-size 5``. After ``--set``, a relative path is relative to
    the deployment's folder, as if it stood in the file; after any other option, to the current folder. After
    ``--remove`` the key is taken away."""
    text: str | None = None
    """The very text of the value, where it says more than ``value``: ``1.10``."""


def parse_set(text: str) -> Override:
    """Read what stands behind ``--set``.

    Parameters
    ----------
    text
        ``KEY=VALUE``; the value is a YAML 1.2 scalar: ``5`` is a number, ``"5"`` a text, nothing is null.

    Returns
    -------
    Override
        The setting.

    Raises
    ------
    SpecError
        There is no ``=``, or no key before it.
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise SpecError(f"{_SET}{text}: takes KEY=VALUE, as in: {_SET}settings.mini_batch_size=20")
    said, means = _scalar(value.strip())
    return Override(path=path.strip(), value=means, origin=f"{_SET}{text}", text=said)


def lay_over(root: Mapping, overrides: Sequence[Override], folder: Path) -> tuple[Mapping, list[Problem]]:
    """Lay settings over a document; of two for the same key the later wins.

    Parameters
    ----------
    root
        The document, in its canonical layout.
    overrides
        The settings, in the order in which they were given.
    folder
        The deployment's folder.

    Returns
    -------
    tuple
        The new document, and a problem for every setting that has no place in it.
    """
    problems = []
    for number, override in enumerate(overrides):
        base = folder if override.origin.startswith(_SET) else Path.cwd()
        place = Place(origin=override.origin, folder=base, order=(_AFTER_EVERY_LINE, number))
        names = canonical_names(override.path)
        try:
            _check_key(override.path, names)
            if override.origin.startswith(_REMOVE):
                root = _taken_away(root, names)
                continue
            if override.value is not None and override.value is not False:
                for synonym in synonyms_of(names):
                    root = _without(root, synonym)
            if override.value is None and override.text is None and is_in_map(names):
                root = _without(root, names)
                continue
            root = _with(root, names, Entry(path=override.path, place=place, node=_node(override, place)))
        except _NoPlaceError as error:
            problems.append(Problem(place=place, path=override.path, what=str(error)))
    return root, problems


class _NoPlaceError(Exception):
    """The document has no place for this key."""


def _scalar(text: str) -> tuple[str, Plain]:
    if len(text) >= 2 and text[0] == text[-1] == "'":
        inside = text[1:-1].replace("''", "'")
        return inside, inside
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            inside = str(json.loads(text, strict=False))
        except ValueError:
            return text, text
        return inside, inside
    return text, meaning(text)


def _check_key(path: str, names: tuple[str, ...]) -> None:
    if not all(names):
        raise _NoPlaceError("a key is empty; write KEY or KEY.KEY")
    if "\0" in path or any(0xD800 <= ord(character) <= 0xDFFF for character in path):
        raise _NoPlaceError("a key holds what is no text; write it in UTF-8")


def _node(override: Override, place: Place) -> Node:
    node = tree(override.value, place, override.path)
    if isinstance(node, Scalar) and override.text is not None:
        node = Scalar(place=place, text=override.text, value=node.value)
    if isinstance(node, Scalar) and "\0" in node.text:
        raise _NoPlaceError("holds a NUL character; remove it")
    return node


def _with(mapping: Mapping, names: tuple[str, ...], entry: Entry, above: str = "") -> Mapping:
    first, *rest = names
    path = f"{above}.{first}" if above else first
    if not rest:
        return Mapping(place=mapping.place, entries={**mapping.entries, first: entry})
    there = mapping.entries.get(first)
    if there is None or is_null(there.node):
        there = Entry(path=path, place=entry.place, node=Mapping(place=entry.place, entries={}))
    elif first == "model" and isinstance(there.node, Scalar):
        inline = Mapping(place=there.node.place, entries={"path": there})
        there = Entry(path=path, place=there.place, node=inline)
    if not isinstance(there.node, Mapping):
        raise _NoPlaceError(f"cannot be set, because {there.path!r} at {there.place.origin} holds no keys")
    below = _with(there.node, tuple(rest), entry, there.path)
    replaced = Entry(path=there.path, place=there.place, node=below)
    return Mapping(place=mapping.place, entries={**mapping.entries, first: replaced})


def _taken_away(root: Mapping, names: tuple[str, ...]) -> Mapping:
    """Return the document without a key that is in it."""
    there: Node = root
    for name in names:
        if not isinstance(there, Mapping) or name not in there.entries:
            raise _NoPlaceError("is not there, and cannot be taken away")
        there = there.entries[name].node
    return _without(root, names)


def _without(mapping: Mapping, names: tuple[str, ...]) -> Mapping:
    there = mapping.entries.get(names[0])
    if there is None:
        return mapping
    entries = {name: entry for name, entry in mapping.entries.items() if name != names[0]}
    if len(names) > 1:
        if not isinstance(there.node, Mapping):
            return mapping
        below = _without(there.node, names[1:])
        entries = {**mapping.entries, names[0]: Entry(path=there.path, place=there.place, node=below)}
    return Mapping(place=mapping.place, entries=entries)
