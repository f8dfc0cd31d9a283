"""The Parquet example: its page as typed, and its files against a plain loop."""

from __future__ import annotations

import io
from pathlib import Path

import joblib
import pandas as pd
import pytest

from flow.clone import TEXT_BLOCK, files_below, new_clone, page, type_page

EXAMPLE = "custom-outputs-parquet"


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the examples in which every command of the page was typed, and what they printed."""
    clone = new_clone(tmp_path_factory.mktemp("parquet"))
    return clone, type_page(clone, EXAMPLE)


def test_page_shows_what_is_printed(typed: tuple[Path, str]) -> None:
    clone, printed = typed

    (shown,) = TEXT_BLOCK.findall(page(clone, EXAMPLE))
    assert shown in printed


def test_each_table_gives_one_parquet_file_with_what_the_model_says(typed: tuple[Path, str]) -> None:
    data = typed[0] / "examples" / EXAMPLE / "data"
    model = joblib.load(data / "model.joblib")

    expected = {}
    for path in files_below(data / "samples"):
        table = pd.read_csv(path)
        wines = table.drop(columns=["wine", "cultivar"])
        table["prediction"] = model.predict(wines)
        table["probability"] = model.predict_proba(wines).max(axis=1)
        file = io.BytesIO()
        table.to_parquet(file, index=False)
        expected[f"{path.stem}.parquet"] = file.getvalue()

    output = typed[0] / "out/wines"
    assert {path.name: path.read_bytes() for path in files_below(output)} == expected
    assert len(expected) == 12


def test_parquet_files_read_as_one_table_of_all_wines(typed: tuple[Path, str]) -> None:
    wines = pd.read_parquet(typed[0] / "out/wines")

    assert wines.shape == (89, 17)
    assert wines["wine"].is_unique
    assert (wines["prediction"] == wines["cultivar"]).mean() > 0.95
