"""The Python interpreter that workers run: the one asked for, the active one, or ours; and its variables."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gristmill.errors import InterpreterError

OLDEST = (3, 8)
"""Workers run on this version of Python and every later one."""

_PROBE = "import sys, json; print(json.dumps([sys.version_info[:3], sys.implementation.cache_tag]))"
_PROBE_LIMIT_S = 60
#: Of another environment: what these name would be found before, or beside, the environment's own.
_LEAKS = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONUSERBASE",
    "VIRTUAL_ENV",
    "VIRTUAL_ENV_PROMPT",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
    "CONDA_PROMPT_MODIFIER",
    "CONDA_SHLVL",
)


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python that runs."""

    path: Path
    """The executable, as it was named: links are not followed, since a venv is found by its link."""
    version: tuple[int, int, int]
    """Major, minor and patch."""
    cache_tag: str
    """What its compiled files are called, such as ``cpython-311``."""
    chosen: str
    """Where the choice comes from, in words."""
    prefix: Path | None = None
    """The folder of an environment that was built for the deployment, into which nothing of ours may leak;
    None: it is somebody's own."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the packages of that environment set for whoever uses it."""


def choose_interpreter(wanted: Path | None, variables: Mapping[str, str] = os.environ) -> Interpreter:
    """Return the interpreter for the workers: the one asked for, that of the active environment, or ours.

    Raises
    ------
    InterpreterError
        It does not exist, does not run, or is older than `OLDEST`.
    """
    if wanted is not None:
        path = wanted / "bin" / "python" if wanted.is_dir() else wanted
        return probed(path, "--python")
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = variables.get(variable)
        if prefix and Path(prefix, "bin", "python").exists():
            return probed(Path(prefix, "bin", "python"), f"the active environment ({variable})")
    return probed(Path(sys.executable), "the Python that runs gristmill")


def variables_in(prefix: Path, variables: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return variables as they are in an activated environment, without what would let others' packages in.

    Parameters
    ----------
    prefix
        The folder of the environment.
    variables
        Those of the process around us.
    own
        Those that the packages of the environment set.
    """
    kept = {name: value for name, value in variables.items() if name not in _LEAKS}
    is_conda = (prefix / "conda-meta").is_dir()
    path = os.pathsep.join([str(prefix / "bin"), variables.get("PATH", os.defpath)])
    active = "CONDA_PREFIX" if is_conda else "VIRTUAL_ENV"
    ours = {"GRISTMILL_ENVIRONMENT": str(prefix), "PYTHONNOUSERSITE": "1"}
    return {**kept, **own, active: str(prefix), "PATH": path, **ours}


def probed(path: Path, chosen: str) -> Interpreter:
    """Run an interpreter and return what it says of itself.

    Raises
    ------
    InterpreterError
        It does not exist, does not run, or is older than `OLDEST`.
    """
    if path == Path(sys.executable):
        major, minor, patch = sys.version_info[:3]
        tag = sys.implementation.cache_tag
    else:
        (major, minor, patch), tag = _ask(path, chosen)
    if (major, minor) < OLDEST:
        raise InterpreterError(
            f"{path} is Python {major}.{minor}; workers need {OLDEST[0]}.{OLDEST[1]} or newer. "
            "Name another interpreter with --python PATH"
        )
    return Interpreter(path=path, version=(major, minor, patch), cache_tag=tag or "", chosen=chosen)


def _ask(path: Path, chosen: str) -> tuple[tuple[int, int, int], str]:
    """Run the interpreter and return its version and cache tag."""
    if not path.exists():
        raise InterpreterError(
            f"there is no Python at {path} ({chosen}); give the path of an interpreter, such as "
            ".venv/bin/python"
        )
    import subprocess  # not where it is our own

    try:
        answer = subprocess.run(
            [str(path), "-I", "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_PROBE_LIMIT_S,
            check=True,
        )
        (major, minor, patch), tag = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError, TypeError) as error:
        said = (getattr(error, "stderr", None) or "").strip() or str(error)
        raise InterpreterError(
            f"{path} ({chosen}) does not run as a Python interpreter: {said.splitlines()[-1]}. "
            "Give the path of one that does with --python PATH"
        ) from error
    return (major, minor, patch), tag
