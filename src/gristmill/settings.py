"""What the process around us says: where Gristmill keeps its things, and how much it does at once.
Read once, at a door, and passed down.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gristmill.errors import SpecError

_WORKSPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")


@dataclass(frozen=True, kw_only=True)
class Home:
    """The folder in which Gristmill keeps its jobs."""

    path: Path
    """Absolute; ``GRISTMILL_HOME``, default ``~/.gristmill``."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Home:
        """Return the home that ``GRISTMILL_HOME`` names, or ``~/.gristmill``."""
        named = environment.get("GRISTMILL_HOME")
        path = Path(named).expanduser() if named else Path.home() / ".gristmill"
        return cls(path=path.absolute())

    @property
    def jobs(self) -> Path:
        """The folder of the job folders."""
        return self.path / "jobs"

    @property
    def environments(self) -> Path:
        """The folder of the environments that were built for deployments."""
        return self.path / "environments"

    @property
    def cache(self) -> Path:
        """What can be made again at any time."""
        return self.path / "cache"

    @property
    def catalog(self) -> Path:
        """The catalog, where it is a SQLite file."""
        return self.path / "catalog.db"

    @property
    def contents(self) -> Path:
        """Models and code, stored by what they hold."""
        return self.path / "contents"

    @property
    def records(self) -> Path:
        """What the catalog holds of endpoints and assets, as small files to make it anew from."""
        return self.path / "records"

    @property
    def datastores(self) -> Path:
        """The folders of datastores that need no place of their own."""
        return self.path / "datastores"

    @property
    def secrets(self) -> Path:
        """What opens datastores, in files that only their owner may read."""
        return self.path / "secrets"

    @property
    def outputs(self) -> Path:
        """Outputs whose jobs were removed."""
        return self.path / "outputs"

    @property
    def runner(self) -> Path:
        """What belongs to the process that runs queued jobs."""
        return self.path / "runner"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment says of a home and of the one catalog over it."""

    home: Home
    workspace: str = "default"
    """The namespace of every name; ``GRISTMILL_WORKSPACE``."""
    catalog_url: str | None = None
    """A PostgreSQL database, as a URL that may hold a password; None: SQLite in the home;
    ``GRISTMILL_CATALOG``."""
    max_running_jobs: int = 1
    """How many queued jobs run at once; ``GRISTMILL_MAX_RUNNING_JOBS``."""
    runner_idle_s: float = 60.0
    """How long the runner waits for further jobs before it ends, in seconds; ``GRISTMILL_RUNNER_IDLE``."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Return what the environment says; a variable that is empty counts as not set.

        Raises
        ------
        SpecError
            A variable has a value that cannot be; the message names it.
        """
        return cls(
            home=Home.from_environment(environment),
            workspace=_workspace(environment.get("GRISTMILL_WORKSPACE") or "default"),
            catalog_url=_catalog_url(environment.get("GRISTMILL_CATALOG") or None),
            max_running_jobs=_jobs_at_once(environment.get("GRISTMILL_MAX_RUNNING_JOBS") or "1"),
            runner_idle_s=_idle_time(environment.get("GRISTMILL_RUNNER_IDLE") or "60"),
        )


def _workspace(name: str) -> str:
    if not _WORKSPACE.fullmatch(name):
        raise SpecError(
            f"GRISTMILL_WORKSPACE: {name!r} is not the name of a workspace; take letters, digits, '-', '_' "
            "and '.', 64 at most, the first a letter or a digit"
        )
    return name


def _catalog_url(url: str | None) -> str | None:
    if url is not None and not url.startswith(_SCHEMES):
        raise SpecError(  # without the value: it may hold a password
            "GRISTMILL_CATALOG: must be the URL of a PostgreSQL database, postgresql://user@host:5432/name; "
            "unset it for a SQLite file in the home"
        )
    return url


def _jobs_at_once(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SpecError(f"GRISTMILL_MAX_RUNNING_JOBS: must be a whole number from 1 on; it is {text!r}")
    return int(text)


def _idle_time(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise SpecError(f"GRISTMILL_RUNNER_IDLE: must be a number of seconds, 86400 at most; it is {text!r}")
    return seconds
