"""Measuring by turns: every round asks each contestant once, so that a change of the machine meets all."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

_Figure = TypeVar("_Figure")  # a number of seconds, as a rule
_BEGAN_S = time.monotonic()


def by_turns(
    contestants: Mapping[str, Callable[[], _Figure]], rounds: int, warm_up: int = 1
) -> dict[str, tuple[_Figure, ...]]:
    """Let contestants work by turns and return their figures.

    Parameters
    ----------
    contestants
        Name → does the work once and returns the figure. What it prepares and removes is off its own clock.
    rounds
        How many count.
    warm_up
        Rounds before those, whose figures are thrown away: caches fill, code is compiled.

    Returns
    -------
    dict
        Name → a figure for each round that counts.
    """
    figures: dict[str, list[_Figure]] = {name: [] for name in contestants}
    for number in range(-warm_up, rounds):
        for name, work in contestants.items():
            figure = work()
            if number >= 0:
                figures[name].append(figure)
    return {name: tuple(one) for name, one in figures.items()}


def seconds(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def tell(what: str) -> None:
    """Say on stderr how far the benchmark is, with the time since it began."""
    print(f"[{time.monotonic() - _BEGAN_S:6.1f} s] {what}", file=sys.stderr, flush=True)
