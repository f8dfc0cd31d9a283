"""Records of endpoints and deployments: small files in the home, from which a lost catalog is made again.

What a record holds are the fields of the row, as `gristmill.catalog.records` has them. It is there before the
row, and gone before the row is.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from gristmill.catalog.records import DeploymentRecord, EndpointRecord
from gristmill.run.job_folder import utc_now
from gristmill.service.assets.records import forget_record, keep_record
from gristmill.settings import Settings

ENDPOINT, DEPLOYMENT = "endpoint", "deployment"
"""The kinds of these records; the version of a deployment's is the deployment's name."""


def keep_endpoint(settings: Settings, record: EndpointRecord, there: EndpointRecord | None) -> None:
    """Record an endpoint that is to be put in the place of another, if there is one."""
    now = utc_now()
    stamped = replace(record, created_at=now if there is None else there.created_at, modified_at=now)
    keep_record(settings.home, settings.workspace, ENDPOINT, record.name, asdict(stamped))


def keep_deployment(settings: Settings, record: DeploymentRecord, there: DeploymentRecord | None) -> None:
    """Record a deployment that is to be put in the place of another, if there is one."""
    now = utc_now()
    stamped = replace(
        record,
        created_at=now if there is None else there.created_at,
        modified_at=now,
        revision=1 if there is None else there.revision + 1,
    )
    keep_record(
        settings.home, settings.workspace, DEPLOYMENT, record.endpoint, asdict(stamped), version=record.name
    )


def forget_endpoint(settings: Settings, name: str) -> None:
    """Remove the records of an endpoint and its deployments; safe to repeat."""
    forget_record(settings.home, settings.workspace, DEPLOYMENT, name)
    forget_record(settings.home, settings.workspace, ENDPOINT, name)


def forget_deployment(settings: Settings, endpoint: str, name: str) -> None:
    """Remove the record of a deployment; safe to repeat."""
    forget_record(settings.home, settings.workspace, DEPLOYMENT, endpoint, name)
