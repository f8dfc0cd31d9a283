"""Rows for all results: what was returned can be read back from the bytes."""

from __future__ import annotations

import csv
import datetime
import decimal
import fractions
import io
import math
import re
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gristmill_worker.rows import encoder

to_azure = encoder("azure", "script.py")
to_csv = encoder("csv", "script.py")

LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"))
#: File names as Python shows them: any bytes but NUL, undecodable ones as surrogates.
NAMES = st.binary(min_size=1).map(lambda raw: raw.replace(b"\0", b"0").decode("utf-8", "surrogateescape"))
#: Text that a CSV reader of every Python takes.
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
KEYS = CELLS.filter(lambda key: key != "file")


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))


@given(st.lists(LINES))
def test_a_list_of_lines_reads_back_line_by_line(lines: list[str]) -> None:
    encoded = to_azure(lines, [])
    assert encoded.data.decode().split("\n") == [*lines, ""]
    assert (encoded.results, encoded.notices) == (len(lines), ())


@given(st.lists(st.text(st.characters(codec=None), min_size=1), min_size=1))
def test_a_line_break_is_noticed_wherever_it_is(texts: list[str]) -> None:
    noticed = "line_breaks" in to_azure(texts, []).notices
    assert noticed == any("\n" in text or "\r" in text for text in texts)


#: What scripts put into their lists, and what nobody expects there.
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.decimals(),
    st.fractions(),
    st.dates(),
    st.datetimes(),
    st.timedeltas(),
    st.uuids(),
    st.binary(),
    st.text(st.characters(exclude_categories=())),
    st.floats(width=32).map(np.float32),
    st.integers(-128, 127).map(np.int8),
    st.booleans().map(np.bool_),
    st.sampled_from([pd.NA, pd.NaT, np.datetime64("NaT"), pd.Timestamp(0), Ellipsis, int, math.nan]),
)
NESTED = st.one_of(
    st.lists(SCALARS),
    st.lists(SCALARS).map(tuple),
    st.dictionaries(st.text(), SCALARS),
    st.sets(st.integers()),
)


def as_bytes(text: str) -> bytes:
    """A byte of a file name that was no UTF-8 comes back; other lone surrogates are written as `\\ud800`."""
    lone = re.compile("[\ud800-\udc7f\udd00-\udfff]")
    return lone.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode("utf-8", "surrogateescape")


@given(st.lists(st.one_of(SCALARS, NESTED), min_size=1))
@example([decimal.Decimal("NaN"), fractions.Fraction(1, 3), uuid.UUID(int=0), datetime.date(1, 1, 1)])
def test_each_element_of_a_list_is_its_str_on_a_line_of_its_own(elements: list[Any]) -> None:
    encoded = to_azure(elements, [])
    assert encoded.data == b"".join(as_bytes(str(element)) + b"\n" for element in elements)
    assert encoded.results == len(elements)
    nested = any(isinstance(element, (list, tuple, dict, set)) for element in elements)
    assert ("nested_elements" in encoded.notices) == nested
    assert ("line_breaks" in encoded.notices) == any(set("\r\n") & set(str(element)) for element in elements)


@given(st.lists(st.one_of(SCALARS, NESTED), min_size=1))
def test_each_element_of_a_native_list_is_one_row(elements: list[Any]) -> None:
    elements = [*elements, "no dict"]  # a list of nothing but dicts has their keys as its columns
    files = [str(number) for number in range(len(elements))]
    rows = read(to_csv(elements, files).data)
    assert [file for file, _ in rows] == files
    for element, (_, cell) in zip(elements, rows, strict=True):
        if element is None or element is pd.NA or is_nan(element):
            assert cell == ""
        elif not isinstance(element, (list, tuple, dict)):
            assert cell.encode("utf-8", "surrogateescape") == as_bytes(str(element))


def is_nan(element: object) -> bool:
    """Whether it is a missing value of Python, numpy or pandas: each of them differs from itself."""
    return isinstance(element, (float, np.generic, type(pd.NaT))) and element != element


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_no_text_fails_to_be_encoded(texts: list[str]) -> None:
    assert to_azure(texts, []).results == to_csv(texts, texts).results == len(texts)


@given(st.lists(NAMES))
def test_file_names_come_back_as_their_bytes(names: list[str]) -> None:
    data = to_azure([name.replace("\n", " ") for name in names], []).data
    assert data == b"".join(
        name.replace("\n", " ").encode("utf-8", "surrogateescape") + b"\n" for name in names
    )


@given(st.lists(st.tuples(NAMES, CELLS)))
def test_a_native_list_reads_back_as_files_and_predictions(rows: list[tuple[str, str]]) -> None:
    files, predictions = [file for file, _ in rows], [prediction for _, prediction in rows]
    assert read(to_csv(predictions, files).data) == [list(row) for row in rows]


@given(st.lists(st.dictionaries(KEYS, CELLS), min_size=1).filter(any))
def test_native_dicts_read_back_under_their_keys(rows: list[dict[str, str]]) -> None:
    encoded = to_csv(rows, [])
    assert encoded.header is not None
    assert set(encoded.header) == set().union(*rows)
    assert read(encoded.data) == [[row.get(key, "") for key in encoded.header] for row in rows]


# Data frames, read back by pandas as the contract says


