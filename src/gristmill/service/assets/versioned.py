"""The verbs that models, environments and data assets have in common: versions that never change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gristmill.catalog.records import AssetKind, AssetRecord
from gristmill.errors import ResourceStateError, UnknownResourceError
from gristmill.service.assets.registering import Registering
from gristmill.service.assets.views import AssetSummary, AssetView
from gristmill.settings import Settings
from gristmill.spec.asset_values import Versioned
from gristmill.spec.assets import Values, load_changes
from gristmill.spec.overrides import Override
from gristmill.spec.problems import did_you_mean
from gristmill.spec.references import LATEST
from gristmill.storage.contents import Contents

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog


class VersionedAssets:
    """The verbs of one kind of assets."""

    kind: AssetKind
    changeable: tuple[str, ...] = ("description", "tags", "properties", "labels")
    """What may be said anew of a version; everything else is as it was made."""

    def __init__(
        self, catalog: Catalog, settings: Settings, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._catalog = catalog
        self._settings = settings
        self._say = say
        self._contents = Contents(settings.home.contents)
        self._registering = Registering(self.kind, catalog, settings)

    def show(self, name: str, version: str | None = None, label: str | None = None) -> AssetView:
        """Return a version; without version and label the one that was made last.

        Raises
        ------
        UnknownResourceError
            There is no such asset, version or label.
        """
        return self._shown(self.record(name, version, label))

    def list(
        self, name: str | None = None, *, archived: bool | None = False
    ) -> Sequence[AssetView | AssetSummary]:
        """Return all versions of an asset, or without a name a summary of each asset; the newest first.

        Parameters
        ----------
        name
            The asset; one that is not there has no versions.
        archived
            Whether archived versions are meant, and no others; None: all.
        """
        records = self._catalog.assets(self.kind, name, archived)
        if name is not None:
            labels = self._labels(name)
            return [self._view(record, labels) for record in records]
        newest: dict[str, AssetRecord] = {}
        for record in records:
            newest.setdefault(record.name, record)
        return [AssetSummary(name=one.name, newest=self._view(one, {})) for one in newest.values()]

    def update(
        self,
        name: str,
        overrides: Sequence[Override],
        version: str | None = None,
        label: str | None = None,
    ) -> AssetView:
        """Say something else of a version: description, tags, properties, labels.

        Raises
        ------
        UnknownResourceError
            There is no such asset, version or label.
        ResourceStateError
            Something would change that never does.
        SpecError
            Something in what is said is wrong.
        """
        there = self.record(name, version, label)
        called = f"version {there.version} of {self.kind} {there.name}"
        for override in overrides:
            key = override.path.split(".")[0]
            if key not in self.changeable and key in self._fixed():
                raise ResourceStateError(
                    f"{override.origin}: {key} of {called} cannot be changed: a version is as it was made; "
                    "create the next version"
                )
        said = {key: there.document[key] for key in self.changeable if key in there.document}
        changes = load_changes(Values(called=called, values=said), overrides, self.kind.value)
        document = {key: value for key, value in there.document.items() if key not in self.changeable}
        document |= {key: value for key, value in changes.said.items() if key != "labels"}
        changed = self._registering.change(there, document, changes.labels)
        return replace(self._shown(changed), notices=changes.notices)

    def archive(self, name: str, version: str | None = None, label: str | None = None) -> int:
        """Take a version, or with neither version nor label all of an asset, out of lists; return how many.

        Raises
        ------
        UnknownResourceError
            There is no such asset, version or label.
        """
        return self._archived(name, version, label, True)

    def restore(self, name: str, version: str | None = None, label: str | None = None) -> int:
        """Bring back what was archived; return how many versions that are.

        Raises
        ------
        UnknownResourceError
            There is no such asset, version or label.
        """
        return self._archived(name, version, label, False)

    def record(self, name: str, version: str | None = None, label: str | None = None) -> AssetRecord:
        """Return the row of a version, as `show` finds it.

        Raises
        ------
        UnknownResourceError
            There is no such asset, version or label.
        """
        if version is not None:
            found = self._catalog.asset(self.kind, name, version)
        else:
            found = self._catalog.labelled(self.kind, name, label or LATEST)
        if found is None:
            raise self._unknown(name, version, label)
        return found

    # What the kinds make of this

    def _details(self, record: AssetRecord) -> tuple[dict[str, Any], Path | None]:
        """Return what is shown of this kind alone, and where it lies on this machine."""
        raise NotImplementedError

    def _fixed(self) -> tuple[str, ...]:
        """Return the keys that never change."""
        raise NotImplementedError

    def _register(self, asset: Versioned, fixed: Mapping[str, Any], said: Mapping[str, Any]) -> AssetView:
        """Make a version of what is whole already, unless there is one that holds the same.

        Parameters
        ----------
        asset
            What was asked for.
        fixed
            What makes up the version, and never changes.
        said
            What only this kind says beside description, tags and properties.
        """
        record, was_new = self._registering.add(asset, fixed, said)
        known = f"{self.kind} {record.name} has this as version {record.version} already"
        return replace(self._shown(record), notices=(*asset.notices, *(() if was_new else (known,))))

    def _archived(self, name: str, version: str | None, label: str | None, archived: bool) -> int:
        if label is not None:
            version = self.record(name, version, label).version
        return self._registering.archive(name, version, archived)

    def _labels(self, name: str) -> dict[str, str]:
        """Return the labels of an asset, each with the version that it names, ``latest`` among them."""
        newest = self._catalog.latest(self.kind, name)
        own = self._catalog.labels(self.kind, name)
        return own if newest is None else {**own, LATEST: newest.version}

    def _shown(self, record: AssetRecord) -> AssetView:
        return self._view(record, self._labels(record.name))

    def _view(self, record: AssetRecord, labels: Mapping[str, str]) -> AssetView:
        details, path = self._details(record)
        document = record.document
        return AssetView(
            id=f"/workspaces/{self._settings.workspace}/{_IDS[self.kind]}/{record.name}/versions/{record.version}",
            name=record.name,
            version=record.version,
            details=details,
            description=document.get("description"),
            tags=document.get("tags", {}),
            properties={**document.get("git", {}), **document.get("properties", {})},
            labels=tuple(sorted(label for label, version in labels.items() if version == record.version)),
            is_archived=record.is_archived,
            created_at=record.created_at,
            modified_at=record.modified_at,
            path=path,
        )

    def _unknown(self, name: str, version: str | None, label: str | None) -> UnknownResourceError:
        versions = [record.version for record in self._catalog.assets(self.kind, name, None)]
        if not versions:
            known = {record.name for record in self._catalog.assets(self.kind, None, None)}
            return UnknownResourceError(
                f"there is no {self.kind} called {name!r} in workspace {self._settings.workspace}; gristmill "
                f"{self.kind} list names those that are{did_you_mean(name, known)}"
            )
        there = ", ".join([*versions[:_SHOWN], *(["…"] if len(versions) > _SHOWN else [])])
        if version is None and (label or LATEST) == LATEST:
            return UnknownResourceError(
                f"{self.kind} {name} is archived: it has no latest version; name one of {there}, or "
                "restore it"
            )
        which = f"version {version!r}" if version is not None else f"label {label!r}"
        is_label = version == LATEST or version in self._catalog.labels(self.kind, name)
        hint = f"; {version} is a label: --label {version}, in a file @{version}" if is_label else ""
        return UnknownResourceError(f"{self.kind} {name} has no {which}; its versions: {there}{hint}")


_IDS = {AssetKind.MODEL: "models", AssetKind.ENVIRONMENT: "environments", AssetKind.DATA: "data"}
_SHOWN = 10
