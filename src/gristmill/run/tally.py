"""The tally: which items failed, by class, in the order in which they came to their ends.

It is part of the ledger, and like it the fold of the journal; rules that stop a job look at it.
"""

from __future__ import annotations

from bisect import bisect_right

from gristmill.engine.contract import Reason
from gristmill.spec.rule_kinds import LARGEST_WINDOW
from gristmill.spec.stop_rules import FailureClass

#: Which class a failure belongs to; a script that fails on everything is found out by `triage`.
CLASSES = {
    Reason.EXCEPTION: FailureClass.DATA,
    Reason.WORKER_DIED: FailureClass.DATA,
    Reason.BAD_RETURN: FailureClass.SCRIPT,
    Reason.MISSING_RESULT: FailureClass.SCRIPT,
    Reason.TIMEOUT: FailureClass.TIME,
    Reason.MEMORY: FailureClass.MEMORY,
    Reason.INFRASTRUCTURE: FailureClass.INFRASTRUCTURE,
}
_KEPT_AT_LEAST = 1024


class Tally:
    """Failed items since the job was begun, or since its failed ranges were last given new tries."""

    def __init__(self) -> None:
        self._sums: dict[FailureClass | None, int] = {}
        """By class, and of all classes together."""
        self._ends: list[int] = []
        """For each of the latest failures, how many items were done with it."""
        self._items: list[int] = []
        """How many items it has."""
        self._before: list[dict[FailureClass | None, int]] = []
        """The sums before it."""
        self._classes: list[FailureClass] = []

    def __eq__(self, other: object) -> bool:
        """Say whether the state is the same: the fold of the same records."""
        return isinstance(other, Tally) and vars(self) == vars(other)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has failed."""
        return not self._sums

    def add(self, reason: Reason, items: int, done: int) -> None:
        """Add failed items.

        Parameters
        ----------
        reason
            Why they failed.
        items
            How many.
        done
            How many items have come to their ends, these included.
        """
        failures = CLASSES[reason]
        self._ends.append(max(done, self._ends[-1] if self._ends else 0))
        self._items.append(items)
        self._before.append(dict(self._sums))
        self._classes.append(failures)
        for one in (failures, None):
            self._sums[one] = self._sums.get(one, 0) + items
        if len(self._ends) >= 2 * _KEPT_AT_LEAST:
            self._forget(done - LARGEST_WINDOW)

    def failed(self, failures: FailureClass | None, window: int | None, done: int) -> int:
        """Return how many items have failed.

        Parameters
        ----------
        failures
            The class that counts; None: all.
        window
            How many items that ended last are looked at, at most `LARGEST_WINDOW`; None: all.
        done
            How many items have come to their ends.
        """
        total = self._sums.get(failures, 0)
        if window is None or not total:
            return total
        begin = done - window
        at = bisect_right(self._ends, begin)
        if at == len(self._ends):
            return 0
        inside = total - self._before[at].get(failures, 0)
        if failures in (None, self._classes[at]):  # its range may have begun before the window
            inside -= max(0, self._items[at] - (self._ends[at] - begin))
        return inside

    def clear(self) -> None:
        """Count anew."""
        self._sums, self._ends, self._items, self._before, self._classes = {}, [], [], [], []

    def _forget(self, position: int) -> None:
        """Forget, one by one, the failures that no window can reach any more."""
        at = bisect_right(self._ends, position)
        if at >= _KEPT_AT_LEAST:
            del self._ends[:at], self._items[:at], self._before[:at], self._classes[:at]
