"""``model``, ``environment``, ``data``, ``datastore`` and ``compute``: which verb has which options.

This module imports only the standard library.
"""

from __future__ import annotations

from collections.abc import Sequence

from gristmill.cli.az.option import Option, adder, filled, one_of, required
from gristmill.cli.az.options import (
    ARCHIVED_ONLY,
    CHANGES,
    COMMON,
    DATASTORE,
    DESCRIPTION,
    DOWNLOAD_PATH,
    FILE,
    INCLUDE_ARCHIVED,
    MOST,
    NAME,
    NAME_KEY,
    NO_WAIT,
    REGISTRY,
    SET,
    TAGS,
    VERSION_KEY,
    WHICH,
    YES,
)
from gristmill.cli.parser import Command

_PATH = Option(("--path", "-p"), "the file or folder", "PATH", filled, key="path")
_OLD_PATH = Option(("--local-path",), "older name of --path", "PATH", filled, key="path", is_ours=True)
_MODEL_TYPE = Option(
    ("--type", "-t"),
    "custom_model or mlflow_model (default: what the folder is)",
    "TYPE",
    one_of("custom_model", "mlflow_model", "triton_model"),
    key="type",
)
_STAGE = Option(("--stage", "-s"), "the stage of its life", "STAGE", filled, key="stage")
_ARTIFACTS = Option(
    ("--artifacts",), "show the files as init() sees them, and the line to paste", None, is_ours=True
)
_IMAGE = Option(("--image", "-i"), "the image; without Docker here only kept", "IMAGE", filled, key="image")
_CONDA_FILE = Option(("--conda-file", "-c"), "the conda file", "FILE", filled, key="conda_file")
_BUILD_CONTEXT = Option(
    ("--build-context", "-b"), "the folder of a Dockerfile", "FOLDER", filled, key="build.path"
)
_DOCKERFILE = Option(
    ("--dockerfile-path", "-d"), "the Dockerfile in it", "FILE", filled, key="build.dockerfile_path"
)
_OS_TYPE = Option(("--os-type",), "linux or windows", "TYPE", one_of("linux", "windows"), key="os_type")
_DATA_TYPE = Option(
    ("--type", "-t"),
    "uri_folder or uri_file",
    "TYPE",
    one_of("uri_folder", "uri_file", "mltable"),
    key="type",
)
_OLD_DATASTORE = DATASTORE._replace(names=("--datastore", "--datastore-name", "-z"))
_SKIP_VALIDATION = Option(("--skip-validation",), "taken, and changes nothing", None)

_COMPUTE_TYPES = ("amlcompute", "computeinstance", "kubernetes", "virtualmachine", "local", "ray")
_COMPUTE_TYPE = Option(
    ("--type", "-t"), f"one of {', '.join(_COMPUTE_TYPES)}", "TYPE", one_of(*_COMPUTE_TYPES), key="type"
)
_SIZE = Option(("--size",), "the size of a machine; kept, and means nothing here", "SIZE", key="size")
_LEAST_INSTANCES = Option(("--min-instances",), "the least nodes", "N", key="min_instances")
_MOST_INSTANCES = Option(("--max-instances",), "the most nodes", "N", key="max_instances")
_IDLE = Option(("--idle-time-before-scale-down", "-d"), "seconds", "S", key="idle_time_before_scale_down")
_TIER = Option(
    ("--tier",), "dedicated or low_priority", "TIER", one_of("dedicated", "low_priority"), key="tier"
)


def _cloud(*names: str) -> Option:
    return Option(names, "of the cloud; means nothing here", nothing=True)


_CLOUD = (
    _cloud("--location", "-l"),
    _cloud("--identity-type"),
    _cloud("--user-assigned-identities", "-i"),
    _cloud("--vnet-name"),
    _cloud("--subnet"),
    _cloud("--admin-username"),
    _cloud("--admin-password"),
    _cloud("--ssh-key-value"),
    _cloud("--ssh-public-access-enabled", "-p"),
    _cloud("--enable-node-public-ip"),
    _cloud("--user-tenant-id"),
    _cloud("--user-object-id"),
)


