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

from doubles.whole_job import WholeJob
from gristmill.engine.contract import Span
from gristmill.run.job_folder import JobFolder, Status
from gristmill.run.journal import Entry, Journal, intact_size, read_journal
from gristmill.run.records import FailedTry, Placed, Published, Record
from gristmill.run.verify import Verification, verify_job

SCRIPT = {2: ["raise"] * 4, 3: ["short"], 4: ["empty"]}


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    """Hold a completed job: 13 files in mini-batches of 2; number 2 failed, 3 is short, 4 has no result."""
    job = WholeJob(root=tmp_path, script=SCRIPT, settings={"isolate_failures": False})
    job.start()
    return job.folder


def output(folder: JobFolder) -> Path:
    return folder.read().target


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
    assert values["details"] == []


def test_a_problem_as_json_says_where_it_is_and_whose_rows_they_are(folder: JobFolder) -> None:
    path = output(folder)
    data = path.read_bytes()
    path.write_bytes(data[:4] + b"7" + data[5:])

    values = verify_job(folder).to_json()

    assert values["problems"] == [
        f"the rows of mini-batch 0 (00, 01) in {path} (bytes 0 to 8) are not those that were published; "
        "somebody changed it: put back what the job wrote, or score the input again as a new job"
    ]
    (detail,) = json.loads(json.dumps(values["details"]))
    assert detail == {
        "kind": "rows_changed",
        "sentence": values["problems"][0],
        "file": str(path),
        "offset": 0,
        "range": {"first": 0, "batches": 1, "first_item": 0, "items": 0},
        "names": ["00", "01"],
    }


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
    assert f"is damaged: the group at byte {size:,} is not whole (it is the last)" in problems(folder)


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
    assert "mini-batch 2 (04, 05) is in no end state (2 items in all are not)" in problems(folder)


def test_a_mini_batch_that_is_scored_twice_is_found(folder: JobFolder) -> None:
    scored = next(entry.record for entry in entries(folder) if getattr(entry.record, "length", 0))
    add(folder, scored._replace(part=99, offset=7))  # type: ignore[union-attr]
    assert "recorded as scored twice" in problems(folder)


def test_a_mini_batch_that_is_scored_and_failed_is_found(folder: JobFolder) -> None:
    add(folder, FailedTry(Span(0), 4, "exception", "no", "", 0.0, 0, "", True, 2, ""))
    assert "mini-batch 0 (00, 01) is recorded as scored and as failed" in problems(folder)


def test_a_mini_batch_that_is_not_in_the_plan_is_found(folder: JobFolder) -> None:
    scored = next(entry.record for entry in entries(folder) if getattr(entry.record, "length", 0))
    add(folder, scored._replace(span=Span(7), part=99))  # type: ignore[union-attr]
    assert "mini-batch 7 is recorded, and the plan has no such range" in problems(folder)


def test_counts_that_are_not_those_of_the_plan_are_found(folder: JobFolder) -> None:
    records = [entry.record for entry in entries(folder)]
    place = next(place for place, record in enumerate(records) if getattr(record, "total", 0) == 2)
    records[place] = records[place]._replace(total=5)  # type: ignore[union-attr]
    rewrite(folder, records)
    assert "is recorded with 5 items, and the plan says otherwise" in problems(folder)


def test_rows_that_were_scored_and_not_published_are_found(folder: JobFolder) -> None:
    rewrite(folder, without(folder, Placed, first=6))
    assert "the rows of mini-batch 6 (12) are recorded as scored, and not as published" in problems(folder)


def test_rows_that_were_published_and_not_scored_are_found(folder: JobFolder) -> None:
    records = [entry.record for entry in entries(folder)]
    place = next(place for place, record in enumerate(records) if isinstance(record, Published))
    records.insert(place, Placed(Span(2), output(folder).stat().st_size, 0, 0))
    rewrite(folder, records)
    assert "the rows of mini-batch 2 (04, 05) are published, and it was not scored" in problems(folder)


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
    assert "the rows of mini-batch 0 (00, 01) are published twice, or not in plan order" in problems(folder)


def test_rows_that_are_not_in_plan_order_are_found(folder: JobFolder) -> None:
    republished(folder, [1, 0, 2, 3, 4])
    assert "the rows of mini-batch 0 (00, 01) are published twice, or not in plan order" in problems(folder)


def test_the_same_rows_published_again_in_order_are_in_order(folder: JobFolder) -> None:
    republished(folder, [0, 1, 2, 3, 4])
    assert verify_job(folder).problems == ()


def test_of_a_cancelled_job_what_is_not_run_is_no_problem(tmp_path: Path) -> None:
    job = WholeJob(root=tmp_path)
    job.start(cancel_at=4)
    found: Verification = job.verification
    assert found.problems == ()
    assert (found.status, found.complete) == ("Canceled", False)
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


def test_damage_in_the_middle_of_an_interrupted_job_is_told_from_a_torn_end(tmp_path: Path) -> None:
    job = WholeJob(root=tmp_path)
    job.start(kill_at=3)
    data = job.folder.journal.read_bytes()
    job.folder.journal.write_bytes(data[:-1])
    torn = job.verification
    job.folder.journal.write_bytes(data[:9] + bytes([data[9] ^ 1]) + data[10:])
    damaged = job.verification

    assert torn.ok
    assert not damaged.ok
    assert "the group at byte 0 is not whole (" in damaged.problems[0]
    assert "whole records stand behind it); gristmill resume job-1 runs again" in damaged.problems[0]


def test_the_end_of_a_journal_that_is_gone_is_found_by_the_number_of_starts(tmp_path: Path) -> None:
    job = WholeJob(root=tmp_path)
    job.start(cancel_at=4)
    size = job.folder.journal.stat().st_size
    job.start(cancel_at=1)
    os.truncate(job.folder.journal, size)

    assert "knows of 1 starts, and the job had 2: its end is gone" in problems(job.folder)


def test_more_problems_of_a_kind_are_counted(tmp_path: Path) -> None:
    job = WholeJob(root=tmp_path, items=30, mini_batch_size=1)
    job.start()
    target = job.job.target
    target.write_bytes(bytes(target.stat().st_size))

    found = job.verification

    assert len(found.problems) == 21
    assert found.problems[-1] == "10 more problems of the kind rows_changed"
    assert found.details[-1].names == ()


def test_few_names_of_a_long_range_are_told(tmp_path: Path) -> None:
    job = WholeJob(root=tmp_path, items=50, mini_batch_size=50)
    job.start()
    job.job.target.write_bytes(bytes(job.job.target.stat().st_size))

    (problem,) = job.verification.details

    assert "the rows of mini-batch 0 (00, 01, 02 and 47 more) in" in problem.sentence
    assert problem.names == tuple(f"{number:02}" for number in range(20))


def test_a_plan_of_an_interrupted_job_that_is_gone_is_found(tmp_path: Path) -> None:
    job = WholeJob(root=tmp_path)
    job.start(kill_at=3)
    (job.folder.plan / "plan.json").unlink()

    assert "no complete manifest" in problems(job.folder)


def test_another_whole_plan_than_the_one_that_was_run_is_found(tmp_path: Path) -> None:
    job, other = WholeJob(root=tmp_path / "one"), WholeJob(root=tmp_path / "other", items=14)
    job.start()
    other.start()
    shutil.copytree(other.folder.plan, job.folder.plan, dirs_exist_ok=True)

    assert "has 14 items, and 13 were planned" in problems(job.folder)
