"""The presence of the one runner of a home: a lock that it holds as long as it lives, and what it says there.

Whoever wants a runner takes the lock first and hands it over to the process that he starts: so of any number
of commands at the same instant exactly one starts a runner. The kernel lets go of the lock when that ends,
however it ends. The file has its full size from the beginning, so that a word of trouble finds room on a disk
that is full.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from gristmill.settings import Home

_SIZE = 4096
_MOST_WORDS = 250  # of characters, each of which is twelve bytes at most


class Presence:
    """The lock of a home's runner, held by whoever has made this."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Take over a lock that is held already, as `held` or `inherited` give it."""
        self._path = path
        self.descriptor = descriptor

    @classmethod
    def held(cls, home: Home) -> Presence | None:
        """Take the lock; None where there is a runner, or one is just being started.

        Raises
        ------
        OSError
            The home cannot be written.
        """
        path = _path(home)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_size < _SIZE:
                os.pwrite(descriptor, b" " * _SIZE, 0)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    @classmethod
    def inherited(cls, home: Home, descriptor: int) -> Presence:
        """Take over the lock of the process that has started this one; whatever we start does not get it."""
        os.set_inheritable(descriptor, False)
        return cls(_path(home), descriptor)

    @property
    def is_valid(self) -> bool:
        """Whether this is still the lock of the home, and not of one that was removed."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), os.stat(self._path))
        except OSError:
            return False

    def say(self, trouble: str | None, job: str | None = None) -> None:
        """Write down who the runner is, and what is in its way, or in that of one job."""
        words = trouble[:_MOST_WORDS] if trouble is not None else None
        said = json.dumps({"pid": os.getpid(), "trouble": words, "job": job}).encode("ascii")
        with suppress(OSError):  # those who read it do without
            os.pwrite(self.descriptor, said.ljust(_SIZE), 0)

    def release(self) -> None:
        """Let go; idempotent."""
        if self.descriptor >= 0:
            self.say(None)
            os.close(self.descriptor)
            self.descriptor = -1


def trouble_of(home: Home, job: str) -> str | None:
    """Return what the runner of a home says is in the way of a job; None where nothing is."""
    said = said_by_runner(home)
    return said.get("trouble") if said.get("job") in (None, job) else None


def said_by_runner(home: Home) -> dict[str, Any]:
    """Return what the runner of a home has said last: its ``pid``, its ``trouble`` and whose that is."""
    try:
        said = json.loads(_path(home).read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _path(home: Home) -> Path:
    return home.runner / "lock"
