"""Proof: what lies in the output folder is, byte for byte, what the journal says was published.

Read once, from the first byte to the last; nothing of it is kept in memory.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from gristmill.engine.contract import Scored, Span
from gristmill.plan.manifest import Manifest
from gristmill.run.coverage import Recorded
from gristmill.run.delivered import delivered_files
from gristmill.run.failures import failure_lines
from gristmill.run.intervals import Intervals
from gristmill.run.job_folder import Job, JobFolder
from gristmill.run.journal import read_journal
from gristmill.run.problem import Findings
from gristmill.run.publication import columns_text, inputs_of_plan
from gristmill.run.records import (
    Key,
    Placed,
    PlacedPiece,
    Published,
    PublishedFile,
    Record,
    Revoked,
    key_of,
)
from gristmill.run.replacement import whereabouts
from gristmill.run.replay import History, scored_ranges
from gristmill.spec.values import OutputFormat

_READ_BYTES = 1 << 20
_BUFFER_BYTES = 1 << 18
_CHANGED = "somebody changed it: put back what the job wrote, or score the input again as a new job"
_JOURNAL = "the journal is not what was written: score the input again, as a new job"


def check_output(
    folder: JobFolder, job: Job, history: History, recorded: Recorded, findings: Findings
) -> None:
    """Check the predictions, and the files that scripts wrote, of a job that was published.

    While a rerun is under way it is the older output that stands; once the newer one is recorded, and was
    not put in its place to the end, it is looked for where it lies ready.

    Raises
    ------
    JournalError
        The journal cannot be read.
    """
    ledger = history.ledger
    published = ledger.published or ledger.earlier
    assert published is not None, "nothing was published"
    is_newest = ledger.published is not None

    def where(name: str) -> Path:
        return whereabouts(job.staging, job.output, name) if is_newest else job.output / name

    _check_files(folder.journal, where, recorded, findings)
    is_settled = is_newest and not job.rerunning  # a rerun takes files out of the count before it begins
    _check_delivered(folder, job, recorded if is_settled else Recorded(), findings)
    if published.file:
        check = _check_table if published.rows >= 0 else _check_rows
        check(folder.journal, where(published.file), published, recorded, findings)
        valid = _valid_then(folder.journal, recorded) if not is_newest else None
        _check_ranges(folder, job, history, recorded, valid, findings)


def check_companions(
    folder: JobFolder, job: Job, history: History, recorded: Recorded, manifest: Manifest, findings: Findings
) -> None:
    """Check what stands beside the predictions: it is made of the journal alone, so it is made again.

    Raises
    ------
    JournalError
        The journal cannot be read.
    """
    lines = failure_lines(folder.journal, inputs_of_plan(manifest))
    _compare(job.failures, lines, "failures_changed", findings)
    published = history.ledger.published
    if published is None or not published.file:
        return
    if job.deployment.settings.output_format is OutputFormat.AZURE:
        columns = None
        if len(recorded.headers) == 1 and 0 not in recorded.headers:
            columns = history.ledger.columns[next(iter(recorded.headers)) - 1]
        text = columns_text(folder, job, published.header_bytes, columns)
        _compare(job.columns, iter(text.splitlines(keepends=True)), "columns_changed", findings)


def _check_files(journal: Path, where: Callable[[str], Path], recorded: Recorded, findings: Findings) -> None:
    """The files that the script appended to are those that were put together, and their pieces fill them."""
    files: list[PublishedFile] = []
    filled: dict[int, Intervals] = {}
    for record in _of_publication(journal, recorded):
        if isinstance(record, PublishedFile):
            files.append(record)
            _check_file(where(record.name), record, findings)
        elif isinstance(record, PlacedPiece):
            bytes_of = filled.setdefault(record.file, Intervals())
            if bytes_of.add(record.offset, record.offset + record.length) != record.length:
                what = f"{findings.words(record.span)} added bytes to a file that others added as well"
                findings.add("misplaced", what, _JOURNAL, file=journal, span=record.span)
    for number, bytes_of in filled.items():
        file = files[number] if number < len(files) else None
        if file is None or list(bytes_of) not in ([(file.header_bytes, file.size)], []):
            name = where(file.name) if file is not None else f"number {number}"
            what = f"the pieces of the file {name} do not follow each other from its beginning to its end"
            findings.add("misplaced", what, _JOURNAL, file=journal)


def _check_file(path: Path, file: PublishedFile, findings: Findings) -> None:
    try:
        with open(path, "rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            crc = 0
            while data := opened.read(_READ_BYTES):
                crc = zlib.crc32(data, crc)
    except OSError as error:
        what = f"the file {path}, which the script wrote, cannot be read: {error.strerror}"
        findings.add("file_missing", what, _CHANGED, file=path)
        return
    if (size, crc) != (file.size, file.crc):
        what = f"the file {path}, which the script wrote, is not the one that was put together"
        findings.add("file_changed", what, _CHANGED, file=path)


def _check_delivered(folder: JobFolder, job: Job, recorded: Recorded, findings: Findings) -> None:
    """Whole files that scripts wrote are there, as long as they were; what is in them is not ours to know."""
    number = 0
    for name, size in delivered_files(folder.delivered):
        number += 1
        path = job.output / name
        try:
            actual = os.lstat(path).st_size
        except OSError:
            what = f"the file {path}, which the script wrote, is gone"
            findings.add("file_missing", what, _CHANGED, file=path)
            continue
        if size is not None and actual != size:
            what = f"the file {path}, which the script wrote, has {actual:,} bytes instead of {size:,}"
            findings.add("file_changed", what, _CHANGED, file=path)
    if number < recorded.files:
        findings.add(
            "file_unknown",
            f"scripts left {recorded.files:,} files, and {folder.delivered} names {number:,} of them",
            "whether the others are in the output cannot be told: look for them there",
            file=folder.delivered,
        )


# The predictions


def _check_rows(
    journal: Path, target: Path, published: Published, recorded: Recorded, findings: Findings
) -> None:
    """The published file is its first line and the published ranges, one behind the other."""
    try:
        with open(target, "rb", buffering=_BUFFER_BYTES) as file:
            size = os.fstat(file.fileno()).st_size
            if size != published.size:
                what = f"the output {target} has {size:,} bytes, and {published.size:,} were published"
                findings.add("output_size", what, _CHANGED, file=target, offset=min(size, published.size))
            if zlib.crc32(file.read(published.header_bytes)) != published.header_crc:
                what = f"the first line of {target} is not the one that was published"
                findings.add("header_changed", what, _CHANGED, file=target, offset=0)
            _check_placed(_placed_ranges(journal, recorded), target, file, published, findings)
    except OSError as error:
        what = f"the output {target} cannot be read: {error.strerror}"
        findings.add("output_unreadable", what, "if it is lost, start a new job", file=target)


def _check_table(
    journal: Path, target: Path, published: Published, recorded: Recorded, findings: Findings
) -> None:
    """The published Parquet file is, byte for byte, the one that was written, and each of its rows belongs to
    one range.
    """
    try:
        with open(target, "rb", buffering=_BUFFER_BYTES) as file:
            size = os.fstat(file.fileno()).st_size
            if size != published.size:
                what = f"the output {target} has {size:,} bytes, and {published.size:,} were published"
                findings.add("output_size", what, _CHANGED, file=target, offset=min(size, published.size))
            elif _crc(file, size) != published.crc:
                what = f"the output {target} is not the Parquet file that was published"
                findings.add("rows_changed", what, _CHANGED, file=target, offset=0)
    except OSError as error:
        what = f"the output {target} cannot be read: {error.strerror}"
        findings.add("output_unreadable", what, "if it is lost, start a new job", file=target)
    position, following = 0, (0, 0)
    for placed in _placed_ranges(journal, recorded):
        following = _check_order(placed.span, following, target, placed.offset, findings)
        if placed.offset != position:
            what = (
                f"the rows of {findings.words(placed.span)} are recorded from row {placed.offset:,}, not "
                f"from {position:,}"
            )
            findings.add("misplaced", what, _JOURNAL, file=target, span=placed.span)
        position = placed.offset + placed.length
    if position != published.rows:
        what = f"the published ranges end at row {position:,}, and {published.rows:,} were published"
        findings.add("misplaced", what, _JOURNAL, file=target)


def _check_order(
    span: Span, following: tuple[int, int], target: Path, offset: int, findings: Findings
) -> tuple[int, int]:
    """Check that a range comes behind all before it; return where the next one may begin."""
    if (span.first, span.first_item) < following:
        what = f"the rows of {findings.words(span)} are published twice, or not in plan order"
        findings.add("out_of_order", what, _JOURNAL, file=target, offset=offset, span=span)
    end = (span.first, span.first_item + span.items) if span.items else (span.first + span.batches, 0)
    return max(following, end)


def _check_placed(
    ranges: Iterator[Placed], target: Path, file: BinaryIO, published: Published, findings: Findings
) -> None:
    position, following = published.header_bytes, (0, 0)
    for placed in ranges:
        span, end = placed.span, placed.offset + placed.length
        following = _check_order(span, following, target, placed.offset, findings)
        if placed.offset != position:
            what = (
                f"the rows of {findings.words(span)} are recorded at byte {placed.offset:,}, not at "
                f"{position:,}"
            )
            findings.add("misplaced", what, _JOURNAL, file=target, offset=placed.offset, span=span)
        if placed.offset != position:
            file.seek(placed.offset)
        if _crc(file, placed.length) != placed.crc:
            what = (
                f"the rows of {findings.words(span)} in {target} (bytes {placed.offset:,} to {end:,}) are "
                "not those that were published"
            )
            findings.add("rows_changed", what, _CHANGED, file=target, offset=placed.offset, span=span)
        position = end
        file.seek(position)
    if position != published.size:
        what = f"the published ranges end at byte {position:,}, and {published.size:,} were published"
        findings.add("misplaced", what, _JOURNAL, file=target, offset=position)


def _placed_ranges(journal: Path, recorded: Recorded) -> Iterator[Placed]:
    """Yield the places that the last publication recorded."""
    return (record for record in _of_publication(journal, recorded) if isinstance(record, Placed))


def _of_publication(journal: Path, recorded: Recorded) -> Iterator[Record]:
    """Yield all records of the last start that published."""
    for record, _, position in read_journal(journal):
        if recorded.publication < position < recorded.published_at:
            yield record


def _valid_then(journal: Path, recorded: Recorded) -> list[Scored]:
    """Return the ranges that had rows when the last output was published; some may be void since."""
    valid: dict[Key, Scored] = {}
    for record, _, position in read_journal(journal):
        if position >= recorded.published_at:
            break
        if isinstance(record, Scored) and record.length:
            valid[key_of(record)] = record
        elif isinstance(record, Revoked):
            valid.pop(key_of(record), None)
    return list(valid.values())


def _check_ranges(
    folder: JobFolder,
    job: Job,
    history: History,
    recorded: Recorded,
    valid: list[Scored] | None,
    findings: Findings,
) -> None:
    """What was published are the rows that were scored, all of them and no others.

    Parameters
    ----------
    valid
        The ranges that must be there; None: all that are scored now.
    """
    is_table = job.deployment.settings.output_format is OutputFormat.PARQUET
    if valid is None and not is_table and recorded.scored == recorded.placed:
        return
    if valid is None and is_table and recorded.scored_crcs == recorded.placed_crcs:
        return
    if valid is None and recorded.scored_ranges == recorded.placed_ranges and _may_be_reshaped(job, recorded):
        return
    if valid is not None:
        recorded = replace(recorded, headers={scored.header for scored in valid})
    with_crc = not _may_be_reshaped(job, recorded)
    with_length = with_crc and not is_table  # there, one is in bytes and the other in rows
    wanted = {
        (scored.span, scored.length * with_length, scored.crc * with_crc)
        for scored in (valid if valid is not None else scored_ranges(folder.journal, history.revoked))
        if scored.length
    }
    placed = {
        (one.span, one.length * with_length, one.crc * with_crc)
        for one in _placed_ranges(folder.journal, recorded)
    }
    scored_spans, placed_spans = {span for span, *_ in wanted}, {span for span, *_ in placed}
    for span in sorted(scored_spans - placed_spans):
        what = f"the rows of {findings.words(span)} are recorded as scored, and not as published"
        findings.add("not_published", what, _JOURNAL, file=folder.journal, span=span)
    for span in sorted(placed_spans - scored_spans):
        what = f"the rows of {findings.words(span)} are published, and it was not scored"
        findings.add("not_scored", what, _JOURNAL, file=folder.journal, span=span)
    others: list[Span] = sorted({span for span, *_ in wanted ^ placed} & scored_spans & placed_spans)
    for span in others:
        what = f"the rows of {findings.words(span)} are published otherwise than they were scored"
        findings.add("not_scored", what, _JOURNAL, file=folder.journal, span=span)


def _may_be_reshaped(job: Job, recorded: Recorded) -> bool:
    """Whether rows were written anew because not all have the same columns."""
    return job.deployment.settings.output_format is OutputFormat.CSV and len(recorded.headers) > 1


def _crc(file: BinaryIO, length: int) -> int:
    crc = 0
    while length:
        data = file.read(min(length, _READ_BYTES))
        if not data:
            return -1
        crc = zlib.crc32(data, crc)
        length -= len(data)
    return crc


# What stands beside them


def _compare(path: Path, wanted: Iterator[bytes], kind: str, findings: Findings) -> None:
    """A file is made of these lines, and is not there where there are none."""
    offset = 0
    try:
        for ours, theirs in zip_longest(wanted, _lines_of(path)):
            if ours != theirs:
                what = f"{path} is not what the job wrote, from byte {offset:,} on"
                findings.add(kind, what, "the journal still knows what stood there", file=path, offset=offset)
                return
            offset += len(ours)
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}"
        findings.add(kind, what, "give yourself access", file=path)


def _lines_of(path: Path) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            yield from file
    except FileNotFoundError:
        return
