"""The script that scores with an MLflow model where there is none, and a deployment of it, to be edited.

It is the very script that runs without it: the same rows come out, as long as nobody has changed it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

from gristmill.mlflow.description import Description
from gristmill.spec.generated import FOLDER, SCRIPT
from gristmill.spec.model_environment import CONDA
from gristmill.spec.written import deployment_name, yaml_text

_CODE = "code"
_SUFFIXES = (".py", ".json")


def equivalent(model: Description, folder: Path) -> Mapping[Path, str]:
    """Return what is to be written.

    Parameters
    ----------
    model
        The model; the deployment names it, and the file with its environment, relative to ``folder``.
    folder
        Where it is going to lie.

    Returns
    -------
    Mapping
        Path → text: a ``deployment.yml``, and a folder ``code``.

    Raises
    ------
    SpecError
        The path of the model cannot stand in a YAML file.
    """
    code = [path for path in sorted(FOLDER.iterdir()) if path.suffix in _SUFFIXES]
    deployment = folder / "deployment.yml"
    return {
        deployment: _deployment(model, folder),
        **{folder / _CODE / path.name: path.read_text(encoding="utf-8") for path in code},
    }


def _deployment(model: Description, folder: Path) -> str:
    name = deployment_name(model.folder.name)
    environment = ""
    if (model.folder / CONDA).is_file():
        file = yaml_text(os.path.relpath(model.folder / CONDA, folder))
        environment = f"environment:\n  name: {name}\n  conda_file: {file}\n"
    text = resources.files("gristmill.mlflow") / "deployment.yml.txt"
    return Template(text.read_text(encoding="utf-8")).substitute(
        name=name,
        endpoint=deployment_name(f"{name[:23]}-endpoint"),
        model=yaml_text(os.path.relpath(model.folder, folder)),
        script=SCRIPT,
        environment=environment,
    )
