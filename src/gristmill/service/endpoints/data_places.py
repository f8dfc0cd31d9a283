"""Where the one input of an invoke lies on this machine, and where its output is to lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gristmill.errors import InputError, OutputError, SpecError
from gristmill.service.endpoints.named_input import Input
from gristmill.spec.asset_values import InvokeFile, Location
from gristmill.spec.assets import Values, load_invoke
from gristmill.spec.overrides import Override
from gristmill.spec.references import Reference

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace

USUAL_INPUT = "data"
"""What the input is called where only its path is given."""
_FILE = "uri_file"
Said = TypeVar("Said")


def input_of(workspace: Workspace, file: InvokeFile) -> Input:
    """Return the file or folder that is to be scored.

    Parameters
    ----------
    workspace
        Where data and datastores are registered.
    file
        What was said of the inputs: exactly one has to be there, whatever it is called.

    Raises
    ------
    SpecError
        There is none, or there are several.
    UnknownResourceError
        There is no such data or datastore.
    InputError, RequestError
        It is not there, does not lie on this machine, or is a folder where one file was promised.
    """
    name, said = _only(file.inputs, "input", "--input PATH")
    if said.location is None:
        raise SpecError(f"inputs.{name}: has no path; give that of what is to be scored")
    path, type_, notices = _input(workspace, said.location, said.type)
    if not path.exists():
        raise InputError(f"the input {path} does not exist; give a folder of files, or one file")
    if type_ == _FILE and path.is_dir():
        raise InputError(
            f"the input {path} is a folder, and its type is uri_file, which is one file; say uri_folder"
        )
    return Input(path=path, notices=notices)


def named_input(workspace: Workspace, text: str) -> Input:
    """Return the input that a text names, as ``--input`` has it; errors as for `input_of`."""
    said = Override(path=f"inputs.{USUAL_INPUT}.path", value=text, origin=f"--input {text}")
    return input_of(workspace, load_invoke(Values(called="the input"), [said]))


def output_folder(workspace: Workspace, file: InvokeFile) -> tuple[Path | None, str | None]:
    """Return the output folder, and the name of the predictions file where that is said.

    Returns
    -------
    tuple
        None, where nothing is said: the job's own folder, the deployment's own name.

    Raises
    ------
    SpecError
        There are several outputs.
    UnknownResourceError
        There is no such datastore.
    OutputError, RequestError
        It does not lie on this machine.
    """
    if not file.outputs:
        return None, None
    _, said = _only(file.outputs, "output", "--output-path PATH")
    if said.location is None:
        return None, None
    if said.location.address is not None:
        raise OutputError(
            f"the output {said.location.address} is in a storage that is not written from here yet; choose a "
            "folder here with --output-path"
        )
    path = _here(workspace, said.location)
    return (path.parent, path.name) if said.type == _FILE else (path, None)


def _only(found: Mapping[str, Said], what: str, option: str) -> tuple[str, Said]:
    if not found:
        raise SpecError(f"there is no {what} to go on with; give one: {option}, or a --file that has it")
    if len(found) > 1:
        raise SpecError(
            f"a model deployment takes one {what}, and there are {len(found)}: {', '.join(found)}; keep one"
        )
    return next(iter(found.items()))


def _input(workspace: Workspace, location: Location, type_: str) -> tuple[Path, str, tuple[str, ...]]:
    """Return where an input lies, of what type it is, and what is to be told of it."""
    if location.asset is not None:
        return _of_asset(workspace, location.asset, type_)
    if location.address is not None:
        raise InputError(
            f"the input {location.address} is in a storage that is not read from here yet; mount it or copy "
            "it, and give that folder"
        )
    return _here(workspace, location), type_, ()


def _of_asset(workspace: Workspace, asset: Reference, type_: str) -> tuple[Path, str, tuple[str, ...]]:
    data = workspace.data
    view = data.show(asset.name, asset.version, asset.label)
    if view.path is None:
        raise InputError(
            f"data {view.name}:{view.version} lies at {view.details.get('path')}, which is not read from "
            "here yet; mount it or copy it, and register that folder"
        )
    if not view.path.exists():
        raise InputError(
            f"data {view.name}:{view.version} lies at {view.path}, and nothing is there any more; put it "
            "back, or register it again where it is now"
        )
    return view.path, str(view.details.get("type") or type_), tuple(data.changes(view))


def _here(workspace: Workspace, location: Location) -> Path:
    """Return where a path, or a path of a datastore, lies on this machine."""
    if location.datastore is not None:
        return workspace.datastores.reachable_path(location.datastore, location.below)
    assert location.path is not None
    return location.path
