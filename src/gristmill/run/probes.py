"""Where a plan is tried, to learn whether it is the script that fails or single files: places all over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gristmill.engine.contract import Span

#: So many places that fail alike, while nothing has succeeded, are the script's fault.
PLACES = 20
#: At least so many of them must be spread over the whole plan: its beginning may be bad.
SPREAD = 10


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A mini-batch that may be tried."""

    span: Span
    alone: list[int]
    """Its items that are to be tried alone; none: it is tried as a whole."""


def spread_candidates(
    mini_batches: Sequence[int],
    item_count: Callable[[int], int],
    takes_apart: bool,
    wanted: int = PLACES,
) -> list[Candidate]:
    """Choose what is to be tried of some mini-batches.

    Parameters
    ----------
    mini_batches
        In plan order.
    item_count
        Gives the items of a mini-batch.
    takes_apart
        Whether single files may be tried; otherwise whole mini-batches.
    wanted
        How many files, or mini-batches; fewer where there are not so many.

    Returns
    -------
    list of Candidate
        In an order in which each beginning and each end of it is spread over the plan.
    """
    each = -(-wanted // max(1, len(mini_batches)))
    found = []
    for at in spread_order(len(mini_batches)):
        mini_batch = mini_batches[at]
        items = item_count(mini_batch)
        count = min(each, items)
        alone = [number * items // count for number in range(count)] if takes_apart and items > 1 else []
        found.append(Candidate(span=Span(mini_batch), alone=alone))
    return found


def spread_order(count: int) -> list[int]:
    """Return the numbers below ``count``, so ordered that the first few are far from each other."""
    bits = max(1, (count - 1).bit_length())
    return sorted(range(count), key=lambda number: int(f"{number:0{bits}b}"[::-1], 2))
