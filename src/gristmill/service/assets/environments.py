"""Registered environments: what they are built from. What is built of them is in `service.environments`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gristmill.catalog.records import AssetKind, AssetRecord
from gristmill.errors import SpecError
from gristmill.service.assets.artifacts import shown
from gristmill.service.assets.versioned import VersionedAssets
from gristmill.service.assets.views import AssetView
from gristmill.spec.asset_values import EnvironmentAsset
from gristmill.spec.assets import Source, Values, load_environment
from gristmill.spec.conda_file import load_conda_file, load_conda_values
from gristmill.spec.overrides import Override
from gristmill.spec.packages import Packages

_OPTIONS = Values(called="the environment")


class RegisteredEnvironments(VersionedAssets):
    """The verbs for environments."""

    kind = AssetKind.ENVIRONMENT

    def create(self, file: Path | None = None, overrides: Sequence[Override] = ()) -> AssetView:
        """Register an environment; safe to repeat, the same again is the same version.

        Parameters
        ----------
        file
            An environment's file; None: the overrides say everything.
        overrides
            What stands above the file: ``name``, ``image``, ``conda_file``, ``build.path`` and so on.

        Raises
        ------
        SpecError
            Something in the file, its conda file or an override is wrong.
        RequestError
            The build context cannot be read.
        ResourceStateError
            There is such a version, and it holds something else.
        HomeError
            The disk is full, or the home cannot be written; nothing of it is left.
        """
        source: Source = _OPTIONS if file is None else file
        asset = load_environment(source, overrides)
        packages = _packages(asset, Path.cwd() if file is None else file.absolute().parent)
        fixed: dict[str, Any] = {"image": asset.image, "os_type": asset.os_type}
        if packages is not None:
            fixed["conda_file"] = _normal(packages)
        if asset.build_context is not None:
            fixed["contents"] = {"build": self._contents.put(asset.build_context)}
            fixed["dockerfile_path"] = asset.dockerfile
        if not (asset.image or packages or asset.build_context):
            raise SpecError(
                f"environment {asset.name}: says nothing of what is in it; give a conda_file (--conda-file), "
                "an image (--image) or a build context (--build-context)"
            )
        return self._register(asset, fixed, {})

    def _details(self, record: AssetRecord) -> tuple[dict[str, Any], Path | None]:
        document = record.document
        details = {key: document[key] for key in ("image", "conda_file", "os_type") if document.get(key)}
        if "contents" not in document:
            return details, None
        path = self._contents.find(document["contents"]["build"])
        build = {
            "path": shown(path) if path is not None else None,
            "dockerfile_path": document["dockerfile_path"],
        }
        return {**details, "build": build}, path

    def _fixed(self) -> tuple[str, ...]:
        return ("name", "version", "image", "conda_file", "build", "os_type")


def _packages(asset: EnvironmentAsset, folder: Path) -> Packages | None:
    if asset.conda_file is not None:
        return load_conda_file(asset.conda_file, asset.name)
    if asset.conda is not None:
        return load_conda_values(json.loads(asset.conda), asset.name, folder)
    return None


def _normal(packages: Packages) -> dict[str, Any]:
    """Return a conda file's content in one form, with the requirement files that it names taken in."""
    dependencies: list[Any] = [line.text for line in packages.conda]
    if packages.pip:
        dependencies.append({"pip": [line.text for line in packages.pip]})
    channels = {"channels": list(packages.channels)} if packages.channels else {}
    return {**channels, "dependencies": dependencies}
