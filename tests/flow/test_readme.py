"""The commands of the README, typed one after the other, do what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flow.mill import REPOSITORY, Mill

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# These set up environments with packages; the tests of run.py and of the package's metadata are elsewhere.
INSTALLS = ("run.py", "pip install")


def blocks(kind: str) -> list[str]:
    found = [text for language, text in BLOCK.findall(README) if language == kind]
    return [text for text in found if not any(word in text for word in INSTALLS)]


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A home folder in which a newcomer typed everything."""
    home = tmp_path_factory.mktemp("newcomer")
    entry = home / "bin/gristmill"
    entry.parent.mkdir()
    entry.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gristmill "$@"\n')
    entry.chmod(0o755)
    environment = {
        **Mill(home).environment(),
        "HOME": str(home),
        "PATH": f"{entry.parent}:{os.environ['PATH']}",
    }
    del environment["GRISTMILL_HOME"]
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks("bash"))],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return home / "first-job", ended


def test_there_are_commands_to_type() -> None:
    assert len(blocks("bash")) >= 4


def test_every_command_of_the_readme_succeeds(typed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    assert typed[1].returncode == 0, typed[1].stderr


def test_first_rows_are_those_that_the_readme_shows(
    typed: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    shown = blocks("text")[0]
    assert shown.startswith("file,words,letters\n")
    assert typed[1].stdout.startswith(shown)


def test_failure_reads_as_the_readme_shows(typed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    shown = [
        line for line in blocks("text")[1].splitlines() if line.startswith(("failures", "go on", "so far"))
    ]
    assert len(shown) == 3
    assert [line for line in shown if line not in typed[1].stderr] == []
    assert "UnicodeDecodeError" in typed[1].stderr
    assert "status 1\n" in typed[1].stdout


def test_jobs_of_the_readme_have_all_99_rows(typed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder = typed[0]
    assert len((folder / "out/predictions.csv").read_bytes().splitlines()) == 100
    assert (folder / "strict/predictions.csv").exists()
    assert not (folder / "strict/predictions.partial.csv").exists()


def test_home_is_below_the_users_own_unless_set(
    typed: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    assert {"words", "strict"} <= set(os.listdir(typed[0].parent / ".gristmill/jobs"))
