"""The text of a scoring script, read before anything runs: what is sure to fail, and what looks wrong.

The script is parsed and never imported (design, D9), and only the standard library is needed for it, so that
`run` can afford it each time. An error is only what is certain; where the text leaves a doubt, it is a
warning or nothing. A script that cannot be understood at all is left to the worker's Python to judge.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Callable, Iterator

from gristmill.errors import SpecError
from gristmill.service.findings import Finding, Severity, error
from gristmill.service.mlflow_reading import read_mlflow_model
from gristmill.service.script.contract import contract
from gristmill.service.script.loops import loops
from gristmill.service.script.model import model
from gristmill.service.script.online import online
from gristmill.service.script.source import ScriptText
from gristmill.service.script.state import state
from gristmill.service.script.surroundings import surroundings
from gristmill.spec.values import Deployment

#: A longer script was not written by hand; reading it would take longer than it is worth.
LARGEST_SCRIPT_BYTES = 1 << 20

_READINGS: tuple[Callable[[ScriptText], Iterator[Finding]], ...] = (
    online,
    contract,
    state,
    loops,
    model,
    surroundings,
)


def read_script(deployment: Deployment, python: tuple[int, int, int]) -> tuple[Finding, ...]:
    """Read a deployment's scoring script and say what is wrong with it.

    Parameters
    ----------
    deployment
        Names the script, and says what the script will find: its model, its variables, its arguments.
    python
        The version of the interpreter that is going to run it: a newer one than ours may understand what
        we do not.

    Returns
    -------
    tuple of Finding
        In the order of the lines, errors first on the same line; empty where nothing is wrong, and where the
        file cannot be read or understood. Of an MLflow model without a script, the model's description is
        read instead.
    """
    if deployment.is_generated and deployment.model is not None:
        return read_mlflow_model(deployment.model)
    try:
        with open(deployment.code / deployment.scoring_script, "rb") as file:
            source = file.read(LARGEST_SCRIPT_BYTES + 1)
    except OSError:
        return ()
    if len(source) > LARGEST_SCRIPT_BYTES:
        return ()
    parsed = _parsed(deployment, source, python)
    if not isinstance(parsed, ScriptText):
        return parsed
    findings: list[Finding] = []
    for reading in _READINGS:
        try:
            findings += reading(parsed)
        except (RecursionError, MemoryError):
            continue  # an expression so deep that only a program can have written it
    if any(one.code == "online-script" for one in findings):
        findings = [one for one in findings if one.code == "online-script"]  # the rest follows from it
    return tuple(sorted(findings, key=_order))


def warnings_of_script(deployment: Deployment, python: tuple[int, int, int]) -> tuple[str, ...]:
    """Read the script of a job that is to begin; refuse it where it is sure to fail.

    Parameters
    ----------
    deployment, python
        As for `read_script`.

    Returns
    -------
    tuple of str
        One line for each warning.

    Raises
    ------
    SpecError
        One line for each error.
    """
    findings = read_script(deployment, python)
    wrong = [str(one) for one in findings if one.is_error]
    if wrong:
        raise SpecError(*wrong)
    return tuple(str(one) for one in findings)


def _parsed(
    deployment: Deployment, source: bytes, python: tuple[int, int, int]
) -> ScriptText | tuple[Finding, ...]:
    if b"\0" in source:
        return (_null_byte(deployment.scoring_script, source),)
    try:
        with warnings.catch_warnings(action="ignore"):  # the worker's Python will show them
            return ScriptText(deployment=deployment, tree=ast.parse(source))
    except SyntaxError as wrong:
        if python[:2] > sys.version_info[:2]:
            return ()
        return (_syntax_error(deployment.scoring_script, wrong),)
    except (ValueError, RecursionError, MemoryError):
        return ()


def _null_byte(script: str, source: bytes) -> Finding:
    line = source[: source.index(b"\0")].count(b"\n") + 1
    return error(
        "syntax-error",
        f"{script}:{line}",
        "the script holds a null byte, which no Python reads",
        "save it as plain text, in UTF-8",
    )


def _syntax_error(script: str, wrong: SyntaxError) -> Finding:
    line = (wrong.text or "").rstrip()
    detail = ""
    if line:
        pointer = " " * max(0, (wrong.offset or 1) - 1) + "^"
        detail = f"{line}\n{pointer}"
    return error(
        "syntax-error",
        f"{script}:{wrong.lineno}" if wrong.lineno else script,
        f"SyntaxError: {wrong.msg}",
        "correct this line, or one above it",
        detail,
    )


def _order(finding: Finding) -> tuple[int, bool, str]:
    _, _, line = finding.place.rpartition(":")
    return (int(line) if line.isdigit() else 0, finding.severity is not Severity.ERROR, finding.code)
