"""What a script keeps from one call to the next: a model that never becomes global, rows that pile up."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from gristmill.service.findings import Finding, error, warning
from gristmill.service.script.source import (
    Function,
    ScriptText,
    bound_within,
    ends_before,
    own_nodes,
)

_LISTS = ("list", "collections.deque")
_GROWS = frozenset({"append", "extend", "insert", "appendleft"})
_SHRINKS = frozenset({"clear", "pop", "popleft", "remove"})


def state(script: ScriptText) -> Iterator[Finding]:
    """Find names that ``init`` sets for nobody, and lists that grow with every mini-batch."""
    init, run = script.function("init"), script.function("run")
    if init is not None and run is not None:
        yield from _missing_global(script, init, run)
    if run is not None:
        yield from _growing(script, run)


def _missing_global(script: ScriptText, init: Function, run: Function) -> Iterator[Finding]:
    declared = {name for node in ast.walk(init) if isinstance(node, ast.Global) for name in node.names}
    assigned = {
        node.id: node
        for node in own_nodes(init.body)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id not in declared
    }
    for name, node in assigned.items():
        if hasattr(builtins, name) or name.startswith("__"):
            continue  # without the assignment it has a value, too
        uses = list(_uses(script, name, run))
        if not uses or not _is_useless(script, name, uses):
            continue
        in_doubt = not any(_is_sure_use(script, use, run) for use in uses)
        judge = warning if in_doubt else error
        yield judge(
            "missing-global",
            script.place(node),
            f"init() sets {name} for itself only, and {script.place(uses[0])} needs it",
            f"write 'global {name}' as the first line of init()",
        )


def _uses(script: ScriptText, name: str, run: Function) -> Iterator[ast.Name]:
    """Yield where a name of the module is read in what ``run`` calls."""
    functions: dict[Function, bool] = {}
    inside_run = set(ast.walk(run))
    for node in script.reached:
        if not isinstance(node, ast.Name) or node.id != name or not isinstance(node.ctx, ast.Load):
            continue
        top = _top_function(script, node)
        if top is None or top.name in ("init", "shutdown"):
            continue
        if top not in functions:
            functions[top] = name in bound_within(top)
        if not functions[top] and (node in inside_run or _is_called_from(script, top, inside_run)):
            yield node


def _top_function(script: ScriptText, node: ast.AST) -> Function | None:
    found, around = None, script.function_around(node)
    while around is not None:
        found, around = around, script.function_around(around)
    return found


def _is_called_from(script: ScriptText, function: Function, nodes: set[ast.AST]) -> bool:
    return script.function(function.name) is function and any(
        isinstance(node, ast.Name) and node.id == function.name for node in nodes
    )


def _is_useless(script: ScriptText, name: str, uses: list[ast.Name]) -> bool:
    """Say whether the module has no such name, or has None under it where an object is needed."""
    found = script.bindings.get(name, [])
    if not found:
        return not script.is_open
    if len(found) != 1:
        return False
    above = script.parents.get(found[0])
    is_none = (
        isinstance(above, (ast.Assign, ast.AnnAssign))
        and isinstance(above.value, ast.Constant)
        and above.value.value is None
    )
    return is_none and all(_needs_object(script, use) for use in uses)


def _needs_object(script: ScriptText, use: ast.Name) -> bool:
    above = script.parents.get(use)
    return (isinstance(above, ast.Attribute) and above.value is use) or (
        isinstance(above, ast.Call) and above.func is use
    )


def _is_sure_use(script: ScriptText, use: ast.AST, run: Function) -> bool:
    """Say whether a call of ``run`` comes to a use of a name: it is in no branch, no try, behind no return.

    Loops and comprehensions do run; what stands in a function that ``run`` names is used where it names it.
    """
    function = script.function_around(use)
    if function is None or function is not _top_function(script, use):
        return False
    if ends_before(own_nodes(function.body), use) or _is_in_branch(script, use):
        return False
    return function is run or any(
        isinstance(node, ast.Name) and node.id == function.name and _is_sure_use(script, node, run)
        for node in own_nodes(run.body)
    )


def _is_in_branch(script: ScriptText, use: ast.AST) -> bool:
    above = script.parents.get(use)
    while above is not None and not isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if isinstance(above, (ast.If, ast.IfExp, ast.Try, ast.TryStar, ast.BoolOp, ast.Match, ast.Lambda)):
            return True
        if isinstance(above, ast.comprehension) and use in {n for one in above.ifs for n in ast.walk(one)}:
            return True
        above = script.parents.get(above)
    return False


def _growing(script: ScriptText, run: Function) -> Iterator[Finding]:
    inside = [
        node for node in script.reached if _top_function(script, node) not in (None, script.function("init"))
    ]
    shrunk = {
        node.value.id
        for node in inside
        if isinstance(node, ast.Attribute) and node.attr in _SHRINKS and isinstance(node.value, ast.Name)
    }
    shrunk |= {name for node in ast.walk(script.tree) if isinstance(node, ast.Global) for name in node.names}
    shrunk |= {
        name.id
        for node in inside
        if isinstance(node, ast.Delete)
        for name in ast.walk(node)
        if isinstance(name, ast.Name)
    }
    for node in inside:
        grown = node.func if isinstance(node, ast.Call) else None
        if not (
            isinstance(grown, ast.Attribute) and grown.attr in _GROWS and isinstance(grown.value, ast.Name)
        ):
            continue
        name, function = grown.value.id, _top_function(script, node)
        if function is None or name in shrunk or name in bound_within(function) or not _is_list(script, name):
            continue
        shrunk.add(name)  # once is enough
        yield _grown(script, run, node, name)


def _grown(script: ScriptText, run: Function, node: ast.AST, name: str) -> Finding:
    returned = any(
        isinstance(one, ast.Return) and isinstance(one.value, ast.Name) and one.value.id == name
        for one in own_nodes(run.body)
    )
    if returned:
        return warning(
            "returns-earlier-results",
            script.place(node),
            f"{name} is never emptied, and run() returns it: earlier mini-batches' results come again",
            f"make {name} anew in each call of run()",
        )
    return warning(
        "grows-in-run",
        script.place(node),
        f"{name} grows with every mini-batch and is never emptied: one process handles many",
        "keep it in run(), or empty it there",
    )


def _is_list(script: ScriptText, name: str) -> bool:
    found = script.bindings.get(name, [])
    above = script.parents.get(found[0]) if len(found) == 1 else None
    value = above.value if isinstance(above, (ast.Assign, ast.AnnAssign)) else None
    if isinstance(value, ast.Call):
        return script.called(value) in _LISTS and not value.keywords and len(value.args) < 2
    return isinstance(value, ast.List)
