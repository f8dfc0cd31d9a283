"""Whether a list of packages needs conda, or a virtual environment will do. Pure."""

from __future__ import annotations

from gristmill.environments.python_wish import name_of
from gristmill.spec.packages import Packages

SEEDS = ("pip", "setuptools", "wheel")
"""What a conda file lists beside Python without meaning conda."""


def conda_names(packages: Packages) -> list[str]:
    """Return the packages that only conda has: all of its part but Python and what installs packages."""
    return [
        name for name in (name_of(line.text) for line in packages.conda) if name not in ("python", *SEEDS)
    ]


def kind_of(packages: Packages) -> str:
    """Return the kind of builder that a list needs: ``venv`` or ``conda``."""
    return "conda" if conda_names(packages) else "venv"
