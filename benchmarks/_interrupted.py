"""A job that was cut off half-way, and its journal as a slow script would have left it.

A script that does nothing is so fast that its worker reports hundreds of mini-batches in one record. One that
works for some milliseconds has a record for each: the same job, with a journal a hundred times as long. That
one is made here from the first, so that nobody has to wait for hours.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from gristmill.engine.contract import Scored, Span
from gristmill.plan.manifest import Manifest
from gristmill.run.checkpoint import Checkpoints
from gristmill.run.job_folder import JobFolder
from gristmill.run.journal import Journal, read_journal
from gristmill.run.ledger import Ledger
from gristmill.run.records import Mark

RECORDS_PER_GROUP = 2
"""What one pass of the loop finds, with two workers that are busy for some milliseconds."""
RECORDS_PER_MARK = 20_000
"""A mark is synced: more of them would only measure the disk."""


def with_a_record_each(home: Path, name: str) -> int:
    """Write the journal of a job anew, with one record for each mini-batch; return how many these are."""
    folder = JobFolder(home / "jobs" / name)
    job = folder.read()
    manifest = Manifest.open(folder.plan)
    records = [entry.record for entry in read_journal(folder.journal)]
    os.rename(folder.journal, folder.journal.with_suffix(".ranges"))
    journal, ledger = Journal(folder.journal, job.starts, 0), Ledger()
    checkpoints = Checkpoints(folder.checkpoint, folder.journal, None)
    written = 0
    for record in records:
        if isinstance(record, Mark):
            continue
        if not isinstance(record, Scored):
            journal.record(record)
            ledger.apply(record)
            journal.flush()
            continue
        for single in _singles(record, manifest, job.part_path(record.part)):
            journal.record(single)
            ledger.apply(single)
            written += 1
            if written % RECORDS_PER_MARK == 0:
                journal.mark()
                checkpoints.keep(ledger, journal.size)
            elif written % RECORDS_PER_GROUP == 0:
                journal.flush()
    journal.flush()
    journal.close()
    manifest.close()
    return written


def _singles(scored: Scored, manifest: Manifest, part: Path) -> Iterator[Scored]:
    """Take a range apart: each of its files has one line in the part."""
    with open(part, "rb") as file:
        file.seek(scored.offset)
        offset = scored.offset
        for mini_batch in range(scored.span.first, scored.span.first + scored.span.batches):
            items = manifest.item_count(mini_batch)
            rows = b"".join(file.readline() for _ in range(items))
            yield scored._replace(
                span=Span(mini_batch),
                total=items,
                succeeded=items,
                offset=offset,
                length=len(rows),
                crc=zlib.crc32(rows),
                seconds=scored.seconds / scored.span.batches,
            )
            offset += len(rows)
