"""Whatever is killed, at whatever point: after `resume` nothing is lost, nothing is there twice, and the
output is that of a run which nobody disturbed (contract, 5.10; design, D3, D4 and P7).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from faults.killing import KilledJob, Undisturbed
from faults.scripts import APPENDED, CSV, FILES, JSONL, LISTING, LONG, PARQUET, POISONED, ROWS, Shape
from gristmill.faults import POINTS, WORKER_POINTS


def _shape_at(fault: str) -> Shape:
    """Return the shape of job that meets a point."""
    if fault.startswith("plan."):
        return LISTING
    if fault.startswith("files."):
        return FILES
    if fault.partition(":")[0] in ("publish.before_files", "publish.after_file", "worker.files.taken"):
        return APPENDED
    return LONG if fault.startswith("sync.") else ROWS


def _cases(shape: Shape | None, faults: Iterable[str], victims: Iterable[str]) -> list[object]:
    """Return each fault point with each victim, under names such as "journal.before_write:3 coordinator"."""
    chosen = [(shape or _shape_at(fault), fault, victim) for fault in faults for victim in victims]
    kind = f" {shape.name}" if shape is not None else ""
    return [pytest.param(*case, id=f"{case[1]} {case[2]}{kind}") for case in chosen]


EVERY_POINT = _cases(None, [f"{point}:1" for point in POINTS], ["coordinator", "tree"])
LATER = _cases(
    None,
    [
        "journal.after_write:12",
        "sync.after_mark:2",
        "files.after_move:20",
        "publish.after_write:40",
    ],
    ["tree"],
)
GUARD = _cases(None, ["journal.before_write:4", "sync.before_parts:1"], ["guard"])
WORKER = _cases(None, ["journal.before_write:6", "sync.after_journal:1"], ["worker"])
IN_WORKER = _cases(None, [f"{point}:5" for point in WORKER_POINTS], ["worker", "coordinator"])
HEADER = [
    *_cases(CSV, ["journal.after_write:4", "publish.after_rename:1"], ["tree"]),
    *_cases(CSV, ["worker.part.after_write:3"], ["worker"]),
]
TYPED = [
    *_cases(JSONL, ["worker.part.after_write:3"], ["worker"]),
    *_cases(
        PARQUET,
        [
            "journal.after_write:4",
            *(f"publish.{point}:1" for point in ("before_write", "before_sync", "after_sync")),
            *(f"publish.{point}:1" for point in ("after_rename", "after_record")),
        ],
        ["tree"],
    ),
    *_cases(PARQUET, ["worker.part.after_write:3"], ["worker"]),
]
OWN_FILES = [
    *_cases(FILES, ["worker.outcome.before_send:4"], ["worker"]),
    *_cases(FILES, ["worker.outcome.after_send:4"], ["coordinator"]),
]
ADDED = [
    *_cases(
        APPENDED,
        ["journal.after_write:9", "publish.after_file:2", "publish.before_parts_removed:1"],
        ["tree"],
    ),
    *_cases(APPENDED, ["worker.files.taken:3", "worker.outcome.after_send:4"], ["worker"]),
    *_cases(APPENDED, ["sync.after_mark:1"], ["coordinator"]),
]
FAILURES = _cases(POISONED, ["journal.before_write:9", "publish.before_rename:1"], ["tree"])


@pytest.mark.parametrize(
    ("shape", "fault", "victim"),
    [*EVERY_POINT, *LATER, *GUARD, *WORKER, *IN_WORKER, *HEADER, *TYPED, *OWN_FILES, *ADDED, *FAILURES],
)
def test_nothing_is_lost_and_nothing_is_there_twice(
    shape: Shape,
    fault: str,
    victim: str,
    tmp_path: Path,
    undisturbed: Undisturbed,
    request: pytest.FixtureRequest,
) -> None:
    long_listing = request.getfixturevalue("long_listing") if shape.listing_is_long else None
    job = KilledJob(tmp_path, shape, long_listing)
    job.strike("run", fault, victim)
    job.complete()
    assert job.problems(undisturbed(shape)) == []
    assert job.calls_redone() - shape.second_tries <= job.calls_that_may_be_redone


TWICE = [
    ("journal.before_write:6", "coordinator", "journal.before_write:6", "tree"),
    ("journal.after_write:9", "tree", "start.after_record:1", "tree"),
    ("publish.after_record:1", "coordinator", "job.before_ending:1", "tree"),
    ("worker.part.after_write:3", "coordinator", "worker.outcome.before_send:2", "coordinator"),
]


@pytest.mark.parametrize(
    ("first", "victim", "second", "next_victim"), [pytest.param(*case, id=" ".join(case)) for case in TWICE]
)
def test_a_resume_that_is_killed_too_can_be_resumed(
    first: str, victim: str, second: str, next_victim: str, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    job = KilledJob(tmp_path, ROWS)
    job.strike("run", first, victim)
    job.strike("resume", second, next_victim)
    job.complete()
    assert job.problems(undisturbed(ROWS)) == []
    assert job.calls_redone() <= job.calls_that_may_be_redone
