"""One process works on a job at a time, and what it runs is what was asked for (design, D7 and D8)."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from faults.killing import NAME, KilledJob, Undisturbed
from faults.processes import is_stopped, wait_until
from faults.scripts import ROWS


def _refusal(holder: int) -> str:
    return f"job {NAME} is being worked on by process {holder} on {socket.gethostname()}"


def test_of_two_resumes_at_once_the_second_is_refused_by_name(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    job = KilledJob(tmp_path, ROWS)
    job.strike("run", "journal.after_write:5", "tree")
    both = [job.start("resume", "start.after_record:1") for _ in range(2)]
    wait_until(lambda: any(one.poll() is not None for one in both), "the refusal of one")
    refused, holder = sorted(both, key=lambda one: one.poll() is None)
    wait_until(lambda: is_stopped(holder.pid), "the other holding the job")
    assert refused.returncode == 2
    assert _refusal(holder.pid) in job.said
    job.wait_for_end(holder)
    assert holder.returncode == 0
    assert job.problems(undisturbed(ROWS)) == []


def test_a_resume_beside_a_live_run_is_refused_by_name_and_changes_nothing(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    job = KilledJob(tmp_path, ROWS)
    run = job.run_until("run", "journal.after_write:5")
    before = (job.job_folder / "journal.bin").read_bytes()
    assert job.run_to_the_end("resume") == 2
    assert _refusal(run.pid) in job.said
    assert (job.job_folder / "journal.bin").read_bytes() == before
    job.wait_for_end(run)
    assert run.returncode == 0
    assert len(job.calls()) == ROWS.mini_batches
    assert job.problems(undisturbed(ROWS)) == []


def test_a_verify_beside_a_live_run_is_refused(tmp_path: Path, undisturbed: Undisturbed) -> None:
    job = KilledJob(tmp_path, ROWS)
    run = job.run_until("run", "journal.after_write:5")
    assert job.run_to_the_end("verify") == 2
    assert f"job {NAME} is running" in job.said
    job.wait_for_end(run)
    assert job.problems(undisturbed(ROWS)) == []


def test_a_second_run_under_the_name_of_a_live_job_is_refused_and_harms_nothing(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    job = KilledJob(tmp_path, ROWS)
    run = job.run_until("run", "journal.after_write:5")
    assert job.run_to_the_end("run") == 2
    job.wait_for_end(run)
    assert run.returncode == 0
    assert job.problems(undisturbed(ROWS)) == []


def test_a_script_that_is_edited_while_its_job_runs_changes_nothing(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    job = KilledJob(tmp_path, ROWS)
    run = job.run_until("run", "journal.after_write:5")
    job.script.write_text("raise SystemExit('this is another script')\n")
    job.kill("worker", run.pid)  # its successor loads the script again
    job.wait_for_end(run)
    assert run.returncode == 0
    assert job.problems(undisturbed(ROWS)) == []


def test_a_script_that_is_edited_before_the_resume_changes_nothing(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    job = KilledJob(tmp_path, ROWS)
    job.strike("run", "journal.after_write:5", "tree")
    os.unlink(job.script)
    job.complete()
    assert job.problems(undisturbed(ROWS)) == []
