"""Find and kill every process that carries a run's mark in its environment (design, D3).

Standard library only and nothing of ours imported: the guard runs this file's functions in a process of its
own. A process inherits the mark from its parent, whatever it does with sessions, groups or parents; only
one that cleared its environment or changed its user escapes.
"""

from __future__ import annotations

import os
import signal
import time

RUN_MARK = "GRISTMILL_RUN_ID"
WORKER_MARK = "GRISTMILL_WORKER_ID"


def marked(mark: str, value: str) -> list[int]:
    """Return the ids of all living processes with ``mark=value`` in their environment."""
    wanted = f"{mark}={value}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid() and _carries(name, wanted):
            found.append(int(name))
    return found


def sweep(mark: str, value: str, limit_s: float = 30.0) -> int:
    """Kill every process with ``mark=value``, until none is left; return how many were killed.

    A process may be born while we look, so it takes two empty looks, a moment apart, to be done. After
    ``limit_s`` seconds it gives up (a process in an uninterruptible wait cannot be killed).
    """
    killed = 0
    empty_looks = 0
    deadline = time.monotonic() + limit_s
    while empty_looks < 2 and time.monotonic() < deadline:
        victims = marked(mark, value)
        empty_looks = 0 if victims else empty_looks + 1
        for process in victims:
            killed += _kill(process, f"{mark}={value}".encode())
        time.sleep(0.002)
    return killed


def _kill(process: int, wanted: bytes) -> int:
    """Kill a process after making sure, by a descriptor of it, that the id was not used again."""
    try:
        descriptor = os.pidfd_open(process)
    except OSError:
        return 0  # it is gone already
    try:
        if _carries(str(process), wanted):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            return 1
    except OSError:
        return 0  # it is gone, or belongs to another user by now
    finally:
        os.close(descriptor)
    return 0


def _carries(process: str, wanted: bytes) -> bool:
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            environment = file.read()
        return wanted in environment and wanted in environment.split(b"\0") and not _is_dead(process)
    except OSError:
        return False  # gone, or not ours to look at


def _is_dead(process: str) -> bool:
    with open(f"/proc/{process}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
