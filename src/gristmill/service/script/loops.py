"""How ``run`` goes through its files: a loop that returns too early, and failures that leave no result."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gristmill.service.findings import Finding, warning
from gristmill.service.script.source import Function, ScriptText, dotted, own_nodes

_QUIET_CALLS = ("print", "logging", "logger", "log", "warnings", "traceback", "self.logger")


def loops(script: ScriptText) -> Iterator[Finding]:
    """Find loops over the mini-batch that lose files."""
    run = script.function("run")
    if run is None:
        return
    for node in own_nodes(run.body):
        if isinstance(node, (ast.For, ast.AsyncFor)) and _is_over_files(run, node.iter):
            yield from _early_return(script, node)
            yield from _swallowed(script, node)


def _is_over_files(run: Function, over: ast.expr) -> bool:
    """Say whether a loop goes over the mini-batch, directly or through ``enumerate`` and its kin."""
    parameters = [*run.args.posonlyargs, *run.args.args]
    if (
        isinstance(over, ast.Call)
        and dotted(over.func) in ("enumerate", "sorted", "tqdm", "list")
        and over.args
    ):
        over = over.args[0]
    return bool(parameters) and isinstance(over, ast.Name) and over.id == parameters[0].arg


def _early_return(script: ScriptText, loop: ast.For | ast.AsyncFor) -> Iterator[Finding]:
    if any(isinstance(node, (ast.Continue, ast.Break)) for node in own_nodes(loop.body)):
        return
    for node in loop.body:
        if isinstance(node, ast.Return):
            yield warning(
                "returns-in-loop",
                script.place(node),
                "run() returns inside its loop, after the first file: the others get no result and fail",
                "move the return behind the loop",
            )


def _swallowed(script: ScriptText, loop: ast.For | ast.AsyncFor) -> Iterator[Finding]:
    tries = [node for node in loop.body if isinstance(node, ast.Try)]
    for node in tries:
        appended = [one for one in own_nodes(node.body) if _is_append(one)]
        elsewhere = [one for one in own_nodes([*node.orelse, *node.finalbody]) if _is_append(one)]
        behind = loop.body[loop.body.index(node) + 1 :]
        if not appended or elsewhere or any(_is_append(one) for one in own_nodes(behind)):
            continue
        for handler in node.handlers:
            if all(_is_quiet(one) for one in handler.body):
                yield warning(
                    "swallows-failures",
                    script.place(handler),
                    "a file that fails here gets no result, and nobody can tell which one it was",
                    "let the exception go, or append a result that says so",
                )
                return


def _is_append(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("append", "extend")
    )


def _is_quiet(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Pass, ast.Continue)):
        return True
    if not isinstance(node, ast.Expr):
        return False
    call = node.value
    return isinstance(call, ast.Constant) or (
        isinstance(call, ast.Call) and dotted(call.func).partition(".")[0] in _QUIET_CALLS
    )
