"""Whether ``run`` and ``init`` are what the contract calls (sections 1 and 1.1): signatures and returns."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gristmill.service.findings import Finding, error, warning
from gristmill.service.script.source import Function, ScriptText, bound_within, dotted, own_nodes
from gristmill.spec.problems import nearest

BATCH_SHAPE = (
    "write def run(mini_batch): return [score(path) for path in mini_batch], where mini_batch is a list of "
    "file paths"
)
#: Expressions that can never be a list or a data frame, and what they are.
_WRONG: tuple[tuple[type[ast.AST], str], ...] = (
    (ast.JoinedStr, "a str"),
    (ast.Dict, "a dict"),
    (ast.DictComp, "a dict"),
    (ast.Set, "a set"),
    (ast.SetComp, "a set"),
    (ast.GeneratorExp, "a generator"),
    (ast.Compare, "a single value"),
)
_WRONG_CALLS = {
    **dict.fromkeys(("str", "repr"), "a str"),
    **dict.fromkeys(("len", "int", "float", "bool", "sum"), "a number"),
    **{name: f"a {name}" for name in ("dict", "set", "map", "filter", "zip", "range")},
}
#: Of these a value may have methods, or add up lists: what it gives is not known from its name.
_DOUBTFUL_CALLS = frozenset({"sum"})
_LITERALS = (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.JoinedStr, ast.ListComp, ast.DictComp, ast.SetComp)
_LONGEST_VALUE = 40
_ENDS = frozenset({"sys.exit", "os._exit", "exit", "quit", "os.abort", "os.kill"})


def contract(script: ScriptText) -> Iterator[Finding]:
    """Find what the contract forbids in the functions that we call."""
    yield from _no_run(script)
    yield from _no_functions(script)
    run, init, shutdown = (script.function(name) for name in ("run", "init", "shutdown"))
    if run is not None:
        yield from _run_parameters(script, run)
        yield from _run_kind(script, run)
        if not isinstance(run, ast.AsyncFunctionDef) and not _yields(run):
            yield from _returns(script, run)
    for function, judge in ((init, error), (shutdown, warning)):
        if function is None:
            continue
        if _required(function):
            yield judge(
                f"{function.name}-takes-parameters",
                script.place(function),
                f"{function.name}() is called without arguments, and this one requires "
                f"{_required(function)[0]!r}",
                "remove the parameter or give it a default",
            )
        elif isinstance(function, ast.AsyncFunctionDef) or _yields(function):
            yield warning(
                f"{function.name}-never-runs",
                script.place(function),
                f"{function.name}() is {_kind(function)}: calling it runs nothing of it",
                "make it a plain function",
            )


def _no_run(script: ScriptText) -> Iterator[Finding]:
    if "run" in script.bindings or script.is_open:
        return
    functions = [node.name for node in script.top if isinstance(node, Function)]
    near = nearest("run", functions) or next(
        (
            name
            for name in functions
            if name.lower() in ("predict", "score", "main", "run_batch", "inference")
        ),
        None,
    )
    hint = "define it at the top level of the script, and return one element for each file"
    inside = [
        node.name
        for node in script.top
        if isinstance(node, ast.ClassDef)
        and any(isinstance(one, Function) and one.name == "run" for one in node.body)
    ]
    if inside:
        hint = f"{inside[0]}.run is a method; write a function run(mini_batch) that calls it"
    elif near:
        hint = f"there is {near}(); is that what you mean? Name it run(mini_batch)"
    yield error(
        "no-run",
        script.name,
        "there is no function run(mini_batch), which is called for each mini-batch",
        hint,
    )


def _no_functions(script: ScriptText) -> Iterator[Finding]:
    """Find names of the contract that are values: ``run = 5``."""
    for name in ("init", "run", "shutdown"):
        found = script.bindings.get(name, [])
        above = script.parents.get(found[0]) if len(found) == 1 and not script.is_open else None
        value = above.value if isinstance(above, (ast.Assign, ast.AnnAssign)) else None
        is_unset = value is None or (_is_none(value) and name != "run")  # None stands for none
        if not is_unset and isinstance(value, (ast.Constant, *_LITERALS)):
            yield error(
                "no-function",
                script.place(found[0]),
                f"{name} is {ast.unparse(value)[:_LONGEST_VALUE]}, not a function",
                f"write def {name}({'mini_batch' if name == 'run' else ''}), or rename it",
            )


def _run_parameters(script: ScriptText, run: Function) -> Iterator[Finding]:
    names = run.args.posonlyargs + run.args.args
    required = _required(run)
    if not names and run.args.vararg is None:
        yield error(
            "run-without-parameter",
            script.place(run),
            "run() takes no list of files, and it is called with one",
            BATCH_SHAPE,
        )
    elif len(required) > min(2, len(names)):
        yield error(
            "run-takes-too-much",
            script.place(run),
            f"run() requires {len(required)} arguments ({', '.join(required)}); it gets the mini-batch and, "
            "if it asks for one, a context",
            "write run(mini_batch) or run(mini_batch, context), and load everything else in init()",
        )


def _run_kind(script: ScriptText, run: Function) -> Iterator[Finding]:
    if isinstance(run, ast.AsyncFunctionDef):
        yield error(
            "run-is-async",
            script.place(run),
            "run() is asynchronous: a call of it returns a coroutine, not results",
            "make it a plain function; inside it, asyncio.run(...) may do the asynchronous part",
        )
    elif _yields(run):
        yield error(
            "run-is-generator",
            script.place(run),
            "run() has a yield in it: a call of it returns a generator, not a list",
            "collect the results in a list and return that",
        )


def _returns(script: ScriptText, run: Function) -> Iterator[Finding]:
    own = list(own_nodes(run.body))
    returns = [node for node in own if isinstance(node, ast.Return)]
    values = [node for node in returns if node.value is not None and not _is_none(node.value)]
    if not values:
        yield from _nothing_returned(script, run, own, bool(returns))
        return
    kinds = [(node, _wrong(script, node.value)) for node in values]
    local = bound_within(run)
    is_certain = all(kind and _is_certain(script, node.value, local) for node, kind in kinds)
    judge = error if is_certain else warning  # no way through run() gives a list or a frame
    for node, kind in kinds:
        if kind == "json":
            yield judge(
                "returns-json",
                script.place(node),
                "run() returns json.dumps(...), a str, as scripts of online endpoints do",
                "return a list with one element for each file, or a pandas DataFrame",
            )
        elif kind:
            yield judge(
                "returns-wrong-type",
                script.place(node),
                f"run() returns {kind}, which fails its mini-batch",
                "return a list with one element for each file, or a pandas DataFrame",
            )
    yield from _order_of_a_set(script, values)


def _is_certain(script: ScriptText, value: ast.expr | None, local: set[str]) -> bool:
    """Say whether a wrong value is what it looks like: the names in it are Python's own."""
    if not isinstance(value, ast.Call):
        return True
    name = dotted(value.func).partition(".")[0]
    if not name:  # a method of a literal
        return True
    found = script.bindings.get(name, [])
    is_own = not found if script.called(value) != "json.dumps" else _is_imported(found)
    return is_own and name not in local and script.called(value) not in _DOUBTFUL_CALLS


