"""Processes as /proc shows them. Nothing here uses our own code, so that a mistake in it cannot hide."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection

#: Whatever we wait for has happened by then, or never will.
DEADLINE_S = 40.0
_LOOK_EVERY_S = 0.003
_ENDED = ("Z", "X")


def wait_until(happened: Callable[[], bool], what: str) -> None:
    """Wait for something, and fail with its name when it does not happen."""
    deadline = time.monotonic() + DEADLINE_S
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {DEADLINE_S:g} s")
        time.sleep(_LOOK_EVERY_S)


def state_of(process: int) -> str:
    """Return the state letter of a process; ``X`` when it is gone."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0].decode()
    except OSError:
        return "X"


def is_stopped(process: int) -> bool:
    """Say whether a process has stopped itself."""
    return state_of(process) == "T"


def children_of(process: int) -> list[int]:
    """Return the processes that a process has started, from its only thread."""
    return [int(child) for child in _read(str(process), f"task/{process}/children").split()]


def mentioning(words: Collection[str]) -> list[int]:
    """Return the processes that live and have one of these words in their environment or command line."""
    wanted = [os.fsencode(word) for word in words]
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            said = _read(name, "environ") + _read(name, "cmdline")
            if any(word in said for word in wanted) and state_of(int(name)) not in _ENDED:
                found.append(int(name))
    return found


def is_worker(process: int) -> bool:
    """Say whether a process carries the mark of a worker."""
    return b"\0GRISTMILL_WORKER_ID=" in b"\0" + _read(str(process), "environ")


def is_guard(process: int) -> bool:
    """Say whether this is the guard of a run."""
    return b"guard.py\0" in _read(str(process), "cmdline")


def kill(*processes: int) -> None:
    """Send SIGKILL to each; those that are gone are fine."""
    for process in processes:
        _send(process, signal.SIGKILL)


def stop(*processes: int) -> None:
    """Make each wait where it is."""
    for process in processes:
        _send(process, signal.SIGSTOP)


def go_on(*processes: int) -> None:
    """Let each go on that has stopped."""
    for process in processes:
        _send(process, signal.SIGCONT)


def _send(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


def _read(process: str, name: str) -> bytes:
    try:
        with open(f"/proc/{process}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""  # it ended while we looked
