"""Which jobs the runner of a home is to see to their end: an empty file each, named like the job.

It stands there from the moment in which a job is accepted until it has ended, so that any command can see at
the price of one look into a folder whether there is something to do. What is to be known of a job stands in
its own folder; without that, its file here means nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from gristmill.settings import Home


class Waiting:
    """The jobs of a home that wait or run, and have not ended."""

    def __init__(self, home: Home) -> None:
        self._folder = home.runner / "waiting"

    def names(self) -> list[str]:
        """Return their names, in no order; none where the home is gone."""
        try:
            return os.listdir(self._folder)
        except OSError:
            return []

    def has(self, name: str) -> bool:
        """Say whether a job is one of them."""
        return (self._folder / name).exists()

    def add(self, name: str) -> None:
        """Add a job; safe to repeat. It survives a loss of power.

        Raises
        ------
        OSError
            The home cannot be written.
        """
        self._folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.mkdir(exist_ok=True, mode=0o700)
        os.close(os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        _sync(self._folder)

    def remove(self, name: str) -> None:
        """Take a job away that has ended; safe to repeat."""
        with suppress(OSError):
            (self._folder / name).unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
