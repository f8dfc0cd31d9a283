"""A task that is to be alone on its node: it waits until all others rest, and they wait until it is done."""

from __future__ import annotations

from collections.abc import Sequence

from gristmill.engine.contract import Event, NotStarted, Task
from gristmill.engine.supervisor import Supervisor
from gristmill.engine.worker_state import State


class Solitude:
    """Holds the task that waits, or knows the worker that runs it; there is one at a time."""

    def __init__(self) -> None:
        self._waiting: Task | None = None
        self._host: Supervisor | None = None

    @property
    def is_wanted(self) -> bool:
        """Say whether nobody may be handed anything else."""
        return self._waiting is not None or self.host is not None

    @property
    def host(self) -> Supervisor | None:
        """The worker that runs the task, until it has answered, or died."""
        host = self._host
        if host is not None and (host.state is State.DEAD or not host.outstanding_batches):
            self._host = None
        return self._host

    @property
    def waiting_batches(self) -> int:
        """How many mini-batches wait."""
        return 0 if self._waiting is None else self._waiting.span.batches

    def ask(self, task: Task) -> None:
        """Let a task wait until it can be alone."""
        assert not self.is_wanted, "submit() without room()"
        self._waiting = task

    def seek(self, alive: Sequence[Supervisor]) -> tuple[Supervisor | None, list[Event]]:
        """Bring the others to rest, and hand the task over once they do.

        What waits in their queues is taken back; what runs ends, or runs out of time; one that is still
        loading comes to be ready, or fails: nobody is waited for without an end.

        Returns
        -------
        Supervisor or None
            The worker that was handed the task now.
        list of Event
            What was taken back.
        """
        events: list[Event] = []
        if self._waiting is None:
            return None, events
        for supervisor in alive:
            events.extend(supervisor.recall_if_stuck(0.0))
        if any(s.state is State.LOADING or s.outstanding_batches or s.is_being_killed for s in alive):
            return None, events
        host = next((supervisor for supervisor in alive if supervisor.takes_work), None)
        if host is not None:
            host.submit(self._waiting)
            self._waiting, self._host = None, host
        return host, events

    def give_back(self) -> list[Event]:
        """Answer a task that still waits: it is not started."""
        if self._waiting is None:
            return []
        task, self._waiting = self._waiting, None
        return [NotStarted(task.span, task.attempt, task.alone)]
