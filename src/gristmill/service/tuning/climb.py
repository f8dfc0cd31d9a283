"""Which mini-batch size is tried next, and when there is nothing to be learnt from a larger one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gristmill.service.tuning.cost import cost_of
from gristmill.service.tuning.facts import SizeCost

#: More files for one call than anybody wants.
LARGEST = 1024
#: Once the fixed cost of a call is a smaller part of it than this, more files win nothing.
_FIXED_SHARE = 0.01
#: A fixed cost is not known before so many sizes were seen.
_FEWEST_SIZES = 4
#: The part of the time that is left for comparing sizes; workers side by side have the rest.
_FOR_COMPARING, _LEAST_FOR_COMPARING = 0.55, 0.15
#: What these need: so many times the start of one, and some seconds.
_STARTS, _SIDE_BY_SIDE_S = 2.0, 8.0


@dataclass(frozen=True, kw_only=True)
class Room:
    """What the next size has to keep to."""

    files: int
    """Usable files of the sample."""
    seconds: float
    """The most for one call."""
    memory_bytes: int | None
    """The most for one worker; None: nobody knows."""


def next_size(seen: Sequence[SizeCost], room: Room) -> int | None:
    """Return the next size to be tried, twice the last one; None: there is no need, or no room.

    Parameters
    ----------
    seen
        What was measured so far, ascending.
    room
        What is left.
    """
    if not seen:
        return 1
    last = seen[-1]
    size = min(2 * last.size, room.files)
    if size <= last.size or size > LARGEST:
        return None
    cost = cost_of(seen)
    if max(2 * last.seconds, cost.seconds(size)) > room.seconds:
        return None
    if room.memory_bytes is not None and _expected_peak(seen, size) > room.memory_bytes:
        return None
    expected = cost.fixed_s + cost.file_s * size
    settled = len(seen) >= _FEWEST_SIZES and cost.is_linear and cost.fixed_s < _FIXED_SHARE * expected
    return None if settled or _gets_worse(seen) else size


def share_for_comparing(left_s: float, start_s: float) -> float:
    """Return which part of the time that is left goes into comparing sizes.

    Parameters
    ----------
    left_s
        Seconds.
    start_s
        Seconds for the start of a worker: enough is kept for starting others, if there is enough at all.
    """
    kept = (_STARTS * start_s + _SIDE_BY_SIDE_S) / left_s if left_s > 0 else 1.0
    return min(_FOR_COMPARING, 1 - kept) if kept < 1 - _LEAST_FOR_COMPARING else _FOR_COMPARING


def _expected_peak(seen: Sequence[SizeCost], size: int) -> float:
    """Go on as from the last size but one to the last."""
    last, before = seen[-1], seen[-2] if len(seen) > 1 else seen[-1]
    steps = max(1, last.size - before.size)
    return last.peak_bytes + max(0, last.peak_bytes - before.peak_bytes) / steps * (size - last.size)


def _gets_worse(seen: Sequence[SizeCost]) -> bool:
    """Say whether the last two sizes took longer for a file than one before."""
    per_file = [one.seconds / one.size for one in seen]
    return len(per_file) >= _FEWEST_SIZES and min(per_file[-2:]) > 1.1 * min(per_file[:-2])
