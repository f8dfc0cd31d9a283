"""Datastores and computes: a name and what is said of it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from gristmill.catalog.records import ResourceKind, ResourceRecord
from gristmill.catalog.rows import as_row
from gristmill.catalog.tables import RESOURCES
from gristmill.catalog.workspace_rows import WorkspaceRows, first, stamped


class ResourceRows(WorkspaceRows):
    """What is done with datastores and computes."""

    def put_resource(self, record: ResourceRecord) -> ResourceRecord:
        """Make a resource, or replace its document; the times are as `put_endpoint` gives them."""

        def work(connection: Connection) -> ResourceRecord:
            chosen = self._is_resource(record.kind, record.name)
            there = first(ResourceRecord, connection, select(RESOURCES).where(chosen).with_for_update())
            made = stamped(record, there)
            if there is None:
                values = {"workspace": self.workspace, **as_row(made)}
                connection.execute(insert(RESOURCES).values(**values))
            else:
                connection.execute(update(RESOURCES).where(chosen).values(**as_row(made)))
            return made

        return self._write(work)

    def resource(self, kind: ResourceKind, name: str) -> ResourceRecord | None:
        """Return a resource, if there is one."""
        return self._found(ResourceRecord, select(RESOURCES).where(self._is_resource(kind, name)))

    def resources(self, kind: ResourceKind) -> list[ResourceRecord]:
        """Return all resources of a kind, the newest first."""
        chosen = select(RESOURCES).where(self._is_resource(kind))
        ordered = chosen.order_by(RESOURCES.c.created_at.desc(), RESOURCES.c.name)
        return self._listed(ResourceRecord, ordered)

    def delete_resource(self, kind: ResourceKind, name: str) -> bool:
        """Remove a resource; say whether it was there."""
        gone = delete(RESOURCES).where(self._is_resource(kind, name))
        return self._write(lambda connection: connection.execute(gone).rowcount > 0)

    def _is_resource(self, kind: ResourceKind, name: str | None = None) -> ColumnElement[bool]:
        chosen = and_(RESOURCES.c.workspace == self.workspace, RESOURCES.c.kind == kind)
        return chosen if name is None else and_(chosen, RESOURCES.c.name == name)
