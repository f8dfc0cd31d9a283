"""How long one call of ``run()`` may take before it is taken to hang. Pure."""

from __future__ import annotations

from gristmill.service.tuning.cost import Cost
from gristmill.service.tuning.facts import Measurements

#: A healthy call may take this many times as long as expected: a busy machine, a slow disk, an odd file.
SAFETY = 4.0
#: A limit below this saves nothing worth having, and it is what Azure takes where nothing is said.
LEAST_S = 30
_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)


def timeout_for(measured: Measurements, cost: Cost, size: int, slowdown: float) -> int:
    """Return a timeout in seconds.

    Parameters
    ----------
    measured
        What is known of single files.
    cost
        What a call takes.
    size
        Files for one call.
    slowdown
        How many times longer a call takes beside the other workers.

    Returns
    -------
    int
        A round number, at least `LEAST_S`: `SAFETY` times a call that holds the slowest file of all.
    """
    return _rounded(SAFETY * slowdown * expected_worst_s(measured, cost, size))


def expected_worst_s(measured: Measurements, cost: Cost, size: int) -> float:
    """Return the seconds of a call with so many files, one of which is the slowest there may be."""
    usual = cost.seconds(size) + measured.shares.reading_s * size
    slowest = next((one.slowest_s for one in measured.sizes if one.size == size), 0.0)
    extra = max(0.0, measured.slowest_file_s * measured.growth - cost.seconds(1))
    return max(usual + extra, slowest)


def _rounded(seconds: float) -> int:
    """Round up to what a person would have written: 30, 40, 60, 80, 100, 150, 200, …"""
    magnitude = 10
    while seconds > magnitude * _STEPS[-1]:
        magnitude *= 10
    rounded = next(int(step * magnitude) for step in _STEPS if seconds <= step * magnitude)
    return max(LEAST_S, rounded)
