"""Pruning asks whoever looks on, and nobody else."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.home import prune
from gristmill.errors import RequestError
from gristmill.service.home.removal import Removed
from gristmill.service.home.retention import Pruned

OLD = Removed(name="j", ended_at="2024-05-01T12:00:00.000Z", freed_bytes=2000, kept=None)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Retention:
    """Knows the jobs that are old, and keeps what was asked of it."""

    def __init__(self, *removed: Removed) -> None:
        self.removed = removed
        self.dry: list[bool] = []

    def prune(self, older_than: timedelta, *, keep_outputs: bool, is_dry: bool) -> Pruned:
        self.dry.append(is_dry)
        return Pruned(removed=self.removed, is_dry=is_dry)


def pruned(retention: Retention, **options: Any) -> ExitStatus:
    usual = {"older_than": 1, "keep_outputs": False, "dry_run": False, "yes": False, "json": False}
    workspace: Any = SimpleNamespace(retention=retention)
    return prune(Namespace(**{**usual, **options}), workspace)


def test_at_a_terminal_it_is_asked_about_what_would_go(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    retention = Retention(OLD)

    with pytest.raises(RequestError, match="nothing was done"):
        pruned(retention)

    assert (retention.dry, capsys.readouterr().err) == ([True], "Remove 1 job, 2.0 kB? (y/n): ")
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert pruned(retention) is ExitStatus.COMPLETED
    assert retention.dry == [True, True, False]


@pytest.mark.parametrize(
    ("removed", "options", "dry"),
    [
        ((OLD,), {"yes": True}, [False]),
        ((OLD,), {"dry_run": True}, [True]),
        ((), {}, [True, False]),
    ],
)
def test_nothing_is_asked_where_there_is_nothing_to_ask(
    removed: tuple[Removed, ...], options: dict[str, Any], dry: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    retention = Retention(*removed)

    assert pruned(retention, **options) is ExitStatus.COMPLETED
    assert retention.dry == dry


def test_a_script_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    retention = Retention(OLD)

    assert pruned(retention) is ExitStatus.COMPLETED
    assert retention.dry == [False]
