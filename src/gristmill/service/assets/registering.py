"""How a version of an asset comes to be: its content is whole, then it is recorded, then it has a row.

A kill in between leaves a content that nothing names, or a record without a row; the same command again goes
on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import sha256
from json import dumps
from typing import TYPE_CHECKING, Any

from gristmill.catalog.records import AssetKind, AssetRecord
from gristmill.errors import GristmillError, ResourceStateError
from gristmill.faults import reach
from gristmill.run.job_folder import utc_now
from gristmill.service.assets.naming import naming, version_for
from gristmill.service.assets.records import forget_record, keep_record, kept_record, kept_versions
from gristmill.settings import Settings
from gristmill.spec.asset_values import Versioned

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog

_MOST_TRIES = 20
"""To get a number that other homes, over the same catalog, take at the same moment."""


class Registering:
    """Writes records and rows of one kind of assets."""

    def __init__(self, kind: AssetKind, catalog: Catalog, settings: Settings) -> None:
        self._kind = kind
        self._catalog = catalog
        self._home = settings.home
        self._workspace = settings.workspace

    def add(
        self, asset: Versioned, fixed: Mapping[str, Any], said: Mapping[str, Any]
    ) -> tuple[AssetRecord, bool]:
        """Make a version, unless there is one that holds the same; what is said of it now then stands.

        Parameters
        ----------
        asset
            What was asked for.
        fixed
            What makes up the version, as values for JSON.
        said
            What else is said of it.

        Returns
        -------
        tuple of AssetRecord and bool
            The version, and whether it was made now.

        Raises
        ------
        ResourceStateError
            There is such a version, and it holds something else.
        HomeError
            It cannot be recorded; nothing of it is left.
        CatalogError
            The catalog cannot be used.
        """
        described = {
            "description": asset.description,
            "tags": dict(asset.tags),
            "properties": dict(asset.properties),
            **said,
        }
        with naming(self._home, self._workspace, self._kind.value):
            record, was_new = self._added(asset, {**fixed, **described}, fingerprint(fixed))
            reach("asset.after_row")
            if not was_new:
                anew = {**record.document, **{key: value for key, value in described.items() if value}}
                if anew != record.document:
                    record = self._catalog.update_asset(self._kind, record.name, record.version, anew)
            self._label(record, asset.labels)
            self._keep(record)
        return record, was_new

    def change(self, record: AssetRecord, document: Mapping[str, Any], labels: Iterable[str]) -> AssetRecord:
        """Replace what is said of a version; see `add` for what is raised."""
        with naming(self._home, self._workspace, self._kind.value):
            changed = self._catalog.update_asset(self._kind, record.name, record.version, document)
            self._label(changed, labels)
            self._keep(changed)
        return changed

    def archive(self, name: str, version: str | None, archived: bool) -> int:
        """Archive or restore a version or all; return how many that are.

        Raises
        ------
        UnknownResourceError
            There is none.
        """
        with naming(self._home, self._workspace, self._kind.value):
            count = self._catalog.archive_asset(self._kind, name, version, archived)
            for record in self._catalog.assets(self._kind, name, archived):
                if version in (None, record.version):
                    self._keep(record)
        return count

    def _added(self, asset: Versioned, document: Mapping[str, Any], content: str) -> tuple[AssetRecord, bool]:
        for tries in range(1, _MOST_TRIES + 1):
            rows = self._catalog.assets(self._kind, asset.name, None)
            version = asset.version or self._version_for(asset.name, content, rows)
            is_there = any(row.version == version for row in rows)
            if not is_there:
                self._keep(
                    AssetRecord(
                        kind=self._kind,
                        name=asset.name,
                        version=version,
                        document=document,
                        content=content,
                        created_at=utc_now(),
                    )
                )
            try:
                reach("asset.before_row")
                return self._catalog.add_asset(self._kind, asset.name, version, document, content)
            except GristmillError as error:
                if not is_there:
                    forget_record(self._home, self._workspace, self._kind.value, asset.name, version)
                is_taken = isinstance(error, ResourceStateError) and asset.version is None
                if not is_taken or tries == _MOST_TRIES:
                    raise
        raise AssertionError

    def _version_for(self, name: str, content: str, rows: list[AssetRecord]) -> str:
        taken = {row.version for row in rows}
        orphans = {
            version: str((kept_record(*where, version) or {}).get("content"))
            for where in [(self._home, self._workspace, self._kind.value, name)]
            for version in kept_versions(*where)
            if version not in taken
        }
        visible = {row.version: row.content for row in rows if not row.is_archived}
        return version_for(content, visible, orphans, taken)

    def _label(self, record: AssetRecord, labels: Iterable[str]) -> None:
        for label in labels:
            self._catalog.set_label(self._kind, record.name, label, record.version)

    def _keep(self, record: AssetRecord) -> None:
        """Keep a record, with the labels that name it."""
        names = self._catalog.labels(self._kind, record.name)
        labels = sorted(label for label, version in names.items() if version == record.version)
        kept = {**asdict(record), "document": dict(record.document), "labels": labels}
        keep_record(self._home, self._workspace, self._kind.value, record.name, kept, record.version)


def fingerprint(fixed: Mapping[str, Any]) -> str:
    """Return a digest of what makes up a version: what is equal has the same one."""
    return sha256(dumps(fixed, sort_keys=True).encode()).hexdigest()


def asset_record(kept: Mapping[str, Any]) -> tuple[AssetRecord, tuple[str, ...]]:
    """Return what a record of an asset was made of, and the labels that named it.

    Raises
    ------
    KeyError, TypeError, ValueError
        It is damaged.
    """
    values = {key: kept[key] for key in AssetRecord.__dataclass_fields__}
    record = AssetRecord(**{**values, "kind": AssetKind(values["kind"])})
    return record, tuple(kept.get("labels", ()))
