"""The performance log: processor time and memory of every worker, now and then (contract, section 6).

`gristmill.run.peaks` reads the most memory from it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from gristmill.engine.launch import Assignment

EVERY_S = 5.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class PerformanceLog:
    """Appends a line per worker to ``logs/perf/<node>/process000.csv``."""

    def __init__(self, assignment: Assignment) -> None:
        self._folder = assignment.logs.parent / "perf" / assignment.node
        self._sampled_at = time.monotonic()

    def sample(self, now: float, workers: list[tuple[int, int, int, int]]) -> None:
        """Write down what each worker uses, if it is time; a log that cannot be written costs no work.

        Parameters
        ----------
        now
            Monotonic time, in seconds.
        workers
            (slot, process id, memory now, most memory so far) of each, in bytes, with the processes that it
            started.
        """
        if now - self._sampled_at >= EVERY_S:
            self._sampled_at = now
            with suppress(OSError):
                for slot, process, taken, peak in workers:
                    used = usage_of(process)
                    if used is not None:
                        self._write(slot, f"{process},{used[0]:.2f},{used[1]},{taken},{peak}")

    def note_end(self, slot: int, process: int, peak: int) -> None:
        """Write down the most memory that a worker had which is gone, in bytes; 0 where it is not known."""
        if peak:
            with suppress(OSError):
                self._write(slot, f"{process},,,,{peak}")

    def _write(self, slot: int, fields: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"process{slot:03d}.csv"
        header = "" if path.exists() else "at,process,cpu_seconds,resident_bytes,memory_bytes,peak_bytes\n"
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with open(path, "a", encoding="ascii") as log:
            log.write(f"{header}{at},{fields}\n")


def usage_of(process: int, proc: Path = Path("/proc")) -> tuple[float, int] | None:
    """Return (processor time in seconds, resident memory in bytes) of a process; None when it is gone."""
    try:
        fields = (proc / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S, int(fields[21]) * _PAGE_BYTES
