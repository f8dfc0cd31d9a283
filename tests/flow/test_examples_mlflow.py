"""The MLflow example: its page as typed, against a plain loop, and in the environment of its model."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flow.clone import TEXT_BLOCK, files_below, new_clone, page, type_page, typed
from flow.mlflow_models import mlflow, plain_loop
from gristmill.errors import BuildError
from gristmill.service.environments import build_environment
from gristmill.settings import Home

EXAMPLE = "mlflow-tabular"


@pytest.fixture(scope="module")
def diabetes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the examples in which every command of the page was typed, and what they printed."""
    mlflow()
    clone = new_clone(tmp_path_factory.mktemp("mlflow-tabular"))
    return clone, type_page(clone, EXAMPLE)


def test_page_shows_what_is_printed(diabetes: tuple[Path, str]) -> None:
    clone, printed = diabetes

    rows, message = TEXT_BLOCK.findall(page(clone, EXAMPLE))
    assert rows in printed
    assert message.strip() in printed
    assert "221 patients of 4 clinics" in printed


def test_rows_are_those_of_a_plain_loop(diabetes: tuple[Path, str]) -> None:
    clone, _ = diabetes
    data = clone / "examples" / EXAMPLE / "data"
    tables = {path.name: pd.read_csv(path) for path in files_below(data / "patients")}

    with open(clone / "out/diabetes/predictions.csv", newline="") as file:
        found = list(csv.reader(file))

    expected = plain_loop(data / "model", tables)
    assert [row[2] for row in found] == [name for name, table in tables.items() for _ in range(len(table))]
    assert [row[0] for row in found] == [str(n) for table in tables.values() for n in range(len(table))]
    np.testing.assert_allclose(
        [float(row[1]) for row in found], np.concatenate([expected[name] for name in tables]), rtol=1e-12
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_model_runs_in_the_environment_that_it_lists(
    diabetes: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clone, _ = diabetes
    file = clone / "examples" / EXAMPLE / "deployment.yml"
    monkeypatch.setenv("UV_CACHE_DIR", os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv"))
    monkeypatch.setenv("PYENV_ROOT", os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv"))
    try:
        build_environment(file, Home(path=clone / ".gristmill"), print, offline=False)
    except BuildError as error:
        if "the registry does not answer" not in str(error):
            raise
        pytest.skip(str(error).splitlines()[0])

    typed(
        clone,
        f"gristmill run {file} --input {file.parent}/data/patients --output-path out/own --job-name own",
    )

    whole, own = (clone / "out" / name / "predictions.csv" for name in ("diabetes", "own"))
    assert own.read_bytes() == whole.read_bytes()
    assert "mlflow-skinny==" in (clone / ".gristmill/jobs/own/environment.json").read_text()
