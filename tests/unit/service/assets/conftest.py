"""A workspace in a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gristmill.service.workspace import Workspace
from gristmill.settings import Settings
from gristmill.storage.incoming import remove_tree


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, which is empty."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    home = folder.parent / "home"
    settings = Settings.from_environment({"GRISTMILL_HOME": str(home)})
    with Workspace(settings) as workspace:
        yield workspace
    remove_tree(home)