def _is_imported(found: list[ast.AST]) -> bool:
    return len(found) == 1 and isinstance(found[0], (ast.Import, ast.ImportFrom))


def _nothing_returned(
    script: ScriptText, run: Function, own: list[ast.AST], has_return: bool
) -> Iterator[Finding]:
    last = run.body[-1]
    is_stub = all(
        isinstance(one, (ast.Pass, ast.Raise))
        or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        for one in run.body
    )
    never_ends = isinstance(last, ast.Raise) or (
        isinstance(last, ast.While) and isinstance(last.test, ast.Constant)
    )
    if any(isinstance(one, ast.Call) and script.called(one) in _ENDS for one in own) or never_ends:
        return
    prints = any(isinstance(one, ast.Call) and dotted(one.func) == "print" for one in own)
    what = (
        "run() prints its results and returns nothing"
        if prints
        else "run() returns None: each of its returns is without a value"
        if has_return
        else "run() returns nothing: it has no return"
    )
    judge = warning if is_stub else error
    yield judge(
        "returns-nothing",
        script.place(run),
        what,
        "return a list with one element for each file, or a pandas DataFrame",
    )


def _order_of_a_set(script: ScriptText, returns: list[ast.Return]) -> Iterator[Finding]:
    for node in returns:
        value = node.value
        inner = (
            value.args[0]
            if isinstance(value, ast.Call) and dotted(value.func) == "list" and value.args
            else None
        )
        if isinstance(value, ast.ListComp):
            inner = value.generators[0].iter
        is_set = isinstance(inner, (ast.Set, ast.SetComp)) or (
            isinstance(inner, ast.Call) and dotted(inner.func) in ("set", "frozenset")
        )
        if is_set:
            yield warning(
                "order-of-a-set",
                script.place(node),
                "run() returns the elements of a set: their order changes from process to process, and equal "
                "ones are lost",
                "keep results in a list, in the order of mini_batch",
            )


def _wrong(script: ScriptText, value: ast.expr | None) -> str:
    """Say what an expression is that can be no list and no data frame; empty where it may be one."""
    if isinstance(value, ast.Constant):
        return f"a {type(value.value).__name__}"
    for kind, words in _WRONG:
        if isinstance(value, kind):
            return words if kind is not ast.Compare or _is_plain_comparison(value) else ""
    if not isinstance(value, ast.Call):
        return ""
    name = script.called(value)
    if name == "json.dumps":
        return "json"
    is_join = isinstance(value.func, ast.Attribute) and value.func.attr == "join"
    if is_join and isinstance(value.func, ast.Attribute) and isinstance(value.func.value, ast.Constant):
        return "a str"
    return _WRONG_CALLS.get(name, "") if name not in script.bindings else ""


def _is_plain_comparison(value: ast.AST) -> bool:
    """Say whether a comparison gives True or False: one of arrays gives an array."""
    return isinstance(value, ast.Compare) and all(
        isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in value.ops
    )


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _yields(function: Function) -> bool:
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in own_nodes(function.body))


def _kind(function: Function) -> str:
    return "asynchronous" if isinstance(function, ast.AsyncFunctionDef) else "a generator"


def _required(function: Function) -> list[str]:
    """Return the parameters without which a call fails."""
    places = function.args.posonlyargs + function.args.args
    first_default = len(places) - len(function.args.defaults)
    keywords = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return [one.arg for one in places[:first_default]] + [
        one.arg for one, default in keywords if default is None
    ]
