"""How a job stands, in the words and values that every door shows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gristmill.errors import JournalError
from gristmill.run.job_folder import Counts, Job, JobFolder, Status
from gristmill.run.peaks import peaks_of
from gristmill.run.publication import own_read_hint
from gristmill.run.replay import read_history
from gristmill.run.report import summary_line
from gristmill.service.in_flight import InFlight, in_flight
from gristmill.service.replay_command import of_first_failure
from gristmill.service.tracking import TrackedRun, tracked_runs
from gristmill.spec.values import OutputFormat

#: Where in a job's folder its workers' `MLFLOW_TRACKING_URI` points.
_TRACKING_STORE = "mlruns"


@dataclass(frozen=True, kw_only=True)
class JobView:
    """How a job stands, for a door to show."""

    name: str
    status: str
    is_interrupted: bool
    """It says that it runs, but no process works on it."""
    message: str
    summary: str
    created_at: str
    started_at: str
    ended_at: str
    total: int
    succeeded: int
    failed: int
    not_run: int
    mini_batches: int
    mini_batches_done: int
    input: str
    output: str
    folder: str
    target: str | None
    """The predictions file, or the partial one, if there is one."""
    failures: str | None
    next_command: str | None
    """The command that goes on, where there is something to go on with."""
    read_hint: str | None
    """The line of Python that reads the predictions."""
    projection: dict[str, Any] | None = None
    """Of a sample: items, seconds, output_bytes and memory_bytes of the whole input."""
    peak_bytes: int | None = None
    """The most memory that a worker had, with what it started; None where it is not known."""
    replay_command: str | None = None
    """The command that runs the first failed item again, before one's eyes."""
    mlflow_runs: tuple[TrackedRun, ...] = ()
    """What the script logged with MLflow in the job's own store."""
    in_flight: tuple[InFlight, ...] = ()
    """What workers have been running for a second or longer, the longest first; only while the job runs."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return {
            **asdict(self),
            "mlflow_runs": list(map(asdict, self.mlflow_runs)),
            "in_flight": list(map(asdict, self.in_flight)),
        }


def view_of(job: Job, folder: JobFolder, *, is_held: bool) -> JobView:
    """Return how a job stands, for a door to show."""
    interrupted = not job.status.is_final and not is_held
    target: Path | None = job.target if job.has_complete_output else job.partial_target
    if target is not None and not target.exists():
        target = None
    hint = None
    output_format = job.deployment.settings.output_format
    if target is not None and output_format is not OutputFormat.AZURE:
        hint = own_read_hint(target, output_format)
    elif target == job.target:
        hint = _recorded_hint(job.columns)
    status, counts = job.status, job.counts
    if interrupted:
        counts = _counts_of(folder) or counts
    if status is Status.RUNNING and is_held and folder.cancel_request.exists():
        status = Status.CANCEL_REQUESTED
    return JobView(
        name=job.name,
        status=status.value,
        is_interrupted=interrupted,
        message=job.message,
        summary=summary_line(status, counts, job.deployment.settings.output_action, job.wrote_nothing),
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        total=counts.total,
        succeeded=counts.succeeded,
        failed=counts.failed,
        not_run=counts.not_run,
        mini_batches=counts.mini_batches,
        mini_batches_done=counts.mini_batches_done,
        input=str(job.input),
        output=str(job.output),
        folder=str(folder.path),
        target=str(target) if target is not None else None,
        failures=str(job.failures) if job.failures.exists() else None,
        next_command=f"gristmill resume {job.name}" if interrupted else job.next_command,
        replay_command=of_first_failure(job.name, job.failures),
        read_hint=hint,
        projection=asdict(job.projection) if job.projection is not None else None,
        peak_bytes=max(peaks_of(folder.logs).values(), default=None),
        mlflow_runs=tracked_runs(folder.path / _TRACKING_STORE),
        in_flight=in_flight(folder, job) if is_held else (),
    )


def _counts_of(folder: JobFolder) -> Counts | None:
    """Return how far a job was that was killed, from its journal."""
    try:
        ledger = read_history(folder.journal).ledger
    except JournalError:
        return None
    plan = ledger.plan
    total = plan.items if plan is not None else ledger.items_done
    return Counts(
        total=total,
        succeeded=ledger.items_succeeded,
        failed=ledger.items_not_succeeded,
        not_run=total - ledger.items_done,
        mini_batches=plan.mini_batches if plan is not None else 0,
        mini_batches_done=ledger.scored.count + ledger.failed.count,
    )


def _recorded_hint(path: Path) -> str | None:

    try:
        hint = json.loads(path.read_text(encoding="ascii")).get("read")
        return hint if isinstance(hint, str) else None
    except (OSError, ValueError):
        return None
