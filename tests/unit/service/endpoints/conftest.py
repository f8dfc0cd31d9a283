"""A workspace with a catalog of its own, and a project that a deployment can be made of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gristmill.catalog.opening import open_catalog
from gristmill.service.workspace import Workspace
from gristmill.settings import Home, Settings

SCRIPT = "def run(mini_batch):\n    return mini_batch\n"
DEPLOYMENT = """\
name: first
endpoint_name: heart
description: Scores hearts
tags: {team: a}
model: {path: model.bin}
code_configuration: {code: src, scoring_script: score.py}
settings: {mini_batch_size: 5, environment_variables: {V: 1.10}}
"""


@pytest.fixture(scope="session")
def new_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog without rows, to be copied: making one takes longer than a test."""
    home = Home(path=tmp_path_factory.mktemp("home"))
    open_catalog(Settings(home=home)).close()
    return home.catalog


@pytest.fixture
def settings(tmp_path: Path, new_catalog: Path) -> Settings:
    home = Home(path=tmp_path / "home")
    home.path.mkdir()
    shutil.copy(new_catalog, home.catalog)
    return Settings(home=home)


@pytest.fixture
def workspace(settings: Settings) -> Iterator[Workspace]:
    with Workspace(settings) as opened:
        yield opened


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``deployment.yml``, its code and its model; it is the current folder."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "score.py").write_text(SCRIPT)
    (folder / "model.bin").write_text("a model")
    (folder / "deployment.yml").write_text(DEPLOYMENT)
    (folder / "data").mkdir()
    (folder / "data" / "a.txt").write_text("a\n")
    monkeypatch.chdir(folder)
    return folder
