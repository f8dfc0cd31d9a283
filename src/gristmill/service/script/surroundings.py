"""What a script takes for granted around it: a terminal, arguments, a folder, another machine's paths."""

from __future__ import annotations

import ast
import os
import shlex
from collections.abc import Iterator

from gristmill.service.findings import Finding, error, warning
from gristmill.service.script.opening import opened_path
from gristmill.service.script.source import ScriptText, dotted, text_of

_EXITS = ("sys.exit", "exit", "quit", "os._exit", "os.abort")


def surroundings(script: ScriptText) -> Iterator[Finding]:
    """Find what works on its author's desk and not in a worker."""
    yield from _exits(script)
    yield from _stdin(script)
    yield from _chdir(script)
    yield from _arguments(script)
    yield from _paths(script)


def _exits(script: ScriptText) -> Iterator[Finding]:
    for call in script.calls(*_EXITS):
        if script.called(call) in script.bindings:
            continue
        yield warning(
            "ends-the-process",
            script.place(call),
            f"{script.called(call)}() ends the worker or fails its mini-batch, and others still wait for it",
            "raise an exception that says what is wrong",
        )
        return


def _stdin(script: ScriptText) -> Iterator[Finding]:
    for call in script.calls("input"):
        if "input" in script.bindings or _is_parameter(script, call):
            continue
        is_sure = script.is_certain(call) and not script.is_open and not script.sets("stdin", "input")
        judge = error if is_sure else warning
        yield judge(
            "reads-stdin",
            script.place(call),
            "input() waits for somebody to type, and a worker has nobody: its stdin is empty",
            f"take the value from an environment variable, or from {_where_arguments_stand(script)}",
        )
        return


def _is_parameter(script: ScriptText, call: ast.Call) -> bool:
    """Say whether a called name is a parameter or variable of the function around."""
    around = script.function_around(call)
    name = dotted(call.func)
    return around is not None and any(
        (isinstance(node, ast.arg) and node.arg == name)
        or (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store))
        for node in ast.walk(around)
    )


def _chdir(script: ScriptText) -> Iterator[Finding]:
    for call in script.calls("os.chdir", "contextlib.chdir"):
        yield warning(
            "changes-folder",
            script.place(call),
            "os.chdir() changes the working folder for everything that this worker does later",
            "use absolute paths, such as Path(__file__).parent / 'labels.txt'",
        )
        return


# ------------------------------------------------------------------------------------------- arguments


def _arguments(script: ScriptText) -> Iterator[Finding]:
    calls = [call for call in script.reached if _is_parse_args(call)]
    required = [call for call in ast.walk(script.tree) if isinstance(call, ast.Call) and _is_required(call)]
    if not calls or not required or not _has_parser(script):
        return
    call, given = calls[0], _given(script)
    missing = [
        name for name in map(_argument_name, required) if name.lstrip("-") == name or name not in given
    ]
    positional = [name for name in missing if not name.startswith("-")]
    if not missing or (given and positional == missing):
        return
    is_alone = not given and isinstance(call, ast.Call) and not call.args and not call.keywords
    is_sure = is_alone and script.is_certain(call) and _is_one_parser(script) and not script.sets("argv")
    judge = error if is_sure and any(map(script.is_certain, required)) else warning
    yield judge(
        "arguments-required",
        script.place(call),
        f"{_method(call)}() ends the process: it requires {missing[0]}, and the script gets "
        + (f"only {' '.join(given)}" if given else "no arguments"),
        f"give them with {_where_arguments_stand(script)}, or give them defaults",
    )


def _where_arguments_stand(script: ScriptText) -> str:
    if script.deployment.is_bare_script:
        return '--set gristmill.program_arguments="..."'
    return 'gristmill: {program_arguments: "..."}'


def _is_parse_args(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _method(node) in ("parse_args", "parse_known_args")


def _method(node: ast.AST) -> str:
    """Return what is called of an object: of ``parser.parse_args()``, ``parse_args``."""
    func = node.func if isinstance(node, ast.Call) else None
    return func.attr if isinstance(func, ast.Attribute) else ""


def _is_required(call: ast.Call) -> bool:
    """Say whether a call adds an argument to a parser that has to be there."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument" and call.args):
        return False
    name = text_of(call.args[0])
    if name is None:
        return False
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    if None in options:
        return False
    if name.startswith("-"):
        value = options.get("required")
        return isinstance(value, ast.Constant) and value.value is True
    is_optional = isinstance(options.get("nargs"), ast.AST) or "default" in options or "action" in options
    return not is_optional


def _argument_name(call: ast.Call) -> str:
    names = [text for text in map(text_of, call.args) if text]
    return next((name for name in names if name.startswith("--")), names[0])


def _given(script: ScriptText) -> list[str]:
    try:
        words = shlex.split(script.deployment.settings.program_arguments)
    except ValueError:
        words = [script.deployment.settings.program_arguments]
    return [word.partition("=")[0] for word in words]


def _has_parser(script: ScriptText) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id in ("argparse", "ArgumentParser")
        for node in ast.walk(script.tree)
    )


def _is_one_parser(script: ScriptText) -> bool:
    calls = [node for node in ast.walk(script.tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if script.called(call).rpartition(".")[2] == "ArgumentParser"]
    more = [
        call
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("add_subparsers",)
    ]
    return len(made) == 1 and not more


# ----------------------------------------------------------------------------------------------- paths


def _paths(script: ScriptText) -> Iterator[Finding]:
    moves = any(True for _ in script.calls("os.chdir", "contextlib.chdir"))
    told: set[str] = set()
    for call in script.reached:
        path = text_of(opened_path(script, call)) if isinstance(call, ast.Call) else None
        if not path or path in told or "://" in path or not path.strip("./"):
            continue
        told.add(path)
        if os.path.isabs(path):
            yield from _absolute(script, call, path)
        elif not moves and os.path.exists(script.folder / path):
            yield warning(
                "relative-path",
                script.place(call),
                f"{path!r} lies beside the script, but each worker has a working folder of its own",
                f"open Path(__file__).parent / {path!r}",
            )


def _absolute(script: ScriptText, call: ast.AST, path: str) -> Iterator[Finding]:
    if (
        path.count("/") > 1
        and not os.path.lexists(path)
        and not path.startswith(("/proc/", "/dev/", "/sys/"))
    ):
        yield warning(
            "no-such-path",
            script.place(call),
            f"{path} is not on this machine",
            "put the file beside the script (Path(__file__).parent / ...) or into the model's folder",
        )
