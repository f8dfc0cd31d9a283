"""Scripts made for online endpoints, AutoML's among them: they cannot work here (contract, section 8)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gristmill.service.findings import Finding, error, warning
from gristmill.service.script.contract import BATCH_SHAPE
from gristmill.service.script.source import Function, ScriptText, dotted

_DECORATORS = frozenset({"input_schema", "output_schema", "rawhttp"})
_MODULES = ("inference_schema", "azureml.contrib.services")
_PARAMETERS = frozenset({"data", "Inputs", "request", "raw_data"})
_WHAT = (
    "is of a script for an online endpoint, such as AutoML writes: there run() gets one request, here a list "
    "of file paths"
)


def online(script: ScriptText) -> Iterator[Finding]:
    """Find the first mark of a script for an online endpoint, or what only looks like one."""
    marks = [*_decorators(script), *_imports(script)]
    if marks:
        node, words = min(marks, key=lambda mark: getattr(mark[0], "lineno", 0))
        yield error("online-script", script.place(node), f"{words} {_WHAT}", BATCH_SHAPE)
        return
    run = script.function("run")
    parameters = [*run.args.posonlyargs, *run.args.args] if run is not None else []
    if parameters and parameters[0].arg in _PARAMETERS:
        yield warning(
            "online-parameter",
            script.place(parameters[0]),
            f"the parameter {parameters[0].arg!r} of run() {_WHAT}",
            f"if that is meant, all is well; otherwise {BATCH_SHAPE}",
        )


def _decorators(script: ScriptText) -> Iterator[tuple[ast.AST, str]]:
    for node in script.top:
        for decorator in node.decorator_list if isinstance(node, Function) else ():
            name = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator).rpartition(".")[2]
            if name in _DECORATORS and not _is_own(script, name):
                yield decorator, f"the decorator @{name}"


def _is_own(script: ScriptText, name: str) -> bool:
    return any(isinstance(node, Function) for node in script.bindings.get(name, []))


def _imports(script: ScriptText) -> Iterator[tuple[ast.AST, str]]:
    for node in script.top:
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            if any(module == known or module.startswith(f"{known}.") for known in _MODULES):
                if script.is_certain(node):
                    yield node, f"the import of {module}"
                break
