"""Whether it was the kernel that killed a process, for want of memory: only what can be proved.

A SIGKILL says nothing of who sent it. Two witnesses do: the control group's count of such kills, and the
kernel's log, where it may be read, which names the process.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from gristmill.engine.machine import CGROUP, PROC, memory_groups

#: The end of a process with much memory may take this long after it was killed.
_STALE_S = 10.0
_COUNTERS = ("memory.events", "memory.oom_control")
_KMSG = Path("/dev/kmsg")
#: `PROC_PID_INIT_INO`: elsewhere a process has another id than the one in the kernel's log.
_FIRST_PID_NAMESPACE = "pid:[4026531836]"


class KernelKills:
    """Follows the kernel's kills for want of memory in our control group."""

    def __init__(self, cgroup: Path = CGROUP, proc: Path = PROC, kmsg: Path = _KMSG) -> None:
        self._places = (cgroup, proc, kmsg)
        self._counter: Path | None = None
        self._count = 0
        self._rises: list[float] = []
        """When kills were counted that no death is put down to yet."""
        self._log = -1

    def start(self) -> None:
        """Count from now on."""
        cgroup, proc, kmsg = self._places
        self._counter = _counter(cgroup, proc)
        self._count = self._counted()
        self._log = _open_log(kmsg, proc)

    def look(self, now: float) -> None:
        """Take in what has been counted; ``now`` is monotonic time, in seconds."""
        count = self._counted()
        self._rises += [now] * max(0, count - self._count)
        self._count = count

    def proof_of(self, process: int, now: float) -> str:
        """Return what proves that a process which is dead by SIGKILL was killed by the kernel; else nothing.

        Parameters
        ----------
        process
            The id that it had.
        now
            Monotonic time, in seconds.
        """
        self.look(now)
        self._rises = [at for at in self._rises if now - at < _STALE_S]
        is_named = self._is_named(process)
        if self._rises:
            self._rises.pop(0)
            return "its control group counts the kill (oom_kill)"
        return "the kernel's log names it" if is_named else ""

    def close(self) -> None:
        """Give the descriptor back."""
        if self._log >= 0:
            os.close(self._log)
            self._log = -1

    def _counted(self) -> int:
        if self._counter is not None:
            with suppress(OSError, ValueError, IndexError):
                for line in self._counter.read_text().splitlines():
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        return 0

    def _is_named(self, process: int) -> bool:
        killed = re.compile(rb"Killed process %d \(" % process)
        found = False
        while self._log >= 0:
            try:
                record = os.read(self._log, 8192)
            except BrokenPipeError:
                continue  # it was written faster than we read: the oldest are gone
            except OSError:
                break
            if not record:
                break
            found = found or killed.search(record) is not None
        return found


def _counter(cgroup: Path, proc: Path) -> Path | None:
    """Return the file that counts: of our own group, or of the one that is mounted for us."""
    found = None
    for group in memory_groups(cgroup, proc):
        for name in _COUNTERS:
            with suppress(OSError):
                if "oom_kill " in (group / name).read_text():
                    found = found or group / name
    return found


def _open_log(kmsg: Path, proc: Path) -> int:
    try:
        if os.readlink(proc / "self/ns/pid") != _FIRST_PID_NAMESPACE:
            return -1
        log = os.open(kmsg, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        os.lseek(log, 0, os.SEEK_END)
    except OSError:
        os.close(log)
        return -1
    return log
