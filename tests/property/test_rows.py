"""Rows for all results: what was returned can be read back from the bytes."""

from __future__ import annotations

import csv
import io
from typing import Any

import pandas as pd
from hypothesis import given, settings
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


#: Text that pandas reads back as text: nothing that looks like a number, a missing value or a boolean.
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0")).map(lambda text: "w" + text)
NUMBERS = st.floats(allow_nan=False)


@settings(max_examples=50)
@given(st.lists(st.tuples(NUMBERS, WORDS, st.integers(-(2**53), 2**53)), min_size=1))
def test_a_frame_of_numbers_and_strings_reads_back_equal(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["number", "word", "integer"])
    data = to_azure(frame, []).data
    back = pd.read_csv(io.BytesIO(data), sep=" ", header=None)
    assert back.to_numpy(dtype=object).tolist() == [list(row) for row in rows]


@settings(max_examples=50)
@given(st.lists(st.tuples(NAMES, NUMBERS, CELLS), min_size=1))
def test_a_native_frame_reads_back_with_its_files(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame([row[1:] for row in rows], columns=["number", "text"])
    encoded = to_csv(frame, [row[0] for row in rows])
    assert encoded.header == ("file", "number", "text")
    assert [(file, float(number), text) for file, number, text in read(encoded.data)] == rows
