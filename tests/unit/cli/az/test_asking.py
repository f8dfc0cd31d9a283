"""Nothing is deleted that was not meant."""

from __future__ import annotations

import io
import sys
from argparse import Namespace

import pytest

from gristmill.cli.az.asking import sure
from gristmill.errors import RequestError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_yes_asks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    sure(Namespace(yes=True), "delete it")

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("typed", ["y\n", "Y\n", "yes\n", " YES \n"])
def test_a_yes_is_taken(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))

    sure(Namespace(yes=False), "delete the endpoint x")

    assert capsys.readouterr() == ("", "Delete the endpoint x? (y/n): ")


@pytest.mark.parametrize("typed", ["n\n", "\n", "", "yep\n"])
def test_everything_else_is_no(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))

    with pytest.raises(RequestError, match="nothing was done: the answer was not yes"):
        sure(Namespace(yes=False), "delete it")


@pytest.mark.parametrize("stdin", [io.StringIO("y\n"), None])
def test_without_a_terminal_it_is_refused(stdin: io.StringIO | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)

    with pytest.raises(RequestError, match=r"no terminal to ask on whether to delete it; --yes says so"):
        sure(Namespace(yes=False), "delete it")
