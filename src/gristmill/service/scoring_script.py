"""The script behind an MLflow model that comes without one, written to a folder to start from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gristmill.errors import OutputError, SpecError, in_words
from gristmill.mlflow.description import FILE, describe
from gristmill.mlflow.equivalent import equivalent
from gristmill.service.mlflow_reading import read_mlflow_model
from gristmill.spec.kinds import neighbour
from gristmill.spec.values import ModelReference
from gristmill.storage.publish import publish_bytes


@dataclass(frozen=True, kw_only=True)
class ScoringScriptRequest:
    """What a user asks for with ``model scoring-script``."""

    model: Path
    """The model's folder."""
    output: Path | None = None
    """The folder to be made; None: one that is called after the model, here."""
    overwrite: bool = False
    """Whether files that are there may be replaced."""


@dataclass(frozen=True, kw_only=True)
class ScoringScript:
    """What was written."""

    deployment: Path
    files: tuple[Path, ...]
    """The deployment, the script and what it imports."""
    notices: tuple[str, ...]
    """What its owner should know about the model."""


def write_scoring_script(request: ScoringScriptRequest) -> ScoringScript:
    """Write the script that scores with an MLflow model where there is none, and a deployment of it.

    Parameters
    ----------
    request
        Which model, and where to.

    Returns
    -------
    ScoringScript
        The files, and what to know about the model.

    Raises
    ------
    SpecError
        There is no such model, or MLflow cannot score with it.
    OutputError
        A file exists already, or cannot be written.
    """
    model = _model_folder(request.model)
    found = read_mlflow_model(ModelReference(path=model, name=None, version=None, type="mlflow_model"))
    wrong = [str(one) for one in found if one.is_error]
    if wrong:
        raise SpecError(*wrong)
    folder = request.output if request.output is not None else Path(f"{model.name}-scoring")
    texts = equivalent(describe(model), Path(os.path.abspath(folder)))
    for file in texts:
        if not request.overwrite and os.path.lexists(file):
            raise OutputError(f"{file} exists already; choose another --output, or --overwrite to replace it")
    for file, text in texts.items():
        _write(file, text)
    deployment, *_ = texts
    return ScoringScript(deployment=deployment, files=tuple(texts), notices=tuple(map(str, found)))


def _model_folder(given: Path) -> Path:
    """Return the folder of the model; its description is taken for it."""
    model = Path(os.path.abspath(given))
    if model.name == FILE and model.is_file():
        model = model.parent
    if not (model / FILE).is_file():
        near = "" if model.exists() else neighbour(model)
        raise SpecError(f"{given}: no MLflow model: there is no file {FILE} in it; give its folder{near}")
    return model


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        publish_bytes(file, text.encode())
    except OSError as error:
        raise OutputError(f"{file} cannot be written: {in_words(error)}; choose another --output") from error
