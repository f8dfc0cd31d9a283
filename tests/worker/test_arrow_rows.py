"""Rows that Arrow writes are those that pandas writes, whatever is in the frame (contract, 1.1 and 1.5)."""

from __future__ import annotations

import decimal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gristmill_worker
from gristmill_worker import frames
from gristmill_worker.arrow_rows import ROWS_AT_ONCE, ArrowRows
from gristmill_worker.frames import FrameRows, as_utf8, frame_text

TEXT = st.text(
    st.sampled_from("a ,;|\t\"'\r\n\\\u65e5\U0001f600\x00") | st.characters(exclude_categories=["Cs"])
)
FLOAT = (
    st.floats()
    | st.integers(-(2**60), 2**60).map(float)
    | st.builds(
        lambda digits, exponent: float(f"{digits}e{exponent}"), st.integers(-999, 999), st.integers(-330, 308)
    )
)


def sized(values: st.SearchStrategy[Any], dtype: Any, rows: int) -> st.SearchStrategy[pd.Series[Any]]:
    return st.lists(values, min_size=rows, max_size=rows).map(lambda some: pd.Series(some, dtype=dtype))


def columns(rows: int) -> st.SearchStrategy[Any]:
    """A column of a kind that Arrow writes."""
    gaps = st.none()
    return st.one_of(
        sized(FLOAT, "float64", rows),
        sized(st.floats(width=32), "float32", rows),
        sized(st.integers(-(2**63), 2**63 - 1), "int64", rows),
        sized(st.integers(0, 2**64 - 1), "uint64", rows),
        sized(st.integers(-128, 127), "int8", rows),
        sized(st.booleans(), "bool", rows),
        sized(TEXT, object, rows),
        sized(TEXT | gaps | st.just(float("nan")), object, rows),
        sized(TEXT | gaps, "str", rows),
        sized(TEXT | gaps, "string", rows),
        sized(st.integers(-(2**63), 2**63 - 1) | gaps, "Int64", rows),
        sized(st.booleans() | gaps, "boolean", rows),
        sized(TEXT, "str", rows).map(lambda column: column.astype("category")),
        sized(TEXT | gaps, object, rows).map(lambda column: column.astype("category")),
    )


def frame_of(some: list[Any]) -> pd.DataFrame:
    return pd.concat(some, axis=1, keys=range(len(some)))


KNOWN = st.integers(1, 4).flatmap(lambda rows: st.lists(columns(rows), min_size=1, max_size=5).map(frame_of))
ANYTHING = st.one_of(
    *(FLOAT, TEXT, st.text(), st.integers(), st.none(), st.binary(), st.booleans(), st.lists(st.integers())),
    *(st.decimals(allow_nan=False), st.datetimes(), st.dates(), st.just(decimal.Decimal("NaN"))),
    *(st.just(pd.NA), st.just(pd.NaT), st.just(np.float32(0.1))),
)


def by_arrow(separator: str) -> ArrowRows:
    rows = FrameRows(separator)
    rows._settle(frames.LOAD_FROM_ROWS)
    assert rows._arrow is not None
    return rows._arrow


@settings(deadline=None, max_examples=300)
@given(frame=KNOWN, separator=st.sampled_from(frames.SEPARATORS))
def test_what_arrow_knows_it_writes_as_pandas_does(frame: pd.DataFrame, separator: str) -> None:
    assert by_arrow(separator).rows(frame) == as_utf8(frame_text(frame, {"sep": separator}))


@settings(deadline=None, max_examples=200)
@given(values=st.lists(ANYTHING, min_size=1, max_size=4), separator=st.sampled_from(frames.SEPARATORS))
def test_whatever_is_in_a_column_of_objects_the_bytes_are_those_of_pandas(
    values: list[Any], separator: str
) -> None:
    frame = pd.DataFrame({"o": pd.Series(values, dtype=object), "n": range(len(values))})
    rows = by_arrow(separator).rows(frame)
    assert rows in (None, as_utf8(frame_text(frame, {"sep": separator})))


