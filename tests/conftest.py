"""What every test has: a home of its own, and an environment that says nothing about this machine."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# No deadline: two busy cores are no bug. In CI the same examples every time; a developer's runs explore.
hypothesis.settings.register_profile("ours", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("ours")

# PYTHONDONTWRITEBYTECODE would make each worker compile its imports again; the others choose an interpreter.
FOREIGN_VARIABLES = ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "CONDA_PREFIX")


@pytest.fixture(autouse=True)
def gristmill_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point GRISTMILL_HOME at a folder that does not exist yet, outside `tmp_path`, which stays empty."""
    home = tmp_path_factory.mktemp("home") / "gristmill"
    for name in [name for name in os.environ if name.startswith("GRISTMILL_")]:
        monkeypatch.delenv(name)
    for name in FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRISTMILL_HOME", str(home))
    return home
