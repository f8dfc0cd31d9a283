"""Records as rows, and rows as records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Row

from gristmill.catalog.records import (
    AssetKind,
    AssetRecord,
    DeploymentRecord,
    EndpointRecord,
    JobRecord,
    ResourceKind,
    ResourceRecord,
)

Record = TypeVar("Record", EndpointRecord, DeploymentRecord, AssetRecord, ResourceRecord, JobRecord)

_DOCUMENTS = frozenset({"document", "contents", "summary"})
#: How the fields are made that are no plain values.
_MADE: Mapping[type, Mapping[str, type]] = {
    AssetRecord: {"kind": AssetKind},
    ResourceRecord: {"kind": ResourceKind},
}


def utc_now() -> str:
    """Return the time as ISO 8601 text with milliseconds, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_row(
    record: EndpointRecord | DeploymentRecord | AssetRecord | ResourceRecord | JobRecord,
) -> dict[str, Any]:
    """Return the values of a record by column."""
    return {name: _stored(name, value) for name, value in vars(record).items()}


def as_record(kind: type[Record], row: Row[Any]) -> Record:
    """Return what `as_row` was given; columns that are no fields of it are left out."""
    made = _MADE.get(kind, {})
    values = {}
    for name, value in row._mapping.items():
        if name in kind.__dataclass_fields__:
            values[name] = json.loads(value) if name in _DOCUMENTS else made.get(name, _same)(value)
    return kind(**values)


def document_text(document: Mapping[str, Any]) -> str:
    """Return a document as it is stored."""
    return json.dumps(dict(document), separators=(",", ":"))


def _stored(name: str, value: Any) -> Any:
    return document_text(value) if name in _DOCUMENTS else value


def _same(value: Any) -> Any:
    return value
