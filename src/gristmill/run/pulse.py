"""How far a running job is, for the eyes of other processes: a small file, overwritten in place.

It costs the job next to nothing and survives nothing: what is true stands in the journal.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict

from gristmill.run.job_folder import JobFolder
from gristmill.run.progress import Progress

_EVERY_S = 0.25
_SIZE = 256


class Pulse:
    """Writes down how far a job is, now and then."""

    def __init__(self, folder: JobFolder) -> None:
        """Begin anew; what an earlier start had written is gone."""
        self._descriptor = -1
        self._next_at = 0.0
        with suppress(OSError):  # nobody can follow the job then, and that is all
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._descriptor = os.open(_path(folder), flags, 0o600)

    def note(self, now: float, progress: Progress) -> None:
        """Write, if it is time for it.

        Parameters
        ----------
        now
            A clock in seconds that never goes back.
        progress
            How far the job is; its notices are left out.
        """
        if now >= self._next_at:
            self._next_at = now + _EVERY_S
            self._write(progress)

    def close(self, last: Progress | None = None) -> None:
        """Write once more, and end; safe to repeat."""
        if last is not None:
            self._write(last)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, progress: Progress) -> None:
        values = asdict(progress)
        del values["notices"]
        with suppress(OSError):
            os.pwrite(self._descriptor, json.dumps(values).encode("ascii").ljust(_SIZE), 0)


def read_pulse(folder: JobFolder) -> Progress | None:
    """Return how far a job was a moment ago; None where nobody knows."""
    try:
        with open(_path(folder), "rb") as file:
            return Progress(**json.loads(file.read(_SIZE)))
    except (OSError, ValueError, TypeError):
        return None


def _path(folder: JobFolder) -> str:
    return str(folder.path / "pulse")
