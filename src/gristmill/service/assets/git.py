"""What git says of a folder: where it comes from, at which commit it is, and whether it was changed since.

Nothing is asked of a server, and whatever goes wrong, there is simply nothing to say: no git, no repository,
a git that hangs. This module must not know what the folder is for.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gristmill.engine.process import Process

LONGEST_WAIT_S = 5.0
"""For one question; on a cold network disk git may take minutes to look at each file."""
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
        Seconds after which git is stopped; it is asked two or three times.

    Returns
    -------
    GitState or None
        None where there is no repository or no commit, or git is not there or does not answer.
    """
    place = Path(os.path.abspath(folder))
    start = place if place.is_dir() else place.parent
    if not any(os.path.lexists(above / ".git") for above in (start, *start.parents)):
        return None  # without asking git, which takes longer
    status = _answer(start, longest_wait_s, *_STATUS, str(place))
    if status is None:
        commit = _answer(start, _ONE_MORE_WAIT_S, "rev-parse", "--verify", "--quiet", "HEAD")
        known = {"branch.oid": commit.strip()} if commit else {}
    else:
        known = dict(line[2:].split(" ", 1) for line in status.splitlines() if line.startswith("# "))
    if not re.fullmatch("[0-9a-f]{40,64}", known.get("branch.oid", "")):
        return None
    branch = known.get("branch.head", _DETACHED)
    branch = "" if branch == _DETACHED else branch
    return GitState(
        remote=_remote(_answer(start, longest_wait_s, *_REMOTES) or "", branch),
        branch=branch or None,
        commit=known["branch.oid"],
        is_dirty=None if status is None else any(not line.startswith("# ") for line in status.splitlines()),
    )


_DETACHED = "(detached)"
_ONE_MORE_WAIT_S = 1.0
#: What a repository's own settings say of these is passed over: files that git does not know do count.
_STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--")
_REMOTES = ("config", "--get-regexp", r"^(remote\..*\.url|branch\..*\.remote)$")
#: Within a hook of git, these name the repository of the hook.
_OF_A_HOOK = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"}


def _answer(folder: Path, longest_wait_s: float, *question: str) -> str | None:
    """Return what git prints; None where it fails, is not there, or is too slow."""
    program = shutil.which("git")
    if program is None:
        return None
    # No setting of the repository may start a program, and nothing is written or asked.
    command = [program, "-c", "core.fsmonitor=false", "-C", str(folder), *question]
    own = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    others = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    try:
        process, out = _started(command, {**others, **own})
    except OSError:
        return None
    try:
        text = _read(out, process, time.monotonic() + longest_wait_s)
        if text is None:
            process.kill()
        return text if process.wait() == 0 else None
    except ChildProcessError:
        return None  # this process has its children taken away
    finally:
        os.close(out)
        process.close()


def _started(command: list[str], environment: dict[str, str]) -> tuple[Process, int]:
    out, inlet = os.pipe()
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        return Process(command, environment, {0: nothing, 1: inlet, 2: nothing}), out
    except BaseException:
        os.close(out)
        raise
    finally:
        os.close(inlet)
        os.close(nothing)


def _read(out: int, process: Process, ends_at: float) -> str | None:
    """Return all that a process prints, when it has ended; None where the time is up before."""
    found = []
    for source in (out, process.fileno()):
        waiting = select.poll()
        waiting.register(source, select.POLLIN)
        while True:
            left_ms = round((ends_at - time.monotonic()) * 1000)
            if left_ms <= 0 or not waiting.poll(left_ms):
                return None
            chunk = os.read(out, _CHUNK_BYTES) if source == out else b""
            if not chunk:
                break
            found.append(chunk)
    return b"".join(found).decode(errors="replace")


_CHUNK_BYTES = 1 << 16


def _remote(settings: str, branch: str) -> str | None:
    """Return where a branch comes from, else the remote called origin, else the first there is."""
    known = dict(line.split(" ", 1) for line in reversed(settings.splitlines()) if " " in line)
    names = [key.removeprefix("remote.").removesuffix(".url") for key in known if key.startswith("remote.")]
    own = known.get(f"branch.{branch}.remote")
    chosen = next((name for name in (own, "origin", *reversed(names)) if name in names), None)
    return without_credentials(known[f"remote.{chosen}.url"]) if chosen is not None else None


def without_credentials(url: str) -> str:
    """Return the address of a repository without what opens it; the user name of ssh is none."""
    found = _ADDRESS.match(url)
    if found is None:
        return url
    scheme, owner, rest = found.groups()
    user = owner.split(":")[0] + "@" if owner and scheme.lower().endswith("ssh://") else ""
    return f"{scheme}{user}{_QUERY.sub('', rest)}"
