"""The bytes of what `run()` returned: the contract's format, the native one, and what is refused."""

from __future__ import annotations

import collections
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gristmill_worker
from gristmill_worker.encoded import NOTICES, BadReturn, Encoded
from gristmill_worker.rows import encoder
from worker.interpreters import interpreters

FILES = ["a.txt", "b.txt"]
SCRIPT = "batch_driver.py"


class Label(str):
    """A text whose `str()` differs from its characters."""

    def __str__(self) -> str:
        return "label"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class PandasFrame(pd.DataFrame):
    """What geopandas does: a frame of its own kind."""


class Tensor:
    """What tensors have in common; `tolist` is told apart by a subclass."""

    def __array__(self) -> Any:
        raise AssertionError("nobody asked for this")

    def __str__(self) -> str:
        return "Tensor(...)"


class ListTensor(Tensor):
    def tolist(self) -> list[float]:
        return [0.25, 0.5]


class Point(collections.namedtuple("Point", "x y")):
    __slots__ = ()


def encode(output_format: str, result: object, files: list[str] = FILES) -> Encoded:
    return encoder(output_format, SCRIPT)(result, files)


# What needs nothing but the standard library; every interpreter of the machine encodes it.
# (format, result, files, bytes, results, header, notices)
PLAIN: list[tuple[str, Any, list[str], bytes, int, list[str] | None, list[str]]] = [
    ("azure", ["a", "b"], FILES, b"a\nb\n", 2, None, []),
    ("azure", ("a", 1, 2.5, None, True), FILES, b"a\n1\n2.5\nNone\nTrue\n", 5, None, []),
    ("azure", ['say "hi", you'], FILES, b'say "hi", you\n', 1, None, []),
    ("azure", ["", ""], FILES, b"\n\n", 2, None, []),
    ("azure", ["gr\u00fcn"], FILES, b"gr\xc3\xbcn\n", 1, None, []),
    ("azure", ["\udcff.txt"], FILES, b"\xff.txt\n", 1, None, []),
    ("azure", ["\ud800 \udcff"], FILES, b"\\ud800 \xff\n", 1, None, []),
    ("azure", [{"a": 1}], FILES, b"{'a': 1}\n", 1, None, ["nested_elements"]),
    ("azure", [["x", 1], (2,)], FILES, b"['x', 1]\n(2,)\n", 2, None, ["nested_elements"]),
    ("azure", ["a\nb"], FILES, b"a\nb\n", 1, None, ["line_breaks"]),
    ("azure", ["a\rb"], FILES, b"a\rb\n", 1, None, ["line_breaks"]),
    ("azure", [b"a"], FILES, b"b'a'\n", 1, None, []),
    ("azure", [], FILES, b"", 0, None, []),
    ("csv", ["a", "b"], FILES, b"a.txt,a\nb.txt,b\n", 2, ["file", "prediction"], []),
    ("csv", ["a"], FILES, b",a\n", 1, ["file", "prediction"], []),
    ("csv", ["a", "b", "c"], FILES, b",a\n,b\n,c\n", 3, ["file", "prediction"], []),
    ("csv", [1, True], FILES, b"a.txt,1\nb.txt,True\n", 2, ["file", "prediction"], []),
    ("csv", [None, float("nan")], FILES, b"a.txt,\nb.txt,\n", 2, ["file", "prediction"], []),
    ("csv", [float("inf"), 0.1], FILES, b"a.txt,inf\nb.txt,0.1\n", 2, ["file", "prediction"], []),
    ("csv", ["x,y", 'say "hi"'], FILES, b'a.txt,"x,y"\nb.txt,"say ""hi"""\n', 2, ["file", "prediction"], []),
    ("csv", ["x\ny", "x\ry"], FILES, b'a.txt,"x\ny"\nb.txt,"x\ry"\n', 2, ["file", "prediction"], []),
    ("csv", ["x"], ["a,b\udcff"], b'"a,b\xff",x\n', 1, ["file", "prediction"], []),
    ("csv", ["x"], ["a b"], b"a b,x\n", 1, ["file", "prediction"], []),
    (
        "csv",
        [[1, "\u00fc"], (2,)],
        FILES,
        b'a.txt,"[1, ""\xc3\xbc""]"\nb.txt,[2]\n',
        2,
        ["file", "prediction"],
        [],
    ),
    ("csv", [{1: 2}, "x"], FILES, b'a.txt,"{""1"": 2}"\nb.txt,x\n', 2, ["file", "prediction"], []),
    ("csv", [[{(1, 2): 3}]], ["a"], b'a,"[{(1, 2): 3}]"\n', 1, ["file", "prediction"], []),
    (
        "csv",
        [{"p": 1, "q": "x"}, {"q": "y", "r": 2}],
        FILES,
        b"a.txt,1,x,\nb.txt,,y,2\n",
        2,
        ["file", "p", "q", "r"],
        [],
    ),
    ("csv", [{"p": 1, "file": "z"}, {"p": 2}], FILES, b"1,z\n2,\n", 2, ["p", "file"], []),
    ("csv", [{"p": 1}], FILES, b"1\n", 1, ["p"], []),
    ("csv", [{"p": None}], FILES, b'""\n', 1, ["p"], []),
    ("csv", [{"p": {"a": [1]}}], FILES, b'"{""a"": [1]}"\n', 1, ["p"], []),
    ("csv", [{1: "x"}, {"1": "y"}], FILES, b"a.txt,x\nb.txt,y\n", 2, ["file", "1"], []),
    ("csv", [{}, {}], FILES, b"a.txt\nb.txt\n", 2, ["file"], []),
    ("csv", [{}], FILES, b",{}\n", 1, ["file", "prediction"], []),
    ("csv", [], FILES, b"", 0, None, []),
    ("none", ["a", {}, "x\ny"], FILES, b"", 3, None, []),
    ("none", [], FILES, b"", 0, None, []),
]


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: f"{case[0]}-{case[1]!r:.40}")
def test_rows_are_as_the_table_says(case: tuple[Any, ...]) -> None:
    output_format, result, files, data, results, header, notices = case
    expected = Encoded(data, results, tuple(header) if header else None, tuple(notices))
    assert encode(output_format, result, files) == expected


