"""The lock of a job: one process works on it at a time, and says who it is (design, D7).

``flock`` on a file in the job folder: the kernel lets go of it when the process ends, however it ends. On a
network file system that may not hold between machines, so there the holder also touches the file every few
seconds, and a process on another machine leaves a lock alone that was touched lately.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

from gristmill.errors import JobLockedError, StorageError, in_words
from gristmill.storage.filesystem import is_network

#: A lock on a network file system that was touched this long ago is believed to be held.
HEARTBEAT_LIMIT_S = 60.0
HEARTBEAT_S = 10.0
_TRIES = 5
_BETWEEN_TRIES_S = 0.01


class JobLock:
    """Held from `acquire` to `release`; never held across a bare fork."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._on_network = False
        self._touched_at = 0.0
        self._is_ours = False

    def acquire(self) -> None:
        """Take the lock, without waiting.

        Raises
        ------
        JobLockedError
            Another process has it; the message names it.
        StorageError
            The file cannot be made, or its file system has no locks.
        """
        self._on_network = is_network(self._path.parent)
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._take()
        except BlockingIOError as error:
            holder = self._holder()
            self.release()
            raise JobLockedError(_held_by(self._path.parent.name, holder)) from error
        except OSError as error:
            self.release()
            is_closed = isinstance(error, PermissionError)
            remedy = "give yourself access" if is_closed else "set GRISTMILL_HOME to a folder on a local disk"
            raise StorageError(f"{self._path} cannot be locked: {in_words(error)}; {remedy}") from error
        holder = self._holder()
        if self._on_network and self._is_held_elsewhere(holder):
            self.release()
            raise JobLockedError(_held_by(self._path.parent.name, holder))
        text = json.dumps({"pid": os.getpid(), "host": os.uname().nodename}).encode("ascii")
        self._is_ours = True
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, text, 0)
        except OSError as error:
            self.release()
            raise StorageError(
                f"{self._path} cannot be written: {in_words(error)}; make room there"
            ) from error

    def keep(self) -> None:
        """Show that the holder lives, where the file system needs that; cheap, to be called often."""
        now = time.monotonic()
        if self._on_network and now - self._touched_at > HEARTBEAT_S:
            self._touched_at = now
            os.utime(self._path)

    def release(self) -> None:
        """Let go; idempotent."""
        if self._file >= 0:
            if self._is_ours:
                os.ftruncate(self._file, 0)  # nobody's any more, for a reader on another machine
            os.close(self._file)
            self._file = -1
            self._is_ours = False

    def _take(self) -> None:
        """Take the lock; somebody who only looks (`is_held`) may have it for a moment."""
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(_BETWEEN_TRIES_S)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _holder(self) -> dict[str, object]:
        try:
            held = json.loads(os.pread(self._file, 4096, 0) or b"{}")
            return held if isinstance(held, dict) else {}
        except (OSError, ValueError):
            return {}  # the holder is just writing it

    def _is_held_elsewhere(self, holder: dict[str, object]) -> bool:
        if not holder or holder.get("host") == os.uname().nodename:
            return False
        return time.time() - os.fstat(self._file).st_mtime < HEARTBEAT_LIMIT_S


def is_held(path: Path) -> bool:
    """Say whether a process works on the job whose lock this is; takes nothing."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder_of(path: Path) -> tuple[int, str] | None:
    """Return process and host that hold a job's lock, or held it when they died; None where none are named.

    Parameters
    ----------
    path
        The lock of the job.
    """
    try:
        held = json.loads(path.read_bytes())
        return int(held["pid"]), str(held["host"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _held_by(job: str, holder: dict[str, object]) -> str:
    who = "another process"
    if holder:
        who = f"process {holder.get('pid')} on {holder.get('host')}"
    return (
        f"job {job} is being worked on by {who}; wait for it, watch it with gristmill job show {job}, "
        f"or stop it with gristmill job cancel {job}"
    )
