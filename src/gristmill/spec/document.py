"""YAML text to a tree with positions; every mistake with its file, line and column.

The text is read as YAML 1.2. Only the composer of the YAML library is used, never its constructor: no text
can make an object, numbers keep the digits that stand in the file, keys given twice are all reported.
This module must not know which keys there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gristmill.errors import SpecError
from gristmill.spec.problems import Problem
from gristmill.spec.tree import Mapping, Sequence

LARGEST_FILE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Document:
    """A file that could be read."""

    root: Mapping
    problems: tuple[Problem, ...]
    """Mistakes that do not keep the rest from being understood: keys given twice, tags that nobody knows."""


def read_document(path: Path) -> Document:
    """Read a YAML file.

    Parameters
    ----------
    path
        The file; messages show it as it is given here.

    Returns
    -------
    Document
        Its tree. Relative paths in it are relative to the file's own folder.

    Raises
    ------
    SpecError
        There is no such file, it cannot be read, it is not UTF-8, not YAML, empty, or not a mapping.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(f"{path}: the file cannot be read: {reason}") from error
    if len(data) > LARGEST_FILE_BYTES:
        raise SpecError(
            f"{path}: the file is larger than 1 MiB, and no file with keys is; is it the right one?"
        )
    return parse_document(_decoded(data, str(path)), str(path), path.absolute().parent)


def parse_document(text: str, file: str, folder: Path) -> Document:
    """Read YAML text.

    Parameters
    ----------
    text
        The text.
    file
        What messages call it.
    folder
        What relative paths in it are relative to.

    Returns
    -------
    Document
        Its tree.

    Raises
    ------
    SpecError
        The text is not YAML, empty, or not a mapping.
    """
    from gristmill.spec.composing import composed  # with the YAML library, which a bare script does not need

    node, problems = composed(text, file, folder)
    if node is None:
        raise SpecError(f"{file}:1:1: the file is empty; it must hold keys, as in 'name: x'")
    if not isinstance(node, Mapping):
        kind = "a list" if isinstance(node, Sequence) else "one value"
        raise SpecError(f"{node.place.origin}: the file must hold keys, as in 'name: x' (got {kind})")
    return Document(root=node, problems=tuple(problems))


def _decoded(data: bytes, file: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError(f"{file}:1:1: the file is UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise SpecError(f"{file}:{line}:{column}: the file is not UTF-8; save it as UTF-8") from error
