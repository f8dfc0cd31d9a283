"""A tree against the schema: the checked model, or every mistake in it with its position.

This module must not know single keys; what may stand where is said in ``schema``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar, get_args, get_origin

from gristmill.spec.layout import SETTINGS_KEYS
from gristmill.spec.problems import Problem, nearest
from gristmill.spec.schema import DeploymentFile
from gristmill.spec.sections import Fault, Section, ValidationError
from gristmill.spec.tree import Entry, Mapping, Sequence

_MISSING = {
    "code_configuration": (
        "is missing; name the script, as in '{code: ., scoring_script: score.py}'; only an MLflow model needs"
        " none"
    ),
    "code_configuration.code": "is missing; give the folder that holds the scoring script",
    "code_configuration.scoring_script": "is missing; give the script's path below the code folder",
    "model.path": "is missing; give the model's file or folder",
    "environment.build.path": "is missing; give the folder of the build context",
}

_MISSING_ELSEWHERE = {
    "name": "is missing; give it a name, here or with --name",
    "path": "is missing; say where it lies",
    "type": "is missing; say of what kind it is",
    "build.path": "is missing; give the folder of the build context",
}
_ANY = "*"
"""Stands for every key of a mapping whose keys are names."""
File = TypeVar("File", bound=Section)


def checked(root: Mapping, kind: type[File]) -> tuple[File | None, list[Problem]]:
    """Check a document against its schema.

    Parameters
    ----------
    root
        The document, in the canonical layout, with all overrides laid over it.
    kind
        The schema.

    Returns
    -------
    tuple
        The model and no problem, or None and at least one problem.
    """
    try:
        return kind.model_validate(root), []
    except ValidationError as error:
        return None, [_problem(root, kind, fault) for fault in error.faults]


def _problem(root: Mapping, kind: type[Section], fault: Fault) -> Problem:
    names = fault.loc
    top = Entry(path="", place=root.place, node=root)
    if fault.kind == "missing":
        parent = _entry(top, names[:-1])
        path = ".".join(filter(None, (parent.path, names[-1])))
        words = _MISSING if kind is DeploymentFile else _MISSING_ELSEWHERE
        what = words.get(".".join(names), "is missing")
        return Problem(place=parent.place, path=path, what=what)
    entry = _entry(top, names)
    if fault.kind == "unknown":
        return Problem(place=entry.place, path=entry.path, what=f"unknown key{_meant(names, kind)}")
    return Problem(place=entry.node.place, path=entry.path, what=fault.what)


def _entry(top: Entry, names: tuple[str, ...]) -> Entry:
    """Find the entry, or the deepest one above it that the document has."""
    found = top
    for name in names:
        if isinstance(found.node, Sequence) and name.isdecimal():
            node = found.node.items[int(name)]
            found = Entry(path=found.path, place=node.place, node=node)
            continue
        if isinstance(found.node, Mapping) and name == "0" and name not in found.node.entries:
            continue  # one alone, where a list of them may stand
        if not isinstance(found.node, Mapping) or name not in found.node.entries:
            break
        found = found.node.entries[name]
    return found


def _meant(names: tuple[str, ...], kind: type[Section]) -> str:
    """Suggest a key of the same mapping, else one of another with just this name, else list what is known."""
    *above, name = (name for name in names if not name.isdecimal() or name is names[-1])
    known = list(_known_keys(kind))
    here = [key[-1] for key in known if len(key) == len(above) + 1 and all(map(_fits, key, above))]
    here += sorted(SETTINGS_KEYS) if not above and kind is DeploymentFile else []
    elsewhere = {key[-1]: ".".join(key) for key in reversed(known)}
    if name.lower() in elsewhere and name.lower() not in here:
        return f"; did you mean {elsewhere[name.lower()]!r}?"
    near = nearest(name, here) or elsewhere.get(nearest(name, elsewhere) or "")
    return f"; did you mean {near!r}?" if near else f"; known here are {', '.join(here)}"


def _fits(known: str, name: str) -> bool:
    return known in (name, _ANY)


def _known_keys(section: type[Section], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in section.model_fields.items():
        own = (*above, field.alias or name)
        yield own
        below = (*own, _ANY) if get_origin(field.annotation) is dict else own
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, Section):
                yield from _known_keys(kind, below)
