"""Pythons with other versions of pandas, made once from the package registry and kept in the user's cache."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from flow.clone import load
from worker.interpreters import interpreters

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A Python with a version of pandas."""

    minors: tuple[int, ...]
    """Minor versions of Python 3 that these packages have wheels for, the first of this machine is taken."""
    packages: tuple[str, ...]
    """What is installed, pinned where it changes what pandas writes."""


ENVIRONMENTS = {
    "pandas 1.1": Environment(minors=(8, 9), packages=("pandas==1.1.5", "numpy==1.19.5")),
    "pandas 1.5": Environment(minors=(9, 10, 11), packages=("pandas==1.5.3", "numpy==1.26.4")),
    "pandas 2.0": Environment(minors=(10, 11, 9), packages=("pandas==2.0.3", "numpy==1.26.4")),
    "pandas 2.3": Environment(minors=(12, 11, 13), packages=("pandas==2.3.3", "numpy==2.3.5")),
    "pandas 1.5 and pyarrow 6": Environment(
        minors=(9, 10), packages=("pandas==1.5.3", "numpy==1.26.4", "pyarrow==6.0.1")
    ),
    "pandas 2.3 and pyarrow 21": Environment(
        minors=(12, 11, 13), packages=("pandas==2.3.3", "numpy==2.3.5", "pyarrow==21.0.0")
    ),
    # Without pyarrow, which is beside the pandas that runs these tests, texts are kept in another way.
    "pandas 3.0": Environment(minors=(13, 12, 11), packages=("pandas==3.0.0", "numpy==2.3.5")),
}


@functools.cache
def python_with(name: str) -> Path:
    """Return the interpreter of an environment, which is made where it is not there yet.

    Skips the test where that cannot be done: there is no such Python, no uv, or no package registry.
    """
    environment = ENVIRONMENTS[name]
    base = _python_of(environment.minors)
    if base is None:
        pytest.skip(
            f"{name}: no Python 3.{environment.minors[0]} or one that will do instead on this machine"
        )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gristmill-tests"
    key = "-".join([base.name, *environment.packages]).replace("==", "-")
    python = cache / key / "bin" / "python"
    if not python.exists():
        _make(name, base, environment.packages, cache / key)
    return python


def _python_of(minors: tuple[int, ...]) -> Path | None:
    versions = {python: _minor(python) for python in interpreters()}
    for minor in minors:
        for python, found in versions.items():
            if found == minor:
                return python
    return None


def _minor(python: Path) -> int:
    told = subprocess.run(
        [python, "-I", "-S", "-c", "import sys; print(sys.version_info[1])"], capture_output=True, check=True
    )
    return int(told.stdout)


def _make(name: str, base: Path, packages: tuple[str, ...], folder: Path) -> None:
    """Make an environment beside its place and put it there in one step: two tests may do so at once."""
    uv = shutil.which("uv", path=os.fspath(REPOSITORY / ".venv" / "installer" / "bin")) or shutil.which("uv")
    if uv is None:
        pytest.skip(f"{name}: uv is not to be had, which installs it; python3 run.py test does")
    variables = {
        **load(REPOSITORY / "run.py").uv_variables(),
        "UV_HTTP_TIMEOUT": "30",
        "UV_HTTP_RETRIES": "1",
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent)) / "environment"
    steps = [
        [uv, "venv", "--quiet", "--python", base, made],
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--only-binary", ":all:",
         "--python", made / "bin" / "python", *packages],
    ]  # fmt: skip
    try:
        for step in steps:
            ended = subprocess.run(
                step, env=variables, capture_output=True, text=True, timeout=100, check=False
            )
            if ended.returncode:
                pytest.skip(f"{name} cannot be installed: {ended.stderr.strip()[-300:]}")
        if not folder.exists():
            os.replace(made, folder)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{name} cannot be installed within 100 s")
    finally:
        shutil.rmtree(made.parent)
