"""Records for rows that have none: of a home whose folder of records was lost or emptied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gristmill.catalog.records import AssetKind, ResourceKind
from gristmill.service.assets.naming import naming
from gristmill.service.assets.records import keep_record, kept_record
from gristmill.service.endpoints.records import DEPLOYMENT, ENDPOINT
from gristmill.settings import Home, Settings

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog

Tell = Callable[[str], None]
#: Name, version and fields of a row.
_Row = tuple[str, str | None, dict[str, Any]]


def keep_missing_records(settings: Settings, catalog: Catalog, did: Tell) -> None:
    """Write the records that are missing of the rows that are there.

    Of a catalog that other homes use, too, nothing: they have the records of what they made.
    """
    if settings.catalog_url is not None:
        return
    count = 0
    for workspace in catalog.workspaces():
        for kind in (ENDPOINT, DEPLOYMENT, *AssetKind, *ResourceKind):
            rows = _rows(catalog, workspace, kind)
            if not all(_is_kept(settings, workspace, kind, row) for row in rows):
                count += _kept(settings, catalog, workspace, kind)
    if count:
        what = "record that was" if count == 1 else "records that were"
        did(f"wrote {count} {what} missing in {settings.home.records}")


def alone_with(home: Home, workspace: str, kind: str) -> AbstractContextManager[None]:
    """Hold what everybody holds who writes records of a kind; deployments have the lock of endpoints."""
    return naming(home, workspace, ENDPOINT if kind == DEPLOYMENT else kind)


def _kept(settings: Settings, catalog: Catalog, workspace: str, kind: str) -> int:
    count = 0
    with alone_with(settings.home, workspace, kind):
        for row in _rows(catalog, workspace, kind):  # read again: now nobody else writes any
            if not _is_kept(settings, workspace, kind, row):
                name, version, values = row
                keep_record(settings.home, workspace, kind, name, values, version)
                count += 1
    return count


def _rows(catalog: Catalog, workspace: str, kind: str) -> Iterator[_Row]:
    rows = catalog.in_workspace(workspace)
    if kind == ENDPOINT:
        yield from ((one.name, None, asdict(one)) for one in rows.endpoints())
    elif kind == DEPLOYMENT:
        yield from ((one.endpoint, one.name, asdict(one)) for one in rows.deployments())
    elif kind in list(ResourceKind):
        yield from ((one.name, None, asdict(one)) for one in rows.resources(ResourceKind(kind)))
    else:
        for one in rows.assets(AssetKind(kind), archived=None):
            named = rows.labels(one.kind, one.name).items()
            labels = sorted(label for label, version in named if version == one.version)
            yield one.name, one.version, {**asdict(one), "labels": labels}


def _is_kept(settings: Settings, workspace: str, kind: str, row: _Row) -> bool:
    return kept_record(settings.home, workspace, kind, row[0], row[1]) is not None
