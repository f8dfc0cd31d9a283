"""Stdout holds the answer and nothing else."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import Any

import pytest

from gristmill.cli.az.answer import Answer
from gristmill.cli.az.query import QueryError


@dataclass(frozen=True)
class Thing:
    name: str
    notices: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name}


def answer(**options: Any) -> Answer:
    usual = {"query": None, "output": None, "only_show_errors": False, "ignored": ()}
    return Answer(Namespace(**{**usual, **options}))


def test_notices_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer().one(Thing("a", ("look", "out"))) == 0

    assert capsys.readouterr() == ('{\n  "name": "a"\n}\n', "notice: look\nnotice: out\n")


def test_only_errors_means_no_notices(capsys: pytest.CaptureFixture[str]) -> None:
    asked = answer(only_show_errors=True, ignored=("--resource-group",), output="none")
    asked.notice("look")
    asked.progress("done")
    asked.one(Thing("a", ("look",)))

    assert capsys.readouterr() == ("", "")


def test_what_means_nothing_here_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    answer(ignored=("--resource-group", "--size", "--resource-group"))
    answer(ignored=("--size",))

    assert capsys.readouterr().err == (
        "notice: --resource-group, --size: of the cloud; mean nothing here\n"
        "notice: --size: of the cloud; means nothing here\n"
    )


def test_a_list_ends_where_no_more_are_wanted_and_says_each_notice_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    things = [Thing("a", ("look",)), Thing("b", ("look",)), Thing("c", ("not shown",))]

    answer(output="tsv", query="[].name").all(things, 2)

    assert capsys.readouterr() == ("a\nb\n", "notice: look\n")


def test_a_query_that_does_not_fit_leaves_stdout_empty(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(QueryError):
        answer(query="length(`1`)").one(Thing("a"))

    assert capsys.readouterr().out == ""
