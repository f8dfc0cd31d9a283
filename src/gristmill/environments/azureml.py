"""Packages that a conda file lists only because Azure's own driver needs them: left out where no code of the
deployment imports them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gristmill.environments.python_wish import name_of
from gristmill.spec.packages import Line, Packages

DRIVER_PACKAGES = frozenset({"azureml-core", "azureml-dataset-runtime", "azureml-mlflow"})
_IMPORT = re.compile(rb"^[ \t]*(?:from|import)[ \t]+[^#\n]*\bazureml\b|['\"]azureml\.\w", re.MULTILINE)
_SKIPPED = {"__pycache__", ".git", ".venv", "node_modules", "site-packages"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def without_driver_packages(
    packages: Packages, code: Path | None, variables: Mapping[str, str]
) -> tuple[Packages, tuple[str, ...]]:
    """Leave out what only Azure's own driver needs.

    Parameters
    ----------
    packages
        What is listed.
    code
        The deployment's folder of code; None: there is none, and nothing in it can import them.
    variables
        Those that the deployment sets: a tracking store of the original needs its package without an import.

    Returns
    -------
    tuple
        What is to be installed, and what the user should know.
    """
    listed = [_name(line) for line in (*packages.conda, *packages.pip) if _name(line) in DRIVER_PACKAGES]
    if not listed or packages.keep_azureml_packages:
        return packages, ()
    if packages.keep_azureml_packages is None and (_tracks(variables) or (code and imports_azureml(code))):
        return packages, ()
    kept = replace(
        packages,
        conda=tuple(line for line in packages.conda if _name(line) not in DRIVER_PACKAGES),
        pip=tuple(line for line in packages.pip if _name(line) not in DRIVER_PACKAGES),
    )
    names = _listed(list(dict.fromkeys(listed)))
    return kept, (
        f"{names}, which only Azure's own driver needs, left out of the environment {packages.name}: no file "
        "of the code imports azureml; gristmill.keep_azureml_packages=true installs them",
    )


def imports_azureml(code: Path) -> bool:
    """Say whether any Python file below a folder imports a module of azureml, as far as its text tells."""
    for top, folders, files in os.walk(code):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        for name in files:
            if not name.endswith((".py", ".ipynb")):
                continue
            try:
                text = Path(top, name).read_bytes()
            except OSError:
                continue
            if b"azureml" in text and (_IMPORT.search(text) or name.endswith(".ipynb")):
                return True
    return False


def _tracks(variables: Mapping[str, str]) -> bool:
    return variables.get("MLFLOW_TRACKING_URI", "").lower().startswith("azureml:")


def _name(line: Line) -> str:
    found = _NAME.match(line.text)
    name = found[0] if found else ""
    return re.sub(r"[-_.]+", "-", name_of(name)).lower()


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
