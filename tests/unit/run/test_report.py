"""What a job leaves in its logs folder, and the line that says how it stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gristmill.engine.contract import Scored, Span
from gristmill.errors import StorageError
from gristmill.run.job_folder import Counts, Job, JobFolder, Status
from gristmill.run.journal import Journal
from gristmill.run.ledger import Ledger
from gristmill.run.records import FailedTry, Record, Revoked, Start
from gristmill.run.report import ProgressLog, summary_line, write_reports
from gristmill.spec.deployment import bare_script
from gristmill.spec.values import OutputAction

START = Start(1, "run", "anvil", 7, "2026-01-01T00:00:00.000Z", False)
AGAIN = Start(2, "run-2", "anvil", 8, "2026-01-01T00:01:00.000Z", True)
SCORED = Scored(Span(0, 3), 1, 30, 30, 1, 0, 640, 5, 0, 0, 0.75, 0)
SHORT = Scored(Span(4), 2, 10, 9, 2, 0, 90, 5, 0, 0, 0.25, 1)
FAILED = FailedTry(
    Span(3), 1, "timeout", "run() took longer than 30 s", "Last stack:\n  score.py, line 3", 30.0, 1,
    "logs/user/stdout/node-0/process001.stdout.txt:55", True, 10, "2026-01-01T00:00:31.000Z",
)  # fmt: skip
ALL = (START, SCORED, FAILED, AGAIN, SHORT)


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    (tmp_path / "jobs" / "j-42").mkdir(parents=True)
    return JobFolder(tmp_path / "jobs" / "j-42")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "score.py").write_text("def run(mini_batch): return mini_batch\n")
    return Job(
        name="j-42",
        deployment=bare_script(tmp_path / "score.py"),
        input=Path("/data/images"),
        output=Path("/out/j-42"),
        workers=2,
        python=Path("/env/bin/python"),
        python_version="3.12.1",
        status=Status.COMPLETED,
        counts=Counts(total=50, succeeded=39, failed=11, not_run=0, mini_batches=5, mini_batches_done=5),
        created_at="2025-12-31T23:59:59.000Z",
        started_at=START.at,
        ended_at="2026-01-01T00:01:31.500Z",
        starts=2,
    )


def reported(folder: JobFolder, job: Job, *records: Record) -> Path:
    journal, ledger = Journal(folder.journal, 1, 0), Ledger()
    for record in records:
        journal.record(record)
        ledger.apply(record)
    journal.flush()
    journal.close()
    write_reports(folder, job, ledger)
    return folder.logs


def test_the_report_has_the_contracts_files(folder: JobFolder, job: Job) -> None:
    logs = reported(folder, replace(job, status=Status.FAILED), *ALL)
    assert sorted(str(path.relative_to(logs)) for path in logs.rglob("*") if path.is_file()) == [
        "job_error.txt",
        "job_progress_overview.txt",
        "job_result.txt",
        "readme.txt",
        "sys/job_report/node_summary.csv",
        "sys/job_report/process_summary.csv",
        "sys/job_report/processed_mini-batches.csv",
    ]


def test_the_readme_explains_every_other_file(folder: JobFolder, job: Job) -> None:
    logs = reported(folder, replace(job, status=Status.FAILED), *ALL)
    others = {str(path.relative_to(logs)) for path in logs.rglob("*") if path.is_file()} - {"readme.txt"}
    text = (logs / "readme.txt").read_text()
    assert [name for name in sorted(others) if name not in text] == []


def test_the_result_of_a_completed_job(folder: JobFolder, job: Job) -> None:
    logs = reported(folder, job, *ALL)
    assert (logs / "job_result.txt").read_text() == (
        "Job j-42: Completed: 39 of 50 items, 11 failed; failures.jsonl names them\n"
        "\n"
        "Status        Completed\n"
        "Items         50: 39 scored, 11 failed, 0 not run\n"
        "Mini-batches  5: 5 finished\n"
        "Failed tries  1, those that were repeated included\n"
        "\n"
        "Created       2025-12-31T23:59:59.000Z\n"
        "Started       2026-01-01T00:00:00.000Z, 2 times in all\n"
        "Ended         2026-01-01T00:01:31.500Z, 1 min 32 s after the first start\n"
        "In run()      31.0 s, all workers together\n"
        "Workers       2, Python 3.12.1 (/env/bin/python)\n"
        "\n"
        "Input         /data/images\n"
        "Predictions   /out/j-42/predictions.csv\n"
        "Failures      /out/j-42/failures.jsonl\n"
        f"Logs          {logs}\n"
        "\n"
        "To score again what failed, in the same output:\n"
        "  gristmill rerun j-42 --failed\n"
        "To prove that nothing is missing and nothing is there twice:\n"
        "  gristmill verify j-42\n"
    )


def test_the_result_of_a_cancelled_job_names_what_is_kept_and_how_to_go_on(
    folder: JobFolder, job: Job
) -> None:
    counts = Counts(total=50, succeeded=30, not_run=20, mini_batches=5, mini_batches_done=3)
    cancelled = replace(job, status=Status.CANCELED, message="cancelled by Ctrl-C", counts=counts, starts=1)
    lines = (reported(folder, cancelled, START, SCORED) / "job_result.txt").read_text().splitlines()
    assert lines[0] == "Job j-42: Canceled: 30 of 50 items are finished and kept, 0 failed, 20 not run"
    assert lines[2] == "cancelled by Ctrl-C"
    assert "Ended         2026-01-01T00:01:31.500Z, 1 min 32 s after its start" in lines
    assert "Predictions   /out/j-42/predictions.partial.csv (what is finished)" in lines
    assert lines[-2:] == ["To go on from here; what is finished is not run again:", "  gristmill resume j-42"]
    assert not [line for line in lines if line.startswith("Failures")]


def test_the_result_of_a_job_that_writes_its_own_files_names_their_folder(
    folder: JobFolder, job: Job
) -> None:
    settings = replace(job.deployment.settings, output_action=OutputAction.SUMMARY_ONLY)
    own = replace(job, deployment=replace(job.deployment, settings=settings))
    lines = (reported(folder, own, *ALL) / "job_result.txt").read_text().splitlines()
    assert "Output        /out/j-42 (the script's own files)" in lines
    assert not [line for line in lines if line.startswith("Predictions")]


def test_the_error_of_a_failed_job_has_message_traceback_and_log(folder: JobFolder, job: Job) -> None:
    failed = replace(job, status=Status.FAILED, message="the disk is full; make room, then resume the job")
    assert (reported(folder, failed, START, FAILED) / "job_error.txt").read_text() == (
        "Job j-42 failed\n"
        "\n"
        "the disk is full; make room, then resume the job\n"
        "\n"
        "The first try that failed: mini-batch 3, try 1, worker 1, at 2026-01-01T00:00:31.000Z: "
        "run() took longer than 30 s\n"
        "\n"
        "Last stack:\n"
        "  score.py, line 3\n"
        "\n"
        f"Log of that worker: {folder.path}/logs/user/stdout/node-0/process001.stdout.txt:55\n"
    )


def test_the_error_does_not_say_twice_what_the_message_says(folder: JobFolder, job: Job) -> None:
    message = f"a.png: {FAILED.message}\n{FAILED.traceback}\nThe full log is in {FAILED.log}"
    failed = replace(job, status=Status.FAILED, message=message)
    assert (
        reported(folder, failed, START, FAILED) / "job_error.txt"
    ).read_text() == f"Job j-42 failed\n\n{message}\n"


def test_a_job_that_did_not_fail_has_no_error(folder: JobFolder, job: Job) -> None:
    reported(folder, replace(job, status=Status.FAILED), *ALL)
    assert not (reported(folder, job, *ALL) / "job_error.txt").exists()


def test_the_overview_ends_with_a_summary_of_all_starts(folder: JobFolder, job: Job) -> None:
    folder.logs.mkdir()
    (folder.logs / "job_progress_overview.txt").write_text("earlier lines\n")
    logs = reported(folder, job, *ALL)
    assert (logs / "job_progress_overview.txt").read_text() == (
        "earlier lines\n"
        "2026-01-01T00:01:31.500Z  Completed: 39 of 50 items, 11 failed; failures.jsonl names them\n"
        "  start 1: 2026-01-01T00:00:00.000Z, process 7 on anvil\n"
        "  start 2: 2026-01-01T00:01:00.000Z, process 8 on anvil; what had failed was tried again\n"
        "  5 of 5 mini-batches finished; of 50 items 39 scored, 11 failed, 0 not run\n"
    )


def test_a_report_made_twice_is_the_same(folder: JobFolder, job: Job) -> None:
    logs = reported(folder, job, *ALL)
    before = {path: path.read_bytes() for path in logs.rglob("*") if path.is_file()}
    reported(folder, job, *ALL)
    assert {path: path.read_bytes() for path in logs.rglob("*") if path.is_file()} == before


def test_every_try_has_a_row(folder: JobFolder, job: Job) -> None:
    revoked = Revoked(SHORT.span, 10, 9, 2, 0)
    logs = reported(folder, job, *ALL, revoked)
    assert (logs / "sys/job_report/processed_mini-batches.csv").read_text() == (
        "first_mini_batch,mini_batches,first_item,items,try,status,reason,succeeded,total,seconds,worker,"
        "rows_bytes,start_of_job\n"
        "0,3,0,30,1,scored,,30,30,0.750000,0,640,1\n"
        "3,1,0,10,1,failed,timeout,0,10,30.000000,1,0,1\n"
        "4,1,0,10,2,short,,9,10,0.250000,1,90,2\n"
    )


def test_workers_and_nodes_have_sums(folder: JobFolder, job: Job) -> None:
    report = reported(folder, job, *ALL) / "sys" / "job_report"
    assert (report / "process_summary.csv").read_text() == (
        "node,worker,mini_batches,items,failed_tries,seconds_in_run,peak_bytes\n"
        "node-0,0,3,30,0,0.750000,\n"
        "node-0,1,1,10,1,30.250000,\n"
    )
    assert (report / "node_summary.csv").read_text() == (
        "node,mini_batches,items,failed_tries,seconds_in_run,peak_bytes\nnode-0,4,40,1,31.000000,\n"
    )


def test_a_job_that_never_started_has_a_report(folder: JobFolder, job: Job) -> None:
    never = replace(job, status=Status.FAILED, message="no room", counts=Counts(), started_at="", starts=0)
    logs = reported(folder, never)
    assert (
        (logs / "job_result.txt")
        .read_text()
        .startswith("Job j-42: Failed before anything was run\n\nno room\n\nStatus        Failed\n")
    )
    assert (logs / "job_error.txt").read_text() == "Job j-42 failed\n\nno room\n"


def test_a_message_with_any_bytes_is_written(folder: JobFolder, job: Job) -> None:
    failed = replace(job, status=Status.FAILED, message="grüße-\udcff.png: no")
    assert "grüße-\\udcff.png: no" in (reported(folder, failed) / "job_error.txt").read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_is_a_storage_error(folder: JobFolder, job: Job) -> None:
    folder.logs.write_text("a file")
    with pytest.raises(StorageError, match=r"the report in .*/logs cannot be written: "):
        reported(folder, job)


@pytest.mark.parametrize(
    ("status", "counts", "line"),
    [
        (Status.COMPLETED, Counts(total=10_000, succeeded=10_000), "Completed: all 10,000 items"),
        (Status.COMPLETED, Counts(total=1, succeeded=1), "Completed: 1 item"),
        (
            Status.COMPLETED,
            Counts(total=10_000, succeeded=9_996, failed=4),
            "Completed: 9,996 of 10,000 items, 4 failed; failures.jsonl names them",
        ),
        (
            Status.COMPLETED,
            Counts(total=2, succeeded=1, failed=1),
            "Completed: 1 of 2 items, 1 failed; failures.jsonl names it",
        ),
        (
            Status.FAILED,
            Counts(total=10_000, succeeded=1_175, failed=25, not_run=8_800),
            "Failed after 1,200 of 10,000 items, 25 failed",
        ),
        (Status.FAILED, Counts(total=10, not_run=10), "Failed after 0 of 10 items, 0 failed"),
        (Status.FAILED, Counts(), "Failed before anything was run"),
        (
            Status.CANCELED,
            Counts(total=10_000, succeeded=1_200, not_run=8_800),
            "Canceled: 1,200 of 10,000 items are finished and kept, 0 failed, 8,800 not run",
        ),
        (
            Status.CANCELED,
            Counts(total=3, succeeded=1, failed=1, not_run=1),
            "Canceled: 1 of 3 items is finished and kept, 1 failed, 1 not run",
        ),
        (Status.CANCELED, Counts(), "Canceled before anything was run"),
        (
            Status.RUNNING,
            Counts(total=3_000, succeeded=1_000, failed=2),
            "Running: 1,002 of 3,000 items done, 2 failed",
        ),
        (Status.PREPARING, Counts(), "Preparing"),
    ],
)
def test_the_summary_says_how_a_job_stands(status: Status, counts: Counts, line: str) -> None:
    assert summary_line(status, counts, OutputAction.APPEND_ROW) == line


def test_the_summary_says_whose_files_the_output_is() -> None:
    line = summary_line(Status.COMPLETED, Counts(total=3, succeeded=3), OutputAction.SUMMARY_ONLY)
    assert line == "Completed: all 3 items; the script wrote the output itself"


def test_progress_is_written_at_once_and_then_every_ten_seconds(tmp_path: Path) -> None:
    times = iter(["12:00:00", "12:00:10", "12:00:21"])
    log = ProgressLog(tmp_path / "logs" / "overview.txt", clock=lambda: next(times))
    log.note(100.0, 0, 0, 5_000, False, 1)
    log.note(109.9, 50, 0, 9_000, False, 2)
    log.note(110.0, 60, 1, 9_000, False, 2)
    log.note(110.1, 61, 1, 10_000, True, 2)
    log.note(121.0, 1_200, 25, 10_000, True, 2)
    assert (tmp_path / "logs" / "overview.txt").read_text() == (
        "12:00:00  0 of 5,000 items found so far done, 0 failed, 1 worker\n"
        "12:00:10  60 of 9,000 items found so far done, 1 failed, 2 workers\n"
        "12:00:21  1,200 of 10,000 items done, 25 failed, 2 workers\n"
    )


def test_progress_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    ProgressLog(tmp_path / "logs" / "overview.txt").note(0.0, 0, 0, 1, True, 1)
    assert (tmp_path / "logs").read_text() == "a file"
