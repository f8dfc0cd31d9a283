"""Records of endpoints and deployments: small files in the home, from which a lost catalog is made again.

What a record holds are the fields of the row, as `gristmill.catalog.records` has them. It is there before the
row, and gone before the row is; where there can be no row, it is what it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, TypeVar

from gristmill.catalog.records import DeploymentRecord, EndpointRecord
from gristmill.catalog.rows import utc_now
from gristmill.errors import GristmillError
from gristmill.service.assets.records import forget_record, keep_record
from gristmill.settings import Settings

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace

ENDPOINT, DEPLOYMENT = "endpoint", "deployment"
"""The kinds of these records; the version of a deployment's is the deployment's name."""
Record = TypeVar("Record", EndpointRecord, DeploymentRecord)


def with_record(
    workspace: Workspace, record: Record, there: Record | None, put: Callable[[Record], Record]
) -> Record:
    """Put a row, and its record before it.

    Parameters
    ----------
    workspace
        Whose row it is.
    record
        What is to be put.
    there
        The row in whose place it comes, if there is one.
    put
        Puts it, with the time at which it was made first.

    Returns
    -------
    EndpointRecord or DeploymentRecord
        What ``put`` returns.

    Raises
    ------
    HomeError
        It cannot be recorded; there is no row of it.
    CatalogError, UnknownResourceError
        It cannot be put; the record is what it was.
    """
    now = utc_now()
    created_at = now if there is None else there.created_at
    stamped = replace(record, created_at=created_at, modified_at=now)
    _keep(workspace.settings, stamped)
    try:
        return put(stamped)
    except GristmillError:
        if there is not None:
            _keep(workspace.settings, there)
        elif isinstance(record, DeploymentRecord):
            forget_deployment(workspace.settings, record.endpoint, record.name)
        else:
            forget_endpoint(workspace.settings, record.name)
        raise


def put_deployment(
    workspace: Workspace, record: DeploymentRecord, there: DeploymentRecord | None
) -> DeploymentRecord:
    """Put the row of a deployment, and before it its record, with the revision that it is going to have."""
    counted = replace(record, revision=1 if there is None else there.revision + 1)
    return with_record(workspace, counted, there, workspace.catalog.put_deployment)


def forget_endpoint(settings: Settings, name: str) -> None:
    """Remove the records of an endpoint and its deployments; safe to repeat."""
    forget_record(settings.home, settings.workspace, DEPLOYMENT, name)
    forget_record(settings.home, settings.workspace, ENDPOINT, name)


def forget_deployment(settings: Settings, endpoint: str, name: str) -> None:
    """Remove the record of a deployment; safe to repeat."""
    forget_record(settings.home, settings.workspace, DEPLOYMENT, endpoint, name)


def _keep(settings: Settings, record: Record) -> None:
    home, workspace = settings.home, settings.workspace
    if isinstance(record, DeploymentRecord):
        keep_record(home, workspace, DEPLOYMENT, record.endpoint, asdict(record), version=record.name)
    else:
        keep_record(home, workspace, ENDPOINT, record.name, asdict(record))
