"""The environment that an MLflow model brings along, as a deployment would write it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gristmill.errors import SpecError
from gristmill.spec.document import read_document
from gristmill.spec.packages import Line, Packages
from gristmill.spec.tree import Entry, Mapping, Node, Place, Scalar, Sequence, tree

CONDA, VIRTUALENV, PIP = "conda.yaml", "python_env.yaml", "requirements.txt"
"""The files that say what a model needs; the first one that is there counts."""
_DESCRIPTION = "MLmodel"
_MLFLOW = re.compile(r"mlflow(?:\[[^\]]*\])?(?=\s*(?:[=<>!~;,]|$))", re.IGNORECASE)
_PANDAS = re.compile(r"pandas(?![\w.-])", re.IGNORECASE)


def model_environment(model: Path, place: Place) -> Entry | None:
    """Return the ``environment:`` that a deployment of a model would have.

    Parameters
    ----------
    model
        The model's folder.
    place
        Where messages say that it stands, if it is the model that they are about.

    Returns
    -------
    Entry or None
        None where the model does not say what it needs.

    Raises
    ------
    SpecError
        Its ``python_env.yaml`` cannot be read.
    """
    conda_file: Node
    if (model / CONDA).is_file():
        conda_file = tree(str(model / CONDA), place)
    elif (model / VIRTUALENV).is_file():
        conda_file = _of_virtualenv(model)
    elif (model / PIP).is_file():
        conda_file = _content(model, PIP, _python_of(model), [f"-r {PIP}"])
    else:
        return None
    entries = {
        "name": Entry(path="environment.name", place=place, node=tree(model.name, place)),
        "conda_file": Entry(path="environment.conda_file", place=place, node=conda_file),
    }
    return Entry(path="environment", place=place, node=Mapping(place=place, entries=entries))


def with_skinny(packages: Packages) -> Packages:
    """Take ``mlflow-skinny`` of the same version where ``mlflow`` is listed, and pandas, which that lacks.

    Parameters
    ----------
    packages
        What is listed; only lines for pip are looked at.
    """
    found = next((line for line in packages.pip if _MLFLOW.match(line.text)), None)
    if found is None:
        return packages
    pip = [replace(line, text=_MLFLOW.sub("mlflow-skinny", line.text, count=1)) for line in packages.pip]
    if not any(_PANDAS.match(line.text) for line in (*pip, *packages.conda)):
        pip.append(Line(text="pandas", place=found.place))
    return replace(packages, pip=tuple(pip))


def _of_virtualenv(model: Path) -> Node:
    """Bring MLflow's own form to that of a conda file: a Python, and lines for pip."""
    said = read_document(model / VIRTUALENV).root.entries
    python = said["python"].node if "python" in said else None
    lines = [*_texts(said.get("build_dependencies")), *_texts(said.get("dependencies"))]
    return _content(model, VIRTUALENV, python.text if isinstance(python, Scalar) else "", lines)


def _content(model: Path, name: str, python: str, lines: list[str]) -> Node:
    conda = [f"python={python}"] if python else []
    place = Place(origin=str(model / name), folder=model)
    return tree({"dependencies": [*conda, "pip", {"pip": lines}]}, place)


def _texts(entry: Entry | None) -> Iterator[str]:
    items = entry.node.items if entry is not None and isinstance(entry.node, Sequence) else ()
    return (item.text for item in items if isinstance(item, Scalar))


def _python_of(model: Path) -> str:
    """Return the version of Python that made a model; empty where it does not say."""
    try:
        node: Node = read_document(model / _DESCRIPTION).root
    except SpecError:
        return ""  # whoever scores with it says what is wrong with it
    for key in ("flavors", "python_function", "python_version"):
        if not isinstance(node, Mapping) or key not in node.entries:
            return ""
        node = node.entries[key].node
    return node.text if isinstance(node, Scalar) else ""
