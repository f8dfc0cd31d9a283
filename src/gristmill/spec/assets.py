"""From the files beside a deployment to checked values: endpoints, assets, datastores, computes, invokes.

The way is that of `deployment`: read the tree, lay the options over it, check it, turn it into values; all
mistakes are reported at once. Instead of a file there may be values: those that a catalog has kept, or none
at all where options say everything. This module must not know what a catalog does with them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping as PlainMapping
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from gristmill.errors import SpecError
from gristmill.spec.asset_schema import (
    ChangesSection,
    ComputeFile,
    CredentialsSection,
    DataFile,
    DatastoreFile,
    EndpointFile,
    EnvironmentFile,
    InvokeSection,
    ModelChangesSection,
    ModelFile,
)
from gristmill.spec.asset_values import (
    AssetChanges,
    Compute,
    Credentials,
    DataAsset,
    Datastore,
    Endpoint,
    EnvironmentAsset,
    InvokeFile,
    JobInput,
    JobOutput,
    ModelAsset,
)
from gristmill.spec.check import checked
from gristmill.spec.document import Document, read_document
from gristmill.spec.file_kind import other_kind
from gristmill.spec.layout import without_read_only
from gristmill.spec.overrides import Override, lay_over
from gristmill.spec.problems import Problem, lines
from gristmill.spec.schema import model_type
from gristmill.spec.sections import Section
from gristmill.spec.tree import Mapping, Place, is_null, tree

File = TypeVar("File", bound=Section)
_SECRETS = "credentials"
_NOT_SHOWN = "holds what YAML cannot read; put the secret in quotes (it is not shown)"


@dataclass(frozen=True, kw_only=True)
class Values:
    """What stands in place of a file."""

    called: str
    """What messages call it: ``the endpoint heart``."""
    values: PlainMapping[str, object] = field(default_factory=dict)
    """What the file would hold; relative paths in it are relative to the current folder."""


Source = Path | Values


def load_endpoint(source: Source, overrides: Sequence[Override] = ()) -> Endpoint:
    """Load an endpoint file.

    Parameters
    ----------
    source
        The YAML file, or values in its place.
    overrides
        Settings that stand above those of the file, in the order in which they were given.

    Returns
    -------
    Endpoint
        Checked.

    Raises
    ------
    SpecError
        The file cannot be read, is of another kind, or something in it or an override is wrong: one line for
        each mistake. The same holds for every function of this module.
    """
    file, said = _loaded(source, overrides, EndpointFile, "endpoint")
    return Endpoint(
        **_described(file, said),
        properties=file.properties,
        auth_mode=file.auth_mode,
        default_deployment=file.defaults.deployment_name,
    )


def load_model(source: Source, overrides: Sequence[Override] = ()) -> ModelAsset:
    """Load a model file; the model's type is detected where the file does not say it."""
    file, said = _loaded(source, overrides, ModelFile, "model")
    return ModelAsset(
        **_versioned(file, said), path=file.path, type=model_type(file.path, file.type), stage=file.stage
    )


def load_environment(source: Source, overrides: Sequence[Override] = ()) -> EnvironmentAsset:
    """Load an environment file; the packages of a ``conda_file`` are named, not read."""
    file, said = _loaded(source, overrides, EnvironmentFile, "environment")
    conda = file.conda_file
    return EnvironmentAsset(
        **_versioned(file, said),
        image=file.image,
        conda_file=conda if isinstance(conda, Path) else None,
        conda=conda if isinstance(conda, str) else None,
        build_context=file.build.path if file.build is not None else None,
        dockerfile=file.build.dockerfile_path if file.build is not None else None,
        os_type=file.os_type,
    )


def load_data(source: Source, overrides: Sequence[Override] = ()) -> DataAsset:
    """Load a data file; the data is not looked into."""
    file, said = _loaded(source, overrides, DataFile, "data")
    kind, place = file.type, file.path.path
    if place is not None and place.is_file() and kind == "uri_folder":
        kind = "uri_file"
        if "type" in file.model_fields_set:
            said = (*said, f"data {file.name}: {place} is a file and was taken as a uri_file")
    if place is not None and place.is_dir() and kind == "uri_file":
        raise SpecError(f"data {file.name}: {place} is a folder; write 'type: uri_folder'")
    return DataAsset(**_versioned(file, said), type=kind, location=file.path)


def load_changes(source: Values, overrides: Sequence[Override], kind: str) -> AssetChanges:
    """Load what is said anew of a version of a ``model``, an ``environment`` or ``data``."""
    section = ModelChangesSection if kind == "model" else ChangesSection
    file, said = _loaded(source, overrides, section, kind)
    described: dict[str, object] = {
        "description": file.description,
        "tags": file.tags,
        "properties": file.properties,
    }
    if isinstance(file, ModelChangesSection):
        described["stage"] = file.stage
    return AssetChanges(said=described, labels=file.labels, notices=said)


