"""A home with jobs of which only the folders are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gristmill.run.job_folder import Job, JobFolder, Status
from gristmill.service.workspace import Workspace
from gristmill.settings import Home, Settings
from gristmill.spec.deployment import bare_script
from gristmill.storage.incoming import remove_tree

MakeJob = Callable[..., JobFolder]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    home = Home(path=tmp_path / "home")
    with Workspace(Settings(home=home)) as workspace:
        yield workspace
    remove_tree(home.path)


@pytest.fixture
def home(workspace: Workspace) -> Home:
    return workspace.settings.home


@pytest.fixture
def make_job(tmp_path: Path, home: Home) -> MakeJob:
    """Return what makes a job of a name that ended so many days ago, with a log and an output."""
    script = tmp_path / "score.py"
    script.write_text("def run(mini_batch):\n    return mini_batch\n")

    def make(name: str, days: float = 0, output: Path | None = None, **values: object) -> JobFolder:
        folder = JobFolder(home.jobs / name)
        folder.create().close()
        (folder.logs / "user").mkdir(parents=True)
        (folder.logs / "user" / "log.txt").write_text("said")
        (folder.path / "journal.bin").write_bytes(b"x" * 10_000)
        place = output or folder.path / "named-outputs" / "score"
        place.mkdir(parents=True)
        (place / "predictions.csv").write_text(name)
        ended = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")
        job = Job(
            name=name,
            deployment=bare_script(script),
            input=tmp_path,
            output=place,
            workers=1,
            python=Path("python3"),
            python_version="3.11.7",
            status=Status.COMPLETED,
            started_at=ended,
            ended_at=ended,
            created_at=ended,
        )
        folder.write(replace(job, **values))  # type: ignore[arg-type]
        return folder

    return make
