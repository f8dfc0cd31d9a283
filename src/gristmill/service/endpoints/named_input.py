"""What ``--input`` of a run names: a path, or data that is registered, which is looked up."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from gristmill.service.workspace import Workspace
from gristmill.settings import Home, Settings
from gristmill.spec.references import reference_of

#: A path keeps one of two slashes.
_ONE_SLASH = re.compile(r"(azureml:)/+(?=(?:datastores|registries)/)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Input:
    """What is to be scored."""

    path: Path
    """The file or folder."""
    notices: tuple[str, ...] = ()
    """What the user should know."""


def input_at(home: Home, path: Path) -> Input:
    """Return what an input names; a path of this machine is taken as it is, and not looked at.

    Parameters
    ----------
    home
        Where names are looked up; the catalog is opened only for a name.
    path
        A path, ``azureml:name:version``, ``azureml:name@label``, the ``id`` of data, or
        ``azureml://datastores/name/paths/path``.

    Raises
    ------
    SpecError
        It begins with ``azureml:`` and is none of these.
    UnknownResourceError
        There is no such data or datastore.
    RequestError
        It does not lie on this machine.
    """
    text = _ONE_SLASH.sub(r"\1//", str(path))
    if not text.lower().startswith("azureml:") and reference_of(text) is None:
        return Input(path=path)
    from gristmill.service.endpoints.data_places import named_input  # with all that a catalog needs

    with Workspace(replace(Settings.from_environment(), home=home)) as workspace:
        return named_input(workspace, text)
