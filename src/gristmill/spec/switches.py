"""Switches that the original keeps among the words of a deployment: entries of ``properties`` and ``tags``.

They stay there as the texts that they are; only what they mean is read here. This module must not know any
switch of our own: those stand in ``gristmill:``.
"""

from __future__ import annotations

from gristmill.spec.problems import Problem, did_you_mean
from gristmill.spec.tree import Entry, Mapping, Scalar, got, is_null

_OUTPUT_HEADER = "include_output_header"
_MEANINGS = {"true": True, "false": False}


def output_header(root: Mapping) -> tuple[bool, list[Problem]]:
    """Say whether a deployment asks for a header at the top of its predictions file (contract 1.1).

    Parameters
    ----------
    root
        The document, in the canonical layout, with all overrides laid over it.

    Returns
    -------
    tuple
        Whether it does, and a problem for each entry that says neither ``true`` nor ``false``, or for two
        entries that contradict each other.
    """
    found: list[tuple[Entry, bool]] = []
    problems = []
    for section in ("properties", "tags"):
        entry = _entry(root, section)
        if entry is None or not isinstance(entry.node, Scalar) or is_null(entry.node):
            continue  # the schema refuses what is no text
        said = entry.node.text.strip().lower()
        if said in _MEANINGS:
            found.append((entry, _MEANINGS[said]))
        else:
            what = f"must be 'true' or 'false' {got(entry.node)}{did_you_mean(said, _MEANINGS)}"
            problems.append(Problem(place=entry.node.place, path=entry.path, what=what))
    if len({wanted for _, wanted in found}) > 1:
        first, second = (entry for entry, _ in found)
        what = f"contradicts {first.path} at {first.place.origin}; keep one of them"
        problems.append(Problem(place=second.node.place, path=second.path, what=what))
    return any(wanted for _, wanted in found), problems


def _entry(root: Mapping, section: str) -> Entry | None:
    above = root.entries.get(section)
    return above.node.entries.get(_OUTPUT_HEADER) if above and isinstance(above.node, Mapping) else None