def load_datastore(source: Source, overrides: Sequence[Override] = ()) -> Datastore:
    """Load a datastore file; no message shows what stands under ``credentials``."""
    shown = [_without_secret(override) for override in overrides]
    file, said = _loaded(source, shown, DatastoreFile, "datastore")
    credentials = file.credentials
    return Datastore(
        **_described(file, said),
        properties=file.properties,
        type=file.type,
        account_name=file.account_name or file.store_name,
        container_name=file.container_name or file.file_share_name or file.filesystem,
        endpoint=file.endpoint,
        protocol=file.protocol,
        path=file.path,
        credentials=None if credentials is None else _credentials(credentials),
    )


def load_compute(source: Source, overrides: Sequence[Override] = ()) -> Compute:
    """Load a compute file; a compute has at least one node at most."""
    file, said = _loaded(source, overrides, ComputeFile, "compute")
    return Compute(
        **_described(file, said),
        type=file.type,
        size=file.size,
        min_instances=file.min_instances,
        max_instances=file.max_instances or max(1, file.min_instances),
        idle_time_before_scale_down_s=file.idle_time_before_scale_down,
        address=file.address,
    )


def load_invoke(source: Source, overrides: Sequence[Override] = ()) -> InvokeFile:
    """Load the file with the inputs and outputs of an invoke."""
    file, said = _loaded(source, overrides, InvokeSection, "inputs")
    return InvokeFile(
        inputs={
            name: JobInput(type=one.type, location=one.path or one.default)
            for name, one in file.inputs.items()
        },
        outputs={
            name: JobOutput(type=one.type, location=one.path, mode=one.mode)
            for name, one in file.outputs.items()
        },
        notices=said,
    )


def _loaded(
    source: Source, overrides: Sequence[Override], section: type[File], kind: str
) -> tuple[File, tuple[str, ...]]:
    document = _document_of(source) if isinstance(source, Values) else _document(source, kind)
    layout = without_read_only(document.root)
    if other := other_kind(document.root, kind):
        hint = "; give it with --conda-file, or under conda_file" if other == "a conda" else ""
        what = f"this is {other} file, and {_with_article(kind)} file is wanted here{hint}"
        raise SpecError(*lines([Problem(place=document.root.place, path="", what=what)]))
    folder = Path.cwd() if isinstance(source, Values) else Path(os.path.abspath(source)).parent
    root, misplaced = lay_over(layout.root, overrides, folder)
    file, wrong = checked(root, section)
    problems = [*document.problems, *misplaced, *wrong]
    if problems or file is None:
        raise SpecError(*lines(problems))
    noticed = [
        Problem(place=root.entries[key].place, path=key, what="means nothing here and was ignored")
        for key in _WITHOUT_MEANING.get(kind, ())
        if key in root.entries and not is_null(root.entries[key].node)
    ]
    return file, lines([*layout.notices, *noticed])


_WITHOUT_MEANING = {
    "endpoint": ("identity",),
    "model": ("flavors",),
    "environment": ("inference_config",),
    "compute": (
        *("tier", "identity", "network_settings", "ssh_settings"),
        *("ssh_public_access_enabled", "enable_node_public_ip"),
    ),
}


def _document_of(source: Values) -> Document:
    root = tree(source.values, Place(origin=source.called, folder=Path.cwd()))
    assert isinstance(root, Mapping)
    return Document(root=root, problems=())


def _document(path: Path, kind: str) -> Document:
    if os.path.isdir(path):
        raise SpecError(f"{path}: is a folder; give the {kind} file itself")
    if kind != "datastore":
        return read_document(path)
    try:
        document = read_document(path)
    except SpecError as error:
        # What stands in quotes may be a piece of a secret that YAML could not read.
        raise SpecError(*(re.sub(r"'.*'", "'…'", problem) for problem in error.problems)) from None
    hidden = tuple(
        replace(one, what=_NOT_SHOWN) if one.path.startswith(_SECRETS) and "tag" in one.what else one
        for one in document.problems
    )
    return replace(document, problems=hidden)


def _without_secret(override: Override) -> Override:
    """Keep the value of an option out of what messages call the option."""
    if not override.path.startswith(_SECRETS):
        return override
    name = override.origin.partition(override.path)[0] or override.origin.split(" ", 1)[0] + " "
    return replace(override, origin=f"{name}{override.path}=…")


def _credentials(section: CredentialsSection) -> Credentials:
    return Credentials(**{name: getattr(section, name) for name in CredentialsSection.model_fields})


def _described(file: Any, said: tuple[str, ...]) -> dict[str, Any]:
    return {"name": file.name, "description": file.description, "tags": file.tags, "notices": said}


def _versioned(file: Any, said: tuple[str, ...]) -> dict[str, Any]:
    own = {"version": file.version, "properties": file.properties, "labels": file.labels}
    return {**_described(file, said), **own}


def _with_article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
