"""Answers as text: what scripts read is as it is with `az`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gristmill.cli.az import formats
from gristmill.cli.az.formats import as_text
from gristmill.cli.az.options import FORMS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(codec="utf-8"), max_size=6),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("abcno"), below, max_size=3),
    max_leaves=8,
)
JOB = {"name": "j", "id": "azureml:j", "version": "1", "ok": True, "tags": {"a": "b"}, "n": None, "l": [1, 2]}


def text(answer: Any, form: str) -> str:
    return as_text(answer, form, is_terminal=False)


def test_every_form_that_may_be_typed_is_there() -> None:
    assert tuple(formats._FORMS) == FORMS


@pytest.mark.parametrize("form", FORMS)
def test_nothing_found_is_no_text(form: str) -> None:
    assert text(None, form) == ""


def test_json_keeps_the_order_and_letters_of_all_languages() -> None:
    assert text({"name": "é", "a": []}, "json") == '{\n  "name": "é",\n  "a": []\n}\n'


@given(JSON.filter(lambda value: value is not None))
def test_json_and_yaml_are_read_back_as_they_were(value: Any) -> None:
    assert json.loads(text(value, "json")) == value
    assert YAML(typ="safe", pure=True).load(text(value, "yaml")) == value


def test_yaml_quotes_what_older_readers_take_for_something_else() -> None:
    assert (
        text({"a": "no", "v": "1", "t": "1:20", "b": True}, "yaml") == "a: 'no'\nv: '1'\nt: '1:20'\nb: true\n"
    )
    assert text("no", "yaml") == "'no'\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Completed", "Completed\n"),
        (5, "5\n"),
        (True, "true\n"),
        ("", "\n"),
        (["a", "b"], "a\nb\n"),
        ([], ""),
        ([["a", 1], ["b", None]], "a\t1\nb\tNone\n"),
        ([{"n": "a", "v": "1"}], "a\t1\n"),
        (JOB, "j\tazureml:j\t1\tTrue\t\tNone\t2\n"),
    ],
)
def test_tsv(answer: Any, expected: str) -> None:
    assert text(answer, "tsv") == expected


def test_table_shows_what_has_one_value_under_names_with_a_capital() -> None:
    rows = [JOB, {"name": "longer", "count": 12, "text": "a\nb"}]

    assert text(rows, "table") == (
        "Name    Version  Ok    Count  Text\n"
        "------  -------  ----  -----  ----\n"
        "j       1        True\n"
        "longer                    12  a b\n"
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([], ""),
        ("x", "Result\n------\nx\n"),
        ([["a", 1]], "Column1  Column2\n-------  -------\na              1\n"),
        ({"tags": {}}, ""),
    ],
)
def test_table_of_other_things(answer: Any, expected: str) -> None:
    assert text(answer, "table") == expected


def test_colours_are_for_a_terminal_only() -> None:
    assert text({"a": 1}, "jsonc") == text({"a": 1}, "json")
    assert text({"a": 1}, "yamlc") == text({"a": 1}, "yaml")
    assert "\x1b[" in as_text({"a": 1}, "jsonc", is_terminal=True)
    assert "\x1b[" not in as_text({"a": 1}, "json", is_terminal=True)
