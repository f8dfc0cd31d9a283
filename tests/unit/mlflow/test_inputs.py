"""Files as a model takes them: tables in every format, in pieces or whole, images, and plain bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from unit.mlflow.conftest import column, tensor

Make = Callable[..., Any]
SUPPORTED = ".csv, .parquet, .pqt, .json, .jsonl, .png, .jpg, .jpeg, .tif, .tiff, .bmp, .gif"


def whole(reader: Any, path: Path) -> Any:
    (piece,) = reader.pieces(str(path))
    return piece


def write(table: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        records = table.astype(object).where(table.notna(), None).to_dict("records")
        path.write_text("".join(json.dumps(one) + "\n" for one in records))


ROWS = st.lists(
    st.tuples(
        st.integers(-(2**53), 2**53),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1, max_size=5),
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, chunk_rows=st.integers(1, 13), kind=st.sampled_from([".csv", ".parquet", ".jsonl"]))
def test_pieces_together_are_the_whole_file(
    reader: Make, tmp_path: Path, rows: list[tuple[int, float | None, str]], chunk_rows: int, kind: str
) -> None:
    table = pd.DataFrame(rows, columns=["n", "x", "s"]).astype({"n": "int64", "x": "float64"})
    path = tmp_path / f"a{kind}"
    write(table, path)
    asked = (column("long", "n"), column("double", "x"), column("string", "s"))

    pieces = list(reader(*asked, chunk_rows=chunk_rows, large_bytes=0).pieces(str(path)))
    at_once = whole(reader(*asked), path)

    assert [len(one) for one in pieces[:-1]] == [chunk_rows] * (len(pieces) - 1)
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), at_once.reset_index(drop=True))


def test_small_files_and_signatures_without_names_are_read_whole(reader: Make, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n" + "1\n" * 50)

    assert len(whole(reader(column("long"), chunk_rows=3, large_bytes=path.stat().st_size), path)) == 50
    assert len(whole(reader(column("long", None), chunk_rows=3, large_bytes=0), path)) == 50
    assert len(whole(reader(chunk_rows=3, large_bytes=0), path)) == 50


@pytest.mark.parametrize("name", ["w.txt", "w", "w.csv.gz", "w.npy"])
def test_other_types_are_refused_by_name(reader: Make, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole text is compared)
        list(reader(column("long")).pieces(str(tmp_path / name)))

    assert str(caught.value) == f"file type {Path(name).suffix!r} is not supported; supported are {SUPPORTED}"


@pytest.mark.parametrize("name", ["a.png", "a.bin", "a"])
def test_one_binary_column_gets_the_bytes_of_any_file(reader: Make, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00\xff")

    table = whole(reader(column("binary", "content")), tmp_path / name)

    assert table.to_dict("list") == {"content": [b"\x00\xff"]}


@pytest.mark.parametrize(
    "text",
    [
        '[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]',
        '{"a": [1, 2], "b": ["x", "y"]}',
        '{"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}}',
        '{"columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]}',
        '{"dataframe_split": {"index": [0, 1], "columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]}}',
        '{"dataframe_records": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}',
        '{"inputs": {"a": [1, 2], "b": ["x", "y"]}}',
        '\ufeff[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]',
    ],
)
def test_json_is_a_table_in_each_of_its_forms(reader: Make, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")

    table = whole(reader(column("long"), column("string", "b")), tmp_path / "a.json")

    assert table.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


def test_one_json_object_of_single_values_is_one_row(reader: Make, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 7}')

    assert whole(reader(column("long")), tmp_path / "a.json").to_dict("list") == {"a": [7]}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{", "it is not JSON: "),
        ("a.json", "7", "it holds a int; a list of rows is expected"),
        ("a.jsonl", '{"a": 1}\n\nno\n', "line 3 is not JSON: "),
        ("a.csv", "", "it is empty"),
        ("a.csv", "a,b\n1\n2,3,4,5\n", "Error tokenizing data"),
        ("a.png", "no image", "cannot identify image file"),
        ("a.parquet", "no table", "(?i)parquet"),
    ],
)
def test_damaged_files_raise_what_says_so(
    reader: Make, tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    asked = (tensor("uint8", -1, -1, -1, 3),) if name.endswith("png") else (column("long"),)

    with pytest.raises(Exception, match=said):
        list(reader(*asked).pieces(str(tmp_path / name)))


def test_columns_without_names_must_be_as_many(reader: Make, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")

    with pytest.raises(ValueError, match="it has 2 columns, and the model's signature has 1"):
        list(reader(column("long", None)).pieces(str(tmp_path / "a.csv")))


class Map:
    """The name of this type is what counts."""


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "a,b\n1,x\n2,y\n"), ("a.json", '[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]')],
)
def test_one_unnamed_input_of_dicts_gets_a_dict_for_each_row(
    reader: Make, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    spec = column("any", None)
    spec.type = Map()

    assert whole(reader(spec), tmp_path / name) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


# Arrays


@pytest.mark.parametrize(
    ("text", "rows"),
    [("1,2\n3,4\n", 2), ("0,1\n3,4\n", 1), ("a,b\n3,4\n", 1), ("1,\n3,4\n", 2), ("x,2\n3,4\n", 1)],
)
def test_first_line_of_nothing_but_numbers_is_data_unless_it_counts(
    reader: Make, tmp_path: Path, text: str, rows: int
) -> None:
    (tmp_path / "a.csv").write_text(text)

    assert whole(reader(tensor("float64", -1, 2)), tmp_path / "a.csv").shape == (rows, 2)


def test_arrays_have_type_and_shape_of_the_signature(reader: Make, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[[1, 2, 3, 4], [5, 6, 7, 8]]")

    array = whole(reader(tensor("float32", -1, 2, 2)), tmp_path / "a.json")

    assert (array.dtype, array.tolist()) == (np.float32, [[[1, 2], [3, 4]], [[5, 6], [7, 8]]])


def test_named_arrays_come_from_columns_of_their_names(reader: Make, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"x": [1, 2], "y": 3}\n{"x": [4, 5], "y": 6}\n')
    asked = (tensor("float32", -1, 2, name="x"), tensor("int64", -1, 1, name="y"))

    given = whole(reader(*asked), tmp_path / "a.jsonl")

    assert {name: array.tolist() for name, array in given.items()} == {
        "x": [[1, 2], [4, 5]],
        "y": [[3], [6]],
    }


@pytest.mark.parametrize(
    ("asked", "text", "said"),
    [
        ([tensor("float32", -1, 3)], "a,b\n1,2\n", "the model's input: expected an array of float32"),
        ([tensor("float32", -1, 2)], "a,b\n1,x\n", "the model's input: expected an array of float32"),
        (
            [tensor("int64", -1, name="a"), tensor("int64", -1, name="c")],
            "a,b\n1,2\n",
            "the model's signature has 'c', which is missing",
        ),
    ],
)
def test_what_is_no_such_array_is_refused(
    reader: Make, tmp_path: Path, asked: list[Any], text: str, said: str
) -> None:
    (tmp_path / "a.csv").write_text(text)

    with pytest.raises(ValueError, match=said):
        list(reader(*asked).pieces(str(tmp_path / "a.csv")))


# Images


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((-1, -1, -1, 3), (1, 4, 6, 3)),
        ((-1, -1, -1, 1), (1, 4, 6, 1)),
        ((-1, -1, -1, 4), (1, 4, 6, 4)),
        ((-1, 3, -1, -1), (1, 3, 4, 6)),
        ((-1, 8, 9, 3), (1, 8, 9, 3)),
        ((1, 3, 8, 9), (1, 3, 8, 9)),
        ((-1, 8, 9), (1, 8, 9)),
        ((8, 9, 3), (8, 9, 3)),
        ((8, 9), (8, 9)),
    ],
)
def test_images_have_the_shape_of_the_signature(
    reader: Make, tmp_path: Path, shape: tuple[int, ...], found: tuple[int, ...]
) -> None:
    Image.new("RGB", (6, 4), (10, 20, 30)).save(tmp_path / "a.png")

    array = whole(reader(tensor("float64", *shape)), tmp_path / "a.png")

    assert (array.shape, array.dtype) == (found, np.float64)


def test_image_without_a_signature_is_one_array_of_bytes(reader: Make, tmp_path: Path) -> None:
    Image.new("L", (6, 4), 7).save(tmp_path / "a.GIF")

    array = whole(reader(), tmp_path / "a.GIF")

    assert (array.shape, array.dtype, array.max()) == ((1, 4, 6, 3), np.uint8, 7)


def test_named_array_of_an_image_is_handed_over_by_its_name(reader: Make, tmp_path: Path) -> None:
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png")

    given = whole(reader(tensor("uint8", -1, -1, -1, 3, name="pixels")), tmp_path / "a.png")

    assert given["pixels"].shape == (1, 4, 6, 3)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([column("long"), column("long", "b")], "the model's signature asks for 2 columns"),
        ([tensor("u1", -1, 2, name="a"), tensor("u1", -1, name="b")], "model's signature asks for 2 arrays"),
        ([tensor("u1", -1, 784)], "the signature fixes one side of its images and not the other"),
        ([tensor("u1", -1, 5, 6, 7)], "the signature asks for an array of the shape"),
    ],
)
def test_image_for_a_model_of_something_else_is_refused(
    reader: Make, tmp_path: Path, asked: list[Any], said: str
) -> None:
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png")

    with pytest.raises(ValueError, match=said):
        list(reader(*asked).pieces(str(tmp_path / "a.png")))


def test_package_that_is_missing_is_named_with_the_python_that_lacks_it(columns: ModuleType) -> None:
    with pytest.raises(
        ImportError, match=r"^the package wheat-and-rye is not in .*python.*: bread needs it$"
    ):
        columns.imported("no_such_module_here", "wheat-and-rye", "bread needs it")