def _asset(group: str, thing: str, plural: str, options: Sequence[Option]) -> dict[str, Command]:
    """Return the verbs that all things with versions have."""
    target = f"gristmill.cli.az.{group}:"
    described = DESCRIPTION._replace(names=("--description", "-d")) if group == "data" else DESCRIPTION
    make = (NAME_KEY, VERSION_KEY, FILE, described, TAGS, *options, SET, NO_WAIT, REGISTRY, *COMMON)
    which = (*WHICH, REGISTRY, *COMMON)
    return {
        "create": Command(
            f"create a version of {thing}; the same content again is the same version",
            adder(make),
            f"{target}create",
            "workspace",
        ),
        "show": Command(
            f"show a version of {thing} (default: the latest)",
            adder((*WHICH, *((_ARTIFACTS,) if group == "model" else ()), REGISTRY, *COMMON)),
            f"{target}show",
            "workspace",
            is_show=True,
        ),
        "list": Command(
            f"show the {plural}, or all versions of one, the newest first",
            adder((NAME, MOST, ARCHIVED_ONLY, INCLUDE_ARCHIVED, REGISTRY, *COMMON)),
            f"{target}list_all",
            "workspace",
        ),
        "update": Command(
            f"change description and tags of {thing}; its content never changes",
            adder((*WHICH, *CHANGES, *((_STAGE,) if group == "model" else ()), REGISTRY, *COMMON)),
            f"{target}update",
            "workspace",
        ),
        "archive": Command(
            f"hide {thing} from lists; it can still be used", adder(which), f"{target}archive", "workspace"
        ),
        "restore": Command(f"show {thing} in lists again", adder(which), f"{target}restore", "workspace"),
    }


MODEL_VERBS = {
    **_asset("model", "a model", "models", (_PATH, _MODEL_TYPE, _STAGE, DATASTORE, _OLD_PATH)),
    "download": Command(
        "copy a model into a folder of its name",
        adder((*WHICH, DOWNLOAD_PATH, REGISTRY, *COMMON)),
        "gristmill.cli.az.model:download",
        "workspace",
    ),
}
ENVIRONMENT_COMMANDS = _asset(
    "environment",
    "an environment",
    "environments",
    (_IMAGE, _CONDA_FILE, _BUILD_CONTEXT, _DOCKERFILE, _OS_TYPE, DATASTORE),
)
DATA_COMMANDS = _asset(
    "data", "a data asset", "data assets", (_PATH, _DATA_TYPE, _OLD_DATASTORE, _SKIP_VALIDATION)
)
DATASTORE_COMMANDS = {
    "create": Command(
        "create a datastore, or change it to what the file says",
        adder((required(FILE), NAME_KEY, SET, *COMMON)),
        "gristmill.cli.az.datastore:create",
        "workspace",
    ),
    "show": Command(
        "show a datastore, without its secrets",
        adder((required(NAME), *COMMON)),
        "gristmill.cli.az.datastore:show",
        "workspace",
        is_show=True,
    ),
    "list": Command(
        "show all datastores, the newest first",
        adder((MOST, *COMMON)),
        "gristmill.cli.az.datastore:list_all",
        "workspace",
    ),
    "update": Command(
        "change a datastore",
        adder((NAME, FILE, *CHANGES, *COMMON)),
        "gristmill.cli.az.datastore:update",
        "workspace",
    ),
    "delete": Command(
        "forget a datastore, never what it holds",
        adder((required(NAME), YES, *COMMON)),
        "gristmill.cli.az.datastore:delete",
        "workspace",
    ),
}
_NODES = (_LEAST_INSTANCES, _MOST_INSTANCES, _IDLE)
COMPUTE_COMMANDS = {
    "create": Command(
        "create a compute, or change it to what is said",
        adder(
            (
                NAME_KEY,
                FILE,
                _COMPUTE_TYPE,
                _SIZE,
                *_NODES,
                _TIER,
                DESCRIPTION,
                TAGS,
                SET,
                NO_WAIT,
                *_CLOUD,
                *COMMON,
            )
        ),
        "gristmill.cli.az.compute:create",
        "workspace",
    ),
    "show": Command(
        "show a compute",
        adder((required(NAME), *COMMON)),
        "gristmill.cli.az.compute:show",
        "workspace",
        is_show=True,
    ),
    "list": Command(
        "show all computes, the newest first",
        adder((_COMPUTE_TYPE._replace(key=""), MOST, *COMMON)),
        "gristmill.cli.az.compute:list_all",
        "workspace",
    ),
    "update": Command(
        "change a compute",
        adder((required(NAME), *_NODES, TAGS, *CHANGES, NO_WAIT, *_CLOUD[1:3], *COMMON)),
        "gristmill.cli.az.compute:update",
        "workspace",
    ),
    "delete": Command(
        "forget a compute",
        adder((required(NAME), YES, NO_WAIT, *COMMON)),
        "gristmill.cli.az.compute:delete",
        "workspace",
    ),
}
