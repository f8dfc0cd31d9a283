"""What this machine lets us use: cores by affinity and control group, memory by what is free."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_PROC = Path("/proc")
#: Version 1 says "no limit" with a number near 2**63.
_NO_LIMIT = 1 << 60
#: For each version: the folder of the memory groups, their limit, what is used, and a word of `memory.stat`
#: for that part of it which the kernel gives up on demand.
_MEMORY_FILES = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def usable_cores(cgroup: Path = _CGROUP) -> int:
    """Return how many cores this process may use: affinity, and the CPU quota of its control group."""
    cores = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    if quota is not None:
        cores = min(cores, max(1, int(quota)))
    return max(1, cores)


def available_memory(cgroup: Path = _CGROUP, proc: Path = _PROC) -> int | None:
    """Return how much memory more processes may take, in bytes.

    It is the smallest of what the kernel counts as available and, for our control group and each above it,
    the limit less the working set (what is used, without file pages that the kernel gives up on demand).

    Parameters
    ----------
    cgroup
        Where the control groups are mounted.
    proc
        Where the kernel tells about processes and memory.

    Returns
    -------
    int or None
        Bytes, at least 0; None where neither is told.
    """
    found = [*_available_to_all(proc), *_left_in_groups(cgroup, proc)]
    return max(0, min(found)) if found else None


def _available_to_all(proc: Path) -> Iterator[int]:
    try:
        for line in (proc / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return


def _left_in_groups(cgroup: Path, proc: Path) -> Iterator[int]:
    for controller, limit_file, usage_file, idle_word in _MEMORY_FILES:
        for group in _groups(cgroup / controller, controller, proc):
            try:
                limit = int((group / limit_file).read_text())  # "max": no limit
                used = int((group / usage_file).read_text())
                stat = (group / "memory.stat").read_text().splitlines()
                idle = sum(int(line.split()[1]) for line in stat if line.split()[:1] == [idle_word])
            except (OSError, ValueError, IndexError):
                continue
            if limit < _NO_LIMIT:
                yield limit - max(0, used - idle)


def _groups(root: Path, controller: str, proc: Path) -> Iterator[Path]:
    """Yield our own group and those above it; inside a container its own group is all that is mounted."""
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
