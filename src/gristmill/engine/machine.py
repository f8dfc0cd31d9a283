"""What this machine lets us use: cores by affinity and control group, memory by what is free."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

CGROUP = Path("/sys/fs/cgroup")
PROC = Path("/proc")
#: Which groups have a limit is looked up again this often.
_GROUPS_EVERY_S = 10.0
#: Version 1 says "no limit" with a number near 2**63.
_NO_LIMIT = 1 << 60
#: For each version: the folder of the memory groups, their limit, what is used, and a word of `memory.stat`
#: for that part of it which the kernel gives up on demand.
_MEMORY_FILES = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Return how many cores this process may use: affinity, and the CPU quota of its control group."""
    cores = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    if quota is not None:
        cores = min(cores, max(1, int(quota)))
    return max(1, cores)


@dataclass(frozen=True, kw_only=True)
class MemoryReading:
    """What memory there is to those who share it with us: the machine, or the control group that binds."""

    available_bytes: int
    """What more processes may take, at least 0."""
    total_bytes: int
    """All of it: the machine's, or the group's limit."""


class MachineMemory:
    """Reads how much memory is left.

    It is the smallest of what the kernel counts as available and, for our control group and each above it,
    the limit less the working set (what is used, without file pages that the kernel gives up on demand).
    """

    def __init__(self, cgroup: Path = CGROUP, proc: Path = PROC) -> None:
        """Read nothing yet.

        Parameters
        ----------
        cgroup
            Where the control groups are mounted.
        proc
            Where the kernel tells about processes and memory.
        """
        self._cgroup = cgroup
        self._proc = proc
        self._limited: list[_Limited] = []
        self._sought_at: float | None = None

    def read(self) -> MemoryReading | None:
        """Return what is left where the least is; None where nobody tells."""
        now = time.monotonic()
        if self._sought_at is None or now - self._sought_at > _GROUPS_EVERY_S:
            self._sought_at = now
            self._limited = _limited_groups(self._cgroup, self._proc)
        found = [
            *_available_to_all(self._proc),
            *(one for group in self._limited for one in _left_in(group)),
        ]
        return min(found, key=lambda one: one.available_bytes) if found else None


def available_memory(cgroup: Path = CGROUP, proc: Path = PROC) -> int | None:
    """Return how much memory more processes may take, in bytes; see `MachineMemory`.

    Returns
    -------
    int or None
        Bytes, at least 0; None where nobody tells.
    """
    reading = MachineMemory(cgroup, proc).read()
    return None if reading is None else reading.available_bytes


def memory_groups(cgroup: Path = CGROUP, proc: Path = PROC) -> list[Path]:
    """Return the folders of the memory groups that we are in, our own before those above it."""
    found = []
    for controller, *_ in _MEMORY_FILES:
        mounted, *ours = _groups(cgroup / controller, controller, proc)
        found += [*ours, mounted]
    return found


class _Limited(NamedTuple):
    """A group that has a limit, and what tells of it."""

    group: Path
    limit_file: str
    usage_file: str
    idle_word: str


def _available_to_all(proc: Path) -> Iterator[MemoryReading]:
    told = {}
    try:
        for line in (proc / "meminfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("MemTotal", "MemAvailable"):
                told[name] = int(value.split()[0]) * 1024
            if name == "MemAvailable":
                break  # it stands third
    except (OSError, ValueError, IndexError):
        return
    if "MemAvailable" in told:
        available = told["MemAvailable"]
        yield MemoryReading(available_bytes=available, total_bytes=told.get("MemTotal", available))


def _limited_groups(cgroup: Path, proc: Path) -> list[_Limited]:
    found = []
    for controller, limit_file, usage_file, idle_word in _MEMORY_FILES:
        for group in _groups(cgroup / controller, controller, proc):
            one = _Limited(group, limit_file, usage_file, idle_word)
            if any(True for _ in _left_in(one)):
                found.append(one)
    return found


def _left_in(limited: _Limited) -> Iterator[MemoryReading]:
    group = limited.group
    try:
        limit = int((group / limited.limit_file).read_text())  # "max": no limit
        if limit >= _NO_LIMIT:
            return
        used = int((group / limited.usage_file).read_text())
        stat = (group / "memory.stat").read_text().splitlines()
        idle = sum(int(line.split()[1]) for line in stat if line.split()[:1] == [limited.idle_word])
    except (OSError, ValueError, IndexError):
        return
    yield MemoryReading(available_bytes=max(0, limit - max(0, used - idle)), total_bytes=limit)


def _groups(root: Path, controller: str, proc: Path) -> Iterator[Path]:
    """Yield what is mounted, which in a container is its own group; then our own and those above it."""
    yield root
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            group = root / path.lstrip("/")
            while group != root and root in group.parents:
                yield group
                group = group.parent


def _quota(cgroup: Path) -> float | None:
    """Return the CPU quota in cores (version 2, then version 1), None where there is none."""
    try:
        limit, _, period = (cgroup / "cpu.max").read_text().strip().partition(" ")
        return None if limit == "max" else int(limit) / int(period or 100_000)
    except (OSError, ValueError):
        pass  # not a version 2 group
    try:
        limit_us = int((cgroup / "cpu/cpu.cfs_quota_us").read_text())
        period_us = int((cgroup / "cpu/cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return None if limit_us < 0 else limit_us / period_us