@pytest.mark.parametrize("python", interpreters(), ids=lambda python: python.name)
def test_every_interpreter_writes_the_same_rows(python: Path) -> None:
    source = Path(gristmill_worker.__path__[0]).parent
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from gristmill_worker.rows import encoder\n"
        "names = {'nan': float('nan'), 'inf': float('inf')}\n"
        "for output_format, result, files in eval(sys.stdin.read(), names):\n"
        "    row = encoder(output_format, 'batch_driver.py')(result, files)\n"
        "    print(row.data.hex(), row.results, ascii(row.header), row.notices)\n"
    )
    cases = ascii([case[:3] for case in PLAIN])
    command = [python, "-I", "-S", "-B", "-W", "error", "-c", program, source]
    ended = subprocess.run(command, input=cases, capture_output=True, text=True, timeout=60, check=False)
    expected = "".join(
        f"{data.hex()} {results} {tuple(header) if header else None!a} {tuple(notices)}\n"
        for _, _, _, data, results, header, notices in PLAIN
    )
    assert (ended.stdout, ended.stderr) == (expected, "")


def test_interpreters_are_found_by_running_them() -> None:
    assert any(path.resolve() == Path(sys.executable).resolve() for path in interpreters())


def test_a_subclass_of_str_is_written_as_its_str() -> None:
    assert encode("azure", [Label("x")]).data == b"label\n"


def test_a_named_tuple_in_a_native_list_is_a_json_list() -> None:
    assert encode("csv", [Point(1, 2)]).data == b',"[1, 2]"\n'


def test_an_element_without_text_raises_the_users_own_exception() -> None:
    with pytest.raises(RuntimeError, match="no text"):
        encode("azure", ["a", Unprintable()])


def test_what_json_cannot_say_is_written_as_text() -> None:
    assert encode("csv", [["x", 1j]], ["a"]).data == b'a,"[""x"", ""1j""]"\n'


@pytest.mark.parametrize(
    ("element", "cell"),
    [(Tensor(), b"Tensor(...)"), (ListTensor(), b'"[0.25, 0.5]"'), (np.arange(2), b'"[0, 1]"')],
)
def test_an_array_in_a_native_list_is_a_json_list_where_it_has_one(element: object, cell: bytes) -> None:
    assert encode("csv", [element], ["a"]).data == b"a," + cell + b"\n"


def test_an_array_in_a_native_list_that_is_only_printed_is_noticed() -> None:
    assert encode("csv", [Tensor()]).notices == ("array_elements",)


@pytest.mark.parametrize("element", [Tensor(), np.arange(2), pd.Series([1]), pd.DataFrame({"a": [1]})])
def test_an_array_inside_a_list_is_noticed(element: object) -> None:
    assert "array_elements" in encode("azure", [element]).notices


def test_a_long_array_breaks_its_line_and_both_are_noticed() -> None:
    encoded = encode("azure", [np.arange(500.0)])
    assert encoded.notices == ("array_elements", "line_breaks")
    assert encoded.results == 1


