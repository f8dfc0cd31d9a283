"""Mini-batches that are taken apart: which of their parts are still to be run, and which have failed.

It is part of the ledger, and like it the fold of the journal.
"""

from __future__ import annotations

from gristmill.engine.contract import Span
from gristmill.run.records import Divided


class DividedBatches:
    """The parts of all mini-batches that were ever taken apart."""

    def __init__(self) -> None:
        self.pending: dict[Span, int] = {}
        """Part → tries used up, for those that are to be run."""
        self.left: dict[int, int] = {}
        """Mini-batch → items that are in no end state, while there are any."""
        self.failed: dict[Span, int] = {}
        """Parts that failed for good → items."""

    def __eq__(self, other: object) -> bool:
        """Say whether the state is the same: the fold of the same records."""
        return isinstance(other, DividedBatches) and vars(self) == vars(other)

    def __contains__(self, mini_batch: int) -> bool:
        """Say whether a mini-batch is being taken apart."""
        return mini_batch in self.left

    def is_ended_at(self, mini_batch: int, first_item: int) -> bool:
        """Say whether the part of a divided mini-batch that begins with this item is in an end state."""
        return mini_batch in self.left and not any(
            span.first == mini_batch and span.first_item <= first_item < span.first_item + span.items
            for span in self.pending
        )

    def divide(self, divided: Divided) -> None:
        """Run these parts in place of a span."""
        span = divided.span
        self.pending.pop(span, None)
        if not span.items:
            self.left[span.first] = sum(items for _, items in divided.parts)
        for first_item, items in divided.parts:
            self.pending[Span(span.first, 1, first_item, items)] = 0

    def tried(self, span: Span, attempt: int) -> None:
        """A part has failed, and is to be tried again or taken apart."""
        self.pending[span] = attempt

    def ended(self, span: Span, items: int) -> bool:
        """A part has returned, or failed for good; return whether that was the last of its mini-batch."""
        self.pending.pop(span, None)
        self.left[span.first] = left = self.left.get(span.first, items) - items
        if left > 0:
            return False
        del self.left[span.first]
        return True

    def failed_for_good(self, span: Span, items: int) -> bool:
        """A part has failed for good; return whether that was the last of its mini-batch."""
        self.failed[span] = items
        return self.ended(span, items)

    def open_again(self, span: Span, items: int) -> None:
        """The end state of a part is void: it is to be run as if it never had been."""
        self.failed.pop(span, None)
        self.pending[span] = 0
        self.left[span.first] = self.left.get(span.first, 0) + items

    def retry_failed(self) -> list[int]:
        """Give every part that failed for good new tries; return the mini-batches that are open again."""
        opened = sorted({span.first for span in self.failed})
        for span, items in list(self.failed.items()):
            self.open_again(span, items)
        for span in self.pending:
            self.pending[span] = 0
        return opened

    def forget(self, mini_batch: int) -> bool:
        """Forget that a mini-batch was taken apart; return whether it was."""
        parts = [span for span in (*self.pending, *self.failed) if span.first == mini_batch]
        for span in parts:
            self.pending.pop(span, None)
            self.failed.pop(span, None)
        return self.left.pop(mini_batch, None) is not None or bool(parts)
