"""The digits examples, by file and by mini-batch: their pages as typed, against plain loops."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from flow.clone import files_below, new_clone, type_page
from flow.mill import REPOSITORY


@pytest.fixture(scope="module")
def by_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples in which every command of the page was typed."""
    clone = new_clone(tmp_path_factory.mktemp("digits-by-file"))
    assert "1,797 rows" in type_page(clone, "digits-by-file")
    return clone


@pytest.fixture(scope="module")
def by_batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone = new_clone(tmp_path_factory.mktemp("digits-by-batch"))
    assert "file,class,probability" in type_page(clone, "digits-by-batch")
    return clone


def test_by_file_gives_what_the_model_gives_for_one_image_after_the_other(by_file: Path) -> None:
    data = by_file / "examples/digits-by-file/data"
    model = pickle.loads((data / "model.pkl").read_bytes())

    lines = []
    for path in files_below(data / "images"):
        (probabilities,) = model.predict_proba(pixels(path)[np.newaxis])
        lines.append(f"{path.name} {probabilities.argmax()} {probabilities.max().round(4)}\n")

    assert (by_file / "out/digits-by-file/predictions.csv").read_bytes() == "".join(lines).encode()
    assert len(lines) == 1797


@pytest.mark.parametrize(("size", "output"), [(200, "digits-by-batch"), (20, "digits-by-20")])
def test_by_batch_gives_what_the_model_gives_for_arrays_of_that_length(
    by_batch: Path, size: int, output: str
) -> None:
    data = by_batch / "examples/digits-by-batch/data"
    model = pickle.loads((data / "model.pkl").read_bytes())
    paths = files_below(data / "images")

    lines = ["file,class,probability\n"]
    for first in range(0, len(paths), size):
        batch = paths[first : first + size]
        for path, row in zip(batch, model.predict_proba(np.stack([*map(pixels, batch)])), strict=True):
            lines.append(f"{path.name},{row.argmax()},{row.max().round(4)}\n")

    assert (by_batch / f"out/{output}/predictions.csv").read_bytes() == "".join(lines).encode()
    assert len(lines) == 1 + 1797


def test_digits_are_recognised(by_file: Path) -> None:
    rows = pd.read_csv(by_file / "out/digits-by-file/predictions.csv", header=None, sep=" ")

    shown = rows[0].str.extract(r"-is-(\d)", expand=False).astype(int)
    assert (rows[1] == shown).mean() > 0.98
    assert rows[2].between(0.1, 1).all()


def test_both_ways_see_the_same_digits(by_file: Path, by_batch: Path) -> None:
    one_by_one = pd.read_csv(by_file / "out/digits-by-file/predictions.csv", header=None, sep=" ")
    at_once = pd.read_csv(by_batch / "out/digits-by-batch/predictions.csv")

    assert at_once["file"].tolist() == one_by_one[0].tolist()
    assert at_once["class"].tolist() == one_by_one[1].tolist()


def test_both_examples_are_prepared_alike() -> None:
    by_file, by_batch = (REPOSITORY / "examples" / name for name in ("digits-by-file", "digits-by-batch"))

    assert (by_file / "prepare.py").read_bytes() == (by_batch / "prepare.py").read_bytes()


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("L"), dtype="float64").ravel() / 255
