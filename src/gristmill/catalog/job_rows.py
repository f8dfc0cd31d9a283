"""Jobs: an index of the job folders, which are the truth, and the keys under which jobs were asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from gristmill.catalog.records import Document, JobRecord
from gristmill.catalog.rows import as_row, document_text, utc_now
from gristmill.catalog.tables import JOBS
from gristmill.catalog.workspace_rows import WorkspaceRows, first
from gristmill.errors import KeyTakenError, ResourceStateError

#: A statement takes only so many names.
_AT_ONCE = 500


class JobRows(WorkspaceRows):
    """What is done with jobs."""

    def add_job(self, record: JobRecord) -> JobRecord:
        """Enter a new job; safe to repeat.

        Raises
        ------
        KeyTakenError
            A job was made under its idempotency key before.
        ResourceStateError
            There is another job of that name.
        """
        made = replace(record, created_at=record.created_at or utc_now())

        def work(connection: Connection) -> JobRecord:
            there = self._job(connection, made.name)
            if there is not None and (there.home, there.created_at) == (made.home, made.created_at):
                return there  # somebody has found its folder; or the connection was lost when this was done
            self._check_key(connection, made.idempotency_key)
            if there is not None:
                raise ResourceStateError(
                    f"there is a job called {made.name} in the catalog already; choose another --job-name"
                )
            self._insert_job(connection, made)
            return made

        return self._write(work)

    def index_jobs(self, records: Collection[JobRecord]) -> int:
        """Enter jobs that were found by their folders, unless they are there.

        Returns
        -------
        int
            How many were missing. One whose idempotency key has another job is entered without it.
        """

        def work(connection: Connection) -> int:
            missing = 0
            for record in records:
                if self._job(connection, record.name) is None:
                    key = record.idempotency_key
                    taken = key is not None and self._job_under(connection, key) is not None
                    self._insert_job(connection, replace(record, idempotency_key=None) if taken else record)
                    missing += 1
            return missing

        return self._write(work) if records else 0

    def job(self, name: str) -> JobRecord | None:
        """Return a job, if there is one."""
        return self._read(lambda connection: self._job(connection, name))

    def job_by_key(self, key: str) -> JobRecord | None:
        """Return the job that was made under an idempotency key, if there is one."""
        return self._read(lambda connection: self._job_under(connection, key))

    def jobs(
        self,
        endpoint: str | None = None,
        deployment: str | None = None,
        archived: bool | None = False,
        home: str | None = None,
    ) -> list[JobRecord]:
        """Return jobs, the newest first.

        Parameters
        ----------
        endpoint, deployment, home
            Whose jobs; None: all.
        archived
            Whether those that are archived are meant, and no others; None: all.
        """
        chosen = select(JOBS).where(JOBS.c.workspace == self.workspace)
        for column, value in (
            (JOBS.c.endpoint, endpoint),
            (JOBS.c.deployment, deployment),
            (JOBS.c.home, home),
        ):
            if value is not None:
                chosen = chosen.where(column == value)
        if archived is not None:
            chosen = chosen.where(JOBS.c.is_archived.is_(archived))
        ordered = chosen.order_by(JOBS.c.created_at.desc(), JOBS.c.id.desc())
        return self._listed(JobRecord, ordered)

    def put_job_state(
        self,
        name: str,
        status: str | None = None,
        started_at: str | None = None,
        ended_at: str | None = None,
        starts: int | None = None,
        summary: Document | None = None,
    ) -> bool:
        """Say how a job stands; None leaves as it was. Say whether there is such a job."""
        values: dict[str, Any] = {
            "status": status,
            "started_at": started_at,
            "ended_at": ended_at,
            "starts": starts,
            "summary": None if summary is None else document_text(summary),
        }
        return self._changed_job(name, {key: value for key, value in values.items() if value is not None})

    def archive_job(self, name: str, archived: bool) -> bool:
        """Archive a job, or bring it back; say whether there is such a job."""
        return self._changed_job(name, {"is_archived": archived})

    def forget_jobs(self, home: str, names: Collection[str]) -> int:
        """Forget jobs of a home, whatever their workspace; return how many were known."""

        def work(connection: Connection) -> int:
            count, left = 0, list(names)
            while left:
                some, left = left[:_AT_ONCE], left[_AT_ONCE:]
                gone = delete(JOBS).where(JOBS.c.home == home, JOBS.c.name.in_(some))
                count += connection.execute(gone).rowcount
            return count

        return self._write(work) if names else 0

    def _changed_job(self, name: str, values: dict[str, Any]) -> bool:
        if not values:
            return self.job(name) is not None
        changed = update(JOBS).where(self._is_job(name)).values(**values)
        return self._write(lambda connection: connection.execute(changed).rowcount > 0)

    def _check_key(self, connection: Connection, key: str | None) -> None:
        taken = self._job_under(connection, key) if key is not None else None
        if taken is not None:
            raise KeyTakenError(f"job {taken.name} was made under the idempotency key {key!r}", taken.name)

    def _insert_job(self, connection: Connection, record: JobRecord) -> None:
        values = {**as_row(record), "workspace": self.workspace}
        connection.execute(insert(JOBS).values(**values))

    def _job(self, connection: Connection, name: str) -> JobRecord | None:
        return first(JobRecord, connection, select(JOBS).where(self._is_job(name)))

    def _job_under(self, connection: Connection, key: str) -> JobRecord | None:
        chosen = select(JOBS).where(JOBS.c.workspace == self.workspace, JOBS.c.idempotency_key == key)
        return first(JobRecord, connection, chosen)

    def _is_job(self, name: str) -> ColumnElement[bool]:
        return and_(JOBS.c.workspace == self.workspace, JOBS.c.name == name)