#: Text that pandas reads back as text: nothing that looks like a number, a missing value or a boolean.
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0")).map(lambda text: "w" + text)
NUMBERS = st.floats(allow_nan=False)
#: Values of a column that read back equal, whatever stands beside it; among numbers missing ones do too.
COLUMNS = [
    NUMBERS,
    st.floats(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**64 - 1),
    st.booleans(),
    WORDS,
    st.one_of(st.integers(-(2**53), 2**53), NUMBERS),
]


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """A frame of numbers and strings, with one to five columns."""
    rows = draw(st.integers(1, 6))
    kinds = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=5))
    return pd.DataFrame(
        {f"c{n}": draw(st.lists(kind, min_size=rows, max_size=rows)) for n, kind in enumerate(kinds)}
    )


def read_back(frame: pd.DataFrame, **options: Any) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(to_azure(frame, []).data), header=None, sep=" ", **options)


def values(frame: pd.DataFrame) -> list[list[Any]]:
    """The values of each column; a missing one as None."""
    return [[None if value != value else value for value in frame[name].tolist()] for name in frame.columns]


@settings(max_examples=200)
@given(frames())
def test_a_frame_of_numbers_and_strings_reads_back_equal(frame: pd.DataFrame) -> None:
    # A pandas before 3 may read the last digit of a float otherwise than it was written.
    assert values(read_back(frame)) == values(frame)


@settings(max_examples=200)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1))
def test_any_texts_read_back_equal_where_they_are_read_as_text(rows: list[tuple[str, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["a", "b"])
    back = read_back(frame, dtype=str, keep_default_na=False)
    first = rows[0][0].removeprefix("\ufeff")  # a byte order mark at the very beginning is the file's
    assert values(back) == [[first, *(a for a, _ in rows[1:])], [b for _, b in rows]]


# The limits of the contract's read_csv: texts in a column of their own that it takes for something else.
LIMITS: dict[str, list[Any]] = {
    "": [None, None],
    "nan": [None, None],
    "NA": [None, None],
    "None": [None, None],
    "null": [None, None],
    "1": [1, 1],
    "007": [7, 7],
    "1e5": [1e5, 1e5],
    "inf": [math.inf, math.inf],
    "True": [True, True],
    "false": [False, False],
    "\ufeffbom": ["bom", "\ufeffbom"],
}


@pytest.mark.parametrize("text", LIMITS)
def test_texts_that_look_like_something_else_are_read_as_that(text: str) -> None:
    frame = pd.DataFrame({"a": [text, text]})
    assert values(read_back(frame)) == [LIMITS[text]]


def test_a_row_of_one_cell_with_nothing_but_tabs_is_a_blank_line_to_read_csv() -> None:
    frame = pd.DataFrame({"a": ["x", "\t", "y"]})
    assert values(read_back(frame)) == [["x", "y"]]
    assert values(read_back(frame, skip_blank_lines=False)) == [["x", "\t", "y"]]


def test_whole_numbers_that_no_type_of_numpy_holds_together_are_read_as_text() -> None:
    frame = pd.DataFrame({"a": pd.Series([-1, 2**63], dtype=object)})
    assert values(read_back(frame)) == [["-1", "9223372036854775808"]]


@given(st.lists(NAMES, min_size=1))
def test_names_that_are_no_utf8_are_read_back_with_surrogateescape(names: list[str]) -> None:
    frame = pd.DataFrame({"name": pd.Series(names, dtype=object), "n": range(len(names))})
    # A pandas with its own text type has no room for such a name: it is read into objects.
    options = {"dtype": object, "keep_default_na": False, "encoding_errors": "surrogateescape"}
    back = read_back(frame, **options)[0].tolist()
    assert back == [names[0].removeprefix("\ufeff"), *names[1:]]


@settings(max_examples=50)
@given(st.lists(st.tuples(NAMES, NUMBERS, CELLS), min_size=1))
def test_a_native_frame_reads_back_with_its_files(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame([row[1:] for row in rows], columns=["number", "text"])
    encoded = to_csv(frame, [row[0] for row in rows])
    assert encoded.header == ("file", "number", "text")
    assert [(file, float(number), text) for file, number, text in read(encoded.data)] == rows


@settings(max_examples=200)
@given(frames())
def test_a_native_frame_of_numbers_and_strings_reads_back_equal(frame: pd.DataFrame) -> None:
    encoded = to_csv(frame, ["a file"] * len(frame))
    back = pd.read_csv(io.BytesIO(encoded.data), header=None)
    assert values(back) == [["a file"] * len(frame), *values(frame)]
    cells = [["" if value is None else str(value) for value in column] for column in values(frame)]
    assert read(encoded.data) == [["a file", *row] for row in zip(*cells, strict=True)]


@settings(max_examples=200)
@given(st.lists(st.tuples(NAMES, CELLS), min_size=1))
def test_a_native_list_reads_back_with_pandas(rows: list[tuple[str, str]]) -> None:
    data = to_csv([prediction for _, prediction in rows], [file for file, _ in rows]).data
    options = {"dtype": object, "keep_default_na": False, "encoding_errors": "surrogateescape"}
    back = pd.read_csv(io.BytesIO(b"file,prediction\n" + data), **options)
    assert list(back.itertuples(index=False, name=None)) == rows
