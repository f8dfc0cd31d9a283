"""Rows of endpoints and deployments, and their records: small files, from which a lost catalog is made again.

What a record holds are the fields of the row, as `gristmill.catalog.records` has them. It is there before the
row, and gone before the row is; where there can be no row, it is what it was. Who writes one holds a lock.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, TypeVar

from gristmill.catalog.records import DeploymentRecord, EndpointRecord
from gristmill.catalog.rows import utc_now
from gristmill.errors import GristmillError
from gristmill.faults import reach
from gristmill.service.assets.naming import naming
from gristmill.service.assets.records import forget_record, keep_record
from gristmill.service.endpoints.views import default_of
from gristmill.settings import Settings

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace

ENDPOINT, DEPLOYMENT = "endpoint", "deployment"
"""The kinds of these records; the version of a deployment's is the deployment's name."""
Record = TypeVar("Record", EndpointRecord, DeploymentRecord)


def put_endpoint(workspace: Workspace, record: EndpointRecord, *, keeps_default: bool) -> EndpointRecord:
    """Make an endpoint, or replace it.

    Parameters
    ----------
    workspace
        Whose it is.
    record
        What is to be put.
    keeps_default
        Whether a default that it has stays where the record names none.

    Raises
    ------
    HomeError
        It cannot be recorded; there is no row of it, or the one before.
    CatalogError
        It cannot be put; the record is what it was.
    """
    with _alone(workspace):
        there = workspace.catalog.endpoint(record.name)
        if keeps_default and there is not None and default_of(record) is None:
            record = _with_default(record, default_of(there))
        return _put(workspace.settings, record, there, workspace.catalog.put_endpoint)


def put_default(workspace: Workspace, record: EndpointRecord, deployment: str | None) -> EndpointRecord:
    """Say which deployment of an endpoint is the default; errors as for `put_endpoint`."""
    catalog = workspace.catalog
    with _alone(workspace):
        there = catalog.endpoint(record.name) or record
        changed = _with_default(there, deployment)
        return _put(
            workspace.settings, changed, there, lambda _: catalog.set_default(record.name, deployment)
        )


def put_deployment(workspace: Workspace, record: DeploymentRecord) -> DeploymentRecord:
    """Make a deployment, or its next revision; errors as for `put_endpoint`.

    Raises
    ------
    UnknownResourceError
        Its endpoint is not there any more.
    """
    with _alone(workspace):
        there = workspace.catalog.deployment(record.endpoint, record.name)
        counted = replace(record, revision=1 if there is None else there.revision + 1)
        return _put(workspace.settings, counted, there, workspace.catalog.put_deployment)


def remove_endpoint(workspace: Workspace, name: str) -> bool:
    """Remove an endpoint with its deployments; say whether it was there."""
    with _alone(workspace):
        _forget_endpoint(workspace.settings, name)
        return workspace.catalog.delete_endpoint(name)


def remove_deployment(workspace: Workspace, endpoint: str, name: str) -> bool:
    """Remove a deployment; say whether it was there."""
    with _alone(workspace):
        _forget_deployment(workspace.settings, endpoint, name)
        return workspace.catalog.delete_deployment(endpoint, name)


def _alone(workspace: Workspace) -> AbstractContextManager[None]:
    return naming(workspace.settings.home, workspace.settings.workspace, ENDPOINT)


def _put(settings: Settings, record: Record, there: Record | None, put: Callable[[Record], Record]) -> Record:
    """Keep a record, and put its row."""
    now = utc_now()
    created_at = now if there is None else there.created_at
    stamped = replace(record, created_at=created_at, modified_at=now)
    _keep(settings, stamped)
    reach("endpoint.before_row")
    try:
        row = put(stamped)
    except GristmillError:
        if there is not None:
            _keep(settings, there)
        elif isinstance(record, DeploymentRecord):
            _forget_deployment(settings, record.endpoint, record.name)
        else:
            _forget_endpoint(settings, record.name)
        raise
    reach("endpoint.after_row")
    return row


def _with_default(record: EndpointRecord, deployment: str | None) -> EndpointRecord:
    defaults = {**(record.document.get("defaults") or {}), "deployment_name": deployment}
    return replace(record, document={**record.document, "defaults": defaults})


def _keep(settings: Settings, record: Record) -> None:
    home, workspace = settings.home, settings.workspace
    if isinstance(record, DeploymentRecord):
        keep_record(home, workspace, DEPLOYMENT, record.endpoint, asdict(record), version=record.name)
    else:
        keep_record(home, workspace, ENDPOINT, record.name, asdict(record))


def _forget_endpoint(settings: Settings, name: str) -> None:
    forget_record(settings.home, settings.workspace, DEPLOYMENT, name)
    forget_record(settings.home, settings.workspace, ENDPOINT, name)


def _forget_deployment(settings: Settings, endpoint: str, name: str) -> None:
    forget_record(settings.home, settings.workspace, DEPLOYMENT, endpoint, name)
