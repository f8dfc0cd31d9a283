"""Typed blocks: which type values have, and that the coordinator reads from a block what a worker wrote."""

from __future__ import annotations

import datetime
import decimal
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.run.typed_rows import arrow_type, blocks_in, from_plain, from_stream
from gristmill_worker import typed_blocks
from gristmill_worker.encoded import BadReturn, Encoded
from gristmill_worker.rows import encoder
from gristmill_worker.value_types import typed

UTC = datetime.UTC
NAN = float("nan")
WHEN = datetime.datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
NAIVE = WHEN.replace(tzinfo=None)
DAY = datetime.date(1969, 12, 31)


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        ([True, None], "bool", None),
        ([1, None, -(2**63)], "int64", None),
        ([2**64 - 1, 0], "uint64", None),
        ([2**64, -1], "string", ["18446744073709551616", "-1"]),
        ([1, 0.5, None], "double", [1.0, 0.5, None]),
        ([2**53 + 1, 0.5], "mixed", ["9007199254740993", "0.5"]),
        ([NAN, None, pd.NA, pd.NaT], "null", [None] * 4),
        ([float("inf"), NAN], "double", [float("inf"), None]),
        (["x", None], "string", None),
        (["\udcff.txt"], "string", ["\\udcff.txt"]),
        ([b"\xff", None], "binary", None),
        ([NAIVE, None], "timestamp[us]", None),
        ([WHEN], "timestamp[us, tz=UTC]", None),
        ([DAY], "date32[day]", None),
        ([DAY, NAIVE], "timestamp[us]", [datetime.datetime(1969, 12, 31), NAIVE]),  # noqa: DTZ001
        ([NAIVE, WHEN], "mixed", [NAIVE.isoformat(), WHEN.isoformat()]),
        ([datetime.time(1, 2, 3, 4)], "time64[us]", None),
        ([datetime.timedelta(days=-1, microseconds=5)], "duration[us]", None),
        ([datetime.timedelta.max], "string", ["999999999 days, 23:59:59.999999"]),
        ([decimal.Decimal("1.10"), decimal.Decimal("-200"), None], "decimal128(5, 2)", None),
        ([decimal.Decimal("1E+3")], "decimal128(4, 0)", None),
        ([decimal.Decimal("1E+50")], "string", ["1E+50"]),
        ([{"a": NAN}, None], "json", ['{"a": null}', None]),
        ([[1, 2], [], None], "list<int64>", None),
        ([[1, 0.5, NAN], (2,)], "list<double>", [[1.0, 0.5, None], [2.0]]),
        ([[2**53 + 2], [0.5]], "list<double>", [[2.0**53 + 2], [0.5]]),
        ([[2**64, 1]], "list<string>", [["18446744073709551616", "1"]]),
        ([["\udcff"], None, []], "list<string>", [["\\udcff"], None, []]),
        ([np.array([0.1, 1], "float32")], "list<float>", [[pytest.approx(0.1), 1.0]]),
        ([["a", None]], "list<string>", None),
        ([[[1]]], "json", ["[[1]]"]),
        ([np.ones((2, 2))], "json", ["[[1.0, 1.0], [1.0, 1.0]]"]),
        ([np.float32(0.1), np.float32(2)], "float", [pytest.approx(0.1), 2.0]),
        ([np.float32(0.5), 0.25, 1], "double", [0.5, 0.25, 1.0]),
        ([np.int8(1), 2], "int64", [1, 2]),
        ([np.uint16(1), np.uint16(2)], "uint16", [1, 2]),
        ([np.bool_(True), None], "bool", [True, None]),
        ([np.str_("s")], "string", ["s"]),
        ([1, "x", None, True, [1], WHEN], "mixed", ["1", "x", None, "true", "[1]", WHEN.isoformat()]),
        ([1 + 2j], "string", ["(1+2j)"]),
    ],
    ids=str,
)
def test_the_type_of_values_and_what_is_read(values: list[Any], kind: str, read: list[Any] | None) -> None:
    found, plain = typed(values)
    assert found == kind
    array = from_plain(kind, json.loads(json.dumps(plain)))
    assert array.type == arrow_type(kind)
    assert array.to_pylist() == (values if read is None else read)


