"""The shape of the files beside a deployment: which keys there are, their defaults, and what each may hold.

The keys are those of the contract's section 2, "Other files". As in `schema`, the models are the border: once
a tree is known to be right, only the values of `asset_values` are passed on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from gristmill.spec import asset_kinds, kinds
from gristmill.spec.asset_values import Location
from gristmill.spec.schema import Build, Count, ModelType, Name, Seconds, Text, Texts
from gristmill.spec.sections import (
    BeforeValidator,
    Field,
    PlainValidator,
    Section,
    ValidationInfo,
    field_validator,
)
from gristmill.spec.tree import Mapping, Node

AssetName = Annotated[str, PlainValidator(asset_kinds.asset_name)]
Version = Annotated[str, PlainValidator(asset_kinds.version)]
Secret = Annotated[str, PlainValidator(asset_kinds.secret)]
Place = Annotated[Location, PlainValidator(asset_kinds.location)]
InputPlace = Annotated[Location, PlainValidator(asset_kinds.input_location)]
_NOT_TABLES = (
    "tables are not read here: give the folder itself as uri_folder, or one file as uri_file; a deployment"
    " chooses among files with gristmill.include"
)
_LITERALS = ("string", "number", "integer", "boolean")


def _data_type(node: Any) -> str:
    given = kinds.text(node).strip().lower()
    if given == "mltable":
        raise kinds.wrong(f"{_NOT_TABLES} (got {given!r})")
    if given in _LITERALS:
        raise kinds.wrong(f"{asset_kinds.NOT_LITERALS} (got {given!r})")
    return kinds.word("uri_folder", "uri_file")(node)


Labels = Annotated[tuple[str, ...], PlainValidator(asset_kinds.labels)]
DataType = Annotated[str, PlainValidator(_data_type)]


class Defaults(Section):
    """``defaults:`` of an endpoint."""

    deployment_name: Name | None = None


class EndpointFile(Section):
    """An endpoint."""

    name: Name
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: Texts = Field(default_factory=dict)
    auth_mode: Annotated[str, PlainValidator(kinds.word("aad_token", "key", "aml_token"))] = "aad_token"
    defaults: Defaults = Defaults.model_construct()
    identity: Any = None


class ModelFile(Section):
    """A model."""

    name: AssetName
    version: Version | None = None
    type: ModelType | None = None
    path: Annotated[Path, PlainValidator(asset_kinds.existing)]
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: Texts = Field(default_factory=dict)
    stage: Text | None = None
    flavors: Any = None
    labels: Labels = ()


class BuildContext(Build):
    """``build:`` of an environment, whose folder is here."""

    path: Annotated[Path, PlainValidator(kinds.folder)]  # type: ignore[assignment]  # a text in a deployment


class EnvironmentFile(Section):
    """An environment."""

    name: AssetName
    version: Version | None = None
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: Texts = Field(default_factory=dict)
    os_type: Annotated[str, PlainValidator(kinds.word("linux", "windows"))] = "linux"
    inference_config: Any = None
    labels: Labels = ()
    image: Text | None = None
    conda_file: Annotated[Path | str, PlainValidator(asset_kinds.conda)] | None = None
    build: BuildContext | None = None

    @field_validator("build")
    @classmethod
    def _one_way(cls, value: BuildContext | None, info: ValidationInfo) -> BuildContext | None:
        if value is not None:
            for other in ("image", "conda_file"):
                if info.data.get(other) is not None:
                    raise kinds.wrong(
                        f"says how to build the image, and '{other}' says it too; keep one of them"
                    )
        return value


class DataFile(Section):
    """Data."""

    name: AssetName
    version: Version | None = None
    type: DataType = "uri_folder"
    path: Place
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: Texts = Field(default_factory=dict)
    labels: Labels = ()


class ChangesSection(Section):
    """What may be said anew of a version of data, or of an environment."""

    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: Texts = Field(default_factory=dict)
    labels: Labels = ()


class ModelChangesSection(ChangesSection):
    """What may be said anew of a version of a model."""

    stage: Text | None = None
    flavors: Any = None


class CredentialsSection(Section):
    """``credentials:``; what is wrong with it is told without what stands there."""

    account_key: Secret | None = None
    sas_token: Secret | None = None
    tenant_id: Secret | None = None
    client_id: Secret | None = None
    client_secret: Secret | None = None
    certificate: Secret | None = None
    thumbprint: Secret | None = None
    authority_url: Secret | None = None
    resource_url: Secret | None = None

    @classmethod
    def spelled_out(cls, node: Node) -> Node:
        if not isinstance(node, Mapping):
            raise kinds.wrong("must be a mapping of keys (what was given is not shown)")
        return node


_NEEDED = {
    "local": ("path",),
    "azure_blob": ("account_name", "container_name"),
    "azure_file": ("account_name", "file_share_name"),
    "azure_data_lake_gen1": ("store_name",),
    "azure_data_lake_gen2": ("account_name", "filesystem"),
}
"""What each kind of datastore cannot be found without."""
_PROTOCOLS = ("https", "http", "wasbs", "wasb", "abfss", "abfs", "adl")


class DatastoreFile(Section):
    """A datastore."""

    name: AssetName
    account_name: Text | None = None
    container_name: Text | None = None
    file_share_name: Text | None = None
    filesystem: Text | None = None
    store_name: Text | None = None
    path: Annotated[Path, PlainValidator(kinds.local_path)] | None = None
    type: Annotated[str, PlainValidator(kinds.word(*_NEEDED))]
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: Texts = Field(default_factory=dict)
    endpoint: Text = "core.windows.net"
    protocol: Annotated[str, PlainValidator(kinds.word(*_PROTOCOLS))] = "https"
    credentials: CredentialsSection | None = None

    @field_validator("type")
    @classmethod
    def _can_be_found(cls, value: str, info: ValidationInfo) -> str:
        for key in _NEEDED[value]:
            if key in info.data and info.data[key] is None:
                raise kinds.wrong(f"{value} needs {' and '.join(_NEEDED[value])}; {key} is missing")
        if value != "local" and info.data.get("path") is not None:
            raise kinds.wrong(f"{value} has no path of its own; remove 'path', or write 'type: local'")
        return value


class NetworkedCompute(Section):
    """What the original knows of a compute and nothing here does."""

    tier: Any = None
    identity: Any = None
    network_settings: Any = None
    ssh_settings: Any = None
    ssh_public_access_enabled: Any = None
    enable_node_public_ip: Any = None


_COMPUTE_TYPES = (
    *("local", "ray", "amlcompute", "computeinstance"),
    *("kubernetes", "virtualmachine", "synapsespark"),
)


class ComputeFile(NetworkedCompute):
    """A compute."""

    name: Annotated[str, PlainValidator(asset_kinds.compute_name)]
    type: Annotated[str, PlainValidator(kinds.word(*_COMPUTE_TYPES))]
    size: Text | None = None
    min_instances: Annotated[int, PlainValidator(kinds.whole_number(0))] = 0
    max_instances: Count | None = None
    idle_time_before_scale_down: Seconds | None = None
    address: Text | None = None
    description: Text | None = None
    tags: Texts = Field(default_factory=dict)

    @field_validator("max_instances")
    @classmethod
    def _at_least_the_least(cls, value: int | None, info: ValidationInfo) -> int | None:
        least = info.data.get("min_instances", 0)
        if value is not None and value < least:
            raise kinds.wrong(f"must be at least min_instances, which is {least} (got '{value}')")
        return value

    @field_validator("address")
    @classmethod
    def _of_ray(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("type", "ray") != "ray":
            raise kinds.wrong(f"belongs to 'type: ray', and the type is {info.data['type']}; remove it")
        return value


class InputSection(Section):
    """One of ``inputs:``; a single value is its path."""

    type: DataType = "uri_folder"
    path: InputPlace | None = None
    default: Annotated[Location, PlainValidator(asset_kinds.default_location)] | None = None
    mode: Text | None = None

    @classmethod
    def spelled_out(cls, node: Node) -> Node:
        return kinds.as_only_key("path", node)


class OutputSection(Section):
    """One of ``outputs:``; a single value is its path."""

    type: DataType = "uri_folder"
    path: Annotated[Location, PlainValidator(asset_kinds.output_location)] | None = None
    mode: Text | None = None

    @classmethod
    def spelled_out(cls, node: Node) -> Node:
        return kinds.as_only_key("path", node)


class InvokeSection(Section):
    """The inputs and outputs of an invoke."""

    inputs: Annotated[dict[str, InputSection], BeforeValidator(kinds.entries)] = Field(default_factory=dict)
    outputs: Annotated[dict[str, OutputSection], BeforeValidator(kinds.entries)] = Field(default_factory=dict)
