"""What must be equal for a worker that was loaded for one job to serve another: its key.

Whatever a worker is told when it starts is in it, but for what it can be told anew. So a setting that is new
is in it as well, until somebody has thought about it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from gristmill.engine.environment import Interpreter
from gristmill.engine.launch import Assignment, threads_of

#: What a worker is told anew with each job, what only we make use of, and what is in the key by its content.
TOLD_ANEW = frozenset(
    {
        "job",
        "run_id",
        "fence",
        "code",
        "script",
        "plan",
        "root",
        "staging",
        "logs",
        "scratch",
        "cache",
        "earlier_runs",
        "model",
        "workers",
        "timeout_s",
        "init_timeout_s",
        "standing",
    }
)
_COMPILED = "__pycache__"
_BLOCK_BYTES = 1 << 20


def warm_key(assignment: Assignment, model: dict[str, str], environment: str) -> str:
    """Return the key of a job.

    Parameters
    ----------
    assignment
        What its workers are told, with the job's own copy of the code, and without a model.
    model
        What tells the model from every other, and from itself when it is changed; empty without one.
    environment
        The key of the environment that was built for it; empty where it runs in somebody's own.

    Raises
    ------
    OSError
        The code cannot be read.
    """
    told = {
        one.name: getattr(assignment, one.name) for one in fields(assignment) if one.name not in TOLD_ANEW
    }
    told |= {
        "interpreter": asdict(replace(assignment.interpreter, chosen="")),
        "packages": packages_state(assignment.interpreter),
        "script": str(assignment.script.relative_to(assignment.code)),
        "code": list(_contents(assignment.code)),
        "threads": threads_of(assignment.workers),
        "model": model,
        "environment": environment,
    }
    return sha256(json.dumps(told, sort_keys=True, default=_plain).encode("ascii")).hexdigest()


def packages_state(interpreter: Interpreter) -> list[int]:
    """Return what changes when packages are installed into the environment of an interpreter, or removed."""
    found = []
    lib = interpreter.path.parent.parent / "lib"
    for folder in sorted(lib.glob("python3*/site-packages")) if lib.is_dir() else ():
        try:
            found.append(folder.stat().st_mtime_ns)
        except OSError:
            continue
    return found


def _contents(code: Path) -> Iterator[tuple[str, str]]:
    """Yield (path, what is there) of everything in a code folder; of links what they look like."""
    for here, folders, files in os.walk(code):
        folders[:] = sorted(name for name in folders if name != _COMPILED)
        for name in sorted([*files, *folders]):
            path = os.path.join(here, name)
            relative = os.path.relpath(path, code)
            if os.path.islink(path):
                yield relative, f"{os.readlink(path)} {_looks(path)}"
            elif os.path.isfile(path):
                yield relative, _digest(path)


def _looks(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return "leads nowhere"
    return f"{status.st_size}:{status.st_mtime_ns}"


def _digest(path: str) -> str:
    digest = sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Return what stands for a value in JSON."""
    return dict(value) if hasattr(value, "items") else str(value)
