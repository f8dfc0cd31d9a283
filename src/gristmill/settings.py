"""What the process around us says: where Gristmill keeps its things. Read once, at a door, and passed
down.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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
