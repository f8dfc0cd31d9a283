"""How a job stands, as the catalog is told: an index over all jobs, of which the folders are the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gristmill.run.job_folder import Job
from gristmill.settings import Home
from gristmill.storage.identity import identity_of

if TYPE_CHECKING:
    from gristmill.catalog.records import JobRecord
    from gristmill.catalog.store import Catalog


def job_record(job: Job, home: Home) -> JobRecord:
    """Return what the catalog keeps of a job."""
    from gristmill.catalog.records import JobRecord  # with the database behind it, which no run needs

    return JobRecord(
        name=job.name,
        home=identity_of(home),
        status=job.status.value,
        priority=job.priority,
        endpoint=job.deployment.endpoint_name,
        deployment=job.deployment.name,
        experiment=job.experiment_name,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        idempotency_key=job.idempotency_key,
        is_archived=job.is_archived,
        starts=job.starts,
        summary=_summary(job),
    )


def index(catalog: Catalog, job: Job, home: Home) -> None:
    """Tell the catalog how a job stands; one that it does not know yet is entered.

    Raises
    ------
    CatalogError
        The catalog is away, or cannot be written.
    """
    rows = catalog.in_workspace(job.workspace)
    is_known = rows.put_job_state(
        job.name,
        status=job.status.value,
        started_at=job.started_at or None,
        ended_at=job.ended_at,
        starts=job.starts,
        summary=_summary(job),
    )
    if not is_known:
        rows.index_jobs([job_record(job, home)])


def _summary(job: Job) -> dict[str, int]:
    counts = job.counts
    return {"total": counts.total, "succeeded": counts.succeeded, "failed": counts.failed}
