"""How a job stands, in the words and values that every door shows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gristmill.run.job_folder import Counts, Job, JobFolder, Origin, Status
from gristmill.run.peaks import peaks_of
from gristmill.run.publication import own_read_hint
from gristmill.run.report import summary_line
from gristmill.run.unbegun import recorded_counts
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
    is_archived: bool = False
    """Whether lists leave it out."""
    endpoint_name: str | None = None
    """Of which endpoint it was made, or what its deployment's file says; None where there is no such word."""
    deployment_name: str | None = None
    """Of which deployment; None of a bare script."""
    projection: dict[str, Any] | None = None
    """Of a sample: items, seconds, output_bytes and memory_bytes of the whole input."""
    peak_bytes: int | None = None
    """The most memory that a worker had, with what it started; None where it is not known."""
    replay_command: str | None = None
    """The command that runs the first failed item again, before one's eyes."""
    mlflow_runs: tuple[TrackedRun, ...] = ()
    """What the script logged with MLflow in the job's own store."""
    origin: str = Origin.RUN.value
    """Who asked for it: ``run``, or ``detach`` and ``invoke``, whose jobs the runner of the home works on."""
    priority: int = 0
    """Of the jobs that wait, the highest is begun first."""
    queue_position: int | None = None
    """Its place in the line, 1 for the next one; None where it does not wait."""
    waiting: str | None = None
    """The place in words, or what it waits for."""
    in_flight: tuple[InFlight, ...] = ()
    """What workers have been running for a second or longer, the longest first; only while the job runs."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return {
            **asdict(self),
            "mlflow_runs": list(map(asdict, self.mlflow_runs)),
            "in_flight": list(map(asdict, self.in_flight)),
        }


def view_of(job: Job, folder: JobFolder, *, is_held: bool, place: tuple[int, str] | None = None) -> JobView:
    """Return how a job stands, for a door to show.

    Parameters
    ----------
    job, folder
        The job.
    is_held
        Whether a process works on it.
    place
        Its number in the line of the jobs that wait, and that in words; None: it does not wait.
    """
    place = None if is_held or job.status.is_final else place
    is_due = place is not None or job.status is Status.QUEUED
    interrupted = not job.status.is_final and not is_held and not is_due
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
        counts = recorded_counts(folder) or counts
    if status is Status.RUNNING and is_held and folder.cancel_request.exists():
        status = Status.CANCEL_REQUESTED
    return JobView(
        name=job.name,
        status=status.value,
        is_interrupted=interrupted,
        message=job.message,
        summary=_summary(job, status, counts, place),
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
        is_archived=job.is_archived,
        endpoint_name=job.deployment.endpoint_name,
        deployment_name=None if job.deployment.is_bare_script else job.deployment.name,
        projection=asdict(job.projection) if job.projection is not None else None,
        peak_bytes=max(peaks_of(folder.logs).values(), default=None),
        mlflow_runs=tracked_runs(folder.path / _TRACKING_STORE),
        origin=job.origin.value,
        priority=job.priority,
        queue_position=place[0] if place is not None else None,
        waiting=place[1] if place is not None else None,
        in_flight=in_flight(folder, job) if is_held else (),
    )


def _summary(job: Job, status: Status, counts: Counts, place: tuple[int, str] | None) -> str:
    if place is not None and not counts.mini_batches_done:
        return f"{status.value}: {place[1]}"
    return summary_line(status, counts, job.deployment.settings.output_action, job.wrote_nothing)


def _recorded_hint(path: Path) -> str | None:

    try:
        hint = json.loads(path.read_text(encoding="ascii")).get("read")
        return hint if isinstance(hint, str) else None
    except (OSError, ValueError):
        return None
