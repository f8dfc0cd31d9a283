"""The verbs that datastores and computes have in common: a name, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gristmill.catalog.records import ResourceKind, ResourceRecord
from gristmill.errors import ResourceStateError, UnknownResourceError
from gristmill.run.job_folder import utc_now
from gristmill.service.assets.naming import naming
from gristmill.service.assets.records import forget_record, keep_record
from gristmill.service.assets.views import ResourceView
from gristmill.settings import Settings
from gristmill.spec.assets import Source, Values
from gristmill.spec.overrides import Override
from gristmill.spec.problems import did_you_mean

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog


class Resources:
    """The verbs of one kind of resources."""

    kind: ResourceKind

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._settings = settings

    def create(self, file: Path | None = None, overrides: Sequence[Override] = ()) -> ResourceView:
        """Make a resource, or make one that is there what is said now.

        Parameters
        ----------
        file
            Its file; None: the overrides say everything.
        overrides
            What stands above the file.

        Raises
        ------
        SpecError
            Something in the file or an override is wrong.
        HomeError
            The home cannot be written.
        """
        return self._put(Values(called=f"the {self.kind.value}") if file is None else file, overrides)

    def show(self, name: str) -> ResourceView:
        """Return a resource.

        Raises
        ------
        UnknownResourceError
            There is none of that name.
        """
        return self._view(self._known(name))

    def list(self) -> Sequence[ResourceView]:
        """Return all resources, the newest first; those that are always there come last."""
        rows = self._catalog.resources(self.kind)
        names = {row.name for row in rows}
        return [self._view(row) for row in (*rows, *(one for one in self._always() if one.name not in names))]

    def update(self, name: str, overrides: Sequence[Override] = (), file: Path | None = None) -> ResourceView:
        """Say something else of a resource; what is not said stays.

        Parameters
        ----------
        name
            The resource.
        overrides
            What changes.
        file
            A file that says everything anew, below the overrides; None: what is there.

        Raises
        ------
        UnknownResourceError
            There is none of that name.
        SpecError
            Something in what is said is wrong.
        HomeError
            The home cannot be written.
        """
        there = self._known(name)
        named = Override(path="name", value=name, origin=f"--name {name}")
        source: Source = file or Values(called=f"the {self.kind.value} {name}", values=self._values(there))
        return self._put(source, [*overrides, named])

    def delete(self, name: str) -> bool:
        """Forget a resource, never what it stands for; say whether there was one.

        Raises
        ------
        ResourceStateError
            It is one that is always there, as nobody made it.
        HomeError
            The home cannot be written.
        """
        with naming(self._settings.home, self._settings.workspace, self.kind.value):
            was_there = self._catalog.delete_resource(self.kind, name)
            forget_record(self._settings.home, self._settings.workspace, self.kind.value, name)
        if not was_there and any(one.name == name for one in self._always()):
            raise ResourceStateError(
                f"the {self.kind.value} {name} belongs to every workspace, and cannot be deleted"
            )
        return was_there

    # What the kinds make of this

    def _put(self, source: Source, overrides: Sequence[Override]) -> ResourceView:
        """Load, check and save."""
        raise NotImplementedError

    def _view(self, record: ResourceRecord) -> ResourceView:
        raise NotImplementedError

    def _always(self) -> Sequence[ResourceRecord]:
        """Return those that are there although nobody made them."""
        raise NotImplementedError

    # Shared

    def _values(self, record: ResourceRecord) -> dict[str, Any]:
        """Return what a file of a resource would hold."""
        return {"name": record.name, **record.document}

    def _save(self, name: str, document: Mapping[str, Any]) -> ResourceRecord:
        record = ResourceRecord(kind=self.kind, name=name, document=document, created_at=utc_now())
        workspace = self._settings.workspace
        with naming(self._settings.home, workspace, self.kind.value):
            there = self._catalog.resource(self.kind, name)
            if there is not None:
                record = replace(record, created_at=there.created_at)
            kept = {**asdict(record), "document": dict(document)}
            keep_record(self._settings.home, workspace, self.kind.value, name, kept)
            return self._catalog.put_resource(replace(record, created_at=""))

    def _known(self, name: str) -> ResourceRecord:
        found = self._catalog.resource(self.kind, name)
        if found is None:
            found = next((one for one in self._always() if one.name == name), None)
        if found is None:
            known = [view.name for view in self.list()]
            raise UnknownResourceError(
                f"there is no {self.kind.value} called {name!r} in workspace {self._settings.workspace}; "
                f"gristmill {self.kind.value} list names those that are{did_you_mean(name, known)}"
            )
        return found
