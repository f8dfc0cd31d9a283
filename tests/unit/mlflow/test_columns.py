"""Columns become the types of a signature; what does not fit is named by column, row, expected and found."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from unit.mlflow.conftest import column

TEXTS = ("string", "datetime", "binary")

# Type, cells of a CSV column, and what becomes of them.
TAKEN: list[tuple[str, list[str], list[Any], str]] = [
    ("double", ["1", "2.5", "-1e3"], [1.0, 2.5, -1000.0], "float64"),
    ("double", ["1", ""], [1.0, np.nan], "float64"),
    ("float", ["0.1", "3"], [np.float32(0.1), np.float32(3)], "float32"),
    ("long", ["1", "9007199254740993"], [1, 9007199254740993], "int64"),
    ("long", ["1.0", "-7"], [1, -7], "int64"),
    ("integer", ["2147483647", "-2147483648"], [2147483647, -2147483648], "int32"),
    ("boolean", ["True", "FALSE", "true"], [True, False, True], "bool"),
    ("boolean", ["1", "0"], [True, False], "bool"),
    ("boolean", ["true", ""], [True, None], "object"),
    ("datetime", ["2024-05-01", "2024-05-01T12:00:00.5"],
     ["2024-05-01", "2024-05-01 12:00:00.5"], "datetime64[ns]"),
    ("datetime", ["2024-05-01T12:00:00+02:00"], ["2024-05-01 10:00"], "datetime64[ns]"),
    ("binary", ["AAE=", "eA=="], [b"\x00\x01", b"x"], "object"),
]  # fmt: skip

# Type, cells of a CSV column, the row that is to blame, and what is said of it.
REFUSED: list[tuple[str, list[str], int, str]] = [
    ("double", ["1", "x", "y"], 2, "expected double, found 'x'"),
    ("float", ["1", "", "1,5"], 3, "expected float, found '1,5'"),
    ("long", ["1", "2.5"], 2, "expected long, found 2.5"),
    ("long", ["1", ""], 2, "expected long, found no value, which MLflow does not have among whole numbers"),
    ("integer", ["2147483648"], 1, "expected integer, found 2147483648"),
    ("double", ["True", "False"], 1, "expected double, found np.True_"),
    ("boolean", ["true", "yes"], 2, "expected boolean, found 'yes'"),
    ("datetime", ["2024-05-01", "soon"], 2, "expected datetime, found 'soon'"),
    ("binary", ["AAE=", "?"], 2, "expected binary, found what is not base64"),
]


def as_read(kind: str, cells: list[str]) -> pd.DataFrame:
    """Read a column as the script reads it from a CSV file."""
    text = "a\n" + "\n".join(f'"{cell}"' for cell in cells) + "\n"
    dtype = {"a": str} if kind in TEXTS else None
    return pd.read_csv(io.StringIO(text), dtype=dtype, skip_blank_lines=False)


@pytest.mark.parametrize(("kind", "cells", "values", "dtype"), TAKEN)
def test_text_becomes_the_type_that_is_asked_for(
    columns: ModuleType, kind: str, cells: list[str], values: list[Any], dtype: str
) -> None:
    found = columns.checked(as_read(kind, cells), [column(kind)], 1, True)["a"]

    expected = pd.Series(
        pd.to_datetime(values, format="mixed") if kind == "datetime" else values, dtype=dtype
    )
    pd.testing.assert_series_equal(found, expected, check_names=False)


@pytest.mark.parametrize(("kind", "cells", "row", "said"), REFUSED)
def test_what_does_not_fit_is_named_with_its_row(
    columns: ModuleType, kind: str, cells: list[str], row: int, said: str
) -> None:
    with pytest.raises(columns.BadFile) as caught:
        columns.checked(as_read(kind, cells), [column(kind)], 1, True)

    assert str(caught.value) == f"column 'a', row {row}: {said}"


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("long", pd.Series([1.0, 2.0]), "expected long, found float64"),
        ("long", pd.Series([1.0, None]),
         "expected long, found float64 with missing values, which MLflow does not have"),
        ("float", pd.Series([1.0]), "expected float, found float64"),
        ("integer", pd.Series([1]), "expected integer, found int64"),
        ("double", pd.Series(["1"], dtype=object), "expected double, found "),
        ("boolean", pd.Series([1]), "expected boolean, found int64"),
        ("string", pd.Series([7]), "expected string, found"),
        ("datetime", pd.Series([7]), "expected datetime, found 7 (int64)"),
    ],
)  # fmt: skip
def test_type_of_a_typed_format_that_would_lose_something_is_refused(
    columns: ModuleType, kind: str, values: pd.Series[Any], said: str
) -> None:
    with pytest.raises(columns.BadFile, match=r"^column 'a': ") as caught:
        columns.checked(values.to_frame("a"), [column(kind)], 1, False)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("double", pd.Series([1.5])),
        ("double", pd.Series([1], dtype="int64")),
        ("double", pd.Series([1.5], dtype="float32")),
        ("long", pd.Series([1], dtype="int32")),
        ("long", pd.Series([1], dtype="uint8")),
        ("boolean", pd.Series([True, None], dtype=object)),
        ("string", pd.Series(["x"])),
        ("Array(double)", pd.Series([[1.0, 2.0]])),
    ],
)
def test_type_of_a_typed_format_that_mlflow_takes_is_left_to_it(
    columns: ModuleType, kind: str, values: pd.Series[Any]
) -> None:
    found = columns.checked(values.to_frame("a"), [column(kind)], 1, False)["a"]

    assert found.tolist() == values.tolist()


def test_missing_columns_are_named_with_what_there_is_instead(columns: ModuleType) -> None:
    table = pd.DataFrame({"a": [1], "lenght": [2.0], "id": [3]})
    specs = [column("long"), column("double", "length"), column("double", "note", required=False)]

    with pytest.raises(columns.BadFile) as caught:
        columns.checked(table, specs, 1, True)

    assert str(caught.value) == (
        "the model's signature has the column 'length' (double), which is missing; found is 'lenght', 'id',"
        " which the signature does not know"
    )


def test_columns_come_in_the_order_of_the_signature_and_others_are_left_out(columns: ModuleType) -> None:
    table = pd.DataFrame({"b": [1], "x": [2.0], "a": [3]})
    specs = [column("long"), column("double", "note", required=False), column("long", "b")]

    assert list(columns.checked(table, specs, 1, True)) == ["a", "b"]


def test_rows_are_counted_over_all_pieces_of_a_file(reader: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n" + "1\n" * 7 + "x\n")
    pieces = reader(column("long"), chunk_rows=3, large_bytes=0).pieces(str(tmp_path / "a.csv"))

    with pytest.raises(ValueError, match=r"^column 'a', row 8: expected long, found 'x'$"):
        list(pieces)


def test_older_words_of_mlflow_for_an_optional_column_are_understood(columns: ModuleType) -> None:
    spec = column("long")
    del spec.required
    spec.optional = True

    assert not columns.is_required(spec)
