"""Letting the contestants work: each run a process of its own, in one environment for all, with a deadline.

`python3 run.py bench` makes that environment, .venv/peers, from requirements/peers.lock. Where it could not
be made, what needs nothing but Gristmill's own environment is measured there; the others are named.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from gristmill.engine.sweep import RUN_MARK, sweep

HERE = Path(__file__).resolve().parent
VENV = HERE.parent / ".venv" / "peers"
NAMES = {
    "gristmill": "Gristmill",
    "loop": "loop by hand",
    "pool": "Pool",
    "pebble": "pebble",
    "joblib": "joblib",
    "ray_data": "Ray Data",
    "daft": "Daft",
    "dask": "Dask",
    "spark": "Spark mapInPandas",
}
#: For all of them alike: Ray keeps to 127.0.0.1, and nobody tells anybody that he was used.
QUIET = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DAFT_ANALYTICS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
}
NEEDS = {
    "pebble": ("pebble",),
    "joblib": ("joblib",),
    "ray_data": ("ray", "pyarrow", "pandas"),
    "daft": ("daft",),
    "dask": ("distributed",),
    "spark": ("pyspark", "pandas", "pyarrow"),
}


class CannotWorkError(Exception):
    """A contestant did not do its work; the message says how it ended."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one run of a contestant took."""

    inner_s: float  # from the start of the listing to the written file
    whole_s: float  # of the process, as the shell sees it
    lines: tuple[str, ...]  # that it wrote, sorted


@dataclass(frozen=True, kw_only=True)
class Task:
    """The work that all contestants are given."""

    script: Path
    folder: Path
    size: int  # files per run()
    workers: int = 2
    variables: tuple[tuple[str, str], ...] = ()  # to be set for the process and its workers


def python() -> Path:
    """Return the interpreter that all contestants start from."""
    made = VENV / "bin" / "python"
    return made if (VENV / "made-from.sha256").exists() and made.exists() else Path(sys.executable)


def left_out(names: list[str]) -> dict[str, str]:
    """Return those of the contestants that cannot work here, with the reason."""
    reasons = {}
    for name in names:
        missing = [package for package in NEEDS.get(name, ()) if package not in installed()]
        if missing:
            reasons[NAMES[name]] = f"{', '.join(missing)} is not installed (requirements/peers.lock)"
        elif name == "spark" and shutil.which("java") is None and "JAVA_HOME" not in os.environ:
            reasons[NAMES[name]] = "it needs Java, and there is none on PATH"
    return reasons


def able(names: list[str]) -> list[str]:
    """Return those of the contestants that can work here."""
    out = left_out(names)
    return [name for name in names if NAMES[name] not in out]


@cache
def installed() -> dict[str, str]:
    """Return package → version of what the contestants' environment holds."""
    program = (
        "import importlib.metadata as m, json\n"
        "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
    )
    listed = subprocess.run([python(), "-c", program], capture_output=True, text=True, check=True)
    return dict(json.loads(listed.stdout))


def peer_versions(*packages: str) -> dict[str, str]:
    """Return the versions of packages in the contestants' environment."""
    return {package: installed()[package] for package in packages if package in installed()}


def bare_start_s() -> float:
    """Return how long the interpreter of the contestants takes to do nothing: the best of some starts."""
    took = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([python(), "-c", "pass"], check=True, env=variables())
        took.append(time.perf_counter() - began)
    return min(took)


def compete(name: str, task: Task, setting: int = 1, deadline_s: float = 120.0) -> Ran:
    """Let a contestant do the work once.

    Raises
    ------
    CannotWorkError
        It failed, or took longer than the deadline; nothing of it is left running.
    """
    with tempfile.TemporaryDirectory(prefix="gristmill-bench-") as place:
        output = Path(place) / "output" / "lines.txt"
        output.parent.mkdir()
        words = [str(HERE / "contestants"), name, str(task.script), str(task.folder), str(output)]
        words += [str(task.size), str(task.workers), str(setting)]
        said, whole_s = run_words([str(python()), *words], name, task, deadline_s)
        inner_s = json.loads(said.splitlines()[-1])["seconds"]
        return Ran(inner_s=inner_s, whole_s=whole_s, lines=_sorted_lines(output))


def command_line(task: Task, deadline_s: float = 120.0) -> Ran:
    """Let Gristmill do the work once from the shell; both figures are the whole process.

    Raises
    ------
    CannotWorkError
        It failed, or took longer than the deadline.
    """
    with tempfile.TemporaryDirectory(prefix="gristmill-bench-") as place:
        alone = replace(task, variables=(*task.variables, ("GRISTMILL_HOME", f"{place}/home")))
        _, whole_s = run_words(shell_words(task, Path(place)), "gristmill", alone, deadline_s)
        lines = _sorted_lines(Path(place) / "output" / "predictions.csv")
        return Ran(inner_s=whole_s, whole_s=whole_s, lines=lines)


def shell_words(task: Task, place: Path) -> list[str]:
    """Return what is typed to let Gristmill do the work; what it leaves is below `place`."""
    words = [str(python()), "-m", "gristmill", "run", str(task.script), "--input", str(task.folder)]
    words += ["--output-path", str(place / "output"), "--job-name", "bench", "--format", "azure"]
    words += ["--workers", str(task.workers), "--mini-batch-size", str(task.size)]
    return words


def run_words(words: list[str], name: str, task: Task, deadline_s: float) -> tuple[str, float]:
    """Run a program to its end; return what it said and the seconds it took.

    Raises
    ------
    CannotWorkError
        It failed, or took longer than the deadline; nothing of it is left running.
    """
    mark = f"bench-{os.getpid()}-{time.monotonic_ns()}"
    marked = {} if name == "gristmill" else {RUN_MARK: mark}  # ours marks and sweeps its own
    environment = {**variables(), **dict(task.variables), **marked}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, start_new_session=True
        )
        is_late = True
        try:
            is_late = not _has_ended(process, deadline_s)
        finally:
            whole_s = time.perf_counter() - began
            if is_late:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if marked:
                sweep(RUN_MARK, mark)
        out.seek(0)
        err.seek(0)
        if is_late:
            raise CannotWorkError(f"stopped after {deadline_s:g} s")
        if process.returncode:
            last = (err.read().strip().splitlines() or ["it said nothing"])[-1]
            raise CannotWorkError(f"ended with status {process.returncode}: {_without_paths(last)[:200]}")
        return out.read().strip(), whole_s


def _has_ended(process: subprocess.Popen[bytes], deadline_s: float) -> bool:
    """Wait for a process by its descriptor: ``wait`` with a limit looks only every 50 ms."""
    descriptor = os.pidfd_open(process.pid)
    try:
        return bool(select.select([descriptor], [], [], deadline_s)[0])
    finally:
        os.close(descriptor)


def variables() -> dict[str, str]:
    """Return the environment of every run: the shell's, without what belongs to another interpreter.

    Slow peers find `scoring` by PYTHONPATH in the processes that they start.
    """
    foreign = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "GRISTMILL_HOME", RUN_MARK)
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    path = os.pathsep.join([str(python().parent), os.environ.get("PATH", os.defpath)])
    return {
        **kept,
        **QUIET,
        "PATH": path,
        "VIRTUAL_ENV": str(python().parents[1]),
        "PYTHONPATH": str(HERE / "contestants"),
    }


def _sorted_lines(output: Path) -> tuple[str, ...]:
    try:
        text = output.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        raise CannotWorkError("wrote no file") from None
    return tuple(sorted(text.splitlines()))


def _without_paths(text: str) -> str:
    return " ".join("PATH" if word.count("/") > 1 else word for word in text.split())