def columns(encoded: Encoded) -> dict[str, list[Any]]:
    """Read all blocks as the coordinator does."""
    assert encoded.header is not None
    found: dict[str, list[Any]] = {name: [] for name in encoded.header}
    for block in blocks_in(encoded.data):
        arrays = from_stream(block.arrow)
        for place, name in enumerate(found):
            plain = block.plain[place]
            array = arrays[place] if plain is None else from_plain(encoded.types[place], plain)
            assert len(array) == block.rows
            found[name] += array.to_pylist()
    return found


SCALAR = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.datetimes()),
    *(st.dates(), st.times(), st.timedeltas(), st.decimals(allow_nan=False), st.lists(st.integers())),
    *(st.lists(st.floats()), st.dictionaries(st.text(), st.integers()), st.just(np.float32(0.1))),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(SCALAR, min_size=1, max_size=5))
def test_whatever_is_in_a_list_can_be_read(values: list[Any]) -> None:
    encoded = encoder("parquet", "score.py")([*values, None], [])
    assert len(columns(encoded)["prediction"]) == len(values) + 1


def test_blocks_follow_each_other() -> None:
    encode = encoder("parquet", "score.py")
    first, second = encode([{"a": 1}], []), encode(pd.DataFrame({"a": [2, 3]}), [])
    assert columns(first._replace(data=first.data + second.data)) == {"a": [1, 2, 3]}


FRAME = pd.DataFrame(
    {
        "i": np.array([1, 2], "int32"),
        "u": np.array([1, 2**64 - 1], "uint64"),
        "f": [0.5, NAN],
        "s": np.array([0.1, 0.5], "float32"),
        "h": np.array([0.5, 1], "float16"),
        "b": [True, False],
        "t": ["x", None],
        "o": pd.Series(["x", None], dtype=object),
        "c": pd.Categorical(["u", None]),
        "d": pd.to_datetime(["2024-01-02T03:04:05.000006", None]),
        "n": pd.to_datetime(["2024-01-02T03:04:05.000000007", None]).as_unit("ns"),
        "z": pd.to_datetime(["2024-01-02", None], utc=True),
        "m": pd.Series([[1.5], []], dtype=object),
        "k": pd.Series([{"a": 1}, None], dtype=object),
        "x": pd.Series([1, "x"], dtype=object),
        "I": pd.array([1, None], dtype="Int64"),
        "p": pd.period_range("2024-01", periods=2, freq="M"),
    }
)
TYPES = {
    "i": "int32", "u": "uint64", "f": "double", "s": "float", "h": "float", "b": "bool", "t": "string",
    "o": "string", "c": "string", "d": "timestamp[us]", "n": "timestamp[ns]", "m": "list<double>",
    "k": "json", "x": "mixed", "I": "int64",
}  # fmt: skip


def test_columns_of_a_frame_have_its_types() -> None:
    encoded = encoder("parquet", "score.py")(FRAME, [])
    assert encoded.header == tuple(FRAME.columns)
    found = dict(zip(encoded.header, encoded.types, strict=True))
    assert found.items() >= TYPES.items()
    assert found["z"].endswith("tz=UTC]")
    read = columns(encoded)
    assert read["u"] == [1, 2**64 - 1]
    assert read["o"] == read["t"] == ["x", None]
    assert read["f"] == [0.5, None]
    assert read["n"][0].nanosecond == 7
    assert read["k"] == ['{"a": 1}', None]
    assert read["p"] == ["2024-01", "2024-02"]


def test_without_pyarrow_the_values_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with_arrow = columns(encoder("parquet", "score.py")(FRAME, []))
    monkeypatch.setattr(typed_blocks, "_pyarrow", lambda rows: None)
    encoded = encoder("parquet", "score.py")(FRAME, [])
    assert all(not block.arrow for block in blocks_in(encoded.data))
    assert columns(encoded) == with_arrow
    found = dict(zip(encoded.header or (), encoded.types, strict=True))
    assert {name for name, kind in TYPES.items() if found[name] != kind} <= {"h"}


def test_a_frame_without_columns_is_refused() -> None:
    with pytest.raises(BadReturn, match="a data frame without columns"):
        encoder("parquet", "score.py")(pd.DataFrame(index=[0, 1]), [])


def test_an_empty_result_has_no_block() -> None:
    assert encoder("parquet", "score.py")([], []).data == b""
