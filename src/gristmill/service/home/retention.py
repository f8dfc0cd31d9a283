"""How long jobs are kept: deleted one by one, pruned by age, archived so that lists leave them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gristmill.errors import JobStateError, RequestError, UnknownJobError
from gristmill.faults import reach
from gristmill.run.job_folder import Job, JobFolder, Status
from gristmill.run.making import JOB
from gristmill.service.home.held_job import alone, folder_of
from gristmill.service.home.removal import Removed, removal_of
from gristmill.settings import Settings
from gristmill.storage.identity import identity_of

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What became of the jobs of a home."""

    removed: tuple[Removed, ...]
    """The oldest first."""
    is_dry: bool
    """Whether this is only what would become of them."""

    @property
    def freed_bytes(self) -> int:
        """The room that there is now, all jobs together."""
        return sum(one.freed_bytes for one in self.removed)

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return {
            "removed": [asdict(one) for one in self.removed],
            "freed_bytes": self.freed_bytes,
            "is_dry": self.is_dry,
        }


class Retention:
    """What is kept of the jobs of a home."""

    def __init__(self, settings: Settings, catalog: Callable[[], Catalog]) -> None:
        """Take the home as it is.

        Parameters
        ----------
        settings
            Which home.
        catalog
            Opens the catalog; called only where there is one that may know the job.
        """
        self._settings = settings
        self._home = settings.home
        self._catalog = catalog

    def delete(self, name: str) -> Removed | None:
        """Remove a job with all of its folder; its output only where that lies in the folder.

        Returns
        -------
        Removed or None
            What it took; None where there was no such job.

        Raises
        ------
        JobStateError
            It is running, or waits for its turn.
        HomeError
            Its folder cannot be removed.
        CatalogError
            The catalog cannot be used; the job is still there.
        """
        folder = folder_of(self._home, name)
        if not (folder.path / JOB).exists():
            return None
        with alone(folder):
            job = _read(folder)
            if job is not None and job.status is Status.QUEUED:
                raise JobStateError(
                    f"job {name} waits for its turn; gristmill job cancel {name} takes it out first"
                )
            return self._remove(folder, job, keep_outputs=False)

    def prune(self, older_than: timedelta, *, keep_outputs: bool = False, is_dry: bool = False) -> Pruned:
        """Remove the jobs that ended so long ago; those that run, wait or were interrupted stay.

        Parameters
        ----------
        older_than
            How long ago.
        keep_outputs
            Whether outputs that lie in job folders are moved to ``outputs/`` in the home.
        is_dry
            Whether nothing is done, and only told what would be.

        Raises
        ------
        HomeError
            A folder cannot be removed; those that were removed before it are gone.
        CatalogError
            The catalog cannot be used.
        """
        limit = datetime.now(UTC) - older_than
        removed = []
        for job in sorted(self._ended(), key=lambda job: job.ended_at):
            folder = folder_of(self._home, job.name)
            if _moment(job.ended_at) >= limit:
                continue
            if is_dry:
                removed.append(removal_of(folder, job, self._home, keep_outputs=keep_outputs).foretold())
                continue
            try:
                with alone(folder):
                    again = folder.read()
                    if again.ended_at == job.ended_at and again.status.is_final:
                        removed.append(self._remove(folder, again, keep_outputs=keep_outputs))
            except (JobStateError, UnknownJobError):
                continue  # it goes on just now, or somebody else removes it
        return Pruned(removed=tuple(removed), is_dry=is_dry)

    def archive(self, name: str, archived: bool = True) -> None:
        """Let lists leave a job out, or bring it back; safe to repeat.

        Raises
        ------
        UnknownJobError
            There is no such job.
        JobStateError
            It has not ended.
        """
        folder = folder_of(self._home, name)
        folder.read()
        with alone(folder):
            job = folder.read()
            if not job.status.is_final:
                raise JobStateError(
                    f"job {name} has not ended, it is {job.status.value}; only jobs that have can be archived"
                )
            folder.write(replace(job, is_archived=archived))
        if self._has_catalog:
            self._catalog().in_workspace(job.workspace).archive_job(name, archived)

    def _remove(self, folder: JobFolder, job: Job | None, *, keep_outputs: bool) -> Removed:
        """Remove a job that somebody holds: its row first, since a folder without one is entered again."""
        if self._has_catalog:
            self._catalog().forget_jobs(identity_of(self._home), [folder.name])
        reach("delete.after_row")
        return removal_of(folder, job, self._home, keep_outputs=keep_outputs).done()

    def _ended(self) -> Iterator[Job]:
        for path in self._home.jobs.iterdir() if self._home.jobs.is_dir() else ():
            job = _read(JobFolder(path))
            if job is not None and job.status.is_final and job.ended_at:
                yield job

    @property
    def _has_catalog(self) -> bool:
        return self._settings.catalog_url is not None or self._home.catalog.exists()


def _read(folder: JobFolder) -> Job | None:
    try:
        return folder.read()
    except RequestError:
        return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
