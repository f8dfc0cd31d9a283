"""The work that a worker owes us: tasks in the order in which they were handed out, less what is answered."""

from __future__ import annotations

from collections import deque

from gristmill.engine.contract import Event, NotStarted, Task


class OwedWork:
    """Tasks that were handed to one worker and are not answered yet."""

    def __init__(self) -> None:
        self._tasks: deque[Task] = deque()
        self.batches = 0
        """Mini-batches that are not answered."""
        self.handed_out = 0
        """Mini-batches that were ever handed out: the ordinal of the next one."""

    def add(self, task: Task) -> None:
        """Hand out a task."""
        self._tasks.append(task)
        self.batches += task.span.batches
        self.handed_out += task.span.batches

    def begins_with(self, mini_batch: int, first_item: int = 0) -> bool:
        """Say whether the next answer must be about this mini-batch, or this part of it."""
        if not self._tasks:
            return False
        span = self._tasks[0].span
        return (span.first, span.first_item) == (mini_batch, first_item)

    def answer(self, batches: int) -> None:
        """Strike so many answered mini-batches off, from the front."""
        self.batches -= batches
        while batches:
            task = self._tasks[0]
            span = task.span
            answered = min(batches, span.batches)
            if answered == span.batches:
                self._tasks.popleft()
            else:
                rest = span._replace(first=span.first + answered, batches=span.batches - answered)
                self._tasks[0] = task._replace(span=rest)
            batches -= answered

    def take_back(self, begin: int, count: int) -> list[Event]:
        """Take ``count`` mini-batches back, after leaving out the first ``begin``.

        Returns
        -------
        list of Event
            One `NotStarted` for each piece of a task that was taken back.
        """
        kept: deque[Task] = deque()
        events: list[Event] = []
        end, position = begin + count, 0
        for task in self._tasks:
            span = task.span
            low = min(max(begin - position, 0), span.batches)
            high = min(max(end - position, 0), span.batches)
            for start, stop, is_taken in ((0, low, False), (low, high, True), (high, span.batches, False)):
                if start < stop:
                    piece = span._replace(first=span.first + start, batches=stop - start)
                    if is_taken:
                        events.append(NotStarted(piece, task.attempt, task.alone))
                    else:
                        kept.append(task._replace(span=piece))
            position += span.batches
        self._tasks = kept
        self.batches -= count
        return events
