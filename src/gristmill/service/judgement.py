"""What a rehearsal means: from what was seen to what its author should know. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from gristmill.engine.rehearsal import Ending, Rehearsal
from gristmill.service.findings import Finding, error, warning
from gristmill.spec.values import Deployment, OutputAction

_MB = 1024 * 1024
#: Less growth than this over all calls is noise of the memory allocator.
_LEAST_GROWTH = 8 * _MB
_RETURN = "return a list with one element for each file, or a pandas DataFrame"
_STATE = "make every call start from nothing but its files and what init() loaded"
_PILES = {
    "descriptors": ("leaves-files-open", "open files", "close them, best with a 'with' block"),
    "threads": ("leaves-threads", "threads", "end them, or keep one pool for all calls"),
    "children": ("leaves-children", "child processes", "wait for them before run() returns"),
    "temporary": ("fills-tmpdir", "entries in its temporary folder", "remove them before run() returns"),
}
_FIELDS = ("memory", "descriptors", "threads", "children", "temporary")


def judge(rehearsal: Rehearsal, deployment: Deployment, script: str) -> list[Finding]:
    """Say what is wrong with a script that was tried out.

    Parameters
    ----------
    rehearsal
        What was seen.
    deployment
        How it is going to be used.
    script
        What findings call the file.

    Returns
    -------
    list of Finding
        One of a kind, in the order in which things happened.
    """
    findings: dict[str, Finding] = {}
    for seen in rehearsal.observations:
        for finding in _BY_EVENT.get(seen["event"], _nothing)(seen, deployment, script):
            findings.setdefault(finding.code, finding)
    for finding in _of_the_end(rehearsal, deployment, script):
        findings.setdefault(finding.code, finding)
    return list(findings.values())


Seen = Mapping[str, Any]


def _nothing(seen: Seen, deployment: Deployment, script: str) -> Iterator[Finding]:
    return iter(())


def _failed(seen: Seen, deployment: Deployment, script: str) -> Iterator[Finding]:
    stage, message, trace = seen["stage"], seen["message"], seen["traceback"]
    if stage == "import" and seen["module"] and seen["kind"] == "ModuleNotFoundError":
        package = str(seen["module"]).partition(".")[0]
        what = f"the package {package!r} is not in the Python that runs the script"
        add = "install it there" if deployment.packages is None else "list it in the conda file"
        remedy = f"{add}, or name another Python with --python PATH"
        yield error("missing-package", script, what, remedy, trace)
    elif stage == "import":
        yield error("import-fails", script, message, "correct it: the script cannot be imported", trace)
    elif stage == "init":
        yield error("init-raises", script, message, "correct it: no worker can start", trace)
    elif stage == "shutdown":
        remedy = "correct it, or leave shutdown() out; it fails no job"
        yield warning("shutdown-raises", script, message, remedy, trace)
    elif seen["kind"] == "BadReturn":
        printed = seen.get("printed", 0)
        what = message
        if printed:
            what += f". It printed {_count(printed, 'line')}: what is printed goes to the log"
        yield error("wrong-return", script, what, _RETURN)
    elif seen["call"] == 1:
        remedy = "correct the script, or the file that it fails on: these are files of your own input"
        yield error("run-raises", script, message, remedy, trace)
    else:
        what = f"call {seen['call']} of run() with the same files fails, and the first did not: {message}"
        yield error("later-call-fails", script, what, _STATE, trace)


def _called(seen: Seen, deployment: Deployment, script: str) -> Iterator[Finding]:
    results, files = seen["results"], seen["files"]
    is_summary = deployment.settings.output_action is OutputAction.SUMMARY_ONLY
    if not results and files:
        what = f"run() returned an empty {seen['kind']} for {_count(files, 'file')}, which {_fail(files)}"
        yield error("no-results", script, what, _RETURN)
    elif results < files:
        what = (
            f"run() returned {_count(results, 'result')} for {_count(files, 'file')}: {files - results:,} of "
            f"them {_fail(files - results)}"
        )
        yield warning("fewer-results", script, what, "return one element for each file")
    elif results > files and seen["kind"] != "DataFrame":
        what = f"run() returned {_count(results, 'result')} for {_count(files, 'file')}: "
        what += "nobody can tell whose each is"
        remedy = "return one element for each file, or a DataFrame in which a column names the file"
        yield warning("more-results", script, what, remedy)
    for key, words in seen["notices"]:
        what, _, remedy = words.removeprefix(f"{script.rpartition('/')[2]}: ").partition(". ")
        yield warning(key.replace("_", "-"), script, what, remedy.rstrip(".") or _RETURN)
    if is_summary and not seen["left"]:
        what = "output_action is summary_only, and run() left nothing in the output folder"
        remedy = "write to the folder in AZUREML_BI_OUTPUT_PATH, or set output_action: append_row"
        yield warning("nothing-written", script, what, remedy)


def _repeated(seen: Seen, deployment: Deployment, script: str) -> Iterator[Finding]:
    if not seen["same"]:
        yield warning(
            "not-repeatable",
            script,
            "a second run() with the same files gave other rows: they depend on earlier calls, or on chance",
            _STATE,
            _before_and_now(seen["rows"]),
        )


def _reversed(seen: Seen, deployment: Deployment, script: str) -> Iterator[Finding]:
    if not seen["same"]:
        yield warning(
            "depends-on-order",
            script,
            "with the same files in another order, results do not follow their files: they come in an order "
            "of run()'s own, or depend on the files before them",
            "return results in the order of mini_batch, each from its own file alone",
            _before_and_now(seen["rows"]),
        )


def _fail(number: int) -> str:
    return "counts as failed" if number == 1 else "count as failed"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _before_and_now(rows: list[str]) -> str:
    return f"before: {rows[0]}\nnow:    {rows[1]}" if rows else ""


def _trend(seen: Seen, deployment: Deployment, script: str) -> Iterator[Finding]:
    calls = seen["calls"]
    held = [dict(zip(_FIELDS, one, strict=True)) for one in seen["usage"]]
    for name, (code, words, remedy) in _PILES.items():
        grown, among = held[-1][name] - held[0][name], calls[-1] - calls[0]
        if grown >= among * 0.5 and all(a[name] <= b[name] for a, b in pairwise(held)):
            what = f"each call of run() leaves {words}: {grown} more after {among} calls"
            yield warning(code, script, what, remedy)
    quarters = [one["memory"] for one in held[2:]]
    if len(quarters) < 4:
        return
    growth, among = quarters[-1] - quarters[0], calls[-1] - calls[2]
    if growth > _LEAST_GROWTH and all(a < b for a, b in pairwise(quarters)):
        what = f"run() leaks about {growth / among / _MB:.1f} MB per call"
        what += f" ({growth / _MB:,.0f} MB in {among} calls)"
        yield warning("leaks-memory", script, what, "keep nothing from one mini-batch to the next")


def _traces(seen: Seen, deployment: Deployment, script: str) -> Iterator[Finding]:
    stage = seen["stage"]
    after = f"after {stage}()"
    if "folder" in seen:
        what = f"{after} the working folder is {seen['folder']}"
        yield warning("changes-folder", script, what, "leave it, and use absolute paths")
    if "signals" in seen:
        what = f"{after} {' and '.join(seen['signals'])} are handled by the script"
        yield warning("replaces-signal-handlers", script, what, "leave them: they belong to the worker")
    if "locale" in seen:
        what = f"{after} the locale is {seen['locale']}, in which numbers may be read and written differently"
        yield warning("changes-locale", script, what, "leave it, or put it back")
    if "stdin" in seen:
        what = "the script reads standard input, and a worker has none: it is empty"
        yield warning("reads-stdin", script, what, "take the value from an environment variable")


_BY_EVENT = {
    "failed": _failed,
    "called": _called,
    "repeated": _repeated,
    "reversed": _reversed,
    "trend": _trend,
    "traces": _traces,
}


def _of_the_end(rehearsal: Rehearsal, deployment: Deployment, script: str) -> Iterator[Finding]:
    stage, where = rehearsal.stage, _in_words(rehearsal.stage)
    if rehearsal.ending is Ending.DIED:
        remedy = (
            "raise an exception instead" if "os._exit" in rehearsal.words else "look at what it said last"
        )
        what = f"{where} ended the worker's process: it {rehearsal.words}"
        yield error(f"{stage}-ends-process", script, what, remedy, rehearsal.said)
    elif rehearsal.ending is Ending.TIMED_OUT:
        settings = deployment.settings
        limit, option = (
            (settings.timeout_s, "--timeout")
            if stage in ("run", "shutdown")
            else (settings.init_timeout_s, "--init-timeout")
        )
        what = f"{where} had not returned after {limit:g} s"
        remedy = f"that is where it stood; if it needs longer, give it more with {option}"
        yield error(f"{stage}-hangs", script, what, remedy, own_part(rehearsal.stack))
    elif rehearsal.ending is Ending.LINGERED:
        remedy = "make its threads daemons, or end them in shutdown()"
        yield warning("process-lingers", script, "the worker's process does not end", remedy)
    if rehearsal.left_behind:
        what = f"{rehearsal.left_behind} processes of the script were left behind; they were ended"
        yield warning("leaves-children", script, what, "end them in run() or shutdown()")


def _in_words(stage: str) -> str:
    return {"import": "the import", "start": "the start of Python"}.get(stage, f"{stage}()")


def own_part(stack: str) -> str:
    """Leave our own frames and Python's out of a stack (the latest call comes first)."""
    return "\n".join(
        line for line in stack.splitlines() if not any(word in line for word in _NOT_THE_SCRIPTS)
    )


#: In lines of a stack that say nothing to the script's author: our archive, the import system, the headline.
_NOT_THE_SCRIPTS = (".zip/", "gristmill_worker", "<frozen ", "Timeout (")
