"""Rows of different columns in one file."""

from __future__ import annotations

import pytest

from gristmill.run.columns import header_line, reshaped, union_of


def test_the_union_keeps_the_order_of_first_appearance() -> None:
    assert union_of([("b", "a"), ("a", "c"), ("b",)]) == ("b", "a", "c")


def test_a_name_that_one_header_has_twice_stays_twice() -> None:
    assert union_of([("a", "a"), ("a", "b")]) == ("a", "a", "b")


def test_a_header_is_quoted_where_it_must_be() -> None:
    assert header_line(("file", "a,b", 'say "hi"')) == b'file,"a,b","say ""hi"""\n'


def test_rows_of_the_same_columns_are_left_as_they_are() -> None:
    odd = b'"a" , broken " quotes\n'
    assert reshaped(odd, ("x", "y"), ("x", "y")) == odd


def test_cells_move_to_their_columns_and_missing_ones_are_empty() -> None:
    assert reshaped(b"1,2\n", ("a", "b"), ("b", "c", "a")) == b"2,,1\n"


def test_of_two_columns_of_one_name_each_keeps_its_place() -> None:
    assert reshaped(b"1,2,3\n", ("a", "a", "b"), ("a", "b", "a")) == b"1,3,2\n"


def test_a_file_name_that_is_not_utf_8_survives() -> None:
    assert reshaped(b"\xff.png,1\n", ("file", "a"), ("a", "file")) == b"1,\xff.png\n"


def test_line_breaks_in_quotes_survive() -> None:
    assert reshaped(b'"one\ntwo",1\n', ("a", "b"), ("b", "a")) == b'1,"one\ntwo"\n'


def test_a_carriage_return_stays_quoted() -> None:
    assert reshaped(b'"one\rtwo",1\n', ("a", "b"), ("b", "a")) == b'1,"one\rtwo"\n'


@pytest.mark.parametrize("size", [131_072, 131_073, 1_000_000])
def test_a_cell_may_be_of_any_length(size: int) -> None:
    cell = b"x" * size
    assert reshaped(cell + b",1\n", ("a", "b"), ("b", "a")) == b"1," + cell + b"\n"
