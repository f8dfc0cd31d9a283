"""Contents that are gone, or not what was put: what they belong to is named, so that it is created again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from gristmill.catalog.records import AssetKind
from gristmill.settings import Settings
from gristmill.storage.contents import Contents

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog

Tell = Callable[[str], None]


def notice_damage(settings: Settings, catalog: Catalog, notice: Tell) -> None:
    """Read all contents that rows refer to; set aside those that somebody has changed.

    Parameters
    ----------
    settings
        Where contents are. Of a catalog that several homes share, those of other homes are not missed.
    catalog
        What refers to them.
    notice
        Is told what has to be created again.
    """
    contents = Contents(settings.home.contents)
    owners: dict[str, list[str]] = {}
    for key, owner in _referred(catalog):
        owners.setdefault(key, []).append(owner)
    for key, names in owners.items():
        if not contents.has(key):
            if settings.catalog_url is None:
                notice(f"{', '.join(names)}: the files are gone from {contents.folder}; create it again")
        elif not contents.is_whole(key):
            place = contents.set_aside(key)
            changed = f"the files were changed by somebody, and are kept in {place}"
            notice(f"{', '.join(names)}: {changed}; create it again")


def _referred(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield the key of each content with what refers to it, in words."""
    for name in catalog.workspaces():
        workspace = catalog.in_workspace(name)
        where = "" if name == "default" else f" of workspace {name}"
        for deployment in workspace.deployments():
            for key in deployment.contents.values():
                yield key, f"deployment {deployment.name} of endpoint {deployment.endpoint}{where}"
        for kind in AssetKind:
            for asset in workspace.assets(kind, archived=None):
                contents: Mapping[str, str] = asset.document.get("contents", {})
                for key in contents.values():
                    yield key, f"{kind} {asset.name}:{asset.version}{where}"
