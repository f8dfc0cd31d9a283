"""Verify: prove from plan, journal and output that nothing is lost and nothing is there twice (design,
promise 2).

Nothing is believed that can be derived: the manifest's checksums, that the ranges of the journal cover the
plan exactly once, that the published ranges follow each other without a gap, and the CRC of every one of
them.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gristmill.engine.contract import Span
from gristmill.errors import JournalError, PlanError
from gristmill.plan.manifest import Manifest
from gristmill.run.delivery import Delivery
from gristmill.run.intervals import Intervals
from gristmill.run.job_folder import Job, JobFolder, Status
from gristmill.run.journal import intact_size, read_journal
from gristmill.run.records import Placed, Published, Start
from gristmill.run.replay import History, lost_rows, read_history, scored_ranges

_READ_BYTES = 1 << 20
_MOST_PROBLEMS = 100
_MOST_FILES = 20


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What `verify` found."""

    job: str
    status: str
    """Interrupted: it says that it runs, and nobody works on it."""
    complete: bool
    """Whether the job is Completed; else everything may still be in order, so far."""
    next_command: str | None
    """The command that goes on, where there is something to go on with."""
    items: int
    succeeded: int
    failed: int
    missing: int
    """Items of short ranges without a result."""
    not_run: int
    output_bytes: int
    problems: tuple[str, ...] = field(default=())
    """One sentence each; empty when everything is in order."""

    @property
    def ok(self) -> bool:
        """Whether everything is in order."""
        return not self.problems

    @property
    def summary(self) -> str:
        """One line."""
        counts = (
            f"{self.items:,} items: {self.succeeded:,} succeeded, {self.failed:,} failed, "
            f"{self.missing:,} without a result, {self.not_run:,} not run"
        )
        if self.ok and not self.complete:
            onward = f": {self.next_command} goes on" if self.next_command else ""
            return f"job {self.job} is in order so far ({self.status}); it did not complete{onward}. {counts}"
        if self.ok:
            return f"job {self.job} is in order ({self.status}). {counts}"
        return f"job {self.job} is NOT in order: {self._problems}. {counts}"

    @property
    def _problems(self) -> str:
        return "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return {**asdict(self), "problems": list(self.problems), "ok": self.ok}


def verify_job(folder: JobFolder) -> Verification:
    """Check a job that nobody is working on.

    Raises
    ------
    UnknownJobError, JobStateError
        There is no such job, or its ``job.json`` cannot be read.
    """
    job = folder.read()
    problems: list[str] = []
    manifest = _checked_manifest(folder, job, problems)
    history = _checked_history(folder, job, problems)
    if history is None:
        return _verdict(job, 0, None, problems)
    size = intact_size(folder.journal)
    if job.status is Status.COMPLETED and folder.journal.exists() and size != folder.journal.stat().st_size:
        problems.append(
            f"the journal {folder.journal} is damaged after byte {size}: its last groups do not have "
            "their checksum"
        )
    items = manifest.items if manifest is not None else job.counts.total
    if manifest is not None:
        problems += _coverage_problems(folder, job, history, manifest)
        manifest.close()
    if history.ledger.published is not None:
        problems += _output_problems(folder, job, history)
    elif job.status is not Status.COMPLETED:
        problems += _part_problems(folder, job, history)
    return _verdict(job, items, history, problems)


def _checked_manifest(folder: JobFolder, job: Job, problems: list[str]) -> Manifest | None:
    try:
        manifest = Manifest.open(folder.plan)
        manifest.verify()
    except PlanError as error:
        is_begun = job.starts and not (folder.plan / "paths").exists()
        if job.status is Status.COMPLETED or is_begun or (folder.plan / "plan.json").exists():
            problems.append(str(error))
        return None
    return manifest


def _checked_history(folder: JobFolder, job: Job, problems: list[str]) -> History | None:
    try:
        history = read_history(folder.journal)
    except JournalError as error:
        problems.append(str(error))
        return None
    if job.starts and not folder.journal.exists():
        problems.append(
            f"the journal {folder.journal} is gone; gristmill resume {job.name} runs everything again"
        )
    if job.status is Status.COMPLETED and history.ledger.published is None:
        problems.append(
            f"the journal {folder.journal} does not say that the output was published, though the job is "
            "Completed: "
            "it is damaged or cut"
        )
    return history


