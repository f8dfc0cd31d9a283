"""Deployments created by processes that are killed: whole or not there, and the same again makes one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.processes import is_stopped, wait_until
from gristmill.faults import ASSET_POINTS, ENDPOINT_POINTS
from gristmill.service.assets.records import kept_record
from gristmill.service.endpoints.kept_document import load_kept
from gristmill.service.workspace import Workspace
from gristmill.settings import Home, Settings
from gristmill.spec.overrides import Override
from gristmill.storage.incoming import remove_tree

DEPLOYMENT = """
name: first
endpoint_name: heart
model: {path: model.bin}
code_configuration: {code: code, scoring_script: score.py}
"""


@pytest.fixture
def settings(gristmill_home: Path, tmp_path: Path) -> Iterator[Settings]:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "score.py").write_text("def run(mini_batch):\n    return mini_batch\n")
    (tmp_path / "model.bin").write_text("1")
    (tmp_path / "deployment.yml").write_text(DEPLOYMENT)
    found = Settings(home=Home(path=gristmill_home))
    with Workspace(found) as workspace:
        workspace.endpoints.create(None, [Override(path="name", value="heart", origin="--name heart")])
    yield found
    remove_tree(gristmill_home)


@pytest.mark.parametrize("point", ["content.before_rename", *ASSET_POINTS, *ENDPOINT_POINTS])
def test_a_kill_leaves_a_whole_deployment_or_none(settings: Settings, tmp_path: Path, point: str) -> None:
    file = tmp_path / "deployment.yml"
    victim = subprocess.Popen(
        [sys.executable, "-m", "gristmill", "batch-deployment", "create", "--file", str(file)],
        env={**os.environ, "GRISTMILL_FAULT_POINT": point},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: is_stopped(victim.pid), f"{point} is reached")
    victim.kill()
    assert victim.wait() == -signal.SIGKILL

    with Workspace(settings) as workspace:
        before = workspace.catalog.deployment("heart", "first")
        assert (before is not None) == (point == "endpoint.after_row")
        row = workspace.deployments.create(file).record
        model = load_kept(workspace, row).deployment.model
        versions = [one.version for one in workspace.models.list("heart-first")]

    kept = kept_record(settings.home, settings.workspace, "deployment", "heart", "first")
    assert (row.revision, versions) == (1, ["1"])
    assert model is not None
    assert model.path.read_text() == "1"
    assert kept is not None
    assert (kept["document"], kept["contents"], kept["revision"]) == (row.document, row.contents, 1)
