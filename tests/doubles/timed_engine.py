"""An engine on a clock of its own: each mini-batch takes as long as it is said to, and no longer.

It queues ahead as `gristmill.engine.local` does, so that a test can say when everything is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from doubles.scripted_engine import ScriptedEngine
from gristmill.engine.contract import Event, Scored, Task
from gristmill.engine.local import LARGEST_TASK, QUEUE_AHEAD_S


@dataclass(kw_only=True)
class TimedEngine(ScriptedEngine):
    """Moves from the end of one mini-batch to the end of the next."""

    seconds: Callable[[int], float] = lambda mini_batch: 1.0
    """How long a mini-batch takes."""
    began: dict[int, float] = field(default_factory=dict)
    """Worker → when it began what it does."""
    latest_s: float | None = None

    def room(self) -> int:
        needy = self._neediest()
        if needy is None:
            return 0
        if self.latest_s is None:
            return 0 if needy.outstanding else 1
        if needy.outstanding and needy.outstanding * self.latest_s >= QUEUE_AHEAD_S:
            return 0
        return max(1, min(LARGEST_TASK, int(QUEUE_AHEAD_S / self.latest_s)))

    def submit(self, task: Task) -> None:
        needy = self._neediest()
        assert needy is not None, "submit() without room()"
        if not needy.queue:
            self.began[needy.number] = self.clock
        self.depth = 1 << 30
        super().submit(task)

    def events(self, timeout_s: float) -> Sequence[Event]:
        events: list[Event] = []
        for worker in self._crew:
            if not worker.is_ready:
                self._start(worker, events)
        busy = [worker for worker in self._crew if worker.queue]
        if events or not busy:
            return events
        ends = {one.number: self.began[one.number] + self.seconds(one.queue[0].span.first) for one in busy}
        worker = min(busy, key=lambda one: ends[one.number])
        mini_batch = worker.queue[0].span.first
        self._run_next(worker, events)
        self.clock = self.began[worker.number] = ends[worker.number]
        self.latest_s = self.seconds(mini_batch)
        self._count(events)
        return [e._replace(seconds=self.latest_s) if isinstance(e, Scored) else e for e in events]
