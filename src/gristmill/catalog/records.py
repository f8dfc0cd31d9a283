"""What the catalog holds, as values. Documents are plain JSON in the names that users write.

Times are ISO text in UTC, as jobs have them; an empty one is filled in when a record is put. This module
must not know how or where records are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Document = Mapping[str, Any]


class AssetKind(StrEnum):
    """What has versions that never change once they are made."""

    MODEL = "model"
    ENVIRONMENT = "environment"
    DATA = "data"


class ResourceKind(StrEnum):
    """What has a name and no versions."""

    DATASTORE = "datastore"
    COMPUTE = "compute"


@dataclass(frozen=True, kw_only=True)
class EndpointRecord:
    """A stable name that is invoked."""

    name: str
    document: Document
    """``description``, ``tags``, ``auth_mode``, ``defaults.deployment_name`` and so on."""
    created_at: str = ""
    modified_at: str = ""


@dataclass(frozen=True, kw_only=True)
class DeploymentRecord:
    """What stands behind an endpoint, under a name of its own."""

    endpoint: str
    name: str
    document: Document
    contents: Mapping[str, str] = field(default_factory=dict)
    """Keys in the content store, by what they are of it: ``code``, ``model``."""
    created_at: str = ""
    modified_at: str = ""
    revision: int = 0
    """Counts up each time it is put; the first is 1."""


@dataclass(frozen=True, kw_only=True)
class AssetRecord:
    """One version of a model, an environment or a data asset."""

    kind: AssetKind
    name: str
    version: str
    document: Document
    content: str
    """Fingerprint: assets of equal content are the same thing."""
    is_archived: bool = False
    created_at: str = ""
    modified_at: str = ""


@dataclass(frozen=True, kw_only=True)
class ResourceRecord:
    """A datastore or a compute."""

    kind: ResourceKind
    name: str
    document: Document
    created_at: str = ""
    modified_at: str = ""


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """A job in the index. The truth about it, and whether it is its turn, is in its folder."""

    name: str
    home: str
    """Where its folder is."""
    status: str
    priority: int = 0
    """The higher, the sooner it runs."""
    endpoint: str | None = None
    deployment: str | None = None
    experiment: str | None = None
    created_at: str = ""
    started_at: str = ""
    ended_at: str = ""
    idempotency_key: str | None = None
    """Whoever asks twice under one key gets the same job."""
    is_archived: bool = False
    starts: int = 0
    summary: Document = field(default_factory=dict)
    """What a list shows of it."""
