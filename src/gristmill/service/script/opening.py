"""Which path a call reads, as far as the text tells: ``open(p)``, ``load(p)``, ``Path(p).read_text()``."""

from __future__ import annotations

import ast

from gristmill.service.script.source import ScriptText, dotted, text_of

#: Called with a path in front, these read it.
_READERS = frozenset(
    {
        *(
            "open",
            "load",
            "load_model",
            "load_weights",
            "load_file",
            "load_npz",
            "from_pretrained",
            "Booster",
        ),
        *("read_csv", "read_json", "read_parquet", "read_pickle", "read_excel", "read_feather", "read_table"),
        *("InferenceSession", "imread", "fromfile", "loadtxt", "genfromtxt", "listdir", "scandir"),
    }
)
_METHODS = frozenset({"read_text", "read_bytes", "open"})
_PATHS = ("pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath")
#: Called ``load`` or ``open``, and yet these take no path.
_OTHERS = frozenset({"json.load", "pickle.load", "yaml.load", "marshal.load", "tomllib.load", "os.open"})


def opened_path(script: ScriptText, call: ast.Call) -> ast.expr | None:
    """Return the expression of the path that a call reads; None where it reads none, or may write it."""
    func, modes = call.func, call.args[1:2]
    path = call.args[0] if call.args else None
    if isinstance(func, ast.Attribute) and func.attr in _METHODS and _is_path(script, func.value):
        path, modes = func.value, call.args[:1]
    else:
        name = script.called(call)
        if name in _OTHERS or (name.rpartition(".")[2] or getattr(func, "attr", "")) not in _READERS:
            return None
    modes = [*modes, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    is_open = dotted(func).rpartition(".")[2] == "open" or getattr(func, "attr", "") == "open"
    if is_open and any(text_of(mode) is None or set(text_of(mode) or "") & set("wax+") for mode in modes):
        return None
    if isinstance(path, ast.Call) and script.called(path) in _PATHS and len(path.args) == 1:
        return path.args[0]
    return path


def _is_path(script: ScriptText, value: ast.expr) -> bool:
    """Say whether an expression is surely a path: ``Path(...)`` or ``Path(...) / ...``."""
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div):
        value = value.left
    return isinstance(value, ast.Call) and script.called(value) in _PATHS
