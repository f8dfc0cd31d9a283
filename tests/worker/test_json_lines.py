"""JSON Lines: what each value becomes, and that every line reads back."""

from __future__ import annotations

import datetime
import decimal
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill_worker.encoded import BadReturn
from gristmill_worker.provenance import Provenance
from gristmill_worker.rows import encoder

FILES = ["a.txt", "b.txt"]
NAN, INFINITE = float("nan"), float("inf")
CYCLE: list[Any] = []
CYCLE.append(CYCLE)


def lines(result: object, files: list[str] = FILES, **more: Any) -> list[Any]:
    data = encoder("jsonl", "score.py", **more)(result, files).data
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.decode("utf-8").split("\n")[:-1]]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (NAN, None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.float32("nan"), None),
        (INFINITE, "Infinity"),
        ([1, -INFINITE, {"a": NAN}], [1, "-Infinity", {"a": None}]),
        (2**70, 2**70),
        (0.1, 0.1),
        (np.float64(0.25), 0.25),
        (np.int8(7), 7),
        (np.bool_(True), True),
        (np.arange(3), [0, 1, 2]),
        ((1, "x"), [1, "x"]),
        ({"b", "a"}, ["a", "b"]),
        ({1: {None: 2}}, {"1": {"null": 2}}),
        ({(1, 2): NAN}, {"(1, 2)": None}),
        (b"\xff\x00", "/wA="),
        (datetime.datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC), "2024-01-02T03:04:05.000006+00:00"),
        (datetime.date(2024, 1, 2), "2024-01-02"),
        (datetime.time(1, 2), "01:02:00"),
        (decimal.Decimal("1.10"), "1.10"),
        (1 + 2j, "(1+2j)"),
        ("line\nbreak \u2028 \x85", "line\nbreak \u2028 \x85"),
        (CYCLE, ["[[...]]"]),
    ],
)
def test_what_a_value_becomes(value: object, written: object) -> None:
    assert lines([value, 0])[0] == {"file": "a.txt", "prediction": written}


def test_dicts_are_rows_with_their_own_keys() -> None:
    result = [{"p": 1, 2: "x"}, {"q": {"deep": [1]}, "file": "mine"}]
    assert lines(result) == [{"file": "a.txt", "p": 1, "2": "x"}, {"file": "mine", "q": {"deep": [1]}}]
    assert lines(result, ["a"]) == [{"p": 1, "2": "x"}, {"q": {"deep": [1]}, "file": "mine"}]


def test_a_list_that_matches_no_files_has_empty_names() -> None:
    assert lines(["x"]) == [{"file": "", "prediction": "x"}]


def test_a_frame_is_rows_of_its_columns() -> None:
    frame = pd.DataFrame(
        {
            "f": [0.1, NAN],
            "s": np.array([0.1, INFINITE], "float32"),
            "i": [1, 2],
            "t": ["x", None],
            "d": pd.to_datetime(["2024-01-02", None]),
            "o": pd.Series([[1, {"a": 2}], {"k": NAN}], dtype=object),
            "%s": pd.Categorical(["u", "v"]),
        }
    )
    first, second = lines(frame)
    assert first == {
        "file": "a.txt", "f": 0.1, "s": 0.1, "i": 1, "t": "x", "d": "2024-01-02T00:00:00",
        "o": [1, {"a": 2}], "%s": "u",
    }  # fmt: skip
    assert list(second.values()) == ["b.txt", None, "Infinity", 2, None, None, {"k": None}, "v"]


def test_columns_of_one_name_are_refused_with_the_name() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["c", "c"])
    for output_format in ("jsonl", "parquet"):
        with pytest.raises(BadReturn, match="2 columns called c"):
            encoder(output_format, "score.py")(frame, FILES)


