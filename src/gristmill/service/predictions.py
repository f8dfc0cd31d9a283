"""How the predictions of a job are to be read: whether they have a header, and what their columns are called.

A complete predictions file says so itself, or the file of columns beside it does; of what is finished so far
the journal knows. This module must not read the predictions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gristmill.errors import JobStateError
from gristmill.run.job_folder import Job, JobFolder
from gristmill.run.publication import separator_of
from gristmill.run.replay import read_history, scored_ranges
from gristmill.spec.values import OutputFormat

#: What changes how a reader has to take the cells, in the words of both ``to_csv`` and ``read_csv``.
_SHARED_ARGUMENTS = ("quotechar", "doublequote", "escapechar", "decimal", "quoting")


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """A file of predictions, and how it is to be read."""

    path: Path
    """The predictions file, or the one with what is finished so far."""
    has_header: bool
    """Whether its first row holds the names of the columns."""
    separator: str
    """What stands between two cells."""
    columns: tuple[str, ...] | None
    """The names of the columns; None: they stand in the header, or else every line is one result."""
    output_format: OutputFormat = OutputFormat.AZURE
    """``jsonl`` and ``parquet`` need no more to be known of them than that."""
    cells: Mapping[str, object] = field(default_factory=dict)
    """Further arguments of ``read_csv`` that the cells were written for, such as ``quotechar``."""

    @property
    def is_lines(self) -> bool:
        """Say whether every line is one result as text: lists were returned, not always frames alike."""
        is_azure = self.output_format is OutputFormat.AZURE
        return is_azure and self.columns is None and not self.has_header


def predictions_of(job_folder: Path) -> Predictions | None:
    """Say how the predictions of a job are to be read.

    Parameters
    ----------
    job_folder
        The folder of the job.

    Returns
    -------
    Predictions or None
        None where the job has no such file: its script writes files of its own, or nothing is finished.

    Raises
    ------
    UnknownJobError, JobStateError
        The job, or the description of its columns, cannot be read.
    JournalError
        The journal is needed and cannot be read.
    """
    folder = JobFolder(job_folder)
    job = folder.read()
    path = job.target if job.has_complete_output else job.partial_target
    if not path.is_file():
        return None
    output_format = job.deployment.settings.output_format
    if output_format is not OutputFormat.AZURE:
        is_csv = output_format is OutputFormat.CSV
        return Predictions(
            path=path, has_header=is_csv, separator=",", columns=None, output_format=output_format
        )
    script_folder = (folder.code / job.deployment.scoring_script).parent
    is_described = path == job.target and job.columns.is_file()
    said = _recorded(job) if is_described else _from_journal(job, folder, script_folder)
    return Predictions(
        path=path,
        has_header=said.has_header and said.columns is not None,
        separator=said.separator,
        columns=said.columns,
        cells=_cells(script_folder) if said.columns is not None else {},
    )


class _Said(NamedTuple):
    columns: tuple[str, ...] | None
    separator: str
    has_header: bool


def _recorded(job: Job) -> _Said:
    """Take what stands beside a complete file."""
    try:
        said = json.loads(job.columns.read_text(encoding="ascii"))
        columns = None if said["columns"] is None else tuple(map(str, said["columns"]))
        return _Said(columns, str(said["separator"]), bool(said.get("header")))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise JobStateError(
            f"{job.columns}, which names the columns of job {job.name}, cannot be read: {error}; remove it, "
            "and they are looked up in the job's journal"
        ) from error


def _from_journal(job: Job, folder: JobFolder, script_folder: Path) -> _Said:
    """Look up which columns the rows have that are finished so far."""
    history = read_history(folder.journal)
    ids = {one.header for one in scored_ranges(folder.journal, history.revoked) if one.length}
    only = ids.pop() if len(ids) == 1 else 0
    columns = tuple(history.ledger.columns[only - 1]) if only else None
    return _Said(columns, separator_of(script_folder), job.deployment.settings.include_output_header)


def _cells(folder: Path) -> dict[str, object]:
    """Return what the settings file beside the script says of quotes and numbers."""
    try:
        text = (folder / "parallel_run_step.settings.json").read_text(encoding="utf-8-sig")
        arguments = json.loads(text)["append_row"]["pandas.DataFrame.to_csv"]
        return {name: arguments[name] for name in _SHARED_ARGUMENTS if name in arguments}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
