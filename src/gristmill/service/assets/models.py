"""Models: their files are kept by what is in them, and each version is a file or a folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gristmill.catalog.records import AssetKind, AssetRecord
from gristmill.service.assets.artifacts import Artifact, artifacts_of, shown
from gristmill.service.assets.datastores import Datastores
from gristmill.service.assets.downloading import Downloaded, copy_out
from gristmill.service.assets.git import git_state
from gristmill.service.assets.places import with_datastore_path, with_job_output
from gristmill.service.assets.versioned import VersionedAssets
from gristmill.service.assets.views import AssetView
from gristmill.spec.assets import Source, Values, load_model
from gristmill.spec.overrides import Override

_MLFLOW = "mlflow_model"
_OPTIONS = Values(called="the model")


class Models(VersionedAssets):
    """The verbs for models."""

    kind = AssetKind.MODEL
    changeable = (*VersionedAssets.changeable, "stage", "flavors")

    def create(self, file: Path | None = None, overrides: Sequence[Override] = ()) -> AssetView:
        """Register a model; safe to repeat, the same again is the same version.

        Parameters
        ----------
        file
            A model's file; None: the overrides say everything.
        overrides
            What stands above the file: ``name``, ``path``, ``type``, ``version`` and so on.

        Raises
        ------
        SpecError
            Something in the file or an override is wrong.
        UnknownJobError, UnknownResourceError
            The path is the output of a job, or in a datastore, that is not there.
        RequestError
            The model cannot be read.
        ResourceStateError
            There is such a version, and it holds something else.
        HomeError
            The disk is full, or the home cannot be written; nothing of it is left.
        """
        source: Source = _OPTIONS if file is None else file
        datastores = Datastores(self._catalog, self._settings)
        overrides = with_job_output(source, overrides, self._settings.home)
        overrides = with_datastore_path(source, overrides, datastores.reachable_path)
        asset = load_model(source, overrides)
        if asset.type == _MLFLOW and not (asset.path / "MLmodel").is_file():
            odd = f"model {asset.name}: its type is {_MLFLOW}, and there is no file MLmodel in {asset.path}"
            asset = replace(asset, notices=(*asset.notices, odd))
        key = self._contents.put(asset.path, say=self._say)
        git = git_state(asset.path)
        said = {"stage": asset.stage, "git": git.to_properties() if git is not None else {}}
        return self._register(asset, {"type": asset.type, "contents": {"model": key}}, said)

    def artifacts(
        self, name: str, version: str | None = None, label: str | None = None
    ) -> tuple[Artifact, ...]:
        """Return the files of a model as ``init()`` sees them, with the line that names each.

        Raises
        ------
        UnknownResourceError
            There is no such model, version or label.
        HomeError
            Its files are not in this home.
        """
        return artifacts_of(self._path(self.record(name, version, label)))

    def download(
        self, name: str, folder: Path, version: str | None = None, label: str | None = None
    ) -> Downloaded:
        """Copy a model into ``folder/<its name>/``; files that are there are replaced.

        Raises
        ------
        UnknownResourceError
            There is no such model, version or label.
        OutputError
            Something cannot be written.
        HomeError
            Its files are not in this home.
        """
        record = self.record(name, version, label)
        source = self._path(record)
        return copy_out(source, folder / record.name / source.name)

    def _details(self, record: AssetRecord) -> tuple[dict[str, Any], Path | None]:
        stage = record.document.get("stage")
        path = self._contents.find(record.document["contents"]["model"])
        details = {"type": record.document["type"], "path": shown(path) if path is not None else None}
        return {**details, **({"stage": stage} if stage else {})}, path

    def _path(self, record: AssetRecord) -> Path:
        return self._contents.path(record.document["contents"]["model"])

    def _fixed(self) -> tuple[str, ...]:
        return ("name", "version", "type", "path")
