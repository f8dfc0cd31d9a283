"""The lock of one environment: held alone to build or remove it, held together to use it.

``flock`` on a file beside the environment's folder: the kernel lets go of it when the last process that has
inherited it ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class EnvironmentLock:
    """Held from `alone` or `together` to `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    @property
    def descriptor(self) -> int:
        """What a child inherits, to hold the lock as long as it lives."""
        return self._file

    def alone(self, *, wait: bool) -> bool:
        """Take it to build or to remove; False where somebody has it and we are not to wait.

        Raises
        ------
        OSError
            The file cannot be made, or its file system has no locks.
        """
        return self._take(fcntl.LOCK_EX, wait=wait)

    def together(self, *, wait: bool) -> bool:
        """Take it to use what is there; False where somebody builds and we are not to wait.

        Raises
        ------
        OSError
            The file cannot be made, or its file system has no locks.
        """
        return self._take(fcntl.LOCK_SH, wait=wait)

    def touch(self) -> None:
        """Write down that the environment was used just now."""
        os.utime(self._file)

    def remove(self) -> None:
        """Remove the file, which must be held alone, and let go."""
        self._path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let go; safe to repeat."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _take(self, kind: int, *, wait: bool) -> bool:
        while True:
            self.release()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._file, kind | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                self.release()
                return False
            except BaseException:
                self.release()
                raise
            if self._is_current():
                return True

    def _is_current(self) -> bool:
        """Say whether the file that we hold is still the one of that name: somebody may have removed it."""
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self._path))
        except FileNotFoundError:
            return False
