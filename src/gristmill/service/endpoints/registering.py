"""The model and the environment that a deployment brings along, registered under names of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gristmill.spec.deployment import Loaded
from gristmill.spec.overrides import Override
from gristmill.spec.packages import Packages
from gristmill.spec.schema import Environment, Model

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace

Said = tuple[str, object]
"""A key and its value."""
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
        view = workspace.models.create(None, _overrides(_MODEL, _model(file.model, ours)))
        found[_MODEL] = f"azureml:{view.name}:{view.version}"
    is_inline = _ENVIRONMENT in loaded.root.entries and _ENVIRONMENT not in loaded.references
    if is_inline and file.environment is not None and packages is not None:
        said = _environment(file.environment, packages, ours)
        view = workspace.environments.create(None, _overrides(_ENVIRONMENT, said))
        found[_ENVIRONMENT] = f"azureml:{view.name}:{view.version}"
    return found


def _model(model: Model, ours: str) -> Iterator[Said]:
    yield "name", model.name or ours
    for key in ("version", "type", "description", "stage"):
        if (value := getattr(model, key)) is not None:
            yield key, value
    for key in ("tags", "properties"):
        if value := getattr(model, key):
            yield key, value
    yield "path", model.path


def _environment(environment: Environment, packages: Packages, ours: str) -> Iterator[Said]:
    yield "name", environment.name or ours
    for key in ("version", "image", "description", "os_type"):
        if (value := getattr(environment, key)) is not None:
            yield key, value
    if environment.tags:
        yield "tags", environment.tags
    pip = [line.text for line in packages.pip]
    dependencies: list[object] = [line.text for line in packages.conda]
    yield (
        "conda_file",
        {
            **({"channels": list(packages.channels)} if packages.channels else {}),
            "dependencies": [*dependencies, *([{"pip": pip}] if pip else [])],
        },
    )


def _overrides(key: str, said: Iterator[Said]) -> list[Override]:
    return [Override(path=path, value=value, origin=f"the deployment's {key}") for path, value in said]
