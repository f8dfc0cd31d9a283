"""How assets, datastores and computes are shown: in the names of the files that they are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class AssetView:
    """One version of a model, an environment or a data asset."""

    id: str
    """What names it everywhere: as a model, an environment or an input, as it is."""
    name: str
    version: str
    details: Mapping[str, Any]
    """What its kind alone has, as it is shown: ``type``, ``path``, ``conda_file`` and so on."""
    description: str | None
    tags: Mapping[str, str]
    properties: Mapping[str, str]
    labels: tuple[str, ...]
    """Those that name this version, ``latest`` among them."""
    is_archived: bool
    created_at: str
    modified_at: str
    path: Path | None = None
    """Where it lies on this machine: of a model its file or folder, of an environment its build context, of
    data what is registered; None where it does not lie here."""
    notices: tuple[str, ...] = ()
    """What the user should know; one line each."""

    def to_json(self) -> dict[str, Any]:
        """Return everything but the notices as values for JSON, the name first."""
        return {
            "name": self.name,
            "version": self.version,
            **self.details,
            **_described(self),
            "labels": list(self.labels),
        }


@dataclass(frozen=True, kw_only=True)
class AssetSummary:
    """A model, an environment or a data asset with all its versions, as a list of them shows it."""

    name: str
    newest: AssetView
    """The version that was made last, of those that are shown."""
    notices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what a list shows, in the original's words: ``latest version`` has a space."""
        newest = self.newest.to_json()
        return {
            "name": self.name,
            "latest version": self.newest.version,
            **{
                key: newest[key]
                for key in ("type", "description", "tags", "creation_context")
                if key in newest
            },
        }


@dataclass(frozen=True, kw_only=True)
class ResourceView:
    """A datastore or a compute."""

    id: str
    name: str
    details: Mapping[str, Any]
    """What its kind has, as it is shown; never a secret."""
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    created_at: str = ""
    modified_at: str = ""
    notices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return everything but the notices as values for JSON, the name first."""
        return {"name": self.name, **self.details, **_described(self)}


def _described(view: AssetView | ResourceView) -> dict[str, Any]:
    said: dict[str, Any] = {"description": view.description} if view.description is not None else {}
    if view.created_at:
        said["creation_context"] = {"created_at": view.created_at, "last_modified_at": view.modified_at}
    return {**said, "tags": dict(view.tags), "properties": dict(view.properties), "id": view.id}
