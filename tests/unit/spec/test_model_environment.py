"""The environment that an MLflow model brings along, in each of its forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override
from gristmill.spec.packages import Packages

FILES = {
    "conda.yaml": "name: env\nchannels: [conda-forge]\ndependencies: [python=3.10.4, pip, {pip: [a==1]}]\n",
    "python_env.yaml": "python: 3.9.7\nbuild_dependencies: [wheel]\ndependencies: [-r requirements.txt]\n",
    "requirements.txt": "b==2\nc\n",
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "hearts"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {python_function: {python_version: 3.8.5}}\n")
    (tmp_path / "d.yml").write_text("model: hearts\n")
    return folder


def packages(model: Path, *overrides: Override) -> Packages | None:
    return load(model.parent / "d.yml", overrides).packages


def listed(found: Packages | None) -> tuple[list[str], list[str]]:
    assert found is not None
    assert found.name == "hearts"
    return [line.text for line in found.conda], [line.text for line in found.pip]


@pytest.mark.parametrize(
    ("names", "conda", "pip"),
    [
        (["conda.yaml", "python_env.yaml", "requirements.txt"], ["python=3.10.4", "pip"], ["a==1"]),
        (["python_env.yaml", "requirements.txt"], ["python=3.9.7", "pip"], ["wheel", "b==2", "c"]),
        (["requirements.txt"], ["python=3.8.5", "pip"], ["b==2", "c"]),
    ],
)
def test_first_file_that_is_there_counts(
    model: Path, names: list[str], conda: list[str], pip: list[str]
) -> None:
    for name in names:
        (model / name).write_text(FILES[name])

    assert listed(packages(model)) == (conda, pip)


def test_folder_of_a_model_alone_has_its_environment(model: Path) -> None:
    (model / "conda.yaml").write_text(FILES["conda.yaml"])

    assert listed(load(model).packages) == (["python=3.10.4", "pip"], ["a==1"])


def test_settings_of_environments_hold_for_it(model: Path) -> None:
    (model / "conda.yaml").write_text(FILES["conda.yaml"])

    found = packages(model, Override(path="gristmill.strict_python", value=True, origin="--set"))

    assert found is not None
    assert found.strict_python


@pytest.mark.parametrize(
    ("pip", "taken"),
    [
        (["mlflow==3.1", "scipy"], ["mlflow-skinny==3.1", "scipy", "pandas"]),
        (["mlflow[extras]>=2,<4", "pandas==2.0"], ["mlflow-skinny>=2,<4", "pandas==2.0"]),
        (["mlflow", "pandas-stubs"], ["mlflow-skinny", "pandas-stubs", "pandas"]),
        (["mlflow-skinny==3.1"], ["mlflow-skinny==3.1"]),
        (["azureml-mlflow"], ["azureml-mlflow"]),
    ],
)
def test_skinny_is_taken_where_it_is_asked_for(model: Path, pip: list[str], taken: list[str]) -> None:
    (model / "requirements.txt").write_text("\n".join(pip))
    skinny = Override(path="gristmill.mlflow.skinny", value=True, origin="--set")

    assert listed(packages(model))[1] == pip
    assert listed(packages(model, skinny))[1] == taken


def test_what_the_deployment_says_stands_above_it(model: Path) -> None:
    (model / "conda.yaml").write_text(FILES["conda.yaml"])
    current = Override(path="gristmill.use_current_python", value=True, origin="--use-current-python")
    (model.parent / "d.yml").write_text(
        "model: hearts\nenvironment: {conda_file: {dependencies: [python=3.12]}}\n"
    )

    found = packages(model)

    assert found is not None
    assert [line.text for line in found.conda] == ["python=3.12"]
    assert packages(model, current) is None


def test_model_that_does_not_say_what_it_needs_runs_in_the_active_python_and_that_is_told(
    model: Path,
) -> None:
    deployment = load(model.parent / "d.yml")

    assert deployment.packages is None
    assert [notice.split(": ", 1)[1] for notice in deployment.notices] == [
        "model: does not say which packages it needs (conda.yaml); the active Python runs it"
    ]


def test_mistake_in_its_file_is_told_with_its_place(model: Path) -> None:
    (model / "conda.yaml").write_text("dependencies: 7\n")

    with pytest.raises(SpecError, match=r"conda.yaml:1:15: .*must be a list"):
        packages(model)


def test_description_without_a_python_leaves_it_open(model: Path) -> None:
    (model / "MLmodel").write_text("flavors: [\n")
    (model / "requirements.txt").write_text(FILES["requirements.txt"])

    assert listed(packages(model)) == (["pip"], ["b==2", "c"])
