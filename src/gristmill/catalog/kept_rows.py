"""Rows that are put back as they were, of a catalog that was lost; and whose rows there are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, and_, insert, select, union

from gristmill.catalog.records import AssetRecord, DeploymentRecord, EndpointRecord, ResourceRecord
from gristmill.catalog.rows import as_row
from gristmill.catalog.tables import ASSETS, DEPLOYMENTS, ENDPOINTS, JOBS, RESOURCES
from gristmill.catalog.workspace_rows import WorkspaceRows

Kept = EndpointRecord | DeploymentRecord | AssetRecord | ResourceRecord

#: Where each kind of records is kept, and what makes it the same thing.
_PLACES: dict[type[Kept], tuple[Table, tuple[str, ...]]] = {
    EndpointRecord: (ENDPOINTS, ("name",)),
    DeploymentRecord: (DEPLOYMENTS, ("endpoint", "name")),
    AssetRecord: (ASSETS, ("kind", "name", "version")),
    ResourceRecord: (RESOURCES, ("kind", "name")),
}


class KeptRows(WorkspaceRows):
    """What is done with rows of every kind."""

    def put_back(self, record: Kept) -> bool:
        """Put a record back as it was, with its times, unless there is one of its name.

        Returns
        -------
        bool
            Whether it was missing. False, too, for a deployment whose endpoint is.
        """
        table, keys = _PLACES[type(record)]
        values: dict[str, Any] = {**as_row(record), "workspace": self.workspace}
        is_it = and_(*(table.c[key] == values[key] for key in ("workspace", *keys)))

        def work(connection: Connection) -> bool:
            if connection.execute(select(table.c.name).where(is_it)).first() is not None:
                return False
            if isinstance(record, DeploymentRecord) and not self._has_endpoint(connection, record.endpoint):
                return False
            connection.execute(insert(table).values(**values))
            return True

        return self._write(work)

    def workspaces(self) -> list[str]:
        """Return the names of all workspaces of which there is a row, in order."""
        tables = (ENDPOINTS, ASSETS, RESOURCES, JOBS)
        chosen = union(*(select(table.c.workspace) for table in tables))
        return self._read(lambda connection: sorted(connection.execute(chosen).scalars()))

    def _has_endpoint(self, connection: Connection, name: str) -> bool:
        is_it = and_(ENDPOINTS.c.workspace == self.workspace, ENDPOINTS.c.name == name)
        return connection.execute(select(ENDPOINTS.c.name).where(is_it)).first() is not None
