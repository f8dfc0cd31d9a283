"""What git says of a folder, and nothing where it has nothing to say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from doubles.repository import git, repository_in
from gristmill.service.assets.git import GitState, git_state, without_credentials

pytestmark = pytest.mark.skipif(
    subprocess.run(["sh", "-c", "command -v git"], capture_output=True, check=False).returncode != 0,
    reason="there is no git",
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return repository_in(tmp_path / "repository")


def test_a_clean_folder(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://me:secret@host.example/a.git")
    state = git_state(repository / "code")
    commit = git(repository, "rev-parse", "HEAD")
    assert state == GitState(
        remote="https://host.example/a.git", branch="work/x", commit=commit, is_dirty=False
    )
    assert state.to_properties() == {
        "azureml.git.repository_uri": "https://host.example/a.git",
        "azureml.git.branch": "work/x",
        "azureml.git.commit": commit,
        "azureml.git.dirty": "False",
    }


def test_only_the_folder_itself_makes_it_dirty(repository: Path) -> None:
    (repository / "other.txt").write_text("2")
    assert git_state(repository / "code").is_dirty is False  # type: ignore[union-attr]
    assert git_state(repository).is_dirty is True  # type: ignore[union-attr]
    (repository / "code" / "new.py").write_text("1")
    assert git_state(repository / "code").is_dirty is True  # type: ignore[union-attr]
    assert git_state(repository / "code" / "score.py").is_dirty is False  # type: ignore[union-attr]


def test_what_git_ignores_is_not_dirty(repository: Path) -> None:
    (repository / "code" / ".gitignore").write_text("*.bin\n.gitignore\n")
    (repository / "code" / "x.bin").write_text("1")
    assert git_state(repository / "code").is_dirty is False  # type: ignore[union-attr]


def test_settings_that_hide_new_files_do_not_count(repository: Path) -> None:
    git(repository, "config", "status.showUntrackedFiles", "no")
    (repository / "code" / "new.py").write_text("1")
    assert git_state(repository / "code").is_dirty is True  # type: ignore[union-attr]


def test_the_remote_is_that_of_the_branch(repository: Path) -> None:
    git(repository, "remote", "add", "fork", "git@host.example:me/a.git")
    assert git_state(repository).remote == "git@host.example:me/a.git"  # type: ignore[union-attr]
    git(repository, "remote", "add", "origin", "https://host.example/a.git")
    assert git_state(repository).remote == "https://host.example/a.git"  # type: ignore[union-attr]
    git(repository, "config", "branch.work/x.remote", "fork")
    assert git_state(repository).remote == "git@host.example:me/a.git"  # type: ignore[union-attr]


def test_a_commit_without_a_branch(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")
    state = git_state(repository)
    assert state is not None
    assert state.branch is None
    assert "azureml.git.branch" not in state.to_properties()


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert git_state(tmp_path) is None


def test_no_repository_is_found_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert git_state(tmp_path / "not" / "there") is None


def test_a_hook_of_another_repository_does_not_mislead(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert git_state(repository) is not None


def test_without_git_there_is_nothing_to_say(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert git_state(repository) is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@host/x.git", "https://host/x.git"),
        ("https://token@host:8443/x.git?token=1#y", "https://host:8443/x.git"),
        ("https://a@b:c@host/x", "https://host/x"),
        ("ssh://git:pass@host:22/x", "ssh://git@host:22/x"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("git@host:me/x.git", "git@host:me/x.git"),
        ("/some/where else.git", "/some/where else.git"),
        ("https://host/a@b/x", "https://host/a@b/x"),
        ("file:///a/b", "file:///a/b"),
    ],
)
def test_no_credentials_are_kept(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
