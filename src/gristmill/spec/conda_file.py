"""A conda file, or the same content as a mapping in a deployment, to the packages that it lists.

All mistakes are found at once, each with its place. Keys that only conda itself reads are passed over, as
conda does. This module must not know how an environment is built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as PlainMapping
from dataclasses import dataclass, field
from pathlib import Path

from gristmill.errors import SpecError
from gristmill.spec.document import read_document
from gristmill.spec.packages import Line, Packages
from gristmill.spec.pip_lines import PipLines
from gristmill.spec.problems import Problem
from gristmill.spec.tree import Entry, Mapping, Node, Place, Scalar, Sequence, got, is_null, tree

EXAMPLE = "dependencies: [python=3.11, pip, {pip: [pandas]}]"
_CONDA = re.compile(r"(?:[\w./:-]+::)?[A-Za-z_][\w.-]*\s*(?:$|[\[=<>!~ ].*|\d.*)")
_COMMENT = re.compile(r"\s#.*$")


@dataclass(kw_only=True)
class Listed:
    """What was read."""

    packages: Packages | None = None
    """None where something is wrong."""
    problems: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)


def load_conda_file(path: Path, name: str | None = None) -> Packages:
    """Read a conda file.

    Parameters
    ----------
    path
        The file.
    name
        What messages call the environment; None: as the file does, else by the file's own name.

    Returns
    -------
    Packages
        What it lists.

    Raises
    ------
    SpecError
        It cannot be read, or something in it is wrong: one line for each mistake.
    """
    document = read_document(path)
    listed = read_content(document.root, name, path.stem)
    problems = [*document.problems, *listed.problems]
    if problems or listed.packages is None:
        raise SpecError(*(str(one) for one in problems))
    return listed.packages


def load_conda_values(values: PlainMapping[str, object], name: str, folder: Path) -> Packages:
    """Read what a conda file would hold, given as values; relative paths in it are relative to a folder.

    Raises
    ------
    SpecError
        Something in it is wrong: one line for each mistake.
    """
    root = tree(values, Place(origin=f"the conda_file of environment {name}", folder=folder))
    assert isinstance(root, Mapping)
    listed = read_content(root, name, name)
    if listed.problems or listed.packages is None:
        raise SpecError(*(str(one) for one in listed.problems))
    return listed.packages


def read_content(root: Mapping, name: str | None, otherwise: str) -> Listed:
    """Read the content of a conda file.

    Parameters
    ----------
    root
        Its keys.
    name
        What messages are to call the environment.
    otherwise
        What they call it where neither ``name`` nor the content says.

    Returns
    -------
    Listed
        With every mistake, each at its place.
    """
    listed = Listed()
    folder = root.place.folder
    dependencies = root.entries.get("dependencies")
    if dependencies is None or is_null(dependencies.node) or _is_empty(dependencies.node):
        listed.problems.append(_at(root, "dependencies", f"lists nothing; write them, as in '{EXAMPLE}'"))
        return listed
    if not isinstance(dependencies.node, Sequence):
        what = f"must be a list, as in '{EXAMPLE}' {got(dependencies.node)}"
        listed.problems.append(_of(dependencies, dependencies.node, what))
        return listed
    channels = _channels(root, listed)
    lines = PipLines(folder)
    conda = [line for item in dependencies.node.items for line in _item(item, dependencies, lines, listed)]
    listed.problems += lines.problems
    if "variables" in root.entries:
        what = "is conda's own and is not read; write them under settings.environment_variables"
        entry = root.entries["variables"]
        listed.notices.append(Problem(place=entry.place, path=entry.path, what=what))
    if not listed.problems:
        listed.packages = Packages(
            name=name or _name(root) or otherwise,
            folder=folder,
            channels=tuple(channels),
            conda=tuple(conda),
            pip=tuple(lines.lines),
        )
    return listed


def _item(item: Node, above: Entry, lines: PipLines, listed: Listed) -> list[Line]:
    """Take one entry of the dependencies; return what conda itself is to install."""
    if isinstance(item, Scalar):
        text = _COMMENT.sub("", item.text).strip()
        if not _CONDA.fullmatch(text):
            listed.problems.append(_of(above, item, f"must be a package, as in 'numpy=1.26' {got(item)}"))
            return []
        return [Line(text=text, place=item.place.origin)]
    if isinstance(item, Mapping) and item.entries.keys() == {"pip"}:
        pip = item.entries["pip"]
        if isinstance(pip.node, Sequence):
            for one in pip.node.items:
                if isinstance(one, Scalar):
                    lines.add(one.text, one.place, pip.path)
                else:
                    listed.problems.append(_of(pip, one, f"must be a line for pip {got(one)}"))
        elif not is_null(pip.node):
            listed.problems.append(_of(pip, pip.node, f"must be a list of lines for pip {got(pip.node)}"))
        return []
    listed.problems.append(_of(above, item, f"must be a package, or 'pip:' with a list {got(item)}"))
    return []


def _channels(root: Mapping, listed: Listed) -> list[str]:
    entry = root.entries.get("channels")
    if entry is None or is_null(entry.node):
        return []
    items = entry.node.items if isinstance(entry.node, Sequence) else (entry.node,)
    for item in items:
        if not isinstance(item, Scalar) or is_null(item):
            listed.problems.append(_of(entry, item, f"must be a list of channels {got(item)}"))
    return [item.text.strip() for item in items if isinstance(item, Scalar)]


def _name(root: Mapping) -> str | None:
    entry = root.entries.get("name")
    return entry.node.text.strip() if entry is not None and isinstance(entry.node, Scalar) else None


def _is_empty(node: Node) -> bool:
    return isinstance(node, Sequence) and not node.items


def _of(entry: Entry, node: Node, what: str) -> Problem:
    return Problem(place=node.place, path=entry.path, what=what)


def _at(root: Mapping, path: str, what: str) -> Problem:
    return Problem(place=root.place, path=path, what=what)