def test_notices_name_the_script() -> None:
    assert all(SCRIPT in text.format(script=SCRIPT) for text in NOTICES.values())


# Arrays and series


@pytest.mark.parametrize(
    ("result", "data"),
    [
        (np.array([0.1, 2.0]), b"0.1\n2.0\n"),
        (np.array([0.1, 2.0], dtype="float32"), b"0.1\n2.0\n"),
        (np.array([True, False]), b"True\nFalse\n"),
        (np.array(["a", "b c"]), b"a\nb c\n"),
        ([np.float64(0.1), np.int8(3), np.str_("x")], b"0.1\n3\nx\n"),
        (pd.Series([0.1, 2.0]), b"0.1\n2.0\n"),
        (pd.Series([0.1, 2.0], dtype="float32"), b"0.1\n2.0\n"),
        (pd.Series(["a", "b"], index=[7, 7]), b"a\nb\n"),
        (pd.Series(pd.to_datetime(["2024-01-02"])), b"2024-01-02 00:00:00\n"),
        (pd.Series(["a", "b"], dtype="category"), b"a\nb\n"),
        (np.array([]), b""),
        (pd.Series([], dtype="int64"), b""),
    ],
)
def test_arrays_and_series_are_lists(result: Any, data: bytes) -> None:
    assert encode("azure", result) == Encoded(data, len(result), None, ())


def test_the_rows_of_a_matrix_are_its_elements() -> None:
    assert encode("azure", np.array([[1, 2], [3, 4]])) == Encoded(
        b"[1 2]\n[3 4]\n", 2, None, ("array_elements",)
    )


def test_the_rows_of_a_matrix_are_json_lists_in_the_native_format() -> None:
    encoded = encode("csv", np.array([[1, 2], [3, 4]]))
    assert encoded == Encoded(b'a.txt,"[1, 2]"\nb.txt,"[3, 4]"\n', 2, ("file", "prediction"), ())


@pytest.mark.parametrize(
    "value", [np.float32("nan"), np.datetime64("NaT"), np.timedelta64("NaT"), pd.NaT, pd.NA]
)
def test_missing_values_of_numpy_and_pandas_are_empty_cells(value: object) -> None:
    assert encode("csv", ["x", value]).data == b"a.txt,x\nb.txt,\n"


def test_numpy_values_in_nested_elements_are_json_numbers() -> None:
    result = [{"n": np.int64(3), "v": np.array([1, 2])}, "x"]
    assert encode("csv", result).data == b'a.txt,"{""n"": 3, ""v"": [1, 2]}"\nb.txt,x\n'


# Data frames


GOLDEN_FRAME = pd.DataFrame(
    {
        "file": ["a.csv", "b c.csv"],
        "p": [0.1, 1.0],
        "n": [np.nan, 3.0],
        "s": ['say "hi"', "x,y"],
        "l": [[1, 2], [3]],
        "t": ["line1\nline2", None],
        "b": [True, False],
    }
)
GOLDEN_BYTES = b'a.csv 0.1  "say ""hi""" "[1, 2]" "line1\nline2" True\n"b c.csv" 1.0 3.0 x,y [3]  False\n'


def test_golden_vector_of_the_contract() -> None:
    assert encode("azure", GOLDEN_FRAME) == Encoded(
        GOLDEN_BYTES, 2, ("file", "p", "n", "s", "l", "t", "b"), ()
    )


def test_a_subclass_of_data_frame_is_a_data_frame() -> None:
    assert encode("azure", PandasFrame(GOLDEN_FRAME)).data == GOLDEN_BYTES


def test_a_carriage_return_in_a_frame_is_quoted_on_every_python() -> None:
    frame = pd.DataFrame({"a": ["x\ry", "b\r\nc", "\n"], "b": [1, 2, 3]})
    assert encode("azure", frame).data == b'"x\ry" 1\n"b\r\nc" 2\n"\n" 3\n'


def test_a_file_name_that_is_not_utf8_never_fails_a_frame() -> None:
    frame = pd.DataFrame({"a": pd.Series(["\udcff", "\ud800"], dtype=object)})
    assert encode("azure", frame).data == b"\xff\n\\ud800\n"


def test_the_name_of_a_column_is_text() -> None:
    assert encode("azure", pd.DataFrame([[1, 2]], columns=[0, "x"])).header == ("0", "x")


@pytest.mark.parametrize("output_format", ["azure", "csv", "none"])
def test_an_empty_frame_has_no_rows(output_format: str) -> None:
    assert encode(output_format, pd.DataFrame({"a": []})) == Encoded(b"", 0, None, ())


