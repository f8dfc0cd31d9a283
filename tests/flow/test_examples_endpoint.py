"""The endpoint example: a script written for the Azure CLI, run twice in a row, and the page as typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import end_runner
from flow.clone import TEXT_BLOCK, files_below, new_clone, page, type_page, typed

EXAMPLE = "endpoint"
SCRIPT = f"examples/{EXAMPLE}/deploy-and-run.sh"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A copy of the examples in which every command of the page was typed, and what they printed."""
    clone = new_clone(tmp_path_factory.mktemp("endpoint"))
    yield clone, type_page(clone, EXAMPLE)
    end_runner(clone / ".gristmill")


def test_page_shows_what_is_printed(digits: tuple[Path, str]) -> None:
    clone, printed = digits

    assert [text for text in TEXT_BLOCK.findall(page(clone, EXAMPLE)) if text not in printed] == []


def test_every_image_has_its_row(digits: tuple[Path, str]) -> None:
    clone, _ = digits
    images = files_below(clone / "examples/digits-by-file/data/images")

    header, *rows = (
        (clone / f"examples/{EXAMPLE}/scores/named-outputs/score/predictions.csv").read_text().split()
    )

    assert header == "file,class,probability"
    assert [row.split(",")[0] for row in rows] == [path.name for path in images]
    right = [row for row in rows if row.split(",")[1] == row.split(".")[0][-1]]
    assert len(right) > 0.98 * len(rows) > 1700


@pytest.mark.slow
def test_script_runs_again_with_the_same_model(digits: tuple[Path, str]) -> None:
    clone, printed = digits

    again = typed(clone, f"gristmill az -- bash {SCRIPT}")

    assert "model digits-mlp: version 1\n" in printed
    assert "model digits-mlp: version 1\n" in again
    assert "every image: Completed\n" in again


def test_script_knows_nothing_of_us(digits: tuple[Path, str]) -> None:
    clone, _ = digits
    lines = [line for line in (clone / SCRIPT).read_text().splitlines() if not line.startswith("#")]

    assert [line for line in lines if "gristmill" in line] == []
    assert len([line for line in lines if "az ml " in line]) > 10
