"""What git says of a folder: where it comes from, at which commit it is, and whether it was changed since.

Nothing is asked of a server, and whatever goes wrong, there is simply nothing to say: no git, no repository,
a git that hangs. This module must not know what the folder is for.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LONGEST_WAIT_S = 5.0
"""For all questions together; on a cold network disk git may take minutes to look at each file."""
_ADDRESS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)(?:([^/]*)@)?(.*)\Z", re.DOTALL)
_QUERY = re.compile(r"[?#].*$", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class GitState:
    """A folder in a git repository."""

    remote: str | None
    """Where it comes from, without user and password; None where there is no remote."""
    branch: str | None
    """None where no branch is checked out."""
    commit: str
    """The whole number of the commit."""
    is_dirty: bool | None
    """Whether the folder differs from the commit, files that git does not know included; None where git
    took too long to say."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return asdict(self)

    def to_properties(self) -> dict[str, str]:
        """Return what is known as texts, in the original's words."""
        said = {
            "azureml.git.repository_uri": self.remote,
            "azureml.git.branch": self.branch,
            "azureml.git.commit": self.commit,
            "azureml.git.dirty": None if self.is_dirty is None else str(self.is_dirty),
        }
        return {key: value for key, value in said.items() if value is not None}


def git_state(folder: Path, longest_wait_s: float = LONGEST_WAIT_S) -> GitState | None:
    """Ask git about a folder, or the folder of a file.

    Parameters
    ----------
    folder
        Only changes in it make it dirty, not others of its repository.
    longest_wait_s
        Seconds after which git is stopped.

    Returns
    -------
    GitState or None
        None where there is no repository or no commit, or git is not there or does not answer.
    """
    git = _Git(folder if folder.is_dir() else folder.parent, time.monotonic() + longest_wait_s)
    commit = git.answer("rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return None
    branch = git.answer("symbolic-ref", "--short", "--quiet", "HEAD") or None
    changes = git.answer(*_STATUS, os.path.abspath(folder))
    return GitState(
        remote=_remote(git, branch),
        branch=branch,
        commit=commit,
        is_dirty=None if changes is None else bool(changes),
    )


#: What a repository's own settings say of these is passed over: files that git does not know do count.
_STATUS = ("status", "--porcelain", "--untracked-files=normal", "--")


class _Git:
    """Questions to git about one folder."""

    def __init__(self, folder: Path, ends_at: float) -> None:
        self._folder = folder
        self._ends_at = ends_at

    def answer(self, *question: str) -> str | None:
        """Return what git prints; None where it fails, is not there, or is too slow."""
        # No setting of the repository may start a program, and nothing is written or asked.
        command = ["git", "-c", "core.fsmonitor=false", "-C", str(self._folder), *question]
        own = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        # Within a hook of git, variables name the repository of the hook.
        others = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        try:
            process = subprocess.Popen(
                command,
                env={**others, **own},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError):
            return None
        try:
            out, _ = process.communicate(timeout=max(0.0, self._ends_at - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None
        return out.decode(errors="replace").strip() if process.returncode == 0 else None


def _remote(git: _Git, branch: str | None) -> str | None:
    """Return where a branch comes from, else the remote called origin, else the first there is."""
    names = (git.answer("remote") or "").split()
    own = git.answer("config", "--get", f"branch.{branch}.remote") if branch and len(names) > 1 else None
    chosen = next((name for name in (own, "origin", *names) if name in names), None)
    url = git.answer("remote", "get-url", chosen) if chosen is not None else None
    return without_credentials(url) if url else None


def without_credentials(url: str) -> str:
    """Return the address of a repository without what opens it; the user name of ssh is none."""
    found = _ADDRESS.match(url)
    if found is None:
        return url
    scheme, owner, rest = found.groups()
    user = owner.split(":")[0] + "@" if owner and scheme.lower().endswith("ssh://") else ""
    return f"{scheme}{user}{_QUERY.sub('', rest)}"
