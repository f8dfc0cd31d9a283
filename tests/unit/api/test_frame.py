"""Predictions come back as they were returned: what the worker writes, `read_frame` reads."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.api.frame import read_frame
from gristmill.errors import JobStateError
from gristmill.run.columns import header_line
from gristmill.service.predictions import Predictions
from gristmill_worker.rows import encoder

# A text that looks like a number, and an empty one, do not come back as texts; with a letter in front all do.
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12).map(
    "t{}".format
)
ROWS = st.lists(
    st.tuples(TEXTS, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)), min_size=1, max_size=6
)
COLUMNS = st.lists(TEXTS, min_size=3, max_size=3)


def read(data: bytes, columns: tuple[str, ...] | None, *, header: bool, separator: str) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "predictions.csv")
        path.write_bytes(data)
        return read_frame(Predictions(path=path, has_header=header, separator=separator, columns=columns))


def rows_of(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    return list(frame.itertuples(index=False, name=None))


@given(ROWS, COLUMNS)
def test_frames_in_azures_format_come_back(rows: list[tuple[str, int, float]], names: list[str]) -> None:
    written = encoder("azure", "score.py")(pd.DataFrame(rows, columns=names), [])

    frame = read(written.data, written.header, header=False, separator=" ")

    assert (list(frame.columns), rows_of(frame)) == (names, rows)


@given(ROWS, COLUMNS)
def test_frames_in_our_format_come_back_with_their_files(
    rows: list[tuple[str, int, float]], names: list[str]
) -> None:
    files = [f"{number:03d}" for number in range(len(rows))]
    written = encoder("csv", "score.py")(pd.DataFrame(rows, columns=names), files)
    assert written.header is not None

    frame = read(header_line(written.header) + written.data, None, header=True, separator=",")

    assert list(frame.columns) == ["file", *names]
    assert rows_of(frame) == [(file, *row) for file, row in zip(files, rows, strict=True)]


@given(st.lists(st.text(st.characters(exclude_characters="\n"), max_size=9), min_size=1, max_size=6))
def test_lists_in_azures_format_come_back_as_lines(elements: list[str]) -> None:
    written = encoder("azure", "score.py")(elements, [])

    frame = read(written.data, None, header=False, separator=" ")

    assert list(frame.columns) == ["prediction"]
    assert list(frame["prediction"]) == written.data.decode("utf-8", "surrogateescape").split("\n")[:-1]
    assert len(frame) == len(elements)


def test_numbers_stay_numbers_beside_names_that_are_not_utf8() -> None:
    frame = read(b"file,n,x\n\xff,1,0.1\nb,2,\n", None, header=True, separator=",")

    assert list(frame["file"]) == ["\udcff", "b"]
    assert list(frame["n"]) == [1, 2]
    assert frame["x"].isna().tolist() == [False, True]


def test_only_an_empty_cell_is_a_missing_value() -> None:
    frame = read(b"a,b\nNA,None\n,nan\n", None, header=True, separator=",")

    assert frame["a"].isna().tolist() == [False, True]
    assert list(frame["b"]) == ["None", "nan"]


def test_empty_file_is_an_empty_frame() -> None:
    assert read(b"", None, header=True, separator=",").shape == (0, 0)


def test_file_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = Predictions(path=tmp_path / "gone.csv", has_header=True, separator=",", columns=None)

    with pytest.raises(JobStateError, match=r"gone\.csv"):
        read_frame(gone)
