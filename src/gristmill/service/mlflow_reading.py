"""An MLflow model that comes without a script, looked at before anything runs: what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

from gristmill.errors import SpecError
from gristmill.mlflow.description import FILE, describe
from gristmill.service.findings import Finding, error, warning
from gristmill.spec.values import ModelReference


def read_mlflow_model(model: ModelReference) -> tuple[Finding, ...]:
    """Read the description of a model that our own script is to score with.

    Parameters
    ----------
    model
        The model of a deployment without a script.

    Returns
    -------
    tuple of Finding
        Empty where nothing is wrong.
    """
    try:
        said = describe(model.path)
    except SpecError as wrong:
        place, _, what = wrong.problems[0].partition(": ")
        return (error("mlflow-description", place, what, ""),)
    place = str(model.path / FILE)
    if not said.is_scorable:
        return (_not_scorable(place, said.flavors),)
    return () if said.has_signature else (_without_signature(place),)


def _not_scorable(place: str, flavors: Sequence[str]) -> Finding:
    return error(
        "no-python-function",
        place,
        f"the model has the flavors {', '.join(flavors)} and not python_function, by which MLflow scores "
        "with any model",
        "log it with mlflow.<flavor>.log_model, which adds it where it can, or write a script with"
        " gristmill new score.py --model FOLDER",
    )


def _without_signature(place: str) -> Finding:
    return warning(
        "no-signature",
        place,
        "the model has no signature: it gets each file as it is read, whole, and nobody can say which columns"
        " it wants",
        "log it with signature=mlflow.models.infer_signature(inputs, outputs)",
    )
