"""Kills whose moment or whose aftermath is special: while the input is still being listed, before a job
fails, after the guard was killed; and, under ``--all``, at moments that nobody has chosen.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from faults.killing import KilledJob, Undisturbed
from faults.processes import go_on, is_stopped, kill, stop, wait_until
from faults.scripts import FILES, LISTED_FILES, LISTING, LONG, MANY, ROWS, THRESHOLD
from gristmill.run.scheduler import SYNC_EVERY_S

REPAIRED = {"KILLING_REPAIRED": "yes"}


def test_files_added_after_a_kill_during_the_listing_are_scored(tmp_path: Path, long_listing: Path) -> None:
    job = KilledJob(tmp_path / "killed", LISTING, long_listing)
    job.strike("run", "journal.after_write:6", "tree")
    assert not job.is_listed
    (job.input / "a" / "f003-new").write_text("new, amid what was scored")
    (job.input / "z" / "f079-new").write_text("new, behind everything")
    job.complete()

    other = KilledJob(tmp_path / "other", ROWS)
    (other.input / "a" / "f003-new").write_text("new, amid what was scored")
    (other.input / "z" / "f079-new").write_text("new, behind everything")
    other.run_to_the_end("run")
    assert job.problems(other.outputs()) == []


def test_files_removed_after_a_kill_during_the_listing_have_no_rows(
    tmp_path: Path, long_listing: Path
) -> None:
    job = KilledJob(tmp_path / "killed", LISTING, long_listing)
    job.strike("run", "journal.after_write:6", "coordinator")
    assert not job.is_listed
    (job.input / "a" / "f001").unlink()
    job.complete()

    other = KilledJob(tmp_path / "other", ROWS)
    (other.input / "a" / "f001").unlink()
    other.run_to_the_end("run")
    assert job.problems(other.outputs()) == []


def test_a_kill_of_the_resume_that_voids_an_old_listing_is_no_harm(
    tmp_path: Path, long_listing: Path
) -> None:
    job = KilledJob(tmp_path / "killed", LISTING, long_listing)
    job.strike("run", "journal.after_write:6", "tree")
    (job.input / "a" / "f003-new").write_text("new, amid what was scored")
    job.strike("resume", "journal.before_write:2", "tree")
    job.complete()

    other = KilledJob(tmp_path / "other", ROWS)
    (other.input / "a" / "f003-new").write_text("new, amid what was scored")
    other.run_to_the_end("run")
    assert job.problems(other.outputs()) == []


def test_files_that_scripts_wrote_before_a_listing_was_made_again_are_there_once(
    tmp_path: Path, long_listing: Path
) -> None:
    job = KilledJob(tmp_path / "killed", LISTED_FILES, long_listing)
    process = job.start("run", "files.after_move:1")
    wait_until(lambda: len(job.calls()) > 2, "the first calls")
    stop(process.pid)  # while the coordinator waits, its next sync falls due
    due = time.monotonic() + 2 * SYNC_EVERY_S
    wait_until(lambda: time.monotonic() > due, "a sync that is due")
    go_on(process.pid)
    wait_until(lambda: is_stopped(process.pid), "the first files in the output")
    assert not job.is_listed
    job.kill("tree", process.pid)
    process.wait()
    (job.input / "a" / "f000-new").write_text("new, amid what was scored")
    job.complete()

    other = KilledJob(tmp_path / "other", FILES)
    (other.input / "a" / "f000-new").write_text("new, amid what was scored")
    other.run_to_the_end("run")
    assert job.problems(other.outputs()) == []


@pytest.mark.parametrize("fault", ["journal.before_write:6", "job.before_ending:1"])
def test_a_killed_job_still_fails_at_its_threshold_and_completes_once_repaired(
    fault: str, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    job = KilledJob(tmp_path, THRESHOLD)
    job.strike("run", fault, "tree")
    assert job.run_to_the_end("resume") == 1
    assert (job.status, job.names_of_outputs()) == (
        "Failed",
        {".gristmill-killed", "failures.jsonl", "predictions.partial.csv"},
    )
    assert job.verification.ok, job.verification.problems
    job.complete(REPAIRED)
    assert job.problems(undisturbed(ROWS)) == []


def test_a_guard_that_was_killed_has_a_successor_that_does_its_work(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    job = KilledJob(tmp_path, LONG)
    coordinator = job.run_until("run", "journal.after_write:5")
    guards = job.guards()
    job.kill("guard", coordinator.pid)
    job.let_go_on(coordinator)
    wait_until(lambda: any(guard not in guards for guard in job.guards()), "a second guard")
    kill(coordinator.pid)
    coordinator.wait()
    wait_until(lambda: not job.processes(), "the end of every process of the run")
    assert job.leftovers() == []
    job.complete()
    assert job.problems(undisturbed(LONG)) == []


def test_workers_without_guard_and_coordinator_are_swept_by_the_resume(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    job = KilledJob(tmp_path, ROWS)
    coordinator = job.run_until("run", "journal.after_write:5")
    orphans = job.workers()
    stop(*orphans)
    job.kill("guard", coordinator.pid)
    job.kill("coordinator", coordinator.pid)
    coordinator.wait()
    assert job.processes() == orphans
    job.complete()
    assert job.problems(undisturbed(ROWS)) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_kills_at_random_moments_redo_at_most_two_percent_each(
    seed: int, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    moments = random.Random(seed)
    job = KilledJob(tmp_path, MANY)
    command, kills = "run", 0
    while kills < 3:
        process = job.start(command)
        deadline = time.monotonic() + moments.uniform(0.0, 2.0)
        wait_until(
            lambda process=process, deadline=deadline: (
                time.monotonic() > deadline or process.poll() is not None
            ),
            "a random moment",
        )
        job.kill(moments.choice(["coordinator", "tree"]), process.pid)
        process.wait()
        kills += 1
        if (job.job_folder / "job.json").exists():
            command = "resume"
            if job.status == "Completed":
                break
    if command == "run":
        assert job.run_to_the_end("run") == 0
    job.complete()
    assert job.problems(undisturbed(MANY)) == []
    assert job.calls_redone() <= kills * 0.02 * MANY.mini_batches
