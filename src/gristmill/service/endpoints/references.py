"""References in a deployment's document, resolved through the catalog: ``azureml:name:version`` and its kin.

Who runs a file is served as well as who creates a deployment. The workspace is opened with the first
reference that is met, since most files have none, and a run without one must not wait for a database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.errors import RequestError
from gristmill.service.workspace import Workspace
from gristmill.settings import Home, Settings
from gristmill.spec.deployment import load
from gristmill.spec.environment import WAYS_OUT, names_a_python
from gristmill.spec.overrides import Override
from gristmill.spec.problems import Problem
from gristmill.spec.references import Reference, Resolved, reference_of
from gristmill.spec.tree import Entry, Mapping, Node, Scalar, tree
from gristmill.spec.values import Deployment

if TYPE_CHECKING:
    from gristmill.service.assets.views import AssetView

_MODEL, _ENVIRONMENT, _COMPUTE = "model", "environment", "compute"
_HERE = "local"


def load_at(home: Home, path: Path, overrides: Sequence[Override] = ()) -> Deployment:
    """Load a deployment file or a bare script that may name what is registered over a home.

    Parameters
    ----------
    home
        The home; which workspace of it and which catalog is read in the environment where there is a name.
    path, overrides
        As for `gristmill.spec.deployment.load`.

    Raises
    ------
    SpecError, CatalogError
        As for `load_resolved`.
    """
    return load_resolved(path, overrides, lambda: Workspace(replace(Settings.from_environment(), home=home)))


def load_resolved(
    path: Path, overrides: Sequence[Override], open_workspace: Callable[[], Workspace]
) -> Deployment:
    """Load a deployment file or a bare script that may name what is registered.

    Parameters
    ----------
    path, overrides
        As for `gristmill.spec.deployment.load`.
    open_workspace
        Where names are looked up; called when there is one, and closed again.

    Raises
    ------
    SpecError
        Something in the file or an override is wrong, or a name is not known: one line for each mistake.
    CatalogError
        There is a name, and the catalog cannot be used.
    """
    opened: list[Workspace] = []

    def opening() -> Workspace:
        if not opened:
            opened.append(open_workspace())
        return opened[0]

    try:
        return load(path, overrides, References(opening))
    finally:
        for workspace in opened:
            workspace.close()


class References:
    """Resolves the references of one document: of its model, its environment and its compute."""

    def __init__(self, open_workspace: Callable[[], Workspace]) -> None:
        """Take what opens the workspace in which names are looked up."""
        self._open_workspace = open_workspace

    def __call__(self, root: Mapping) -> Resolved:
        """Put what is registered in place of its name; see `Resolved`."""
        found = _Found(entries=dict(root.entries))
        for key, resolve in (
            (_MODEL, self._model),
            (_ENVIRONMENT, self._environment),
            (_COMPUTE, self._compute),
        ):
            entry = root.entries.get(key)
            if entry is not None:
                resolve(entry, found)
        return Resolved(
            root=Mapping(place=root.place, entries=found.entries),
            references=found.references,
            problems=tuple(found.problems),
            notices=tuple(found.notices),
        )

    def _model(self, entry: Entry, found: _Found) -> None:
        node = _path_of(entry.node)
        reference = _reference(node)
        if node is None or reference is None:
            return
        view = self._looked_up(node, reference, found, _MODEL, "give the model's path, here or with --model")
        if view is None:
            return
        if view.path is None:
            what = f"model {reference} does not lie on this machine; register it again, with its path here"
            found.problems.append(Problem(place=node.place, path=_MODEL, what=what))
            return
        values = {
            "path": str(view.path),
            "name": view.name,
            "version": view.version,
            "type": view.details.get("type"),
        }
        found.put(_MODEL, entry, tree(values, node.place, _MODEL), f"azureml:{view.name}:{view.version}")

    def _environment(self, entry: Entry, found: _Found) -> None:
        node = entry.node
        reference = _reference(node)
        if reference is None or names_a_python(Mapping(place=node.place, entries=found.entries)):
            return  # where a Python is named, the environment is not looked into
        view = self._looked_up(node, reference, found, _ENVIRONMENT, WAYS_OUT)
        if view is None:
            return
        said = {key: view.details.get(key) for key in ("image", "conda_file")}
        if view.path is not None and view.details.get("build"):
            said["build"] = {**view.details["build"], "path": str(view.path)}
        given = {key: one for key, one in said.items() if one}
        values = tree({"name": view.name, "version": view.version, **given}, node.place, _ENVIRONMENT)
        found.put(_ENVIRONMENT, entry, values, f"azureml:{view.name}:{view.version}")

    def _compute(self, entry: Entry, found: _Found) -> None:
        """Let a compute that is registered count as this machine, which it is."""
        node = entry.node
        if not isinstance(node, Scalar) or not node.text:
            return
        reference = _reference(node)
        name = reference.name if reference is not None else node.text
        if name.lower() == _HERE or not _is_known(self._open_workspace(), name):
            return
        found.put(_COMPUTE, entry, tree(_HERE, node.place, _COMPUTE), f"azureml:{name}")

    def _looked_up(
        self, node: Node, reference: Reference, found: _Found, key: str, ways_out: str
    ) -> AssetView | None:
        """Return what is registered; tell why it is not."""
        workspace = self._open_workspace()
        assets = workspace.models if key == _MODEL else workspace.environments
        try:
            view = assets.show(reference.name, reference.version, reference.label)
        except RequestError as error:
            said = str(error)
            what = f"{said}{'' if said.endswith('?') else ';'} or {ways_out}"
            found.problems.append(Problem(place=node.place, path=key, what=what))
            return None
        if view.is_archived:
            place = replace(node.place, origin=f"{key} {view.name}:{view.version}")
            found.notices.append(Problem(place=place, path="", what="is archived; it is used all the same"))
        return view


@dataclass(kw_only=True)
class _Found:
    """What has been resolved so far."""

    entries: dict[str, Entry]
    references: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)

    def put(self, key: str, entry: Entry, node: Node, reference: str) -> None:
        """Put a node in place of a reference."""
        self.entries[key] = Entry(path=entry.path, place=entry.place, node=node)
        self.references[key] = reference


def _is_known(workspace: Workspace, compute: str) -> bool:
    """Say whether a compute is registered; a catalog that is not open yet is not opened for it."""
    if "/" in compute:
        return False
    settings = workspace.settings
    from gristmill.service.assets.records import kept_record  # most runs name no compute

    if kept_record(settings.home, settings.workspace, _COMPUTE, compute) is not None:
        return True
    if not workspace.is_open:
        return False
    try:
        workspace.computes.show(compute)
    except RequestError:
        return False
    return True


def _path_of(node: Node) -> Node | None:
    """Return what names a model: the value itself, or that of ``path``."""
    if not isinstance(node, Mapping):
        return node
    return node.entries["path"].node if "path" in node.entries else None


def _reference(node: Node | None) -> Reference | None:
    return reference_of(node.text) if isinstance(node, Scalar) else None
