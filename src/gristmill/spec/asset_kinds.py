"""What a single value of an endpoint, asset, datastore or compute file may be: node in, value out.

As in `kinds`, each refuses with one sentence that says what is wanted and what was given. A secret is never
said again: what stands under ``credentials`` is refused without showing it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gristmill.spec import kinds
from gristmill.spec.asset_values import Location
from gristmill.spec.kinds import wrong
from gristmill.spec.references import LATEST, reference_of
from gristmill.spec.tree import Mapping, Node, Scalar, Sequence, got

_ASSET_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9_.]*")
_COMPUTE_NAME = re.compile(r"[a-zA-Z](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_DATASTORE = re.compile(r"azureml://datastores/([^/]+)/paths/?(.*)", re.IGNORECASE | re.DOTALL)
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://.+", re.DOTALL)
_AZURE = re.compile(r"azureml:", re.IGNORECASE)
_FILE = "file://"
_LITERAL = re.compile(r"[-+]?\d+(\.\d*)?|true|false", re.IGNORECASE | re.ASCII)
NOT_LITERALS = (
    "a model is run over files, and takes no single values: give it the values in 'environment_variables',"
    " or in 'gristmill: {program_arguments: …}'"
)
"""What is said to single values among the inputs."""
_DATASTORE_FORM = "azureml://datastores/<name>/paths/<path>"
LONGEST_ASSET_NAME = 255
LONGEST_VERSION = 30


def _matching(pattern: re.Pattern[str], least: int, most: int, words: str) -> Callable[[Any], str]:
    def take(node: Any) -> str:
        given = kinds.text(node)
        if not least <= len(given) <= most:
            raise wrong(f"must have {least} to {most} characters {got(node)}")
        if not pattern.fullmatch(given):
            raise wrong(f"must be {words} {got(node)}")
        return given

    return take


asset_name = _matching(
    _ASSET_NAME, 1, LONGEST_ASSET_NAME, "letters, digits, '-', '_' and '.', and begin with a letter or digit"
)
"""Take the name of a model, an environment, data or a datastore."""

_version = _matching(
    _ASSET_NAME, 1, LONGEST_VERSION, "letters, digits, '-', '_' and '.', and begin with a letter or digit"
)


def version(node: Any) -> str:
    """Take a version, as the text that stands there: ``1.10`` is not ``1.1``."""
    given = _version(node)
    if given == LATEST:
        raise wrong(f"is the label of whatever version is the newest {got(node)}; give a version of your own")
    return given


def labels(node: Any) -> tuple[str, ...]:
    """Take names for a version: a list of them, or one text with commas between them; each once."""
    if isinstance(node, Sequence):
        return tuple(dict.fromkeys(asset_name(item) for item in node.items))
    names = [name.strip() for name in kinds.text(node).split(",")]
    return tuple(
        dict.fromkeys(asset_name(Scalar(place=node.place, text=name, value=name)) for name in names if name)
    )


compute_name = _matching(
    _COMPUTE_NAME, 2, 32, "letters, digits and '-', begin with a letter and not end with '-'"
)
"""Take the name of a compute."""


def existing(node: Any) -> Path:
    """Take a file or folder that exists on this machine."""
    kinds.refuse_registry(node)
    if isinstance(node, Scalar) and _AZURE.match(node.text):
        raise wrong(f"is no place on this machine {got(node)}; download it and give its path here")
    path = kinds.local_path(node)
    if not os.path.exists(path):
        hint = "; it is a link to nothing" if os.path.islink(path) else kinds.neighbour(path)
        raise wrong(f"no such file or folder: {path} {got(node)}{hint}")
    return path


def location(node: Any) -> Location:
    """Take a path of this machine that exists, a path in a datastore, or the address of a storage."""
    kinds.refuse_registry(node)
    given = kinds.text(node)
    if in_datastore := _DATASTORE.fullmatch(given):
        return Location(datastore=_datastore_name(node, in_datastore[1]), below=_below(node, in_datastore[2]))
    if _AZURE.match(given):
        raise wrong(f"is no path of a datastore {got(node)}; the form is {_DATASTORE_FORM}")
    if _ADDRESS.fullmatch(given) and not given.lower().startswith(_FILE):
        return Location(address=given)
    return Location(path=existing(_without_scheme(node, given)))


def input_location(node: Any) -> Location:
    """Take what is to be scored: as `location`, or data that is registered, ``azureml:name:version``."""
    kinds.refuse_registry(node)
    given = kinds.text(node)
    if reference := reference_of(given):
        return Location(asset=reference)
    if _AZURE.match(given) and not given.lower().startswith("azureml://"):
        raise wrong(
            f"names no input {got(node)}; the forms are azureml:<name>:<version>, azureml:<name>@<label> and "
            f"{_DATASTORE_FORM}"
        )
    return location(node)


def default_location(node: Any) -> Location:
    """Take what is to be scored, of an input that has no path; values of other deployments stand here."""
    given = kinds.text(node)
    if _LITERAL.fullmatch(given) and not os.path.lexists(kinds.local_path(node)):
        raise wrong(f"{NOT_LITERALS} {got(node)}")
    return input_location(node)


def _without_scheme(node: Any, given: str) -> Any:
    """Take the path out of ``file:///data/a%20b``."""
    if not given.lower().startswith(_FILE):
        return node
    path = unquote(given[len(_FILE) :])
    if not path.startswith("/"):
        raise wrong(f"names a file of another machine {got(node)}; a file of this one is file:///its/path")
    return Scalar(place=node.place, text=path, value=path)


def output_location(node: Any) -> Location:
    """Take where an output is to lie: as `location`, and a path here need not exist yet."""
    if isinstance(node, Scalar) and not _AZURE.match(node.text) and not _ADDRESS.fullmatch(node.text):
        return Location(path=kinds.local_path(node))
    return location(node)


def secret(node: Any) -> str:
    """Take a secret; it is not shown again, whatever is wrong with it."""
    if not isinstance(node, Scalar):
        raise wrong("must be a text (what was given is not shown)")
    return kinds.text(node)


def conda(node: Any) -> Path | str:
    """Take the packages of an environment: a file that exists, or a mapping, which becomes JSON."""
    if isinstance(node, Mapping):
        return json.dumps(_plain(node))
    if isinstance(node, Scalar):
        path = kinds.local_path(node)
        if not os.path.isfile(path):
            raise wrong(f"no such file: {path} {got(node)}{kinds.neighbour(path)}")
        return path
    raise wrong(f"must be the path of a conda file, or its content as a mapping {got(node)}")


def _plain(node: Node) -> object:
    if isinstance(node, Scalar):
        return node.text if isinstance(node.value, float) else node.value
    if isinstance(node, Mapping):
        return {key: _plain(entry.node) for key, entry in node.entries.items()}
    return [_plain(item) for item in node.items]


def _datastore_name(node: Any, name: str) -> str:
    if not _ASSET_NAME.fullmatch(name):
        raise wrong(f"{name!r} cannot be the name of a datastore {got(node)}; the form is {_DATASTORE_FORM}")
    return name


def _below(node: Any, path: str) -> str:
    if ".." in path.split("/"):
        raise wrong(f"a path in a datastore must not go up with '..' {got(node)}")
    return path
