"""A small git repository, made without the settings of this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def git(folder: Path, *words: str) -> str:
    """Run git in a folder, and return what it prints."""
    own = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    for who in ("AUTHOR", "COMMITTER"):
        own |= {f"GIT_{who}_NAME": "a", f"GIT_{who}_EMAIL": "a@b"}
    done = subprocess.run(
        ["git", "-C", folder, *words], env={**os.environ, **own}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def repository_in(folder: Path) -> Path:
    """Make a repository with one commit on the branch ``work/x``."""
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "score.py").write_text("1")
    (folder / "other.txt").write_text("1")
    git(folder, "init", "--quiet", "--initial-branch", "work/x")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder
