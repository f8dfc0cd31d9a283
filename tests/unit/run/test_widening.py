"""Which type two mini-batches can share, and what is no type for both."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.run.widening import Conflict, united, widened

WIDER = [
    ("int64", "int64", "int64"),
    ("null", "string", "string"),
    ("null", "null", "null"),
    ("int8", "int32", "int32"),
    ("uint8", "uint64", "uint64"),
    ("int8", "uint8", "int16"),
    ("int64", "uint32", "int64"),
    ("int64", "double", "double"),
    ("uint64", "float", "double"),
    ("float", "double", "double"),
    ("date32[day]", "timestamp[us]", "timestamp[us]"),
    ("date32[day]", "date64[ms]", "date64[ms]"),
    ("timestamp[s]", "timestamp[ns]", "timestamp[ns]"),
    ("timestamp[us, tz=UTC]", "timestamp[ns, tz=Europe/Berlin]", "timestamp[ns, tz=UTC]"),
    ("timestamp[us, tz=Asia/Tokyo]", "timestamp[s, tz=Asia/Tokyo]", "timestamp[us, tz=Asia/Tokyo]"),
    ("time32[s]", "time64[us]", "time64[us]"),
    ("time32[s]", "time32[ms]", "time32[ms]"),
    ("duration[us]", "duration[ns]", "duration[ns]"),
    ("decimal128(5, 2)", "decimal128(4, 3)", "decimal128(6, 3)"),
    ("list<null>", "list<double>", "list<double>"),
    ("list<int64>", "list<double>", "list<double>"),
    ("list<int64>", "list<string>", "json"),
    ("list<double>", "json", "json"),
]
NEVER = [
    ("int64", "string"),
    ("int64", "uint64"),
    ("bool", "int64"),
    ("string", "binary"),
    ("string", "json"),
    ("date32[day]", "timestamp[us, tz=UTC]"),
    ("timestamp[us]", "timestamp[us, tz=UTC]"),
    ("timestamp[us]", "duration[us]"),
    ("decimal128(38, 0)", "decimal128(38, 38)"),
    ("decimal128(5, 2)", "double"),
    ("list<double>", "double"),
    ("mixed", "string"),
]
TYPES = sorted({kind for case in (*WIDER, *NEVER) for kind in case})


@pytest.mark.parametrize(("first", "second", "both"), WIDER)
def test_a_type_that_holds_both(first: str, second: str, both: str) -> None:
    assert widened(first, second) == widened(second, first) == both


@pytest.mark.parametrize(("first", "second"), NEVER)
def test_types_that_have_nothing_in_common(first: str, second: str) -> None:
    assert widened(first, second) is widened(second, first) is None


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations_with_replacement(TYPES, 2)))
def test_a_wider_type_stays_what_it_is(first: str, second: str) -> None:
    both = widened(first, second)
    assert both == widened(second, first)
    if both is not None:
        assert widened(both, first) == widened(both, second) == both


@given(st.lists(st.sampled_from(["null", "int8", "int64", "uint16", "float", "double"]), min_size=1))
def test_the_order_of_numbers_does_not_matter(kinds: list[str]) -> None:
    columns, conflicts = united([("n", kind)] for kind in kinds)
    backwards, _ = united([("n", kind)] for kind in reversed(kinds))
    assert conflicts == []
    assert columns == backwards


def test_columns_come_in_order_of_first_appearance_and_conflicts_become_text() -> None:
    columns, conflicts = united(
        [
            [("a", "int64"), ("b", "null")],
            [("c", "bool"), ("a", "string")],
            [("b", "mixed"), ("a", "double")],
        ]
    )
    assert list(columns.items()) == [("a", "string"), ("b", "string"), ("c", "bool")]
    assert conflicts == [Conflict("a", "int64", "string"), Conflict("b", "null", "mixed")]
