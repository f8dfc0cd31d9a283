"""What all kinds of rows share: they lie in one database and belong to one workspace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Connection, Select

from gristmill.catalog.database import Database
from gristmill.catalog.records import DeploymentRecord, EndpointRecord, ResourceRecord
from gristmill.catalog.rows import Record, as_record, utc_now

Result = TypeVar("Result")
Replaced = TypeVar("Replaced", EndpointRecord, DeploymentRecord, ResourceRecord)


class WorkspaceRows:
    """Rows of one workspace."""

    def __init__(self, database: Database, workspace: str) -> None:
        self._database = database
        self.workspace = workspace

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        return self._database.read(work)

    def _write(self, work: Callable[[Connection], Result]) -> Result:
        return self._database.write(work)

    def _found(self, kind: type[Record], chosen: Select[Any]) -> Record | None:
        return self._read(lambda connection: first(kind, connection, chosen))

    def _listed(self, kind: type[Record], chosen: Select[Any]) -> list[Record]:
        return self._read(lambda connection: [as_record(kind, row) for row in connection.execute(chosen)])


def first(kind: type[Record], connection: Connection, chosen: Select[Any]) -> Record | None:
    """Return the first record that is chosen, if there is one."""
    row = connection.execute(chosen.limit(1)).one_or_none()
    return None if row is None else as_record(kind, row)


def stamped(record: Replaced, there: Replaced | None) -> Replaced:
    """Return a record with the time at which it was made first, and the time of now."""
    now = utc_now()
    created_at = there.created_at if there is not None else record.created_at or now
    return replace(record, created_at=created_at, modified_at=now)
