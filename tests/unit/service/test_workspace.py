"""The workspace: nothing of it is opened before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gristmill.service.workspace import Workspace
from gristmill.settings import Home, Settings

_HEAVY = "{'sqlalchemy', 'alembic', 'jmespath', 'rich', 'pyarrow', 'asyncio', 'gristmill.service.jobs'}"


def test_a_workspace_costs_nothing_until_it_is_used() -> None:
    code = f"import sys, gristmill.service.workspace; print(sorted({_HEAVY} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_a_workspace_has_the_jobs_of_its_home(tmp_path: Path) -> None:
    with Workspace(Settings(home=Home(path=tmp_path))) as workspace:
        assert workspace.jobs.list() == []
        assert workspace.jobs is workspace.jobs
    assert list(tmp_path.iterdir()) == []
