"""The YAML library's nodes, and what becomes of them: a tree with positions, and the mistakes on the way.

Only `document` knows this file, and loads it when there is YAML to be read: a bare script needs no library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode
from ruamel.yaml.reader import ReaderError

from gristmill.errors import SpecError
from gristmill.spec.problems import Problem
from gristmill.spec.tree import Entry, Mapping, Node, Place, Plain, Scalar, Sequence, meaning

DEEPEST_NESTING = 50
MOST_VALUES = 20_000
_STANDARD_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = {
    _STANDARD_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "merge")
}


def composed(text: str, file: str, folder: Path) -> tuple[Node | None, list[Problem]]:
    """Return what YAML text holds, None where it is empty, and mistakes that leave the rest understandable.

    Raises
    ------
    SpecError
        The text is not YAML, or nested too deeply.
    """
    builder = _Builder(file=file, folder=folder)
    try:
        root = _composed(text, file)
        return (None if root is None else builder.node(root, "", 0)), builder.problems
    except RecursionError:
        raise SpecError(f"{file}:1:1: the text is nested too deeply") from None


def _composed(text: str, file: str) -> Any:
    reader = YAML(typ="rt")
    reader.max_depth = DEEPEST_NESTING
    reader.composer.warn_double_anchors = False
    try:
        return reader.compose(text)
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1
        what = f"the character {text[error.position : error.position + 1]!r} is not allowed in YAML"
        raise SpecError(f"{file}:{line}:{column}: {what}; remove it") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SpecError(f"{file}:{line}:{column}: {_syntax(error)}") from error
    except (YAMLError, ValueError, AssertionError, LookupError, AttributeError, TypeError) as error:
        # The library lets a few of its own slips through on malformed directives and tags.
        raise SpecError(f"{file}:1:1: the file is not YAML: {' '.join(str(error).split())}") from error


def _syntax(error: MarkedYAMLError) -> str:
    problem = " ".join(str(error.problem or error.context or "cannot be understood").split())
    if "'\\t'" in problem:
        return "a tab cannot indent in YAML; use spaces"
    if "another document" in problem:
        return "a second document begins here; the file must hold one"
    if problem.startswith("found undefined alias"):
        return "a value that begins with '*' needs quotes in YAML, as in '*.csv'"
    context = " ".join(str(error.context).split()) if error.context and error.problem else ""
    return f"the file is not YAML: {problem}{f' ({context})' if context else ''}"


@dataclass(kw_only=True)
class _Builder:
    """Turns the library's nodes into ours, and notes the mistakes on the way."""

    file: str
    folder: Path
    problems: list[Problem] = field(default_factory=list)
    values: int = 0

    def node(self, node: Any, path: str, depth: int) -> Node:
        place = self.place(node)
        self.values += 1
        if depth > DEEPEST_NESTING or self.values > MOST_VALUES:
            raise SpecError(f"{place.origin}: the text is too large or nested too deeply")
        if isinstance(node, ScalarNode):
            return self.scalar(node, path, place)
        self.check_tag(node, path, place, {_STANDARD_TAG + "map", _STANDARD_TAG + "seq"})
        if isinstance(node, MappingNode):
            return Mapping(place=place, entries=self.entries(node, path, depth))
        return Sequence(place=place, items=tuple(self.node(item, path, depth + 1) for item in node.value))

    def entries(self, node: Any, path: str, depth: int) -> dict[str, Entry]:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            place = self.place(key_node)
            if not isinstance(key_node, ScalarNode):
                self.problems.append(Problem(place=place, path=path, what="a key must be a single word"))
            elif str(key_node.tag) == _STANDARD_TAG + "merge":
                for one in value_node.value if not isinstance(value_node, MappingNode) else [value_node]:
                    if isinstance(one, MappingNode):
                        merged = {**self.entries(one, path, depth + 1), **merged}
                    else:
                        self.problems.append(Problem(place=place, path=path, what="'<<' takes a mapping"))
                        break
            else:
                self.entry(own, self.scalar(key_node, path, place), value_node, path, depth)
        return {**merged, **own}

    def entry(self, own: dict[str, Entry], key: Scalar, value_node: Any, path: str, depth: int) -> None:
        below = f"{path}.{key.text}" if path else key.text
        if key.text in own:
            what = f"is given twice; it stands at {own[key.text].place.origin} already"
            self.problems.append(Problem(place=key.place, path=below, what=what))
        node = self.node(value_node, below, depth + 1)
        own.setdefault(key.text, Entry(path=below, place=key.place, node=node))

    def scalar(self, node: Any, path: str, place: Place) -> Scalar:
        tag = str(node.tag)
        text = str(node.value)
        self.check_tag(node, path, place, _SCALAR_TAGS)
        try:
            # JSON writes characters beyond U+FFFF as two escapes, which belong together.
            text = text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            what = "holds half a character (a lone surrogate); write it whole"
            self.problems.append(Problem(place=place, path=path, what=what))
            text = text.encode("utf-8", "replace").decode("utf-8")
        if "\0" in text:
            self.problems.append(Problem(place=place, path=path, what="holds a NUL character; remove it"))
            text = text.replace("\0", "")
        value: Plain = text if node.style or tag == _STANDARD_TAG + "str" else meaning(text)
        return Scalar(place=place, text=text, value=value)

    def check_tag(self, node: Any, path: str, place: Place, known: set[str]) -> None:
        tag = str(node.tag)
        if tag not in known:
            what = f"the tag {tag.replace(_STANDARD_TAG, '!!')} means nothing here; remove it"
            self.problems.append(Problem(place=place, path=path, what=what))

    def place(self, node: Any) -> Place:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        return Place(origin=f"{self.file}:{line}:{column}", folder=self.folder, order=(line, column))
