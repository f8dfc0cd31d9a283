"""MLflow models of many flavors and signatures, scored without a script, give what a plain loop gives."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flow.mill import Mill
from flow.mlflow_models import MODELS, mlflow, plain_loop, quiet

#: These run as whole jobs in the ordinary run; the others with --all, and in this process always.
QUICK = ("a scikit-learn pipeline", "two arrays, and a dict of arrays", "bytes")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, dict[str, Any]]]:
    """Save a model and write its files, once each; return its folder, and what the loop hands to it."""
    mlflow()
    known: dict[str, tuple[Path, dict[str, Any]]] = {}

    def get(name: str) -> tuple[Path, dict[str, Any]]:
        if name not in known:
            folder = tmp_path_factory.mktemp("made")
            (folder / "in").mkdir()
            with quiet():
                MODELS[name].save(folder / "model")
            known[name] = (
                folder,
                {file: write(folder / "in" / file) for file, write in MODELS[name].files.items()},
            )
        return known[name]

    return get


def expected_rows(predicted: Any) -> list[list[str]]:
    """Write down what a plain loop got, one list of texts for each row, as nobody needs ours to do."""
    if hasattr(predicted, "toarray"):
        predicted = predicted.toarray()
    if isinstance(predicted, dict):
        columns = [np.asarray(one).reshape(len(one), -1) for one in predicted.values()]
        return [[str(value) for column in columns for value in column[row]] for row in range(len(columns[0]))]
    if isinstance(predicted, pd.DataFrame):
        cells = [["" if pd.isna(value) else str(value) for value in predicted[name]] for name in predicted]
        return [list(row) for row in zip(*cells, strict=True)]
    array = np.asarray(predicted)
    return [[str(value) for value in row] for row in array.reshape(len(array), -1)]


def found_rows(lines: Iterator[list[str]]) -> dict[str, list[list[str]]]:
    """Sort rows by their file, which is the last column, and take their number away, which counts from 0."""
    found: dict[str, list[list[str]]] = {}
    for number, *cells, file in lines:
        assert int(number) == len(found.setdefault(file, []))
        found[file].append(cells)
    return found


def is_alike(one: str, other: str) -> bool:
    """Compare cells: numbers by their value to six digits, for there are two ways to write them."""
    try:
        return bool(np.isclose(float(one), float(other), rtol=1e-6, atol=0))
    except ValueError:
        return one == other


def assert_alike(found: dict[str, list[list[str]]], model: Path, inputs: dict[str, Any]) -> None:
    expected = {file: expected_rows(one) for file, one in plain_loop(model, inputs).items()}
    assert list(found) == sorted(expected)
    for file, rows in expected.items():
        assert len(found[file]) == len(rows), file
        for cells, others in zip(found[file], rows, strict=True):
            assert len(cells) == len(others)
            assert all(map(is_alike, cells, others)), (file, cells, others)


@pytest.mark.parametrize("name", MODELS)
def test_the_script_gives_what_a_plain_loop_gives(
    name: str,
    made: Callable[[str], tuple[Path, dict[str, Any]]],
    scoring: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, inputs = made(name)
    monkeypatch.setenv("GRISTMILL_MODEL_PATH", str(folder / "model"))
    with quiet():
        scoring.init()
        frame = scoring.run([str(folder / "in" / file) for file in sorted(inputs)])

    text = frame.to_csv(header=False, index=False)
    assert_alike(found_rows(csv.reader(text.splitlines())), folder / "model", inputs)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]
)
def test_a_job_gives_what_a_plain_loop_gives(
    name: str, made: Callable[[str], tuple[Path, dict[str, Any]]], mill: Mill
) -> None:
    folder, inputs = made(name)
    mill.write(
        "deployment.yml", f"model: {folder / 'model'}\nsettings: {{retry_settings: {{timeout: 100}}}}\n"
    )
    (mill.root / "in").symlink_to(folder / "in")

    ended = mill.run("--use-current-python")

    assert ended.counts == (len(inputs), len(inputs), 0, 0), ended.err
    assert_alike(found_rows(csv.reader(mill.bytes().decode().splitlines())), folder / "model", inputs)
