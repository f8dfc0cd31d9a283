"""The seats of a crew: who sits where, who would take work, and which seat is to be filled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gristmill.engine.contract import Load
from gristmill.engine.supervisor import Supervisor
from gristmill.engine.worker_state import State
from gristmill_worker.slot import Slot


@dataclass
class Seat:
    """A slot of the crew: who sits there, or when somebody is to."""

    slot: Slot
    supervisor: Supervisor | None = None
    start_at: float | None = None
    """When somebody is to sit there, as monotonic time; None: nobody, or somebody does."""
    given_up: bool = False


class Seats:
    """All of them, by the number of the worker."""

    def __init__(self) -> None:
        self._seats: list[Seat] = []

    def __getitem__(self, worker: int) -> Seat:
        return self._seats[worker]

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats)

    def add(self, slots: Path, count: int) -> None:
        """Make so many, which are to be filled at once.

        Raises
        ------
        OSError
            The file of the slots cannot be mapped.
        """
        for worker in range(count):
            self._seats.append(Seat(Slot(str(slots), worker), start_at=0.0))

    def alive(self) -> list[Supervisor]:
        """Return all workers that are there."""
        return [seat.supervisor for seat in self._seats if seat.supervisor is not None]

    def neediest(self) -> Supervisor | None:
        """Return the worker that has the least to do of those that take work."""
        best: Supervisor | None = None
        for seat in self._seats:
            supervisor = seat.supervisor
            if (
                supervisor is not None
                and supervisor.takes_work
                and (best is None or supervisor.outstanding_batches < best.outstanding_batches)
            ):
                best = supervisor
        return best

    def due(self, now: float, most: int) -> list[int]:
        """Return which seats are to be filled now, ``most`` of them."""
        found = [
            worker
            for worker, seat in enumerate(self._seats)
            if seat.supervisor is None and seat.start_at is not None and seat.start_at <= now
        ]
        return found[:most]

    def load(self, waiting_batches: int) -> Load:
        """Return how busy the workers are, with what waits to be alone."""
        supervisors = self.alive()
        return Load(
            workers=sum(not seat.given_up for seat in self._seats),
            ready=sum(s.state is State.READY for s in supervisors),
            idle=sum(s.takes_work and not s.outstanding_batches for s in supervisors),
            running=sum(s.outstanding_batches for s in supervisors) + waiting_batches,
        )

    def close(self) -> None:
        """Give the slots back; there are no seats any more."""
        for seat in self._seats:
            seat.slot.close()
        self._seats.clear()