def test_names_of_files_that_are_no_unicode_read_back() -> None:
    assert lines(["x"], ["\udcff.txt"]) == [{"file": "\udcff.txt", "prediction": "x"}]


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.none(), inner),
        ),
        min_size=1,
    )
)
def test_every_line_is_json_that_every_reader_takes(values: list[Any]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    data = encoder("jsonl", "score.py")(values, []).data
    rows = [json.loads(line, parse_constant=refuse) for line in data.split(b"\n")[:-1]]
    assert len(rows) == len(values)


ALL = Provenance(("mini_batch", "input_file", "row", "model_version", "deployment"), "dep", "3")


@pytest.mark.parametrize(
    ("result", "files", "origin"),
    [
        (["x", "y"], FILES, [("a.txt", 0), ("b.txt", 0)]),
        (["x", "y", "z"], ["a.txt"], [("a.txt", 0), ("a.txt", 1), ("a.txt", 2)]),
        (["x", "y", "z"], FILES, [(None, None)] * 3),
        ([{"p": 1}, {"q": 2}], FILES, [("a.txt", 0), ("b.txt", 0)]),
        (pd.DataFrame({"p": [1, 2, 3]}), ["a.txt"], [("a.txt", 0), ("a.txt", 1), ("a.txt", 2)]),
        (pd.DataFrame({"p": [1, 2]}, index=["r", "s"]), FILES, [("a.txt", 0), ("b.txt", 0)]),
    ],
    ids=["per file", "of one file", "unknown", "dicts", "frame of one file", "frame per file"],
)
def test_provenance_stands_in_front_in_the_order_asked_for(
    result: Any, files: list[str], origin: list[Any]
) -> None:
    data = encoder("jsonl", "score.py", provenance=ALL)(result, files, 5).data
    rows = [json.loads(line) for line in data.splitlines()]
    assert [list(row)[:5] for row in rows] == [
        ["mini_batch", "input_file", "row", "model_version", "deployment"]
    ] * len(rows)
    assert [(row["input_file"], row["row"]) for row in rows] == origin
    assert {(row["mini_batch"], row["model_version"], row["deployment"]) for row in rows} == {(5, "3", "dep")}

    encoded = encoder("csv", "score.py", provenance=ALL)(result, files, 5)
    assert encoded.header is not None
    assert encoded.header[:5] == ("mini_batch", "input_file", "row", "model_version", "deployment")
    assert encoded.data.count(b"\n") == len(rows)
    name, number = origin[0]
    first = f"5,{name or ''},{'' if number is None else number},3,dep,"
    assert encoded.data.decode().startswith(first)


@pytest.mark.parametrize(
    ("result", "files", "first_rows", "rows"),
    [
        (["x", "y"], ["a", "a"], [7, 8], [7, 8]),
        (["x", "y"], ["a"], [40], [40, 41]),
        (["x", "y"], ["a", "b"], [40, 0], [40, 0]),
        (["x"], ["a", "b"], [40, 0], [None]),
    ],
)
def test_rows_of_pieces_are_numbered_as_in_the_whole_file(
    result: list[str], files: list[str], first_rows: list[int], rows: list[int | None]
) -> None:
    encode = encoder("jsonl", "score.py", provenance=Provenance(["row"]))
    data = encode(result, files, 0, first_rows).data
    assert [json.loads(line)["row"] for line in data.splitlines()] == rows


@pytest.mark.parametrize("output_format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("result", [[{"row": 1}], pd.DataFrame({"row": [1]})], ids=["dicts", "frame"])
def test_a_column_that_provenance_adds_too_is_refused_with_what_to_do(
    output_format: str, result: object
) -> None:
    with pytest.raises(BadReturn, match="a column called row, and gristmill"):
        encoder(output_format, "score.py", provenance=ALL)(result, FILES)


def test_nested_values_of_a_csv_frame_are_json() -> None:
    values = [{"a": "x"}, None, [True], np.zeros(2000, int), "x"]
    frame = pd.DataFrame({"d": pd.Series(values, dtype=object), "n": range(5)})
    data = encoder("csv", "score.py")(frame, []).data
    zeros = b"[" + b", ".join([b"0"] * 2000) + b"]"
    assert data == b'"{""a"": ""x""}",0\n,1\n[true],2\n"' + zeros + b'",3\nx,4\n'
