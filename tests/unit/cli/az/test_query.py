"""What of an answer is wanted."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.cli.az.query import QueryError, compiled
from gristmill.errors import SpecError

ANSWERS = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.sampled_from("abc"), below, max_size=3),
    max_leaves=8,
)


@given(ANSWERS, st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join))
def test_a_path_of_names_is_followed_as_the_library_does_it(answer: Any, path: str) -> None:
    assert compiled(path)(answer) == jmespath.search(path, answer)


def test_everything_is_wanted_where_nothing_is_said() -> None:
    assert compiled(None)({"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("[].name", ["j", "k"]),
        ("[?status=='Failed'].name | [0]", "k"),
        ("[].{Name:name,S:status}", [{"Name": "j", "S": "Completed"}, {"Name": "k", "S": "Failed"}]),
        ("length(@)", 2),
        ("name", None),
    ],
)
def test_more_than_a_path(query: str, expected: Any) -> None:
    jobs = [{"name": "j", "status": "Completed"}, {"name": "k", "status": "Failed"}]

    assert compiled(query)(jobs) == expected


@pytest.mark.parametrize("query", ["[", "a b", "{", "", "a.", "length(", "'"])
def test_what_is_no_query_is_refused_before_anything_is_done(query: str) -> None:
    with pytest.raises(SpecError, match="is no JMESPath") as refused:
        compiled(query)

    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("query", ["length(name)", "nosuch(@)", "sum(@)"])
def test_a_query_that_does_not_fit_says_that_the_rest_is_done(query: str) -> None:
    with pytest.raises(QueryError, match="what was asked for is done"):
        compiled(query)({"name": 5})
