"""The tables of a job's report: every try, every worker, every node; streamed from the journal."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gristmill.engine.contract import Scored
from gristmill.run.journal import read_journal
from gristmill.run.records import FailedTry, Start

TRIES = "processed_mini-batches.csv"
PROCESSES = "process_summary.csv"
NODES = "node_summary.csv"

_TRY_COLUMNS = (
    "first_mini_batch",
    "mini_batches",
    "first_item",
    "items",
    "try",
    "status",
    "reason",
    "succeeded",
    "total",
    "seconds",
    "worker",
    "rows_bytes",
    "start_of_job",
)
_TALLY_COLUMNS = ("mini_batches", "items", "failed_tries", "seconds_in_run")
#: The most memory of a worker, with what it started; empty where it is not known.
_PEAK = "peak_bytes"
#: This machine is one node.
_NODE = "node-0"


@dataclass(kw_only=True)
class _Tally:
    """What a worker, or a node, has done."""

    mini_batches: int = 0
    items: int = 0
    """Items of mini-batches that returned."""
    failed_tries: int = 0
    seconds: float = 0.0

    def add(self, record: Scored | FailedTry) -> None:
        self.seconds += record.seconds
        if isinstance(record, Scored):
            self.mini_batches += record.span.batches
            self.items += record.total
        else:
            self.failed_tries += 1

    def row(self) -> tuple[int, int, int, str]:
        return self.mini_batches, self.items, self.failed_tries, _seconds(self.seconds)


def write_tables(journal: Path, folder: Path, peaks: Mapping[int, int]) -> list[Start]:
    """Write the tables of everything that the journal tells, what was revoked later included; safe to repeat.

    Parameters
    ----------
    journal
        The job's journal, flushed.
    folder
        Where they come to stand; it is made if it is missing.
    peaks
        The most memory that each worker had, in bytes; of the others nothing is known.

    Returns
    -------
    list of Start
        The starts of the job, in order.

    Raises
    ------
    JournalError
        The journal cannot be read.
    OSError
        A table cannot be written; an older one is untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts: list[Start] = []
    workers: dict[int, _Tally] = {}
    node = _Tally()
    with _Table(folder / TRIES, _TRY_COLUMNS) as table:
        for record, _, _ in read_journal(journal):
            if isinstance(record, Start):
                starts.append(record)
            elif isinstance(record, Scored | FailedTry):
                table.add(_try_row(record, len(starts)))
                workers.setdefault(record.worker, _Tally()).add(record)
                node.add(record)
    with _Table(folder / PROCESSES, ("node", "worker", *_TALLY_COLUMNS, _PEAK)) as table:
        for worker, tally in sorted(workers.items()):
            table.add((_NODE, worker, *tally.row(), peaks.get(worker, "")))
    with _Table(folder / NODES, ("node", *_TALLY_COLUMNS, _PEAK)) as table:
        table.add((_NODE, *node.row(), max(peaks.values(), default="")))
    return starts


class _Table:
    """A CSV file in the making; it replaces the old one when it is complete."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._file = open(self._temporary, "w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(columns)

    def add(self, row: tuple[object, ...]) -> None:
        self._writer.writerow(row)

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._file.close()
            if kind is None:
                os.replace(self._temporary, self._path)
        finally:
            self._temporary.unlink(missing_ok=True)


def _try_row(record: Scored | FailedTry, start: int) -> tuple[object, ...]:
    if isinstance(record, Scored):
        status = "scored" if record.succeeded == record.total else "short"
        reason, succeeded, total, length = "", record.succeeded, record.total, record.length
    else:
        status, reason, succeeded, total, length = "failed", record.reason, 0, record.items, 0
    return (
        record.span.first,
        record.span.batches,
        record.span.first_item,
        total,
        record.attempt,
        status,
        reason,
        succeeded,
        total,
        _seconds(record.seconds),
        record.worker,
        length,
        start,
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.6f}"
