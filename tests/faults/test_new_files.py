"""Killed in the middle of `resume --new`, a job has the old plan or the longer one."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.killing import KilledJob
from faults.scripts import ROWS
from gristmill.faults import EXTENSION_POINTS
from gristmill.run.journal import read_journal
from gristmill.run.records import PlanComplete

NEW = 7


@pytest.mark.parametrize(
    ("fault", "files"),
    [
        *zip(EXTENSION_POINTS, (ROWS.files, ROWS.files + NEW), strict=True),
        ("start.before_record", ROWS.files + NEW),
    ],
)
def test_killed_in_the_middle_of_new_files_has_one_plan_or_the_other(
    fault: str, files: int, tmp_path: Path
) -> None:
    job = KilledJob(tmp_path, ROWS)
    job.strike("run", "journal.after_write:3", "tree")
    for number in range(NEW):
        (job.input / f"b{number}").write_text(f"new {number}")

    job.strike("resume --new", f"{fault}:1", "tree")
    assert job.verification.ok, job.verification.problems
    job.complete()

    scored = (job.output / "predictions.csv").read_bytes().splitlines()
    assert (job.status, job.leftovers(), job.verification.problems) == ("Completed", [], ())
    assert len(scored) == len(set(scored)) == files
    records = [entry.record for entry in read_journal(job.job_folder / "journal.bin")]
    assert [one.items for one in records if isinstance(one, PlanComplete)][-1] == files
    assert not (job.job_folder / "plan" / "extending").exists()
