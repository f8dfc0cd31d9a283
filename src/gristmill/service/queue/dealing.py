"""Who is to run what, decided: jobs in their turn, slots, and how many of them there may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gristmill.service.queue.line import Waiter


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A slot, as far as it matters here."""

    number: int
    job: str | None
    """What it runs; None: it is free."""
    warm: frozenset[str]
    """The deployments that it keeps workers for."""


@dataclass(frozen=True, kw_only=True)
class Deal:
    """A job that is to begin now."""

    job: str
    seat: int | None
    """In which slot; None: in a new one."""


def deal(
    waiters: Sequence[Waiter],
    seats: Sequence[Seat],
    most: int,
    not_before: Mapping[str, float],
    now: float,
) -> list[Deal]:
    """Say which jobs are to begin, and where.

    Parameters
    ----------
    waiters
        Who waits or runs, in their turn.
    seats
        The slots that there are.
    most
        How many jobs may run at once, those of slots whose runner has died included.
    not_before
        When jobs may be tried again that could not begin, in seconds of the clock.
    now
        The time of that clock.

    Returns
    -------
    list of Deal
        None is dealt twice, and no slot gets two. A job goes to the slot that has workers for its deployment;
        else a new slot is wanted before workers are sent away that others may need.
    """
    ours = {seat.job for seat in seats if seat.job is not None}
    elsewhere = sum(one.is_worked_on and one.name not in ours for one in waiters)
    free = [seat for seat in seats if seat.job is None]
    spare = max(0, most - len(seats))
    room = most - len(ours) - elsewhere
    dealt: list[Deal] = []
    for one in waiters:
        if len(dealt) >= room:
            break
        if one.is_worked_on or one.name in ours or not_before.get(one.name, now) > now:
            continue
        seat = _seat_for(one, free, is_room=spare > 0)
        if seat is None and not spare:
            break
        if seat is None:
            spare -= 1
        else:
            free.remove(seat)
        dealt.append(Deal(job=one.name, seat=None if seat is None else seat.number))
    return dealt


def _seat_for(one: Waiter, free: Sequence[Seat], *, is_room: bool) -> Seat | None:
    for seat in free:
        if one.deployment in seat.warm:
            return seat
    for seat in free:
        if not seat.warm:
            return seat
    return None if is_room or not free else free[0]
