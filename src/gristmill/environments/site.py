"""The place where one environment is being built, and what every builder needs there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gristmill.environments.command import run_command
from gristmill.spec.packages import Packages


@dataclass(frozen=True, kw_only=True)
class Site:
    """What is built, and where."""

    packages: Packages
    folder: Path
    """For files of the building itself."""
    prefix: Path
    """Where the environment is to be; an environment is not moved afterwards."""
    cache: Path
    """Where what is fetched is kept, unless a tool has a place of its own."""
    variables: Mapping[str, str]
    """Of the process around us."""
    say: Callable[[str], None]
    """Is told how it goes."""
    inherited: int
    """The descriptor of the lock, which everything that builds holds as long as it lives."""

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.prefix / "bin" / "python"

    def run(self, command: Sequence[str | Path], variables: Mapping[str, str] | None = None) -> list[str]:
        """Run a program here; see `run_command`.

        Raises
        ------
        CommandFailedError
            It ended with another status than 0, or cannot be executed.
        """
        return run_command(
            [str(word) for word in command],
            self.variables if variables is None else variables,
            self.say,
            folder=self.folder,
            inherited=self.inherited,
        )
