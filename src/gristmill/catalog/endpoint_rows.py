"""Endpoints and their deployments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from gristmill.catalog.records import DeploymentRecord, Document, EndpointRecord
from gristmill.catalog.rows import as_row, document_text, utc_now
from gristmill.catalog.tables import DEPLOYMENTS, ENDPOINTS
from gristmill.catalog.workspace_rows import WorkspaceRows, first, stamped
from gristmill.errors import UnknownResourceError


class EndpointRows(WorkspaceRows):
    """What is done with endpoints and deployments."""

    def put_endpoint(self, record: EndpointRecord) -> EndpointRecord:
        """Make an endpoint, or replace its document.

        Returns
        -------
        EndpointRecord
            With the time at which it was made first, and that of now.
        """

        def work(connection: Connection) -> EndpointRecord:
            there = self._endpoint(connection, record.name, is_locked=True)
            made = stamped(record, there)
            if there is None:
                values = {"workspace": self.workspace, **as_row(made)}
                connection.execute(insert(ENDPOINTS).values(**values))
            else:
                connection.execute(
                    update(ENDPOINTS).where(self._is_endpoint(record.name)).values(**as_row(made))
                )
            return made

        return self._write(work)

    def endpoint(self, name: str) -> EndpointRecord | None:
        """Return an endpoint, if there is one."""
        return self._read(lambda connection: self._endpoint(connection, name))

    def endpoints(self) -> list[EndpointRecord]:
        """Return all endpoints, the newest first."""
        chosen = select(ENDPOINTS).where(ENDPOINTS.c.workspace == self.workspace)
        ordered = chosen.order_by(ENDPOINTS.c.created_at.desc(), ENDPOINTS.c.name)
        return self._listed(EndpointRecord, ordered)

    def delete_endpoint(self, name: str) -> bool:
        """Remove an endpoint with its deployments; say whether it was there."""

        def work(connection: Connection) -> bool:
            connection.execute(delete(DEPLOYMENTS).where(self._is_deployment(name)))
            return connection.execute(delete(ENDPOINTS).where(self._is_endpoint(name))).rowcount > 0

        return self._write(work)

    def set_default(self, endpoint: str, deployment: str | None) -> EndpointRecord:
        """Say which deployment an endpoint's invocations go to, or that there is none.

        Raises
        ------
        UnknownResourceError
            There is no such endpoint, or it has no such deployment.
        """

        def work(connection: Connection) -> EndpointRecord:
            there = self._known_endpoint(connection, endpoint)
            if deployment is not None and self._deployment(connection, endpoint, deployment) is None:
                raise UnknownResourceError(
                    f"endpoint {endpoint} has no deployment called {deployment}; gristmill batch-deployment "
                    f"list --endpoint-name {endpoint} names those that it has"
                )
            return self._with_default(connection, there, deployment)

        return self._write(work)

    def put_deployment(self, record: DeploymentRecord) -> DeploymentRecord:
        """Make a deployment, or replace it.

        Returns
        -------
        DeploymentRecord
            With its new revision, and with times as `put_endpoint` gives them.

        Raises
        ------
        UnknownResourceError
            There is no such endpoint.
        """

        def work(connection: Connection) -> DeploymentRecord:
            self._known_endpoint(connection, record.endpoint)
            there = self._deployment(connection, record.endpoint, record.name)
            made = stamped(record, there)
            made = replace(made, revision=max(record.revision, 1) if there is None else there.revision + 1)
            if there is None:
                values = {"workspace": self.workspace, **as_row(made)}
                connection.execute(insert(DEPLOYMENTS).values(**values))
            else:
                chosen = self._is_deployment(record.endpoint, record.name)
                connection.execute(update(DEPLOYMENTS).where(chosen).values(**as_row(made)))
            return made

        return self._write(work)

    def deployment(self, endpoint: str, name: str) -> DeploymentRecord | None:
        """Return a deployment, if there is one."""
        return self._read(lambda connection: self._deployment(connection, endpoint, name))

    def deployments(self, endpoint: str | None = None) -> list[DeploymentRecord]:
        """Return the deployments of an endpoint, or all, the newest first."""
        chosen = select(DEPLOYMENTS).where(self._is_deployment(endpoint))
        ordered = chosen.order_by(DEPLOYMENTS.c.created_at.desc(), DEPLOYMENTS.c.endpoint, DEPLOYMENTS.c.name)
        return self._listed(DeploymentRecord, ordered)

    def delete_deployment(self, endpoint: str, name: str) -> bool:
        """Remove a deployment; say whether it was there. A default that it was is none any more."""

        def work(connection: Connection) -> bool:
            above = self._endpoint(connection, endpoint, is_locked=True)
            done = (
                connection.execute(delete(DEPLOYMENTS).where(self._is_deployment(endpoint, name))).rowcount
                > 0
            )
            if above is not None and _default(above.document) == name:
                self._with_default(connection, above, None)
            return done

        return self._write(work)

    def _endpoint(self, connection: Connection, name: str, is_locked: bool = False) -> EndpointRecord | None:
        chosen = select(ENDPOINTS).where(self._is_endpoint(name))
        return first(EndpointRecord, connection, chosen.with_for_update() if is_locked else chosen)

    def _known_endpoint(self, connection: Connection, name: str) -> EndpointRecord:
        """Return an endpoint that stays as it is until the transaction ends."""
        found = self._endpoint(connection, name, is_locked=True)
        if found is None:
            raise UnknownResourceError(
                f"there is no endpoint called {name}; gristmill batch-endpoint list names those that are"
            )
        return found

    def _deployment(self, connection: Connection, endpoint: str, name: str) -> DeploymentRecord | None:
        return first(
            DeploymentRecord, connection, select(DEPLOYMENTS).where(self._is_deployment(endpoint, name))
        )

    def _with_default(
        self, connection: Connection, there: EndpointRecord, deployment: str | None
    ) -> EndpointRecord:
        defaults = {**there.document.get("defaults", {}), "deployment_name": deployment}
        changed = replace(there, document={**there.document, "defaults": defaults}, modified_at=utc_now())
        values = {"document": document_text(changed.document), "modified_at": changed.modified_at}
        connection.execute(update(ENDPOINTS).where(self._is_endpoint(there.name)).values(**values))
        return changed

    def _is_endpoint(self, name: str) -> ColumnElement[bool]:
        return and_(ENDPOINTS.c.workspace == self.workspace, ENDPOINTS.c.name == name)

    def _is_deployment(self, endpoint: str | None, name: str | None = None) -> ColumnElement[bool]:
        chosen = DEPLOYMENTS.c.workspace == self.workspace
        if endpoint is not None:
            chosen = and_(chosen, DEPLOYMENTS.c.endpoint == endpoint)
        return chosen if name is None else and_(chosen, DEPLOYMENTS.c.name == name)


def _default(document: Document) -> Any:
    return (document.get("defaults") or {}).get("deployment_name")