def test_the_bits_of_a_float_do_not_matter() -> None:
    bits = np.random.default_rng(7).integers(0, 2**64, 50_000, dtype=np.uint64)
    powers = 2.0 ** np.arange(-1074, 1024)
    around = np.concatenate([powers, np.nextafter(powers, np.inf), np.nextafter(powers, 0)])
    for values in (
        bits.view("float64"),
        bits.view("float32"),
        around,
        around[around < 1e38].astype("float32"),
    ):
        frame = pd.DataFrame({"f": values})
        assert by_arrow(" ").rows(frame) == as_utf8(frame_text(frame, {"sep": " "}))


def test_a_frame_of_several_rounds_is_written_whole() -> None:
    rows = 2 * ROWS_AT_ONCE + 3
    frame = pd.DataFrame({"n": range(rows), "t": [f"a {n % 7}" for n in range(rows)]})
    frame["c"] = frame["t"].astype("category")
    for some in (frame, frame[5:], frame.astype({"t": object})[::2]):
        assert by_arrow(",").rows(some) == as_utf8(frame_text(some, {"sep": ","}))


def test_a_column_of_pandas_in_many_pieces_is_written_whole() -> None:
    part = pd.DataFrame({"t": pd.Series(["a", None, "b c"], dtype="str")})
    frame = pd.concat([part, part, part], ignore_index=True)
    assert by_arrow(" ").rows(frame) == as_utf8(frame_text(frame, {"sep": " "}))


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([b"bytes"] * 2),
        pd.Series([1, "text"], dtype=object),
        pd.Series(pd.to_datetime(["2024-01-01", None])),
        pd.Series([0.5, 1.0], dtype="float16"),
        pd.Series([1j, 2]),
        pd.Series(["\udcff", "a"], dtype=object),
        pd.Series([1.5, None], dtype="Float64"),
        pd.Series(pd.Categorical([1.5, None])),
    ],
    ids=lambda column: str(column.dtype),
)
def test_what_arrow_may_write_otherwise_is_left_to_pandas(column: pd.Series[Any]) -> None:
    frame = pd.DataFrame({"c": column, "n": [1, 2]})
    assert by_arrow(" ").rows(frame) is None
    frame = pd.concat([frame] * frames.ARROW_FROM_ROWS)
    assert FrameRows(" ")(frame) == as_utf8(frame_text(frame, {"sep": " "}))


class OtherwiseWritten(pd.DataFrame):
    """A frame of its own kind, which says itself how it is written."""

    def to_csv(self, *positional: Any, **named: Any) -> Any:
        return "its own\n"


def test_a_frame_with_its_own_way_to_be_written_keeps_it() -> None:
    frame = OtherwiseWritten({"a": range(frames.ARROW_FROM_ROWS)})
    assert FrameRows(" ")(frame) == b"its own\n"


def test_a_long_frame_is_written_by_arrow_and_a_short_one_by_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    rows = ArrowRows.rows
    monkeypatch.setattr(
        ArrowRows, "rows", lambda self, frame: written.append(len(frame)) or rows(self, frame)
    )
    write = FrameRows(" ")
    for length in (1, frames.ARROW_FROM_ROWS - 1, frames.ARROW_FROM_ROWS, 1000):
        write(pd.DataFrame({"a": range(length)}))
    assert written[-2:] == [frames.ARROW_FROM_ROWS, 1000]
    assert len(written) == 3, "the first is the comparison"


def test_an_arrow_that_writes_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ArrowRows, "_floats", lambda self, values, start, end: self._integers(values, start, end)
    )
    write = FrameRows(" ")
    assert write(pd.DataFrame({"a": [1.0] * 1000})) == b"1.0\n" * 1000
    assert write._is_settled
    assert write._arrow is None


def test_pyarrow_is_loaded_for_nobody_who_returns_no_long_frame() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "sys.modules['pyarrow'] = None; import pandas as pd; del sys.modules['pyarrow']\n"
        "from gristmill_worker.rows import encoder\n"
        "encode = encoder('azure', 'score.py')\n"
        "encode(['a'] * 10**6, []); encode(pd.DataFrame({'a': range(1000)}), [])\n"
        "assert 'pyarrow' not in sys.modules\n"
        "assert encode(pd.DataFrame({'a': range(20_000)}), []).data.count(b'\\n') == 20_000\n"
        "assert 'pyarrow' in sys.modules\n"
    )
    sources = Path(gristmill_worker.__path__[0]).parent
    subprocess.run([sys.executable, "-c", program, sources], check=True, timeout=120)
