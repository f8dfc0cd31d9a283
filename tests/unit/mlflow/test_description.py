"""What an MLflow model says of itself, read without MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.mlflow.description import describe
from gristmill.service.mlflow_reading import read_mlflow_model
from gristmill.spec.values import ModelReference

SKLEARN = """
flavors:
  python_function: {env: {conda: conda.yaml, virtualenv: python_env.yaml}, loader_module: mlflow.sklearn}
  sklearn: {pickled_model: model.pkl}
mlflow_version: 3.17.2
"""


def reference(folder: Path, text: str) -> ModelReference:
    (folder / "MLmodel").write_text(text)
    return ModelReference(path=folder, name=None, version=None, type="mlflow_model")


def test_flavors_and_signature_are_known(tmp_path: Path) -> None:
    said = describe(reference(tmp_path, SKLEARN + "signature: {inputs: '[]'}\n").path)

    assert said.flavors == ("python_function", "sklearn")
    assert said.has_signature
    assert said.is_scorable


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "flavors: [",
            "is not YAML (expected the node content, but found '<stream end>'); was the model copied",
        ),
        ("- a\n", "names no flavors, so it is no description of a model; log the model anew"),
        ("flavors: {}\n", "names no flavors, so it is no description of a model; log the model anew"),
        ("flavors: text\n", "names no flavors, so it is no description of a model; log the model anew"),
        ("a: \x00\n", "is not YAML ("),
    ],
)
def test_what_is_no_description_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        describe(reference(tmp_path, text).path)

    assert caught.value.problems[0].startswith(f"{tmp_path / 'MLmodel'}: {problem}")


def test_file_that_is_no_text_or_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="the file cannot be read: No such file"):
        describe(tmp_path)
    (tmp_path / "MLmodel").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="the file cannot be read: "):
        describe(tmp_path)


def test_model_that_mlflow_cannot_score_with_is_an_error(tmp_path: Path) -> None:
    (found,) = read_mlflow_model(reference(tmp_path, "flavors: {keras: {}, spark: {}}\n"))

    assert found.is_error
    assert found.code == "no-python-function"
    assert "the model has the flavors keras, spark and not python_function" in found.what


def test_description_that_cannot_be_read_is_an_error_at_its_place(tmp_path: Path) -> None:
    (found,) = read_mlflow_model(reference(tmp_path, "flavors: {}\n"))

    assert (found.is_error, found.code, found.place) == (
        True,
        "mlflow-description",
        str(tmp_path / "MLmodel"),
    )


def test_model_without_a_signature_is_worth_a_warning(tmp_path: Path) -> None:
    (found,) = read_mlflow_model(reference(tmp_path, SKLEARN))

    assert (found.is_error, found.code) == (False, "no-signature")
    assert read_mlflow_model(reference(tmp_path, SKLEARN + "signature: {inputs: '[]'}\n")) == ()
