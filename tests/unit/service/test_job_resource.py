"""A job as `az ml` shows it, from its folder alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gristmill.errors import UnknownJobError
from gristmill.run.job_folder import Counts, Job, JobFolder, Origin, Status
from gristmill.run.lock import JobLock
from gristmill.service.job_resource import find_job, find_jobs, job_resource
from gristmill.service.queue import waking
from gristmill.service.queue.waiting import Waiting
from gristmill.settings import Home
from gristmill.spec.deployment import bare_script

Make = Callable[..., JobFolder]


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock, as a process does that works on a job."""
    lock = JobLock(path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path / "home")


@pytest.fixture
def make(home: Home, tmp_path: Path) -> Make:
    """Make the folder of a job."""
    script = tmp_path / "score.py"
    script.write_text("def run(mini_batch):\n    return mini_batch\n")
    (tmp_path / "in").mkdir()

    def made(name: str, status: Status = Status.COMPLETED, **fields: Any) -> JobFolder:
        deployment = replace(bare_script(script), name="dep", endpoint_name="end", tags={"a": "b"})
        job = Job(
            name=name,
            deployment=deployment,
            input=tmp_path / "in",
            output=tmp_path / "out",
            workers=1,
            python=Path("/python"),
            python_version="3.11",
            status=status,
        )
        folder = JobFolder(home.jobs / name)
        folder.path.mkdir(parents=True)
        folder.write(replace(job, **fields))
        return folder

    return made


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[Home]:
    found: list[Home] = []
    monkeypatch.setattr(waking, "wake_if_needed", found.append)
    return found


def test_the_name_comes_first_and_what_scripts_read_is_there(make: Make, home: Home, tmp_path: Path) -> None:
    make("j", counts=Counts(total=4, succeeded=3, failed=1), created_at="2024-05-01T12:00:00.000Z")

    found = find_job(home, "j").to_json()

    assert next(iter(found)) == "name"
    assert (found["name"], found["status"], found["type"]) == ("j", "Completed", "pipeline")
    assert (found["endpoint_name"], found["deployment_name"], found["experiment_name"]) == (
        "end",
        "dep",
        "end",
    )
    assert found["inputs"] == {"input": {"type": "uri_folder", "path": str(tmp_path / "in")}}
    assert found["outputs"]["score"]["path"] == str(tmp_path / "out")
    assert found["id"] == "/workspaces/default/jobs/j"
    created = "2024-05-01T12:00:00.000Z"
    assert found["creation_context"] == {"created_at": created, "last_modified_at": created}
    assert found["counts"] == {"total": 4, "succeeded": 3, "failed": 1, "not_run": 0}


def test_tags_and_git_of_the_job_are_shown(make: Make, home: Home) -> None:
    git = {"remote": None, "branch": "main", "commit": "abc", "is_dirty": True}
    make("j", tags={"c": "d"}, git=git, experiment_name="e")

    found = find_job(home, "j").to_json()

    assert found["tags"] == {"a": "b", "c": "d"}
    assert found["properties"] == {
        "azureml.git.branch": "main",
        "azureml.git.commit": "abc",
        "azureml.git.dirty": "True",
    }
    assert found["experiment_name"] == "e"


def test_a_running_job_whose_end_was_asked_for_is_not_running(make: Make, home: Home) -> None:
    folder = make("j", Status.RUNNING)
    folder.cancel_request.touch()

    with held(folder.lock):
        asked = find_job(home, "j")
    left = job_resource(folder.read(), folder)

    assert (asked.status, asked.notices) == (Status.CANCEL_REQUESTED, ())
    assert left.status is Status.RUNNING


def test_a_job_that_nobody_works_on_is_told(make: Make, home: Home, woken: list[Home]) -> None:
    make("j", Status.RUNNING)

    assert find_job(home, "j").notices == (
        "no process works on job j: it was interrupted. gristmill resume j goes on with it",
    )
    assert woken == []


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_a_job_that_waits_for_a_runner_which_is_gone_gets_one(
    make: Make, home: Home, woken: list[Home], status: Status
) -> None:
    make("j", status)
    Waiting(home).add("j")

    assert find_job(home, "j").notices == ()
    assert woken == [home]


def test_a_runner_that_lives_is_left_alone(make: Make, home: Home, woken: list[Home]) -> None:
    make("j", Status.QUEUED)
    Waiting(home).add("j")

    with held(home.runner / "lock"):
        find_job(home, "j")
        find_jobs(home)

    assert woken == []


def test_lists_begin_with_the_newest_and_leave_out_what_is_archived(make: Make, home: Home) -> None:
    make("old", created_at="2024-01-01T00:00:00.000Z")
    make("new", created_at="2024-01-02T00:00:00.000Z")
    make("kept", created_at="2024-01-03T00:00:00.000Z", is_archived=True)
    (home.jobs / "no-job").mkdir()

    def names(**options: bool) -> list[str]:
        return [one.job.name for one in find_jobs(home, **options)]

    assert names() == ["new", "old"]
    assert names(archived=True) == ["kept", "new", "old"]
    assert names(only_archived=True) == ["kept"]


def test_a_workspace_has_the_jobs_of_its_endpoints_and_those_of_none(make: Make, home: Home) -> None:
    make("ours", origin=Origin.INVOKE, workspace="default", created_at="2024-01-03T00:00:00.000Z")
    make("theirs", origin=Origin.INVOKE, workspace="theirs", created_at="2024-01-02T00:00:00.000Z")
    make("run", created_at="2024-01-01T00:00:00.000Z")

    def names(workspace: str | None) -> list[str]:
        return [one.job.name for one in find_jobs(home, workspace)]

    assert names("default") == ["ours", "run"]
    assert names("theirs") == ["theirs", "run"]
    assert names(None) == ["ours", "theirs", "run"]


@pytest.mark.parametrize("name", ["nope", "", ".", "..", "a/b"])
def test_what_is_no_job_is_refused(name: str, home: Home) -> None:
    with pytest.raises(UnknownJobError):
        find_job(home, name)
