"""Deployments of an MLflow model without a script: which they are, and what is filled in for them.

The script lies in the room `gristmill.mlflow`, which this floor must not know: only where it is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gristmill.spec.environment import names_a_python
from gristmill.spec.model_environment import model_environment
from gristmill.spec.problems import Problem
from gristmill.spec.schema import Extensions, Model, model_type
from gristmill.spec.sections import ValidationError
from gristmill.spec.tree import Entry, Mapping, got, is_null, tree

FOLDER = Path(__file__).parents[1] / "mlflow" / "script"
"""The code folder of the script."""
SCRIPT = "mlflow_score.py"
"""The script in it."""
CHUNK_ROWS = "GRISTMILL_MLFLOW_CHUNK_ROWS"
"""The variable by which the script is told how many rows it is to read at once."""
_CODE, _MODEL, _ENVIRONMENT = "code_configuration", "model", "environment"
_MLFLOW = "mlflow_model"


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """A document that names a script, as its author wrote it or as it was filled in."""

    root: Mapping
    is_generated: bool = False
    """Whether the script was filled in."""
    problem: Problem | None = None
    """Why it could not be."""
    notices: tuple[Problem, ...] = ()
    """What the user should know."""


def with_script(root: Mapping) -> Scripted:
    """Fill in the script where a document has an MLflow model and none, and the model's own environment.

    Parameters
    ----------
    root
        The document, in the canonical layout, with all overrides laid over it.

    Returns
    -------
    Scripted
        The document as the schema wants it.

    Raises
    ------
    SpecError
        The file with the model's environment cannot be read.
    """
    code, model = root.entries.get(_CODE), root.entries.get(_MODEL)
    if model is None or (code is not None and not is_null(code.node)):
        return Scripted(root=root)
    try:
        found = Model.model_validate(model.node)
    except ValidationError:
        return Scripted(root=root)  # what is wrong with the model is said elsewhere
    if model_type(found.path, found.type) != _MLFLOW:
        return Scripted(root=root)
    filled = tree({"code": str(FOLDER), "scoring_script": SCRIPT}, root.place)
    entries = {**root.entries, _CODE: Entry(path=_CODE, place=root.place, node=filled)}
    problem, notices = _no_model(model, found.path), []
    if problem is None and (_ENVIRONMENT not in entries or is_null(entries[_ENVIRONMENT].node)):
        own = model_environment(found.path, model.place)
        if own is not None:
            entries[_ENVIRONMENT] = own
        elif not names_a_python(root):
            what = "does not say which packages it needs (conda.yaml); the active Python runs it"
            notices.append(Problem(place=model.place, path=model.path, what=what))
    scripted = Mapping(place=root.place, entries=entries)
    return Scripted(root=scripted, is_generated=True, problem=problem, notices=tuple(notices))


def _no_model(entry: Entry, folder: Path) -> Problem | None:
    """Say that a folder is no MLflow model, although the document says so."""
    if os.path.isfile(folder / "MLmodel"):
        return None
    what = f"is no MLflow model: there is no file MLmodel in it {got(entry.node)}; give the folder with it"
    return Problem(place=entry.place, path=entry.path, what=what)


def variables(extensions: Extensions) -> dict[str, str]:
    """Return what the script is told of the deployment's settings, as variables."""
    rows = extensions.mlflow.chunk_rows
    return {} if rows is None else {CHUNK_ROWS: str(rows)}
