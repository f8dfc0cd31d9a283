"""A copy of the examples, as after `git clone`, in which the commands of their pages are typed."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from flow.mill import REPOSITORY

BASH_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEXT_BLOCK = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def new_clone(folder: Path) -> Path:
    """Copy the examples, and put a `gristmill` of this source tree beside them."""
    shutil.copytree(
        REPOSITORY / "examples", folder / "examples", ignore=shutil.ignore_patterns("data", "__pycache__")
    )
    entry = folder / "bin/gristmill"
    entry.parent.mkdir()
    source = f'PYTHONPATH="{REPOSITORY / "src"}"'
    entry.write_text(f'#!/bin/sh\n{source} exec "{sys.executable}" -m gristmill "$@"\n')
    entry.chmod(0o755)
    return folder


def type_page(clone: Path, example: str) -> str:
    """Type the commands of an example's page in the copy; return what they print."""
    return typed(clone, "\n".join(BASH_BLOCK.findall(page(clone, example))))


def page(clone: Path, example: str) -> str:
    return (clone / "examples" / example / "README.md").read_text(encoding="utf-8")


def typed(clone: Path, commands: str) -> str:
    """Type commands in the copy, with this Python's environment active; return what they print."""
    foreign = ("CONDA_PREFIX", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GRISTMILL_")},
        "HOME": str(clone),
        "PATH": f"{clone / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "VIRTUAL_ENV": sys.prefix,
    }
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=clone,
        env={name: value for name, value in environment.items() if name not in foreign},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def load(path: Path) -> ModuleType:
    """Import an example's file in this process."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def files_below(folder: Path) -> list[Path]:
    """List a folder's files in Gristmill's order: bytewise by relative path."""
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=os.fsencode)
