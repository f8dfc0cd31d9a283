"""What this process and the processes that it started have used so far: processor time, reading, waiting.

All of it counts up, so that two looks say what lay between them. Threads are included, and so are children,
those that are alive as well as those that are gone.
"""

import os
import resource
import time
from typing import Iterator, List, NamedTuple

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
#: In ``/proc/<pid>/stat``, counted from the state: user and system time, of itself and of its dead children.
_FIRST_TIME, _TIMES = 11, 4


class Effort(NamedTuple):
    """A look at the counters."""

    at: float
    """Monotonic time, which all processes of a machine share, in seconds."""
    cpu_s: float
    """Processor time."""
    stalled_s: float
    """How long the main thread was ready to run and had no core: what others took from it."""
    read_bytes: int
    """What came from a disk, and not from the page cache."""

    @classmethod
    def now(cls) -> "Effort":
        """Look."""
        gone = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = time.process_time() + gone.ru_utime + gone.ru_stime
        cpu_s += sum(_cpu_ticks(child) for child in _descendants()) / _TICKS_PER_S
        return cls(time.monotonic(), cpu_s, _stalled_s(), _read_bytes())

    def since(self, before: "Effort") -> "Effort":
        """Return what lies between an earlier look and this one; ``at`` is the span."""
        return Effort(
            self.at - before.at,
            max(0.0, self.cpu_s - before.cpu_s),
            max(0.0, self.stalled_s - before.stalled_s),
            max(0, self.read_bytes - before.read_bytes),
        )


def _descendants() -> Iterator[int]:
    waiting = [os.getpid()]
    while waiting:
        for child in _children(waiting.pop()):
            waiting.append(child)
            yield child


def _children(process: int) -> List[int]:
    found: List[int] = []
    try:
        for thread in os.listdir("/proc/%d/task" % process):
            with open("/proc/%d/task/%s/children" % (process, thread), "rb") as file:
                found += map(int, file.read().split())
    except OSError:
        pass  # it has ended, or this kernel does not tell
    return found


def _cpu_ticks(process: int) -> int:
    try:
        with open("/proc/%d/stat" % process, "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0  # it has ended: its parent has its time now
    return sum(map(int, fields[_FIRST_TIME : _FIRST_TIME + _TIMES]))


def _stalled_s() -> float:
    try:
        with open("/proc/self/schedstat", "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0  # this kernel does not tell


def _read_bytes() -> int:
    try:
        with open("/proc/self/io", "rb") as file:
            return next((int(line[11:]) for line in file if line.startswith(b"read_bytes:")), 0)
    except OSError:
        return 0
