"""What a script expects of its model: the variables that name it, the files in it (contract, section 1.4)."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from gristmill.service.findings import Finding, error, warning
from gristmill.service.script.opening import opened_path
from gristmill.service.script.source import ScriptText, text_of

FOLDER_VARIABLE = "AZUREML_MODEL_DIR"
_MODEL_VARIABLES = (FOLDER_VARIABLE, "GRISTMILL_MODEL_PATH")
_GETTERS = ("os.getenv", "os.environ.get")
_JOINERS = ("os.path.join", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath")
#: Where one of these occurs, the script looks before it opens.
_LOOKS = frozenset(
    {"exists", "isfile", "isdir", "is_file", "is_dir", "glob", "rglob", "walk", "listdir", "iterdir"}
)
_MOST_NAMES = 5


def model(script: ScriptText) -> Iterator[Finding]:
    """Find uses of a model that the deployment does not have, and of files that are not in it."""
    if script.deployment.model is None:
        yield from _without_model(script)
    else:
        yield from _missing_files(script, script.deployment.model.path)


def _without_model(script: ScriptText) -> Iterator[Finding]:
    given = {*os.environ, *script.deployment.settings.environment_variables}
    reads = [node for node in script.reached if _variable(script, node) not in (None, *given)]
    sure = [node for node in reads if isinstance(node, ast.Subscript) and script.is_certain(node)]
    # getenv() gives None, and the script may be ready for that, unless it makes a path of it at once.
    doubtful = [node for node in reads if isinstance(node, ast.Subscript) or _is_joined(script, node)]
    is_bare = script.deployment.is_bare_script
    for node in (sure or doubtful)[:1]:
        judge = error if sure and not _sets_variables(script) else warning
        yield judge(
            "no-model",
            script.place(node),
            f"the script reads {_variable(script, node)}, and {'no' if is_bare else 'the deployment has no'} "
            f"model{' is given' if is_bare else ''}",
            "name one with --model PATH"
            + ("" if is_bare else ", or with model: {path: ...} in the deployment"),
        )


def _sets_variables(script: ScriptText) -> bool:
    """Say whether the script may itself give a value to a variable of the environment."""
    calls = ("os.environ.setdefault", "os.environ.update", "os.putenv", "dotenv.load_dotenv")
    return script.sets("environ") or any(True for _ in script.calls(*calls))


def _missing_files(script: ScriptText, path: Path) -> Iterator[Finding]:
    names = _assigned(script)
    looks = any(isinstance(node, ast.Attribute) and node.attr in _LOOKS for node in ast.walk(script.tree))
    looks = looks or _hands_on(script, names)
    told: set[str] = set()
    for judge, node in _by_weight(script, looks):
        above = script.parents.get(node)
        relative = _below_model(script, node, names)
        if not relative or relative in told or _is_there(path, relative):
            continue
        if above is not None and _below_model(script, above, names):
            continue  # only the longest path counts
        told.add(relative)
        yield judge(
            "no-such-model-file",
            script.place(node),
            f"{relative} is not in {FOLDER_VARIABLE}",
            _what_is_there(path),
        )


def _by_weight(script: ScriptText, looks: bool) -> Iterator[tuple[Callable[..., Finding], ast.AST]]:
    """Yield what is surely opened, then everything else that may name a file."""
    for node in script.reached:
        if isinstance(node, ast.Call) and not looks and script.is_certain(node):
            opened = opened_path(script, node)
            if opened is not None:
                yield error, opened
    for node in script.reached:
        if isinstance(node, (ast.Call, ast.BinOp, ast.JoinedStr)):
            yield warning, node


def _hands_on(script: ScriptText, names: dict[str, ast.expr]) -> bool:
    """Say whether a path in the model's folder goes to a call that may put a file there."""
    for node in script.reached:
        if not isinstance(node, ast.Call) or script.called(node) in (*_JOINERS, "str", "print"):
            continue
        opened = opened_path(script, node)
        handed = [*node.args, *(keyword.value for keyword in node.keywords)]
        if any(one is not opened and _below_model(script, one, names) is not None for one in handed):
            return True
    return False


def _is_there(model: Path, relative: str) -> bool:
    """Say whether a path exists in the folder that holds the model under its own name."""
    parts = [part for part in relative.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        return True
    return parts[0] == model.name and (model.joinpath(*parts[1:]).exists() if parts[1:] else True)


def _what_is_there(model: Path) -> str:
    if not model.is_dir():
        return f"the only file there is {model.name}; that path is in GRISTMILL_MODEL_PATH, too"
    names = sorted(os.listdir(model))
    shown = ", ".join(f"{model.name}/{name}" for name in names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return f"{FOLDER_VARIABLE} holds the model's folder itself; in it are {shown or 'no files'}{more}"


def _variable(script: ScriptText, node: ast.AST) -> str | None:
    """Return the model's variable that an expression reads."""
    text = None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        if _plain_name(script, node.value) == "os.environ":
            text = text_of(node.slice)
    elif (
        isinstance(node, ast.Call)
        and len(node.args) == 1
        and not node.keywords
        and script.called(node) in _GETTERS
    ):
        text = text_of(node.args[0])
    return text if text in _MODEL_VARIABLES else None


def _plain_name(script: ScriptText, node: ast.expr) -> str:
    return script.called(ast.Call(func=node, args=[], keywords=[]))


def _is_joined(script: ScriptText, node: ast.AST) -> bool:
    above = script.parents.get(node)
    return isinstance(above, ast.Call) and script.called(above) in _JOINERS and script.is_certain(above)


def _assigned(script: ScriptText) -> dict[str, ast.expr]:
    """Return the variables that are assigned exactly once in the whole script, with what they get."""
    values: dict[str, list[ast.expr | None]] = {}
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            values.setdefault(node.id, [])
            if not isinstance(script.parents.get(node), ast.Assign):
                values[node.id].append(None)
        elif isinstance(node, ast.arg):
            values.setdefault(node.arg, []).append(None)
    return {name: found[0] for name, found in values.items() if len(found) == 1 and found[0] is not None}


def _below_model(script: ScriptText, node: ast.AST, names: dict[str, ast.expr], depth: int = 0) -> str | None:
    """Return what an expression adds to the model's folder: ``net/weights.pt``; "" for the folder itself."""
    if depth > 20:
        return None
    if _variable(script, node) == FOLDER_VARIABLE:
        return ""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        return _below_model(script, names[node.id], names, depth + 1)
    parts: list[ast.expr] = []
    if isinstance(node, ast.Call) and node.args and not node.keywords:
        if script.called(node) in _JOINERS or (script.called(node) == "str" and len(node.args) == 1):
            parts = list(node.args)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Add)):
        parts = [node.left, node.right]
    elif isinstance(node, ast.JoinedStr):
        parts = [one.value if isinstance(one, ast.FormattedValue) else one for one in node.values]
    if not parts:
        return None
    base = _below_model(script, parts[0], names, depth + 1)
    rest = [text_of(part) for part in parts[1:]]
    if base is None or any(text is None for text in rest):
        return None
    is_text = isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)
    )
    if is_text and not (rest and rest[0] and rest[0].startswith("/")):
        return None
    return "/".join(text.strip("/") for text in (base, *rest) if text)
