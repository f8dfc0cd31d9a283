"""The Pythons of this machine that the worker supports, found by running them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

#: Minor versions of Python 3 that the worker is tested on.
MINOR_VERSIONS = range(8, 15)


@functools.cache
def interpreters() -> list[Path]:
    """Return one interpreter for each supported version, oldest first; the running one is always there."""
    found: dict[tuple[int, int], Path] = {}
    for candidate in _candidates():
        version = _version(candidate)
        if version is not None and version[0] == 3 and version[1] in MINOR_VERSIONS:
            found.setdefault(version, candidate)
    return [found[version] for version in sorted(found)]


def _candidates() -> list[Path]:
    """Return what may be an interpreter, the running one first, each file once."""
    names = [f"python3.{minor}" for minor in MINOR_VERSIONS]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [Path(sys.executable)]
    candidates += [path for name in names for path in sorted(pyenv.glob(f"*/bin/{name}"))]
    # A pyenv shim answers to a version that is not installed with an error: hence the real execution.
    candidates += [Path(path) for name in names if (path := shutil.which(name))]
    return list(dict.fromkeys(candidates))


def _version(python: Path) -> tuple[int, int] | None:
    """Return the version that this interpreter says it has, or None where it does not run."""
    program = "import sys; print(*sys.version_info[:2])"
    try:
        ended = subprocess.run(
            [python, "-I", "-S", "-c", program], capture_output=True, text=True, timeout=30, check=True
        )
        major, minor = ended.stdout.split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return int(major), int(minor)
