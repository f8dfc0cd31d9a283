"""The line that stands above a frame's rows: what the user's own pandas writes there (contract, 1.1)."""

from __future__ import annotations

import csv
import io
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.engine.contract import Columns
from gristmill_worker.encoded import Encoded
from gristmill_worker.rows import encoder
from worker.conftest import Serve

FRAME = pd.DataFrame({"a b": ["x y", None], "c": [0.5, 2.0]})
NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1, max_size=4
)


def encode(frame: pd.DataFrame, **arguments: Any) -> Encoded:
    return encoder("azure", "score.py", arguments, True)(frame, ["1.txt", "2.txt"])


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"sep": ",", "index": True},
        {"quoting": 2, "quotechar": "'"},
        {"columns": ["c"], "index": True, "index_label": ["n o"]},
        {"doublequote": False, "escapechar": "\\"},
    ],
    ids=str,
)
def test_line_and_rows_are_what_pandas_writes_in_one_go(arguments: dict[str, Any]) -> None:
    encoded = encode(FRAME, **arguments)
    assert (encoded.line + encoded.data).decode() == FRAME.to_csv(**{"sep": " ", "index": False, **arguments})


@given(NAMES, st.sampled_from(", ;\t"), st.booleans())
def test_any_names_read_back_from_the_line(names: list[str], separator: str, index: bool) -> None:
    frame = pd.DataFrame([["x"] * len(names)], columns=names)
    line = encode(frame, sep=separator, index=index).line.decode()
    assert list(csv.reader(io.StringIO(line, newline=""), delimiter=separator)) == [[""] * index + names]


def test_frames_with_the_same_columns_have_the_same_line() -> None:
    encode_all = encoder("azure", "score.py", None, True)
    lines = [encode_all(FRAME.assign(c=value), []).line for value in (1, "x", None)]
    assert lines == [b'"a b" c\n'] * 3


@pytest.mark.parametrize(
    "result", [["x"], [], pd.Series([1]), pd.DataFrame({"a": []}), pd.DataFrame(index=[0])]
)
def test_what_has_no_columns_or_no_rows_has_no_line(result: object) -> None:
    assert encoder("azure", "score.py", None, True)(result, []).line == b""


@pytest.mark.parametrize("output_format", ["azure", "csv", "none"])
def test_without_the_switch_there_is_no_line(output_format: str) -> None:
    assert encoder(output_format, "score.py")(FRAME, []).line == b""


SCRIPT = """
    import pandas


    def run(mini_batch):
        return pandas.DataFrame({"size": [0], "na me é": ["x"]})
    """


@pytest.mark.parametrize(("with_header", "line"), [(True, 'size "na me é"\n'), (False, "")])
def test_a_worker_tells_the_line_when_it_is_asked_to(serve: Serve, with_header: bool, line: str) -> None:
    served = serve(SCRIPT, with_header=with_header)
    [columns] = served.shift.all(Columns)
    assert columns == (columns.part, 1, ("size", "na me é"), line, ())
