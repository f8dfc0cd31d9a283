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


#: A process shows an empty environment for a moment while it is being executed; one that was started this
#: recently and shows none is looked at again, so often, before it is believed to have none.
_NEWBORN_S = 1.0
_LOOKS_AT_NEWBORN = 10
_BETWEEN_LOOKS_S = 0.002


def marked(mark: str, value: str) -> list[int]:
    """Return the ids of all living processes with ``mark=value`` in their environment."""
    return _look(f"{mark}={value}".encode())[0]


def values_of(mark: str, value: str, other: str) -> list[str]:
    """Return what another mark says in the environment of each process with ``mark=value``; empty where it is
    not there.
    """
    wanted = f"{other}=".encode()
    found = []
    for process in marked(mark, value):
        variables = _environment(str(process)).split(b"\0")
        values = (one[len(wanted) :] for one in variables if one.startswith(wanted))
        found.append(os.fsdecode(next(values, b"")))
    return found


def sweep(mark: str, value: str, limit_s: float = 30.0) -> int:
    """Kill every process with ``mark=value``, until none is left; return how many were killed.

    A process may be born while we look, so it takes two empty looks, a moment apart, to be done. After
    ``limit_s`` seconds it gives up (a process in an uninterruptible wait cannot be killed).
    """
    wanted = f"{mark}={value}".encode()
    killed: set[int] = set()
    newborn_looks: dict[int, int] = {}
    empty_looks = 0
    deadline = time.monotonic() + limit_s
    while empty_looks < 2 and time.monotonic() < deadline:
        victims, newborn = _look(wanted)
        for process in newborn:
            newborn_looks[process] = newborn_looks.get(process, 0) + 1
        is_open = any(newborn_looks[process] < _LOOKS_AT_NEWBORN for process in newborn)
        empty_looks = 0 if victims or is_open else empty_looks + 1
        killed.update(process for process in victims if _kill(process, wanted))
        if empty_looks < 2:
            time.sleep(_BETWEEN_LOOKS_S)
    return len(killed)


def _look(wanted: bytes) -> tuple[list[int], list[int]]:
    """Return the living processes that carry the mark, and those that are too young to tell."""
    found, newborn = [], []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            environment = _environment(name)
            if wanted in environment and wanted in environment.split(b"\0"):
                if not _is_dead(name):
                    found.append(int(name))
            elif not environment and _is_newborn(name):
                newborn.append(int(name))
    return found, newborn


def _kill(process: int, wanted: bytes) -> bool:
    """Kill a process after making sure, by a descriptor of it, that the id was not used again."""
    try:
        descriptor = os.pidfd_open(process)
    except OSError:
        return False  # it is gone already
    try:
        if wanted in _environment(str(process)).split(b"\0"):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            return True
    except OSError:
        return False  # it is gone, or belongs to another user by now
    finally:
        os.close(descriptor)
    return False


def _environment(process: str) -> bytes:
    """Return the environment that a process was executed with; empty where it has none, or is not ours."""
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _is_dead(process: str) -> bool:
    return _status(process)[:1] in ([b"Z"], [b"X"], [])


def _is_newborn(process: str) -> bool:
    """Say whether a living process of a program (not of the kernel) was started a moment ago."""
    fields = _status(process)
    if len(fields) < _START_FIELD + 1 or fields[0] in (b"Z", b"X") or fields[_SIZE_FIELD] == b"0":
        return False
    started_s = int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started_s < _NEWBORN_S


#: Places in /proc/<pid>/stat, counted from the state (proc(5) counts from 1 and has two fields before it).
_START_FIELD = 19
_SIZE_FIELD = 20


def _status(process: str) -> list[bytes]:
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []
