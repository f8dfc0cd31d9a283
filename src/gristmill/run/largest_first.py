"""Largest first: what is known of the sizes of mini-batches decides which of them are started first.

Where the plan was cut by size, it knows them. Elsewhere files are asked for their sizes in the coordinator's
idle time, a few milliseconds at once, and only once ``run()`` is seen to take long. Only a window of the plan
is put in order, of what is listed so far, so that memory stays flat and little of the output has to wait.
This module must not know how work is handed out.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Generator

from gristmill.engine.contract import Scored
from gristmill.plan.batches import NAMES_ASKED_AT_ONCE
from gristmill.plan.file_sizes import FileSizes
from gristmill.run import policy
from gristmill.run.backlog import Backlog
from gristmill.run.growing_plan import Plan
from gristmill.run.ledger import Ledger

LEARNING_SLICE_S = 0.002
"""How long one pass may spend on asking for the sizes of files, when nothing else is to be done."""

_HOLDER = "largest first"


class LargestFirst:
    """Learns the sizes of mini-batches, and keeps the window of the backlog filled."""

    def __init__(self, plan: Plan, backlog: Backlog, ledger: Ledger, *, wanted: bool | None) -> None:
        """Put the collaborators together.

        Parameters
        ----------
        wanted
            Whether the largest are to come first; None: where it costs nothing.
        """
        self._plan = plan
        self._backlog = backlog
        self._ledger = ledger
        self._wanted = wanted
        self._is_quick = plan.manifest.sizes_of(0, 0) is not None
        """Whether the plan knows the sizes, so that no file need be asked."""
        self._first = 0
        """The mini-batch that the first size belongs to."""
        self._sizes: array[int] = array("Q")
        """The sizes of consecutive mini-batches, in bytes."""
        self._work: Generator[None, None, None] | None = None
        self._next_look = 0
        """The window is looked at again once so few are left in it."""
        self._seen = 0
        """Mini-batches of the plan at the last look."""
        self._seen_complete = False
        self._bytes = 0
        self._seconds = 0.0
        self._least = 1.0
        self._is_held = bool(wanted)
        if wanted:
            backlog.hold_fresh(_HOLDER)

    @property
    def is_due(self) -> bool:
        """Whether there is something to learn, or to be put in order."""
        if self._wanted is False:
            return False
        if self._work is not None:
            return True
        backlog, known = self._backlog, self._plan.mini_batches
        if backlog.unordered_from >= known or not (self._is_quick or self._is_worth_it):
            return False
        left = backlog.in_window
        has_grown = known - self._seen >= max(1, left // 2)
        return left <= self._next_look or has_grown or self._plan.complete > self._seen_complete

    def look(self) -> bool:
        """Put in order what the plan knows itself; return whether there is something to learn in idle time.

        Raises
        ------
        PlanError
            The plan is damaged.
        """
        if self.is_due and self._is_quick:
            self.advance(0.0)
        return self.is_due

    @property
    def _is_worth_it(self) -> bool:
        ledger = self._ledger
        return bool(self._wanted) or policy.may_ask_for_sizes(ledger.run_seconds, ledger.items_done)

    def advance(self, budget_s: float = LEARNING_SLICE_S) -> None:
        """Learn for about so long, at least a moment; then put in order what is known.

        Raises
        ------
        PlanError
            The plan is damaged.
        """
        if self._work is None:
            self._work = self._fill()
        deadline = time.perf_counter() + budget_s
        for _ in self._work:
            if time.perf_counter() >= deadline:
                return
        self._work = None

    def note(self, scored: Scored) -> None:
        """Learn from a result how long a byte takes."""
        at = scored.span.first - self._first
        if scored.span.items or not 0 <= at < len(self._sizes):
            return
        size = sum(self._sizes[at : at + scored.span.batches])
        if not size:
            return  # nobody has asked
        self._bytes += size
        self._seconds += scored.seconds
        least = policy.least_to_be_ordered(self._seconds, self._bytes)
        if self._backlog.in_window and not self._least / 2 <= least <= self._least * 2:
            self._order()

    def _fill(self) -> Generator[None, None, None]:
        """Learn the sizes of the next window, with a pause after each bounded piece of it."""
        plan, backlog = self._plan, self._backlog
        self._seen, self._seen_complete = plan.mini_batches, plan.complete
        lowest = backlog.lowest(plan.mini_batches)
        self._forget_below(lowest)
        end = policy.window_end(lowest, plan.mini_batches, plan.complete)
        known = plan.manifest.sizes_of(self._end, end - self._end) if end > self._end else None
        if known is not None:
            self._sizes.extend(known)
        while self._end < end:
            yield from self._ask(self._end)
        is_more = self._end > backlog.unordered_from
        if is_more:
            self._order()
        self._next_look = backlog.in_window // 2

    @property
    def _end(self) -> int:
        return self._first + len(self._sizes)

    def _forget_below(self, lowest: int) -> None:
        if self._end <= lowest:
            self._first, self._sizes = lowest, array("Q")
        elif lowest > self._first:
            del self._sizes[: lowest - self._first]
            self._first = lowest

    def _ask(self, mini_batch: int) -> Generator[None, None, None]:
        size = 0
        if mini_batch >= self._backlog.unordered_from and not self._ledger.is_done(mini_batch):
            manifest = self._plan.manifest
            ask, names = FileSizes(manifest.root), manifest.paths_of(mini_batch)
            for begin in range(0, len(names), NAMES_ASKED_AT_ONCE):
                size += sum(ask(b"", names[begin : begin + NAMES_ASKED_AT_ONCE]))
                yield
        self._sizes.append(size if self._wanted else policy.telling_size(size))

    def _order(self) -> None:
        self._least = policy.least_to_be_ordered(self._seconds, self._bytes)
        self._backlog.order(self._sizes, self._first, self._least)
        if self._is_held:
            self._is_held = False
            self._backlog.release(_HOLDER)
