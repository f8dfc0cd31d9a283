"""What the tests of the command line share: a service that is a double, and a way to type commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gristmill.cli.main import main
from unit.cli.doubles import ScriptedJobs


@pytest.fixture
def jobs() -> ScriptedJobs:
    return ScriptedJobs()


@pytest.fixture
def gristmill(jobs: ScriptedJobs) -> Callable[..., int]:
    """Type a command; the value is its exit status."""
    return lambda *words: main(words, jobs=jobs)  # type: ignore[arg-type]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A scoring script in the current folder, which is empty otherwise."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "score.py").write_text("def run(mini_batch): return mini_batch\n")
    return "score.py"
