"""The most memory that workers had, from their performance logs (``logs/perf/<node>/process000.csv``).

The engine writes them while a job runs, so they tell of running, killed and ended jobs alike.
"""

from __future__ import annotations

import csv
from pathlib import Path

_COLUMN = "peak_bytes"


def peaks_of(logs: Path) -> dict[int, int]:
    """Return the most memory that each worker had, over all starts of the job.

    Parameters
    ----------
    logs
        The job's folder of logs.

    Returns
    -------
    dict
        Worker → bytes; those of which nothing is known are not in it.
    """
    peaks: dict[int, int] = {}
    for path in sorted(logs.glob("perf/*/process*.csv")):
        worker = path.stem.removeprefix("process")
        peak = _peak_in(path)
        if worker.isdigit() and peak:
            peaks[int(worker)] = max(peak, peaks.get(int(worker), 0))
    return peaks


def _peak_in(path: Path) -> int:
    try:
        with open(path, encoding="ascii", errors="replace", newline="") as file:
            found = [row.get(_COLUMN) or "0" for row in csv.DictReader(file)]
    except OSError:
        return 0
    return max((int(one) for one in found if one.isdigit()), default=0)
