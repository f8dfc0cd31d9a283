"""The backlog: what is still to be run, and in which order it is handed out."""

from __future__ import annotations

from collections import deque

from gristmill.engine.contract import Span, Task
from gristmill.run.ledger import Ledger


class Backlog:
    """Fresh mini-batches in plan order; before them what came back, and what is to be tried again.

    At the start everything that the ledger says is done is left out, so that a resumed job goes on.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._done = ledger
        self._next = 0
        self._ready: deque[Task] = deque()
        self._tried = sorted({*ledger.attempts, *ledger.divided.left})
        self.holds_fresh = False
        """Whether nothing is handed out that was not put back, or is to be tried again."""
        for mini_batch, tries in sorted(ledger.attempts.items()):
            self._ready.append(Task(Span(mini_batch), tries + 1))
        for span, tries in sorted(ledger.divided.pending.items()):
            self._ready.append(Task(span, tries + 1))

    def put_back(self, span: Span, attempt: int) -> None:
        """Take back work that was handed out and not begun; it goes first."""
        self._ready.appendleft(Task(span, attempt))

    def retry(self, span: Span, attempt: int) -> None:
        """Take a span that is to be tried again, as try number ``attempt``."""
        self._ready.append(Task(span, attempt))

    def fresh(self, known: int, most: int) -> list[int]:
        """Take some mini-batches that were never handed out, spread over the rest of the plan."""
        self._gap(known)  # leaves `_next` at the first of them
        rest = range(self._next, known)
        chosen = [rest[number * len(rest) // most] for number in range(most)] if len(rest) > most else rest
        tried = set(self._tried)
        found = [one for one in dict.fromkeys(chosen) if not self._done.is_done(one) and one not in tried]
        self._tried = sorted({*self._tried, *found})
        return found

    def take(self, most: int, known: int) -> Task | None:
        """Hand out the next task.

        Parameters
        ----------
        most
            How many mini-batches it may have.
        known
            How many mini-batches the plan has so far.

        Returns
        -------
        Task or None
            None when there is nothing to hand out now.
        """
        if self._ready:
            task = self._ready.popleft()
            span = task.span
            if span.batches > most:
                rest = span._replace(first=span.first + most, batches=span.batches - most)
                self._ready.appendleft(task._replace(span=rest))
                task = task._replace(span=span._replace(batches=most))
            return task
        return None if self.holds_fresh else self._fresh(most, known)

    def remaining(self, known: int) -> int:
        """Return about how many mini-batches are left to hand out."""
        return sum(task.span.batches for task in self._ready) + max(0, known - self._next)

    def _fresh(self, most: int, known: int) -> Task | None:
        begin, end = self._gap(known)
        if begin == end:
            return None
        end = min(end, begin + most)
        self._next = end
        return Task(Span(begin, end - begin))

    def _gap(self, known: int) -> tuple[int, int]:
        """Return the next interval that was neither done, nor tried, nor handed out before."""
        while self._next < known:
            begin, end = self._done.scored.gap(self._next, known)
            begin, stop = self._done.failed.gap(begin, known)
            end = min(end, stop)
            for mini_batch in self._tried:  # few: those that had failed tries when the job was resumed
                if mini_batch == begin:
                    begin += 1
                elif begin < mini_batch < end:
                    end = mini_batch
            if begin < end:
                return begin, end
            self._next = max(begin, self._next + 1)
        return known, known
