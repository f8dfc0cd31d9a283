"""``job.json`` and its neighbours."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from pathlib import Path

import pytest

from gristmill.errors import HomeError, JobStateError, StorageError, UnknownJobError
from gristmill.run import making
from gristmill.run.job_folder import Counts, Job, JobFolder, Status, utc_now
from gristmill.spec.deployment import bare_script


@pytest.fixture
def job(tmp_path: Path) -> Job:
    script = tmp_path / "score.py"
    script.write_text("def run(mini_batch):\n    return mini_batch\n")
    return Job(
        name="j-1", deployment=bare_script(script), input=tmp_path / "in", output=tmp_path / "out", workers=3,
        python=Path("/usr/bin/python3"), python_version="3.11.7",
        status=Status.CANCELED, message="why: é", counts=Counts(total=10, succeeded=7, failed=1, not_run=2),
        created_at="2026-01-01T00:00:00.000Z", starts=2,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    folder = JobFolder(tmp_path / "home" / "jobs" / "j-1")
    folder.create().close()
    return folder


def changed(folder: JobFolder, **values: object) -> None:
    path = folder.path / "job.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_job_is_read_as_it_was_written(folder: JobFolder, job: Job) -> None:
    folder.write(job)
    assert folder.read() == job


def test_paths_that_are_not_utf_8_are_kept(folder: JobFolder, job: Job) -> None:
    job = dataclasses.replace(job, input=Path(os.fsdecode(b"/in\xff")))
    folder.write(job)
    assert folder.read() == job


def test_the_last_word_written_is_the_one_that_is_read(folder: JobFolder, job: Job) -> None:
    folder.write(job)
    folder.write(dataclasses.replace(job, status=Status.COMPLETED))
    assert folder.read().status is Status.COMPLETED
    assert [path.name for path in folder.path.iterdir()] == ["job.json"]


def test_a_job_folder_is_for_its_owner_only(folder: JobFolder) -> None:
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_a_second_job_of_the_same_name_is_refused(folder: JobFolder, job: Job) -> None:
    folder.write(job)
    with pytest.raises(JobStateError, match=r"already \(gristmill job show j-1\); choose another --job-name"):
        JobFolder(folder.path).create()


def test_a_job_that_is_being_made_has_its_name(tmp_path: Path) -> None:
    held = JobFolder(tmp_path / "j").create()
    with pytest.raises(JobStateError, match="there is a job called j already"):
        JobFolder(tmp_path / "j").create()
    held.close()


def test_what_a_process_left_that_was_killed_while_it_made_a_job_is_no_job(folder: JobFolder) -> None:
    (folder.path / "code").mkdir()
    folder.create().close()
    assert list(folder.path.iterdir()) == []


def test_on_a_network_a_folder_without_a_job_is_left_alone_for_a_minute(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "is_network", lambda path: True)
    with pytest.raises(JobStateError):
        folder.create()
    os.utime(folder.path, (0, 0))
    folder.create().close()


def test_a_home_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HomeError, match="set GRISTMILL_HOME"):
        JobFolder(tmp_path / "file" / "jobs" / "j").create()


def test_an_unknown_job_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(UnknownJobError, match=r"no job called j-2 .*gristmill job list"):
        JobFolder(tmp_path / "j-2").read()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"schema": 1}', "\xe9"])
def test_a_damaged_job_is_told_as_such(folder: JobFolder, text: str) -> None:
    (folder.path / "job.json").write_text(text, encoding="utf-8")
    with pytest.raises(JobStateError, match=r"job\.json"):
        folder.read()


@pytest.mark.parametrize(
    "values",
    [{"status": "Sleeping"}, {"counts": {"of": 1}}, {"counts": None}, {"colour": "red"}, {"input": 7},
     {"deployment": {"schema": 1}}, {"deployment": None}, {"deployment": {"schema": 99}}],
)  # fmt: skip
def test_a_job_with_a_wrong_field_is_told_as_such(
    folder: JobFolder, job: Job, values: dict[str, object]
) -> None:
    folder.write(job)
    changed(folder, **values)
    with pytest.raises(JobStateError, match=r"job\.json"):
        folder.read()


def test_a_job_of_another_release_is_told_as_such(folder: JobFolder, job: Job) -> None:
    folder.write(job)
    changed(folder, schema=99)
    with pytest.raises(JobStateError, match="written by another release"):
        folder.read()


def test_events_are_appended_line_by_line(folder: JobFolder) -> None:
    folder.tell("started", fence=1)
    folder.tell("ended", status="Completed", message="é\n")
    events = [json.loads(line) for line in (folder.path / "events.jsonl").read_text("ascii").splitlines()]
    assert [event["event"] for event in events] == ["started", "ended"]
    assert (events[0]["fence"], events[1]["message"]) == (1, "é\n")


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path, job: Job) -> None:
    gone = JobFolder(tmp_path / "gone")
    with pytest.raises(StorageError, match="make room, then resume"):
        gone.write(job)
    with pytest.raises(StorageError, match=r"events\.jsonl"):
        gone.tell("started")


def test_everything_of_a_job_lies_in_its_folder(folder: JobFolder) -> None:
    places = [folder.journal, folder.lock, folder.plan, folder.code, folder.model, folder.logs,
              folder.user_logs, folder.delivered, folder.cancel_request]  # fmt: skip
    assert folder.name == "j-1"
    assert {folder.path in place.parents for place in places} == {True}
    assert len(set(places)) == len(places)


def test_unfinished_predictions_have_a_name_of_their_own(job: Job, tmp_path: Path) -> None:
    assert job.target == tmp_path / "out" / "predictions.csv"
    assert job.partial_target == tmp_path / "out" / "predictions.partial.csv"
    assert job.failures == tmp_path / "out" / "failures.jsonl"
    assert job.staging == tmp_path / "out" / ".gristmill-j-1"


def test_three_states_are_final() -> None:
    assert {status for status in Status if status.is_final} == {
        Status.COMPLETED, Status.FAILED, Status.CANCELED,
    }  # fmt: skip


def test_times_are_utc_to_the_millisecond() -> None:
    assert utc_now().endswith("Z")
    assert len(utc_now()) == len("2026-01-01T00:00:00.000Z")
