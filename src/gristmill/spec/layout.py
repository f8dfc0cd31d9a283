"""Every way in which a deployment may spell a key, brought to one layout (contract, section 2).

The older flat layout, a top-level ``environment_variables`` and ``properties: {gristmill.<key>: …}`` move to
where the schema expects them; each entry keeps the path that its author wrote. This module must not know
which values are right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gristmill.spec.problems import Problem
from gristmill.spec.tree import Entry, Mapping, Scalar, got, is_null

SETTINGS_KEYS = frozenset(
    (
        "mini_batch_size",
        "output_action",
        "output_file_name",
        "retry_settings",
        "error_threshold",
        "logging_level",
        "max_concurrency_per_instance",
        "instance_count",
        "environment_variables",
    )
)
"""The keys of ``settings:``, which the flat layout has at the top."""
READ_ONLY_KEYS = frozenset(
    ("id", "provisioning_state", "scoring_uri", "openapi_uri", "location", "creation_context")
)
_TEXT_MAPS = (
    ("tags",),
    ("properties",),
    ("settings", "environment_variables"),
    ("model", "tags"),
    ("model", "properties"),
    ("environment", "tags"),
)
_TWIN = "gristmill."
_SYNONYMS = (
    (("settings", "error_threshold"), ("gristmill", "error_threshold")),
    (("settings", "max_concurrency_per_instance"), ("gristmill", "workers")),
    (("gristmill", "use_current_python"), ("gristmill", "python")),
)


@dataclass(kw_only=True)
class Layout:
    """A document in the canonical layout, with what was noticed on the way."""

    root: Mapping
    problems: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)


def canonical_names(path: str) -> tuple[str, ...]:
    """Split a path into the keys under which the canonical layout has it.

    Parameters
    ----------
    path
        As a user writes it: ``mini_batch_size``, ``tags.team.name``, ``properties.gristmill.workers``.

    Returns
    -------
    tuple of str
        ``("settings", "mini_batch_size")``, ``("tags", "team.name")``, ``("gristmill", "workers")``.
    """
    names = tuple(path.split("."))
    if names[:2] == ("properties", "gristmill") and len(names) > 2:
        names = names[1:]
    if names[0] in SETTINGS_KEYS:
        names = ("settings", *names)
    for head in _TEXT_MAPS:
        if names[: len(head)] == head and len(names) > len(head):
            return (*head, ".".join(names[len(head) :]))
    return names


def is_in_map(names: tuple[str, ...]) -> bool:
    """Say whether the last of these keys is a name of the user's own, in a map of texts such as ``tags``."""
    return any(names[: len(head)] == head and len(names) == len(head) + 1 for head in _TEXT_MAPS)


def synonyms_of(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """List the other keys that decide the same thing, and that an option for this one puts out of force."""
    return [other for pair in _SYNONYMS if names in pair for other in pair if other != names]


def canonical(root: Mapping) -> Layout:
    """Bring a document to the canonical layout.

    Parameters
    ----------
    root
        The document as it stands in the file.

    Returns
    -------
    Layout
        The document with every key where the schema expects it; keys without an effect are taken out. A
        problem for each key that is given in two layouts with different values.
    """
    layout = without_read_only(root)
    entries = dict(layout.root.entries)
    flat = {name: entries.pop(name) for name in list(entries) if name in SETTINGS_KEYS}
    _move(layout, entries, "settings", flat)
    properties = entries.get("properties")
    if properties is not None and isinstance(properties.node, Mapping):
        own = properties.node.entries
        twins = _nested({name.removeprefix(_TWIN): own[name] for name in own if name.startswith(_TWIN)})
        rest = {name: entry for name, entry in own.items() if not name.startswith(_TWIN)}
        node = Mapping(place=properties.node.place, entries=rest)
        entries["properties"] = Entry(path=properties.path, place=properties.place, node=node)
        _move(layout, entries, "gristmill", twins)
    layout.root = Mapping(place=root.place, entries=entries)
    return layout


def _nested(twins: dict[str, Entry]) -> dict[str, Entry]:
    """Put ``mlflow.chunk_rows``, a key in a map of texts, where it stands in the block: below ``mlflow``."""
    found: dict[str, Entry] = {}
    for name, entry in twins.items():
        section, dot, key = name.partition(".")
        if not dot or not section or not key:
            found[name] = entry
            continue
        there = found.get(section)
        entries = dict(there.node.entries) if there and isinstance(there.node, Mapping) else {}
        node = Mapping(place=entry.place, entries={**entries, key: entry})
        found[section] = Entry(path=entry.path.removesuffix(f".{key}"), place=entry.place, node=node)
    return found


def without_read_only(root: Mapping) -> Layout:
    """Take out the keys of any file that have no effect; those that only a service writes are noticed."""
    entries = dict(root.entries)
    layout = Layout(root=root)
    entries.pop("$schema", None)
    for name in sorted(READ_ONLY_KEYS & entries.keys()):
        entry = entries.pop(name)
        what = "is read-only and was ignored"
        layout.notices.append(Problem(place=entry.place, path=entry.path, what=what))
    layout.root = Mapping(place=root.place, entries=entries)
    return layout


def _move(layout: Layout, entries: dict[str, Entry], section: str, moved: dict[str, Entry]) -> None:
    if not moved:
        return
    place = next(iter(moved.values())).place
    there = entries.get(section)
    if there is None or is_null(there.node):
        there = Entry(path=section, place=place, node=Mapping(place=place, entries={}))
    if not isinstance(there.node, Mapping):
        what = f"must be a mapping of keys {got(there.node)}"
        layout.problems.append(Problem(place=there.node.place, path=there.path, what=what))
        there = Entry(path=section, place=place, node=Mapping(place=place, entries={}))
    assert isinstance(there.node, Mapping)
    node = _merged(layout, there.node, moved)
    entries[section] = Entry(path=there.path, place=there.place, node=node)


def _merged(layout: Layout, mapping: Mapping, more: dict[str, Entry]) -> Mapping:
    entries = dict(mapping.entries)
    for name, entry in more.items():
        there = entries.get(name)
        if there is None or is_null(there.node):
            entries[name] = entry
        elif isinstance(there.node, Mapping) and isinstance(entry.node, Mapping):
            node = _merged(layout, there.node, entry.node.entries)
            entries[name] = Entry(path=there.path, place=there.place, node=node)
        elif not is_null(entry.node) and not _same(there, entry):
            what = f"differs from {there.path} at {there.place.origin}; keep one of them"
            layout.problems.append(Problem(place=entry.place, path=entry.path, what=what))
    return Mapping(place=mapping.place, entries=entries)


def _same(one: Entry, other: Entry) -> bool:
    both = (one.node, other.node)
    texts = {node.text for node in both if isinstance(node, Scalar)}
    return len(texts) == 1 and all(isinstance(node, Scalar) for node in both)
