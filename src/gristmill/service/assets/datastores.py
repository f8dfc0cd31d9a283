"""Datastores: names that paths begin with, ``azureml://datastores/<name>/paths/<path>``.

One of type ``local`` is a folder of this machine. ``workspaceblobstore`` is always there, as in every
workspace of the original, and is a folder in the home.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from gristmill.catalog.records import ResourceKind, ResourceRecord
from gristmill.errors import RequestError
from gristmill.service.assets.resources import Resources
from gristmill.service.assets.secrets import Secrets
from gristmill.service.assets.views import ResourceView
from gristmill.spec.asset_values import Credentials, Datastore
from gristmill.spec.assets import Source, load_datastore
from gristmill.spec.overrides import Override

USUAL = "workspaceblobstore"
"""The datastore that every workspace has."""
LOCAL = "local"
_ACCOUNTS = {"azure_data_lake_gen1": "store_name"}
_CONTAINERS = {"azure_file": "file_share_name", "azure_data_lake_gen2": "filesystem"}


class Datastores(Resources):
    """The verbs for datastores."""

    kind = ResourceKind.DATASTORE

    def local_path(self, name: str, below: str) -> Path | None:
        """Return where a path in a datastore lies on this machine; nothing need be there.

        Returns
        -------
        Path or None
            None where the datastore lies elsewhere.

        Raises
        ------
        UnknownResourceError
            There is no datastore of that name.
        """
        document = self._known(name).document
        return Path(document["path"]) / below if document["type"] == LOCAL else None

    def reachable_path(self, name: str, below: str) -> Path:
        """Return where a path in a datastore lies on this machine; nothing need be there.

        Raises
        ------
        UnknownResourceError
            There is no datastore of that name.
        RequestError
            It lies elsewhere, where Gristmill cannot read yet.
        """
        path = self.local_path(name, below)
        if path is None:
            kind = self._known(name).document["type"]
            raise RequestError(
                f"datastore {name} is of type {kind}, and what lies there is not read from here yet; copy "
                "the data to this machine and give its path, or create a datastore of type local"
            )
        return path

    def delete(self, name: str) -> bool:
        """Forget a datastore with its secrets, never what it holds; say whether there was one.

        Raises
        ------
        HomeError
            The home cannot be written.
        """
        was_there = super().delete(name)
        Secrets(self._settings).forget(name)
        return was_there

    def _put(self, source: Source, overrides: Sequence[Override]) -> ResourceView:
        datastore = load_datastore(source, overrides)
        Secrets(self._settings).keep(datastore.name, _secrets(datastore.credentials))
        view = self._view(self._save(datastore.name, _document(datastore)))
        return replace(view, notices=datastore.notices)

    def _values(self, record: ResourceRecord) -> dict[str, Any]:
        secrets = Secrets(self._settings).of(record.name)
        return {**super()._values(record), **({"credentials": secrets} if secrets else {})}

    def _view(self, record: ResourceRecord) -> ResourceView:
        document = record.document
        described = ("description", "tags", "properties")
        return ResourceView(
            id=f"azureml://datastores/{record.name}",
            name=record.name,
            details={
                **{key: value for key, value in document.items() if key not in described},
                "credentials": {},
            },
            description=document.get("description"),
            tags=document.get("tags", {}),
            properties=document.get("properties", {}),
            created_at=record.created_at,
            modified_at=record.modified_at,
        )

    def _always(self) -> Sequence[ResourceRecord]:
        folder = self._settings.home.datastores / self._settings.workspace / USUAL
        document = {"type": LOCAL, "path": str(folder), "description": "a folder in the home"}
        return [ResourceRecord(kind=self.kind, name=USUAL, document=document)]


def _secrets(credentials: Credentials | None) -> dict[str, str]:
    said = asdict(credentials) if credentials is not None else {}
    return {key: value for key, value in said.items() if value is not None}


def _document(datastore: Datastore) -> dict[str, Any]:
    known = {
        "type": datastore.type,
        "path": None if datastore.path is None else str(datastore.path),
        _ACCOUNTS.get(datastore.type, "account_name"): datastore.account_name,
        _CONTAINERS.get(datastore.type, "container_name"): datastore.container_name,
        "endpoint": None if datastore.type == LOCAL else datastore.endpoint,
        "protocol": None if datastore.type == LOCAL else datastore.protocol,
        "description": datastore.description,
    }
    said = {"tags": dict(datastore.tags), "properties": dict(datastore.properties)}
    return {**{key: value for key, value in known.items() if value is not None}, **said}
