"""Kills that nobody has chosen: nothing is lost, nothing is there twice (design, promise 2 and P7).

40 kills in every test run, 200 more under ``--all``; ``benchmarks/kills.py`` does as many as are asked for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.random_kills import killed_at_random

_KILLS_EACH = 5
#: Chosen so that together they have every kind of job; the first has 1,000 mini-batches.
_SEEDS = range(1, 9)
_MORE_SEEDS = range(100, 140)


@pytest.mark.parametrize("seed", [*_SEEDS, *(pytest.param(n, marks=pytest.mark.slow) for n in _MORE_SEEDS)])
def test_whoever_is_killed_at_whatever_moment_nothing_is_lost_or_there_twice(
    seed: int, tmp_path: Path, long_listing: Path
) -> None:
    outcome = killed_at_random(tmp_path, seed, _KILLS_EACH, lambda: long_listing)
    assert (outcome.problems, outcome.struck) == ([], outcome.struck)
    assert outcome.kills == _KILLS_EACH
    assert (outcome.lost, outcome.twice, outcome.processes_left, outcome.folders_left) == (0, 0, 0, 0)
    assert outcome.identical == outcome.verified == outcome.jobs