def test_a_frame_counts_its_rows_where_nothing_is_appended() -> None:
    assert encode("none", GOLDEN_FRAME) == Encoded(b"", 2, None, ())


def test_the_files_stand_in_front_of_a_native_frame_with_one_row_per_file() -> None:
    frame = pd.DataFrame({"p": [1, 2], "s": ["x,y", None]}, index=[5, 5])
    encoded = encode("csv", frame, ["a b", "\udcff"])
    assert encoded == Encoded(b'a b,1,"x,y"\n\xff,2,\n', 2, ("file", "p", "s"), ())


def test_a_native_frame_with_other_rows_than_files_stands_alone() -> None:
    assert encode("csv", pd.DataFrame({"p": [1, 2, 3]})) == Encoded(b"1\n2\n3\n", 3, ("p",), ())


def test_a_native_frame_with_a_column_called_file_stays_as_it_is() -> None:
    frame = pd.DataFrame({"p": [1, 2], "file": ["x", "y"]})
    assert encode("csv", frame) == Encoded(b"1,x\n2,y\n", 2, ("p", "file"), ())


@pytest.mark.parametrize(
    ("columns", "header"),
    [
        (["a", "a"], ("file", "a", "a")),
        (pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]), ("file", "('a', 1)", "('a', 2)")),
        (pd.CategoricalIndex(["a", "b"]), ("file", "a", "b")),
        ([0, 1], ("file", "0", "1")),
    ],
    ids=["duplicated", "levels", "categories", "numbers"],
)
def test_columns_of_any_kind_take_the_files(columns: Any, header: tuple[str, ...]) -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=columns)
    assert encode("csv", frame) == Encoded(b"a.txt,1,2\nb.txt,3,4\n", 2, header, ())


@pytest.mark.parametrize("output_format", ["azure", "csv"])
def test_the_users_frame_is_left_as_it_was(output_format: str) -> None:
    frame = GOLDEN_FRAME.drop(columns="file")
    before = frame.copy(deep=True)
    encode(output_format, frame)
    pd.testing.assert_frame_equal(frame, before)


class OldFrame(pd.DataFrame):
    """A frame of pandas before 1.5, which knows the line ending by another name."""

    def to_csv(self, *args: Any, **options: Any) -> Any:
        if "lineterminator" in options:
            raise TypeError("to_csv() got an unexpected keyword argument 'lineterminator'")
        return super().to_csv(*args, lineterminator=options.pop("line_terminator"), **options)


def test_pandas_before_1_5_writes_the_same_rows() -> None:
    assert encode("azure", OldFrame(GOLDEN_FRAME)).data == GOLDEN_BYTES


# What is refused


class Table:
    """What polars and pyarrow have in common."""

    __module__ = "polars.dataframe.frame"

    def to_pandas(self) -> None: ...


@pytest.mark.parametrize("output_format", ["azure", "csv", "none"])
@pytest.mark.parametrize(
    ("result", "told"),
    [
        (None, "None: is a return statement missing?"),
        ("text", "a str"),
        (b"text", "a bytes"),
        ({"a": 1}, "a dict"),
        ({1}, "a set"),
        (3, "an int"),
        (2.5, "a float"),
        (np.float64(2.5), "a numpy.float64"),
        (np.array(3), "a numpy.ndarray of a single value"),
        ((x for x in "ab"), "a generator (wrap it in list(...))"),
        (map(str, [1]), "a map (wrap it in list(...))"),
        ({1: 2}.values(), "a dict_values (wrap it in list(...))"),
        (range(3), "a range (wrap it in list(...))"),
        (Table(), "a polars.Table (call .to_pandas() on it)"),
        (pd.Index(["a"]), "a pandas.Index (call .tolist() on it)"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_anything_else_is_refused_with_its_type(output_format: str, result: object, told: str) -> None:
    with pytest.raises(BadReturn) as refused:
        encode(output_format, result)
    assert (
        str(refused.value)
        == f"run() must return a list or a pandas DataFrame; batch_driver.py returned {told}"
    )


def test_an_unknown_format_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match="unknown output format 'tsv'; known are azure, csv, jsonl, parquet, none"
    ):
        encoder("tsv", SCRIPT)


def test_native_cells_hold_json_that_reads_back() -> None:
    cell = encode("csv", [{"p": {"\u00fc": [1, None]}}], ["a"]).data.decode()[2:-1]
    assert json.loads(cell[1:-1].replace('""', '"')) == {"\u00fc": [1, None]}
