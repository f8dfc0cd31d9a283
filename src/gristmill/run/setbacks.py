"""Setbacks: tries that were cut short by us, and are nobody's fault (contract, section 5.7).

It is part of the ledger, and like it the fold of the journal; so no kill makes the count begin anew.
"""

from __future__ import annotations

from gristmill.engine.contract import Reason, Span
from gristmill.run.records import Divided, FailedTry

#: A range has so many setbacks that use up no try; any further one is an ordinary failed try.
MOST_SETBACKS = 3


class Setbacks:
    """How often each range was cut short, and which ranges need a node for themselves."""

    def __init__(self) -> None:
        self._counts: dict[Span, int] = {}
        self._alone: set[Span] = set()

    def __eq__(self, other: object) -> bool:
        """Say whether the state is the same: the fold of the same records."""
        return isinstance(other, Setbacks) and vars(self) == vars(other)

    def are_used_up(self, span: Span) -> bool:
        """Say whether one more counts as an ordinary failed try."""
        return self._counts.get(span, 0) >= MOST_SETBACKS

    def needs_node(self, span: Span) -> bool:
        """Say whether a range is to be run alone on its node."""
        return span in self._alone

    @property
    def whole_batches(self) -> set[int]:
        """The mini-batches that were cut short as a whole."""
        return {span.first for span in (*self._counts, *self._alone) if not span.items}

    def take(self, failed: FailedTry) -> bool:
        """Take a failed try; return whether it is a setback, which uses up no try."""
        if failed.reason != Reason.INFRASTRUCTURE.value:
            return False
        span = failed.span
        if failed.alone_next:
            self._alone.add(span)
        is_setback = not self.are_used_up(span)
        self._counts[span] = self._counts.get(span, 0) + 1
        return is_setback

    def divide(self, divided: Divided) -> None:
        """Let the parts of a range that needs a node for itself have one, too."""
        span = divided.span
        if span in self._alone:
            self._alone |= {Span(span.first, 1, first_item, items) for first_item, items in divided.parts}

    def count_anew(self) -> None:
        """Give every range new tries; what needs a node for itself still does."""
        self._counts.clear()

    def forget(self, mini_batch: int) -> None:
        """Forget a mini-batch: it is another one now."""
        self._counts = {span: count for span, count in self._counts.items() if span.first != mini_batch}
        self._alone = {span for span in self._alone if span.first != mini_batch}
