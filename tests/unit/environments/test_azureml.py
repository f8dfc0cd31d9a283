"""Packages that only Azure's own driver needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.environments.azureml import imports_azureml, without_driver_packages
from gristmill.spec.packages import Line, Packages

PIP = ("pandas", "azureml-core", "azureml-dataset-runtime[fuse]", "azureml_mlflow==1.50", "azureml-defaults")


def packages(**more: bool) -> Packages:
    lines = tuple(Line(text=text, place="c.yaml:1:1") for text in PIP)
    return Packages(name="n", folder=Path("/f"), pip=lines, **more)


def kept(found: Packages) -> list[str]:
    return [line.text for line in found.pip]


def test_they_are_left_out_where_no_code_imports_them(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("import pandas\nfrom azureml_user.parallel_run import EntryScript\n")
    found, notices = without_driver_packages(packages(), tmp_path, {})

    assert kept(found) == ["pandas", "azureml-defaults"]
    assert notices == (
        "azureml-core, azureml-dataset-runtime and azureml-mlflow, which only Azure's own driver needs, left "
        "out of the environment n: no file of the code imports azureml; "
        "gristmill.keep_azureml_packages=true installs them",
    )


@pytest.mark.parametrize(
    "source",
    [
        "from azureml.core import Run\n",
        "import azureml.core\n",
        "def run(mini_batch):\n    import os, azureml\n",
        "import importlib\nimportlib.import_module('azureml.core')\n",
    ],
)
def test_they_are_kept_where_code_imports_them(tmp_path: Path, source: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "helper.py").write_text(source)

    assert kept(without_driver_packages(packages(), tmp_path, {})[0]) == list(PIP)


@pytest.mark.parametrize("source", ["# import azureml\n", "x = 'azureml'\n", "import azureml_user\n"])
def test_words_that_are_no_import_do_not_count(tmp_path: Path, source: str) -> None:
    (tmp_path / "score.py").write_text(source)

    assert not imports_azureml(tmp_path)


def test_a_tracking_store_of_azures_needs_its_package(tmp_path: Path) -> None:
    variables = {"MLFLOW_TRACKING_URI": "azureml://westeurope.example/x"}

    assert kept(without_driver_packages(packages(), tmp_path, variables)[0]) == list(PIP)


def test_the_file_decides_where_it_says(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("import azureml.core\n")
    left_out = packages(keep_azureml_packages=False)

    assert len(kept(without_driver_packages(left_out, tmp_path, {})[0])) == 2
    assert kept(without_driver_packages(packages(keep_azureml_packages=True), None, {})[0]) == list(PIP)
