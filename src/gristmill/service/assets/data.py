"""Data assets: a reference to where data lies, with a listing of it, never a copy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gristmill.catalog.records import AssetKind, AssetRecord
from gristmill.service.assets.artifacts import shown
from gristmill.service.assets.datastores import Datastores
from gristmill.service.assets.listing import listing_of
from gristmill.service.assets.places import with_job_output
from gristmill.service.assets.versioned import VersionedAssets
from gristmill.service.assets.views import AssetView
from gristmill.spec.asset_values import Location
from gristmill.spec.assets import Source, Values, load_data
from gristmill.spec.locations import as_text, location_of
from gristmill.spec.overrides import Override

MOST_COMPARED = 50_000
"""Files whose names and sizes are compared when data is used: a fraction of a second."""
_OPTIONS = Values(called="the data")


class RegisteredData(VersionedAssets):
    """The verbs for data assets."""

    kind = AssetKind.DATA

    def create(self, file: Path | None = None, overrides: Sequence[Override] = ()) -> AssetView:
        """Register data; safe to repeat, the same again is the same version. Nothing is copied.

        Data counts as the same where it lies at the same place and has the same files of the same sizes.

        Parameters
        ----------
        file
            A data file; None: the overrides say everything.
        overrides
            What stands above the file: ``name``, ``path``, ``type`` and so on.

        Raises
        ------
        SpecError
            Something in the file or an override is wrong.
        UnknownJobError, UnknownResourceError
            The path is the output of a job, or in a datastore, that is not there.
        InputError
            The data cannot be read.
        ResourceStateError
            There is such a version, and it holds something else.
        HomeError
            The disk is full, or the home cannot be written.
        """
        source: Source = _OPTIONS if file is None else file
        asset = load_data(source, with_job_output(source, overrides, self._settings.home))
        here = self._here(asset.location)
        fixed: dict[str, Any] = {"type": asset.type, "path": as_text(asset.location)}
        if here is not None and here.exists():
            fixed |= {"listing": listing_of(here, self._settings.home).to_json()}
        return self._register(asset, fixed, {})

    def changes(self, view: AssetView) -> tuple[str, ...]:
        """Say in a line how data differs from what was registered; nothing where it does not, or is not here.

        Of more than `MOST_COMPARED` files nothing is said: to list them again takes longer than anybody who
        starts a job would wait.

        Raises
        ------
        InputError
            The data cannot be read.
        """
        recorded = view.details.get("listing")
        if recorded is None or view.path is None or recorded["files"] > MOST_COMPARED:
            return ()
        now = listing_of(view.path, self._settings.home, most_files=2 * MOST_COMPARED)
        return now.differences(recorded, f"data {view.name}:{view.version}")

    def _details(self, record: AssetRecord) -> tuple[dict[str, Any], Path | None]:
        document = record.document
        details: dict[str, Any] = {"type": document["type"], "path": shown(document["path"])}
        if "listing" in document:
            details["listing"] = document["listing"]
        return details, self._here(location_of(document["path"]))

    def _here(self, location: Location) -> Path | None:
        """Return where data lies on this machine, if it does."""
        if location.datastore is not None:
            return Datastores(self._catalog, self._settings).local_path(location.datastore, location.below)
        return location.path

    def _fixed(self) -> tuple[str, ...]:
        return ("name", "version", "type", "path", "listing")
