"""A git that hangs never holds a command up for long, and leaves no process."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from doubles.repository import repository_in
from faults.processes import state_of, wait_until
from gristmill.service.assets.git import git_state

GIT = shutil.which("git") or ""
pytestmark = pytest.mark.skipif(not GIT, reason="there is no git")
WAIT_S = 1.0


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return repository_in(tmp_path / "repository")


@pytest.fixture
def other_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a program that is found in place of git."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


def write(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def test_a_git_that_hangs_is_stopped_with_its_children(
    repository: Path, other_git: Path, tmp_path: Path
) -> None:
    write(other_git, f"sleep 1000 & echo $! >> {tmp_path}/pids; wait")
    assert git_state(repository, WAIT_S) is None
    children = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert children
    wait_until(lambda: all(state_of(pid) in "XZ" for pid in children), "its children are gone")


def test_a_git_that_is_slow_to_compare_still_says_the_commit(repository: Path, other_git: Path) -> None:
    write(other_git, f'case "$*" in *status*) sleep 1000;; *) exec {GIT} "$@";; esac')
    state = git_state(repository, WAIT_S)
    assert state is not None
    assert (len(state.commit), state.is_dirty) == (40, None)
    assert "azureml.git.dirty" not in state.to_properties()
