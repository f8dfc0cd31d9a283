"""Jobs that are deleted, pruned and archived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gristmill.catalog.opening import open_catalog
from gristmill.catalog.records import JobRecord
from gristmill.errors import CatalogError, JobStateError, UnknownJobError
from gristmill.run.job_folder import JobFolder, Status
from gristmill.run.lock import JobLock
from gristmill.service.workspace import Workspace
from gristmill.settings import Home
from gristmill.storage.holding import held
from gristmill.storage.identity import identity_of
from unit.service.home.conftest import MakeJob

MONTH = timedelta(days=30)


@contextmanager
def worked_on(folder: JobFolder) -> Iterator[None]:
    lock = JobLock(folder.lock)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def names(home: Home) -> list[str]:
    return sorted(path.name for path in home.jobs.iterdir())


def entered(workspace: Workspace, *jobs: str, home: str = "") -> None:
    for job in jobs:
        record = JobRecord(name=job, home=home or identity_of(workspace.settings.home), status="Completed")
        workspace.catalog.add_job(record)


# ---------------------------------------------------------------------------------------------- delete


def test_a_deleted_job_is_gone_with_its_folder_and_its_row(workspace: Workspace, make_job: MakeJob) -> None:
    make_job("j")
    make_job("other")
    entered(workspace, "j", "other")

    removed = workspace.retention.delete("j")

    assert removed is not None
    assert removed.freed_bytes > 10_000
    assert names(workspace.settings.home) == ["other"]
    assert [job.name for job in workspace.catalog.jobs()] == ["other"]
    assert workspace.retention.delete("j") is None


def test_without_a_catalog_none_is_made(workspace: Workspace, make_job: MakeJob) -> None:
    make_job("j")

    workspace.retention.delete("j")

    assert not workspace.settings.home.catalog.exists()


def test_an_output_elsewhere_is_kept(workspace: Workspace, make_job: MakeJob, tmp_path: Path) -> None:
    folder = make_job("j", output=tmp_path / "out")
    folder.read().staging.mkdir()

    workspace.retention.delete("j")

    assert (tmp_path / "out" / "predictions.csv").read_text() == "j"
    assert (tmp_path / "out" / ".gristmill-j").exists()  # of a job of another home: this one has completed


def test_parts_of_a_job_that_did_not_complete_go_with_it(
    workspace: Workspace, make_job: MakeJob, tmp_path: Path
) -> None:
    folder = make_job("j", output=tmp_path / "out", status=Status.CANCELED)
    folder.read().staging.mkdir()

    workspace.retention.delete("j")

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions.csv"]


def test_a_running_job_is_refused_with_the_command_that_stops_it(
    workspace: Workspace, make_job: MakeJob
) -> None:
    folder = make_job("j", status=Status.RUNNING, ended_at="")

    with worked_on(folder), pytest.raises(JobStateError, match="job j is running; gristmill job cancel j"):
        workspace.retention.delete("j")

    assert folder.read().status is Status.RUNNING


def test_a_job_that_waits_is_refused(workspace: Workspace, make_job: MakeJob) -> None:
    make_job("j", status=Status.QUEUED, ended_at="")

    with pytest.raises(JobStateError, match="job j waits for its turn; gristmill job cancel j"):
        workspace.retention.delete("j")


def test_a_job_that_is_being_made_is_refused(workspace: Workspace, make_job: MakeJob) -> None:
    folder = make_job("j", status=Status.NOT_STARTED)
    descriptor = held(folder.path)

    with pytest.raises(JobStateError, match="job j is being made, or removed, just now"):
        workspace.retention.delete("j")

    assert descriptor >= 0
    assert folder.read().status is Status.NOT_STARTED


def test_an_interrupted_job_can_be_deleted(workspace: Workspace, make_job: MakeJob) -> None:
    make_job("j", status=Status.RUNNING, ended_at="")

    assert workspace.retention.delete("j") is not None


def test_a_job_that_cannot_be_read_can_be_deleted(workspace: Workspace, make_job: MakeJob) -> None:
    folder = make_job("j")
    (folder.path / "job.json").write_text("{")

    assert workspace.retention.delete("j") is not None
    assert names(workspace.settings.home) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_what_is_no_name_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(UnknownJobError, match="is not the name of a job"):
        workspace.retention.delete(name)


def test_read_only_files_go_too(workspace: Workspace, make_job: MakeJob) -> None:
    folder = make_job("j")
    code = folder.code / "sub"
    code.mkdir(parents=True)
    (code / "score.py").touch(0o444)
    code.chmod(0o555)

    workspace.retention.delete("j")

    assert names(workspace.settings.home) == []


def test_with_a_catalog_that_cannot_be_used_the_job_stays(workspace: Workspace, make_job: MakeJob) -> None:
    make_job("j")
    workspace.settings.home.catalog.write_text("no database at all, and long enough to be none" * 100)

    with pytest.raises(CatalogError):
        workspace.retention.delete("j")

    assert names(workspace.settings.home) == ["j"]


# ----------------------------------------------------------------------------------------------- prune


def test_pruning_takes_what_ended_long_ago(workspace: Workspace, make_job: MakeJob) -> None:
    make_job("old", days=31)
    make_job("older", days=400, status=Status.FAILED)
    make_job("young", days=29)
    make_job("interrupted", status=Status.RUNNING, ended_at="")
    entered(workspace, "old", "young")

    pruned = workspace.retention.prune(MONTH)

    assert [one.name for one in pruned.removed] == ["older", "old"]
    assert pruned.freed_bytes > 20_000
    assert names(workspace.settings.home) == ["interrupted", "young"]
    assert [job.name for job in workspace.catalog.jobs()] == ["young"]
    assert workspace.retention.prune(MONTH).removed == ()


def test_a_job_that_goes_on_is_not_pruned(workspace: Workspace, make_job: MakeJob) -> None:
    folder = make_job("old", days=31)

    with worked_on(folder):
        assert workspace.retention.prune(MONTH).removed == ()

    assert names(workspace.settings.home) == ["old"]


def test_a_dry_run_only_tells(workspace: Workspace, make_job: MakeJob) -> None:
    make_job("old", days=31)

    told = workspace.retention.prune(MONTH, is_dry=True)
    done = workspace.retention.prune(MONTH)

    assert [one.name for one in told.removed] == [one.name for one in done.removed] == ["old"]
    assert told.freed_bytes > 10_000
    assert (told.is_dry, done.is_dry) == (True, False)


def test_outputs_that_are_kept_are_moved_out_of_the_jobs(
    workspace: Workspace, make_job: MakeJob, tmp_path: Path
) -> None:
    home = workspace.settings.home
    make_job("a", days=31)
    make_job("elsewhere", days=31, output=tmp_path / "out")

    first = workspace.retention.prune(MONTH, keep_outputs=True)
    make_job("a", days=31)
    second = workspace.retention.prune(MONTH, keep_outputs=True)

    assert {one.name: one.kept for one in first.removed} == {"a": str(home.outputs / "a"), "elsewhere": None}
    assert [one.kept for one in second.removed] == [str(home.outputs / "a-2")]
    assert (home.outputs / "a" / "predictions.csv").read_text() == "a"
    assert (tmp_path / "out" / "predictions.csv").exists()
    assert names(home) == []


def test_a_home_without_jobs_has_none_to_prune(workspace: Workspace) -> None:
    assert workspace.retention.prune(MONTH).removed == ()
    assert not workspace.settings.home.path.exists()


# --------------------------------------------------------------------------------------------- archive


def test_an_archived_job_is_left_out_of_lists(workspace: Workspace, make_job: MakeJob) -> None:
    make_job("j")
    make_job("other")
    entered(workspace, "j", "other")

    workspace.retention.archive("j")
    workspace.retention.archive("j")

    assert [view.name for view in workspace.jobs.list()] == ["other"]
    assert [job.name for job in workspace.catalog.jobs(archived=True)] == ["j"]
    assert workspace.jobs.show("j").is_archived

    workspace.retention.archive("j", archived=False)

    assert sorted(view.name for view in workspace.jobs.list()) == ["j", "other"]
    assert workspace.catalog.jobs(archived=True) == []


def test_only_jobs_that_have_ended_are_archived(workspace: Workspace, make_job: MakeJob) -> None:
    folder = make_job("j", status=Status.RUNNING, ended_at="")

    with pytest.raises(JobStateError, match="has not ended, it is Running"):
        workspace.retention.archive("j")
    with worked_on(folder), pytest.raises(JobStateError, match="gristmill job cancel j stops it"):
        workspace.retention.archive("j")
    with pytest.raises(UnknownJobError):
        workspace.retention.archive("nobody")


def test_a_job_of_another_home_keeps_its_row(workspace: Workspace, make_job: MakeJob) -> None:
    make_job("j")
    entered(workspace, "j", home="/elsewhere")

    workspace.retention.delete("j")

    with open_catalog(workspace.settings) as catalog:
        assert [job.home for job in catalog.jobs()] == ["/elsewhere"]
