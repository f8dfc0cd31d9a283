"""Verify finds what is wrong with a job, from its files alone."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import pytest

from doubles.scripted_job import ScriptedJob
from gristmill.engine.contract import Span
from gristmill.plan.planner import Planner
from gristmill.run.job_folder import Counts, Job, JobFolder, Status
from gristmill.run.journal import Entry, Journal, intact_size, read_journal
from gristmill.run.records import FailedTry, Placed, Published, Record
from gristmill.run.verify import Verification, verify_job
from gristmill.spec.deployment import bare_script

SCRIPT = {2: ["raise"] * 4, 3: ["short"], 4: ["empty"]}


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    """Hold a completed job: 13 files in mini-batches of 2; number 2 failed, 3 is short, 4 has no result."""
    script = tmp_path / "score.py"
    script.write_text("def run(mini_batch):\n    return mini_batch\n")
    (tmp_path / "in").mkdir()
    for number in range(13):
        (tmp_path / "in" / f"{number:02}").touch()
    folder = JobFolder(tmp_path / "job-1")
    folder.create()
    planner = Planner(root=tmp_path / "in", folder=folder.plan, mini_batch_size=2)
    job = ScriptedJob(folder=folder.path, items=13, mini_batch_size=2, script=SCRIPT)
    while not planner.complete:
        planner.step(1)
    job.start(plan=planner)
    planner.close()
    folder.write(
        Job(
            name="job-1",
            deployment=bare_script(script),
            input=tmp_path / "in",
            output=job.output,
            workers=2,
            python=Path("python3"),
            python_version="3.11.7",
            status=Status.COMPLETED,
            starts=1,
        )
    )
    return folder


def output(folder: JobFolder) -> Path:
    return folder.path / "output" / "predictions.csv"


def entries(folder: JobFolder) -> list[Entry]:
    return list(read_journal(folder.journal))


def rewrite(folder: JobFolder, records: list[Record]) -> None:
    """Write a journal of these records, with checksums that are right."""
    folder.journal.unlink()
    add(folder, *records)


def add(folder: JobFolder, *records: Record) -> None:
    journal = Journal(folder.journal, 1, intact_size(folder.journal))
    for record in records:
        journal.record(record)
    journal.flush()
    journal.close()


def without(folder: JobFolder, kind: type, first: int | None = None) -> list[Record]:
    return [
        entry.record
        for entry in entries(folder)
        if not (isinstance(entry.record, kind) and first in (None, entry.record.span.first))  # type: ignore
    ]


def problems(folder: JobFolder) -> str:
    verification = verify_job(folder)
    assert not verification.ok
    assert "NOT in order" in verification.summary
    return "\n".join(verification.problems)


def test_a_job_in_order_has_no_problems(folder: JobFolder) -> None:
    verification = verify_job(folder)
    assert verification.problems == ()
    assert verification.ok


def test_every_item_is_counted_once(folder: JobFolder) -> None:
    found = verify_job(folder)
    assert (found.items, found.succeeded, found.failed, found.missing, found.not_run) == (13, 8, 2, 3, 0)
    assert found.output_bytes == output(folder).stat().st_size


def test_the_summary_says_all_counts(folder: JobFolder) -> None:
    assert verify_job(folder).summary == (
        "job job-1 is in order (Completed). 13 items: 8 succeeded, 2 failed, 3 without a result, 0 not run"
    )


def test_a_job_that_nobody_works_on_any_more_is_interrupted_and_in_order_so_far(folder: JobFolder) -> None:
    folder.write(dataclasses.replace(folder.read(), status=Status.RUNNING))

    found = verify_job(folder)

    assert found.ok
    assert found.to_json()["complete"] is False
    assert found.summary.startswith(
        "job job-1 is in order so far (Interrupted); it did not complete: gristmill resume job-1 goes on. 13"
    )


def test_a_failed_job_that_needs_another_script_is_not_to_be_resumed(folder: JobFolder) -> None:
    failed = dataclasses.replace(folder.read(), status=Status.FAILED, needs_new_job=True)
    folder.write(failed)

    assert "is in order so far (Failed); it did not complete. 13 items" in verify_job(folder).summary


def test_everything_is_there_as_json(folder: JobFolder) -> None:
    values = json.loads(json.dumps(verify_job(folder).to_json()))
    assert (values["ok"], values["problems"], values["succeeded"]) == (True, [], 8)
    assert (values["complete"], values["next_command"]) == (True, None)


def test_any_changed_byte_of_the_output_is_found(folder: JobFolder) -> None:
    data = output(folder).read_bytes()
    for place in range(len(data)):
        output(folder).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert "are not those that were published" in problems(folder)


def test_a_shorter_output_is_found(folder: JobFolder) -> None:
    size = output(folder).stat().st_size
    os.truncate(output(folder), size - 1)
    assert f"has {size - 1} bytes, and {size} were published" in problems(folder)


def test_one_problem_is_counted_as_one(folder: JobFolder) -> None:
    with open(output(folder), "ab") as file:
        file.write(b"more\n")
    assert "is NOT in order: 1 problem. 13 items" in verify_job(folder).summary


def test_a_longer_output_is_found(folder: JobFolder) -> None:
    with open(output(folder), "ab") as file:
        file.write(b"more\n")
    assert "were published" in problems(folder)


def test_an_output_that_is_gone_is_found(folder: JobFolder) -> None:
    output(folder).unlink()
    assert "cannot be read" in problems(folder)


def test_a_changed_manifest_is_found(folder: JobFolder) -> None:
    data = bytearray((folder.plan / "paths").read_bytes())
    data[0] ^= 1
    (folder.plan / "paths").write_bytes(data)
    assert "is damaged" in problems(folder)


def test_a_manifest_that_is_gone_is_found(folder: JobFolder) -> None:
    (folder.plan / "plan.json").unlink()
    assert "no complete manifest" in problems(folder)


def test_a_torn_journal_of_a_completed_job_is_found(folder: JobFolder) -> None:
    os.truncate(folder.journal, folder.journal.stat().st_size - 1)
    assert "is damaged" in problems(folder)


def test_bytes_after_the_journal_of_a_completed_job_are_found(folder: JobFolder) -> None:
    size = folder.journal.stat().st_size
    with open(folder.journal, "ab") as file:
        file.write(b"x")
    assert f"is damaged after byte {size}" in problems(folder)


def test_a_journal_that_is_gone_is_found(folder: JobFolder) -> None:
    folder.journal.unlink()
    assert "does not say that the output was published" in problems(folder)


def test_a_journal_of_another_release_is_told(folder: JobFolder) -> None:
    payload = b"\x63\x02\x00\x00\x00{}"
    header = struct.pack("<4sIQQI", b"GMJ3", len(payload), 1, 0, zlib.crc32(payload))
    folder.journal.write_bytes(header + struct.pack("<I", zlib.crc32(header)) + payload)
    assert "that this release does not know" in problems(folder)


def test_a_mini_batch_in_no_end_state_is_found(folder: JobFolder) -> None:
    rewrite(folder, without(folder, FailedTry))
    assert "items are in no end state, the first is one of mini-batch 2" in problems(folder)


def test_a_mini_batch_that_is_scored_twice_is_found(folder: JobFolder) -> None:
    scored = next(entry.record for entry in entries(folder) if getattr(entry.record, "length", 0))
    add(folder, scored._replace(part=99, offset=7))  # type: ignore[union-attr]
    assert "recorded as scored twice" in problems(folder)


def test_a_mini_batch_that_is_scored_and_failed_is_found(folder: JobFolder) -> None:
    add(folder, FailedTry(Span(0), 4, "exception", "no", "", 0.0, 0, "", True, 2, ""))
    assert "mini-batch 0 is recorded as scored and as failed" in problems(folder)


def test_a_mini_batch_that_is_not_in_the_plan_is_found(folder: JobFolder) -> None:
    scored = next(entry.record for entry in entries(folder) if getattr(entry.record, "length", 0))
    add(folder, scored._replace(span=Span(7), part=99))  # type: ignore[union-attr]
    assert "the plan has no such" in problems(folder)


def test_counts_that_are_not_those_of_the_plan_are_found(folder: JobFolder) -> None:
    records = [entry.record for entry in entries(folder)]
    place = next(place for place, record in enumerate(records) if getattr(record, "total", 0) == 2)
    records[place] = records[place]._replace(total=5)  # type: ignore[union-attr]
    rewrite(folder, records)
    assert "is recorded with 5 items, and the plan says otherwise" in problems(folder)


def test_rows_that_were_scored_and_not_published_are_found(folder: JobFolder) -> None:
    rewrite(folder, without(folder, Placed, first=6))
    assert "the rows of mini-batch 6 are recorded as scored, and not as published" in problems(folder)


def test_rows_that_were_published_and_not_scored_are_found(folder: JobFolder) -> None:
    records = [entry.record for entry in entries(folder)]
    place = next(place for place, record in enumerate(records) if isinstance(record, Published))
    records.insert(place, Placed(Span(2), output(folder).stat().st_size, 0, 0))
    rewrite(folder, records)
    assert "the rows of mini-batch 2 are published, and it was not scored" in problems(folder)


def republished(folder: JobFolder, order: list[int]) -> None:
    """Publish the rows of these ranges, in this order, with a journal that says so."""
    records = [entry.record for entry in entries(folder)]
    old = [record for record in records if isinstance(record, Placed)]
    data, new, rows = output(folder).read_bytes(), [], b""
    for place in order:
        placed = old[place]
        new.append(placed._replace(offset=len(rows)))
        rows += data[placed.offset : placed.offset + placed.length]
    output(folder).write_bytes(rows)
    others = [record for record in records if not isinstance(record, Placed | Published)]
    (published,) = [record for record in records if isinstance(record, Published)]
    rewrite(folder, [*others, *new, published._replace(size=len(rows))])


def test_rows_that_are_published_twice_are_found(folder: JobFolder) -> None:
    republished(folder, [0, 0, 1, 2, 3, 4])
    assert "mini-batch" in problems(folder)


def test_rows_that_are_not_in_plan_order_are_found(folder: JobFolder) -> None:
    republished(folder, [1, 0, 2, 3, 4])
    assert "mini-batch" in problems(folder)


def test_the_same_rows_published_again_in_order_are_in_order(folder: JobFolder) -> None:
    republished(folder, [0, 1, 2, 3, 4])
    assert verify_job(folder).problems == ()


def test_of_a_cancelled_job_what_is_not_run_is_no_problem(folder: JobFolder, tmp_path: Path) -> None:
    job = ScriptedJob(folder=tmp_path / "again", items=13, mini_batch_size=2)
    job.start(workers=1, cancel_in_pass=4)
    folder.journal.write_bytes(job.journal_path.read_bytes())
    folder.write(dataclasses.replace(folder.read(), status=Status.CANCELED, counts=Counts(total=13)))
    shutil.copytree(job.staging, folder.read().staging, dirs_exist_ok=True)
    found: Verification = verify_job(folder)
    assert found.problems == ()
    assert found.not_run == 13 - found.succeeded > 0


def test_a_changed_first_line_is_found(folder: JobFolder) -> None:
    records = [entry.record for entry in entries(folder)]
    place = next(place for place, record in enumerate(records) if isinstance(record, Published))
    records[place] = records[place]._replace(header_crc=1)  # type: ignore[union-attr]
    rewrite(folder, records)
    assert "the first line of" in problems(folder)


def test_a_gap_between_published_ranges_is_found(folder: JobFolder) -> None:
    rewrite(folder, without(folder, Placed, first=1))
    assert "are recorded at byte" in problems(folder)