def _coverage_problems(folder: JobFolder, job: Job, history: History, manifest: Manifest) -> list[str]:
    """Every item is in exactly one end state, and the counts are those of the plan."""
    problems = []
    seen = Intervals()
    for scored in scored_ranges(folder.journal, history.revoked):
        span = scored.span
        if span.first + span.batches > manifest.mini_batches:
            problems.append(
                f"mini-batch {span.first + span.batches - 1} is recorded, and the plan has no such"
            )
            continue
        begin, items = _items_of(span, manifest)
        if scored.total != items:
            problems.append(
                f"{_named(span)} is recorded with {scored.total} items, and the plan says otherwise"
            )
        if seen.add(begin, begin + items) != items:
            problems.append(f"{_named(span)} is recorded as scored twice")
    for first, end in history.ledger.failed:
        for mini_batch in range(first, end):
            problems += _seen_before(seen, Span(mini_batch), manifest)
    for span in history.ledger.divided.failed:
        problems += _seen_before(seen, span, manifest)
    if job.status is Status.COMPLETED and seen.count != manifest.items:
        start, _ = seen.gap(0, manifest.items)
        problems.append(
            f"{manifest.items - seen.count} items are in no end state, the first is one of mini-batch "
            f"{start // manifest.mini_batch_size}"
        )
    return problems[:_MOST_PROBLEMS]


def _seen_before(seen: Intervals, span: Span, manifest: Manifest) -> Iterator[str]:
    begin, items = _items_of(span, manifest)
    if seen.add(begin, begin + items) != items:
        yield f"{_named(span)} is recorded as scored and as failed"


def _items_of(span: Span, manifest: Manifest) -> tuple[int, int]:
    """Return the first item of a range, counted over the whole plan, and how many there are."""
    begin = span.first * manifest.mini_batch_size + span.first_item
    return begin, span.items or manifest.item_count(span.first, span.batches)


def _named(span: Span) -> str:
    if span.items:
        return f"mini-batch {span.first}, items {span.first_item} to {span.first_item + span.items - 1},"
    return (
        f"mini-batches {span.first} to {span.first + span.batches - 1}"
        if span.batches > 1
        else (f"mini-batch {span.first}")
    )


def _part_problems(folder: JobFolder, job: Job, history: History) -> list[str]:
    """What is finished and not published is in the parts, as recorded; resume runs again what is not."""
    lost = lost_rows(folder.journal, history, job.part_path, is_thorough=True)
    return [
        f"the rows of mini-batches {one.span.first} to {one.span.first + one.span.batches - 1} are not in "
        "their "
        f"part {job.part_path(one.part)}; gristmill resume {job.name} runs them again"
        for one in lost[:_MOST_PROBLEMS]
    ]


def _output_problems(folder: JobFolder, job: Job, history: History) -> list[str]:
    """The published file is exactly the rows of the scored ranges, in plan order."""
    published = history.ledger.published
    if published is None:
        return []
    files = [*_file_problems(job, history), *_missing_files(folder, job)]
    if not published.file:
        return files
    target = job.output / published.file
    try:
        with open(target, "rb") as file:
            problems = [*files, *_placed_problems(folder, target, file, published)]
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        return [*files, f"the output {target} cannot be read: {error}; if it is lost, start a new job"]
    if size != published.size:
        problems.append(f"the output {target} has {size} bytes, and {published.size} were published")
    wanted = {span for span, _ in _spans_with_rows(folder, history)}
    placed = {record.span for record in _placed_ranges(folder)}
    for span in sorted(wanted - placed)[:_MOST_PROBLEMS]:
        problems.append(f"the rows of {_named(span)} are recorded as scored, and not as published")
    for span in sorted(placed - wanted)[:_MOST_PROBLEMS]:
        problems.append(f"the rows of {_named(span)} are published, and it was not scored")
    return problems[:_MOST_PROBLEMS]


