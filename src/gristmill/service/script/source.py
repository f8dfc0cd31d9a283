"""A scoring script as a tree: which names its module has, what runs of it, and what of that is sure to run.

Everything here leans to one side: where the text cannot tell, the answer is the one that finds nothing wrong.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gristmill.spec.values import Deployment

Function = ast.FunctionDef | ast.AsyncFunctionDef
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SCOPES = (*_DEFINITIONS, ast.Lambda)
#: What may bring names into a module that its text does not show.
_OPENERS = frozenset({"globals", "exec", "eval", "setattr", "vars", "locals", "__getattr__"})
#: Below these, a part of a function may never run.
_DOUBTS: tuple[type[ast.AST], ...] = (
    *(ast.If, ast.Try, ast.TryStar, ast.For, ast.AsyncFor, ast.While, ast.Match, ast.IfExp, ast.BoolOp),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, *_SCOPES),
)
_CALLED_BY_US = ("init", "run", "shutdown")


@dataclass(frozen=True)
class ScriptText:
    """A script that could be parsed, and the deployment that it belongs to."""

    deployment: Deployment
    tree: ast.Module

    @property
    def name(self) -> str:
        """The file's name, as findings show it."""
        return self.deployment.scoring_script

    @property
    def folder(self) -> Path:
        """The folder that the script lies in."""
        return (self.deployment.code / self.deployment.scoring_script).parent

    def place(self, node: ast.AST) -> str:
        """Return where something stands: ``score.py:12``."""
        return f"{self.name}:{getattr(node, 'lineno', 1)}"

    @cached_property
    def top(self) -> list[ast.AST]:
        """What runs while the module is imported; functions and classes are in it as one node each."""
        return list(own_nodes(self.tree.body))

    @cached_property
    def bindings(self) -> dict[str, list[ast.AST]]:
        """The names of the module and what gives them a value; functions that declare them global, too."""
        found: dict[str, list[ast.AST]] = {}
        for node in self.top:
            for name in _bound(node):
                found.setdefault(name, []).append(node)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Global):
                for name in node.names:
                    found.setdefault(name, []).append(node)
        return found

    @cached_property
    def is_open(self) -> bool:
        """Whether the module may have names that its text does not show."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                return True
            if isinstance(node, ast.Name) and node.id in _OPENERS:
                return True
            if isinstance(node, ast.Attribute) and node.attr in ("modules", "__dict__"):
                return True
        return "__getattr__" in self.bindings

    def function(self, name: str) -> Function | None:
        """Return the one plain function of this name; None where there are more, or it is decorated."""
        found = self.bindings.get(name, [])
        if len(found) != 1 or not isinstance(found[0], Function) or self.is_open:
            return None
        node = found[0]
        return node if not node.decorator_list and node in self.tree.body else None

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node that each node stands in."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def reached(self) -> list[ast.AST]:
        """Every node that may run in a worker: the import, what we call, and what these name."""
        definitions = {node.name: node for node in self.top if isinstance(node, _DEFINITIONS)}
        nodes = [node for node in self.top if node not in definitions.values()]
        names = [*_CALLED_BY_US, *(node.id for node in nodes if isinstance(node, ast.Name))]
        seen: set[str] = set()
        while names:
            name = names.pop()
            if name in seen or name not in definitions:
                continue
            seen.add(name)
            inside = list(ast.walk(definitions[name]))
            nodes += inside
            names += [node.id for node in inside if isinstance(node, ast.Name)]
        return nodes

    def function_around(self, node: ast.AST) -> Function | None:
        """Return the innermost function that a node stands in; None: it runs at import."""
        above = self.parents.get(node)
        while above is not None and not isinstance(above, Function):
            above = self.parents.get(above)
        return above

    def is_certain(self, node: ast.AST) -> bool:
        """Say whether a node runs in every worker, whatever happens: at import, or in ``init`` or ``run``."""
        above = self.parents.get(node)
        while above is not None and not isinstance(
            above, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)
        ):
            if isinstance(above, _DOUBTS):
                return False
            above = self.parents.get(above)
        if (
            isinstance(above, Function)
            and above is not self.function("init")
            and above is not self.function("run")
        ):
            return False
        body = self.top if not isinstance(above, Function) else own_nodes(above.body)
        return not ends_before(body, node)

    def sets(self, *names: str) -> bool:
        """Say whether the script assigns to an attribute of one of these names: ``sys.argv = ...``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
                node = node.value
                if isinstance(node, ast.Attribute) and node.attr in names:
                    return True
            elif (
                isinstance(node, ast.Attribute) and node.attr in names and not isinstance(node.ctx, ast.Load)
            ):
                return True
        return False

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Yield the calls of these functions that may run, as ``open`` or ``os.chdir``."""
        for node in self.reached:
            if isinstance(node, ast.Call) and self.called(node) in names:
                yield node

    def called(self, call: ast.Call) -> str:
        """Return the dotted name of what is called, under the name of its module; empty where it has none."""
        name = dotted(call.func)
        first, _, rest = name.partition(".")
        return self._imports.get(first, first) + (f".{rest}" if rest else "")

    @cached_property
    def _imports(self) -> dict[str, str]:
        """What imported names stand for: ``{"np": "numpy", "chdir": "os.chdir"}``."""
        names: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names.update({alias.asname: alias.name for alias in node.names if alias.asname})
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.update(
                    {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
                )
        return names


def own_nodes(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield what belongs to one scope; what only runs as a program (``__main__``) is left out."""
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _is_program_guard(node.test):
            waiting.extend(reversed(node.orelse))
            continue
        yield node
        if not isinstance(node, _SCOPES):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def ends_before(body: Iterable[ast.AST], node: ast.AST) -> bool:
    """Say whether a return or raise among these nodes of a scope stands above a node."""
    line = getattr(node, "lineno", 0)
    return any(
        isinstance(one, (ast.Return, ast.Raise)) and (one.end_lineno or one.lineno) < line for one in body
    )


def dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` for such an expression; empty for any other."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def text_of(node: ast.AST | None) -> str | None:
    """Return the text of a literal; None for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_program_guard(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))
        and any(text_of(node) == "__main__" for node in ast.walk(test))
        and isinstance(test.ops[0], ast.Eq)
    )


def _bound(node: ast.AST) -> list[str]:
    """Return the names that a node binds in its own scope."""
    if isinstance(node, _DEFINITIONS):
        return [node.name]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, (ast.MatchAs, ast.MatchStar, ast.ExceptHandler)) and node.name:
        return [node.name]
    if isinstance(node, ast.MatchMapping) and node.rest:
        return [node.rest]
    return []


def bound_within(function: ast.AST) -> set[str]:
    """Return every name that is bound anywhere in a function, functions in it and parameters included."""
    names: set[str] = set()
    for node in ast.walk(function):
        names.update(_bound(node))
        if isinstance(node, ast.arg):
            names.add(node.arg)
    return names
