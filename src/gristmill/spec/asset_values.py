"""The values of the files beside a deployment: endpoints, assets, datastores, computes, inputs of an invoke.

This module must not know how such a file is written down or checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gristmill.spec.references import Reference

Plain = None | bool | int | float | str
"""What a scalar of YAML 1.2 means."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """What every file may say of its thing."""

    name: str
    """How the catalog calls it."""
    description: str | None
    """Words of its author."""
    tags: Mapping[str, str]
    """Words of its author, by key."""
    notices: tuple[str, ...]
    """What the user should know though nothing is wrong; one line each."""


@dataclass(frozen=True, kw_only=True)
class Endpoint(Described):
    """An endpoint, which has deployments."""

    properties: Mapping[str, str]
    """Switches by key."""
    auth_mode: str
    """``aad_token``, ``key`` or ``aml_token``."""
    default_deployment: str | None
    """The deployment that answers when none is named."""


@dataclass(frozen=True, kw_only=True)
class Versioned(Described):
    """An asset, which has versions."""

    version: str | None
    """As it stands in the file; None: the catalog gives the next one."""
    properties: Mapping[str, str]
    """Switches by key."""
    labels: tuple[str, ...] = ()
    """Names that are to stand for this version, and for no other any more."""


@dataclass(frozen=True, kw_only=True)
class AssetChanges:
    """What is said anew of a version that is there."""

    said: Mapping[str, object]
    """What a file would say of it: ``description``, ``tags``, ``properties`` and, of a model, ``stage``."""
    labels: tuple[str, ...]
    """As in `Versioned`."""
    notices: tuple[str, ...]
    """What the user should know though nothing is wrong; one line each."""


@dataclass(frozen=True, kw_only=True)
class ModelAsset(Versioned):
    """A model to be registered."""

    path: Path
    """Its file or folder, absolute; existed when the file was loaded."""
    type: str
    """``custom_model``, ``mlflow_model`` or ``triton_model``."""
    stage: str | None
    """How far it is in its life, in its author's word."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentAsset(Versioned):
    """An environment to be registered: what it is built from."""

    image: str | None
    """The container image that it begins with."""
    conda_file: Path | None
    """The file with its packages, absolute."""
    conda: str | None
    """Its packages, where they stand in the file itself, as JSON."""
    build_context: Path | None
    """The folder with the Dockerfile, absolute."""
    dockerfile: str | None
    """The Dockerfile's path in that folder."""
    os_type: str
    """``linux`` or ``windows``."""


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where data lies; exactly one of the four is set, ``below`` belongs to the second."""

    path: Path | None = None
    """A file or folder of this machine, absolute."""
    datastore: str | None = None
    """The name of a datastore."""
    below: str = ""
    """The path in that datastore, with forward slashes."""
    address: str | None = None
    """The address of a storage: ``s3://bucket/folder``, ``https://…``."""
    asset: Reference | None = None
    """Data that is registered; only an input names such."""


@dataclass(frozen=True, kw_only=True)
class DataAsset(Versioned):
    """Data to be registered: a reference, never a copy."""

    type: str
    """``uri_folder`` or ``uri_file``."""
    location: Location
    """Where it lies."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What opens a datastore; no secret is ever shown."""

    account_key: str | None = field(default=None, repr=False)
    """Of a storage account."""
    sas_token: str | None = field(default=None, repr=False)
    """A signature that stands for rights."""
    tenant_id: str | None = None
    """Of a service principal."""
    client_id: str | None = None
    """Of a service principal."""
    client_secret: str | None = field(default=None, repr=False)
    """Of a service principal."""
    certificate: str | None = field(default=None, repr=False)
    """Of a service principal, in place of a secret."""
    thumbprint: str | None = field(default=None, repr=False)
    """Of that certificate."""
    authority_url: str | None = None
    """Where a service principal is known."""
    resource_url: str | None = None
    """What it asks for."""


@dataclass(frozen=True, kw_only=True)
class Datastore(Described):
    """A storage, by a name that paths begin with."""

    properties: Mapping[str, str]
    """Switches by key."""
    type: str
    """``local``, ``azure_blob``, ``azure_file``, ``azure_data_lake_gen1`` or ``azure_data_lake_gen2``."""
    path: Path | None = None
    """The folder of a ``local`` one, absolute; it need not exist."""
    account_name: str | None
    """The storage account (of generation 1: the store)."""
    container_name: str | None
    """The container, file share or file system in it."""
    endpoint: str
    """The host's end: ``core.windows.net``."""
    protocol: str
    """How it is spoken to: ``https``, ``http``, ``wasbs``, ``wasb``, ``abfss``, ``abfs`` or ``adl``."""
    credentials: Credentials | None
    """What opens it; None: whatever the surroundings have."""


@dataclass(frozen=True, kw_only=True)
class Compute(Described):
    """Where jobs run."""

    type: str
    """``local``, ``ray``, ``amlcompute`` or another of the original's."""
    size: str | None
    """The kind of machine, in the provider's word."""
    min_instances: int
    """Nodes that are kept while nothing runs."""
    max_instances: int
    """Nodes at most."""
    idle_time_before_scale_down_s: float | None
    """Seconds after which an idle node is given back."""
    address: str | None
    """Where a Ray cluster is spoken to."""


@dataclass(frozen=True, kw_only=True)
class JobInput:
    """One input of an invoke."""

    type: str
    """``uri_folder`` or ``uri_file``."""
    location: Location | None
    """Where it lies; None where only a default stands there, and that is none."""


@dataclass(frozen=True, kw_only=True)
class JobOutput:
    """One output of an invoke."""

    type: str
    """``uri_folder`` or ``uri_file``."""
    location: Location | None
    """Where it is to lie; None: the job's own place."""
    mode: str | None
    """How the original hands it out; without meaning here."""


@dataclass(frozen=True, kw_only=True)
class InvokeFile:
    """The inputs and outputs of an invoke."""

    inputs: Mapping[str, JobInput]
    """By name."""
    outputs: Mapping[str, JobOutput]
    """By name."""
    notices: tuple[str, ...]
    """What the user should know though nothing is wrong; one line each."""
