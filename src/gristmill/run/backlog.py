"""The backlog: what is still to be run, and in which order it is handed out."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Container

from gristmill.engine.contract import Span, Task
from gristmill.run.ledger import Ledger
from gristmill.run.window import Window


class Backlog:
    """Fresh mini-batches in plan order; before them what came back, and what is to be tried again.

    The fresh ones of a stretch whose sizes are known come largest first (see `Window`). At the start
    everything that the ledger says is done is left out, so that a resumed job goes on.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._done = ledger
        self._next = 0
        """The first mini-batch of those that are neither handed out nor in the window."""
        self._window = Window()
        self._ready: deque[Task] = deque()
        self._holders: set[str] = set()
        """Who wants nothing to be handed out that was not put back, or is to be tried again."""
        self._withheld: dict[str, list[Task]] = {}
        """By holder, what is handed out once that one releases it."""
        cut_short = {one for one in ledger.setbacks.whole_batches if not ledger.is_done(one)}
        whole = sorted(({*ledger.attempts} | cut_short) - {*ledger.divided.left})
        self._tried = sorted({*whole, *ledger.divided.left})
        for mini_batch in whole:
            self._ready.append(self._task(Span(mini_batch), ledger.attempts.get(mini_batch, 0) + 1))
        for span, tries in sorted(ledger.divided.pending.items()):
            self._ready.append(self._task(span, tries + 1))

    def hold_fresh(self, holder: str) -> None:
        """Hand out nothing that was not put back, or is to be tried again, until the holder's `release`."""
        self._holders.add(holder)

    def withhold_all_but(self, spans: Container[Span], holder: str) -> None:
        """Keep what was put back, or is to be tried again, until `release`; these spans excepted."""
        kept = self._withheld.setdefault(holder, [])
        kept += [task for task in self._ready if task.span not in spans]
        self._ready = deque(task for task in self._ready if task.span in spans)

    def withhold(self, span: Span, holder: str) -> None:
        """Take a span that is to be run for the first time, but not before `release`."""
        self._withheld.setdefault(holder, []).append(self._task(span, 1))

    def release(self, holder: str) -> None:
        """Hand out what the holder withheld, and fresh mini-batches unless another one holds them."""
        self._holders.discard(holder)
        self.release_withheld(holder)

    def release_withheld(self, holder: str) -> bool:
        """Hand out what the holder withheld, and go on holding what is fresh; return whether it was any."""
        withheld = self._withheld.pop(holder, [])
        self._ready.extend(withheld)
        return bool(withheld)

    def put_back(self, span: Span, attempt: int) -> None:
        """Take back work that was handed out and not begun; it goes first."""
        self._ready.appendleft(self._task(span, attempt))

    def retry(self, span: Span, attempt: int) -> None:
        """Take a span that is to be tried again, as try number ``attempt``."""
        self._ready.append(self._task(span, attempt))

    @property
    def unordered_from(self) -> int:
        """The first mini-batch that may still be handed out in plan order."""
        return self._next

    def lowest(self, known: int) -> int:
        """Return the first mini-batch that was never handed out; ``known`` where there is none."""
        lowest = self._window.lowest
        return self._gap(known)[0] if lowest is None else lowest

    @property
    def in_window(self) -> int:
        """How many mini-batches are left of those that come largest first."""
        return len(self._window)

    @property
    def begins_large(self) -> bool:
        """Whether the next task is a mini-batch that was put before others for its size."""
        return not self._ready and not self._holders and self._window.begins_large

    def order(self, sizes: array[int], first: int, least: float) -> None:
        """Let fresh mini-batches come largest first.

        Parameters
        ----------
        sizes
            The sizes of consecutive mini-batches: all that are in the window, and those that follow.
        first
            The number of the mini-batch that the first size belongs to.
        least
            Mini-batches that are smaller than this come behind the others, in plan order.
        """
        end = first + len(sizes)
        fresh = self._window.left()
        while True:
            begin, stop = self._gap(end)
            if begin == stop:
                break
            fresh.extend(range(begin, stop))
            self._next = stop
        self._next = max(self._next, end)
        self._window.fill(fresh, sizes, first, least)

    def fresh(self, known: int, most: int) -> list[int]:
        """Take some mini-batches that were never handed out, spread over the rest of the plan."""
        self._gap(known)  # leaves `_next` at the first of them
        window, rest = self._window.left(), range(self._next, known)
        count = len(window) + len(rest)
        places = (number * count // most for number in range(most)) if count > most else range(count)
        chosen = [window[at] if at < len(window) else rest[at - len(window)] for at in places]
        tried = set(self._tried)
        found = [one for one in dict.fromkeys(chosen) if not self._done.is_done(one) and one not in tried]
        for one in found:
            self._window.discard(one)
        self._tried = sorted({*self._tried, *found})
        return found

    def take_fresh(self, mini_batch: int) -> bool:
        """Take one mini-batch that was never handed out; return whether it was such a one."""
        if self._window.discard(mini_batch):
            insort(self._tried, mini_batch)
            return True
        at = bisect_left(self._tried, mini_batch)
        if mini_batch < self._next or self._tried[at : at + 1] == [mini_batch]:
            return False
        insort(self._tried, mini_batch)
        return True

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
        return None if self._holders else self._fresh(most, known)

    def remaining(self, known: int) -> int:
        """Return about how many mini-batches are left to hand out."""
        waiting = sum(task.span.batches for task in self._ready)
        return waiting + len(self._window) + max(0, known - self._next)

    def _task(self, span: Span, attempt: int) -> Task:
        return Task(span, attempt, alone=self._done.setbacks.needs_node(span))

    def _fresh(self, most: int, known: int) -> Task | None:
        if self._window:
            return Task(Span(*self._window.take(most)))
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
            at = bisect_left(self._tried, begin)
            tried = self._tried[at] if at < len(self._tried) else known
            if begin < min(end, tried):
                return begin, min(end, tried)
            # Not beyond what is known: the plan may still grow there.
            self._next = min(known, begin + 1 if tried == begin else max(begin, self._next + 1))
        return known, known
