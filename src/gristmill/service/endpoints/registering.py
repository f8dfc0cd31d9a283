"""The model and the environment that a deployment brings along, registered under names of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gristmill.spec.deployment import Loaded
from gristmill.spec.overrides import Override
from gristmill.spec.schema import Environment, Model

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace

_MODEL, _ENVIRONMENT = "model", "environment"


def register_inline(workspace: Workspace, loaded: Loaded) -> dict[str, str]:
    """Register the model and the environment that a deployment brings along; safe to repeat.

    Parameters
    ----------
    workspace
        Where they are registered.
    loaded
        The deployment. One without a name of its own is called like the endpoint and the deployment.

    Returns
    -------
    dict
        References to what was registered, by key.

    Raises
    ------
    ResourceStateError
        A version is given that holds something else.
    RequestError
        Something of it cannot be read.
    """
    file, packages = loaded.file, loaded.deployment.packages
    ours = f"{file.endpoint_name}-{file.name}"
    found = {}
    if file.model is not None and _MODEL not in loaded.references:
        view = workspace.models.create(None, list(_model(file.model, ours)))
        found[_MODEL] = f"azureml:{view.name}:{view.version}"
    is_inline = _ENVIRONMENT in loaded.root.entries and _ENVIRONMENT not in loaded.references
    if is_inline and file.environment is not None and packages is not None:
        view = workspace.environments.create(None, list(_environment(file.environment, loaded, ours)))
        found[_ENVIRONMENT] = f"azureml:{view.name}:{view.version}"
    return found


def _model(model: Model, ours: str) -> Iterator[Override]:
    yield _said("name", model.name or ours)
    for key in ("version", "type", "description", "stage"):
        if (value := getattr(model, key)) is not None:
            yield _said(key, value)
    for key in ("tags", "properties"):
        if value := getattr(model, key):
            yield _said(key, value)
    yield _said("path", model.path)


def _environment(environment: Environment, loaded: Loaded, ours: str) -> Iterator[Override]:
    yield _said("name", environment.name or ours)
    for key in ("version", "image", "description", "os_type"):
        if (value := getattr(environment, key)) is not None:
            yield _said(key, value)
    if environment.tags:
        yield _said("tags", environment.tags)
    packages = loaded.deployment.packages
    assert packages is not None
    pip = [line.text for line in packages.pip]
    dependencies: list[object] = [line.text for line in packages.conda]
    conda = {
        **({"channels": list(packages.channels)} if packages.channels else {}),
        "dependencies": [*dependencies, *([{"pip": pip}] if pip else [])],
    }
    yield _said("conda_file", conda)


def _said(path: str, value: object) -> Override:
    return Override(path=path, value=value, origin=f"the deployment's {path}")