def _file_problems(job: Job, history: History) -> list[str]:
    """The files that the script appended to are those that were put together."""
    problems = []
    for file in history.ledger.published_files.values():
        path = job.output / file.name
        try:
            with open(path, "rb") as opened:
                crc = 0
                while data := opened.read(_READ_BYTES):
                    crc = zlib.crc32(data, crc)
        except OSError as error:
            problems.append(f"the file {path}, which the script wrote, cannot be read: {error}")
            continue
        if crc != file.crc:
            problems.append(f"the file {path}, which the script wrote, is not the one that was put together")
    return problems


def _missing_files(folder: JobFolder, job: Job) -> list[str]:
    """Whole files that scripts wrote are there; what is in them is not ours to know."""
    missing = [name for name in Delivery.names(folder.delivered) if not os.path.lexists(job.output / name)]
    more = len(missing) - _MOST_FILES
    return [
        *(f"the file {job.output / name}, which the script wrote, is gone" for name in missing[:_MOST_FILES]),
        *([f"{more:,} more files that the script wrote are gone"] if more > 0 else []),
    ]


def _placed_problems(folder: JobFolder, target: Path, file: Any, published: Published) -> list[str]:
    problems = []
    if zlib.crc32(file.read(published.header_bytes)) != published.header_crc:
        problems.append(f"the first line of {target} is not the one that was published")
    position, following = published.header_bytes, (0, 0)
    for placed in _placed_ranges(folder):
        span, where = placed.span, _named(placed.span)
        if (span.first, span.first_item) < following:
            problems.append(f"the rows of {where} are published twice, or not in plan order")
        end = (span.first, span.first_item + span.items) if span.items else (span.first + span.batches, 0)
        following = max(following, end)
        if placed.offset != position:
            problems.append(f"the rows of {where} are recorded at byte {placed.offset}, not at {position}")
        if _crc(file, placed) != placed.crc:
            problems.append(
                f"the rows of {where} in {target} (bytes {placed.offset} to "
                f"{placed.offset + placed.length}) are not "
                "those that were published"
            )
        position = placed.offset + placed.length
        if len(problems) > _MOST_PROBLEMS:
            break
    if position != published.size:
        problems.append(f"the published ranges end at byte {position}, and {published.size} were published")
    return problems


def _placed_ranges(folder: JobFolder) -> list[Placed]:
    """Return the places that the last publication recorded."""
    placed: list[Placed] = []
    for entry in read_journal(folder.journal):
        if isinstance(entry.record, Start):
            placed = []
        elif isinstance(entry.record, Placed):
            placed.append(entry.record)
        elif isinstance(entry.record, Published):
            return placed
    return placed


def _spans_with_rows(folder: JobFolder, history: History) -> list[tuple[Span, int]]:
    return [
        (scored.span, scored.length)
        for scored in scored_ranges(folder.journal, history.revoked)
        if scored.length
    ]


def _crc(file: Any, placed: Placed) -> int:
    crc, left = 0, placed.length
    file.seek(placed.offset)
    while left:
        data = file.read(min(left, _READ_BYTES))
        if not data:
            return -1
        crc = zlib.crc32(data, crc)
        left -= len(data)
    return crc


def _verdict(job: Job, items: int, history: History | None, problems: list[str]) -> Verification:
    goes_on = job.is_worth_resuming or not job.status.is_final
    ledger = history.ledger if history is not None else None
    done = ledger.items_done if ledger is not None else 0
    return Verification(
        job=job.name,
        status=job.status.value if job.status.is_final else "Interrupted",
        complete=job.status is Status.COMPLETED,
        next_command=f"gristmill resume {job.name}" if goes_on else None,
        items=items,
        succeeded=ledger.items_succeeded if ledger is not None else 0,
        failed=ledger.items_failed if ledger is not None else 0,
        missing=ledger.items_missing if ledger is not None else 0,
        not_run=max(0, items - done),
        output_bytes=ledger.published.size if ledger is not None and ledger.published is not None else 0,
        problems=tuple(problems),
    )
