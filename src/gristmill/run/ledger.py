"""The ledger: the state of a job, as the fold of its journal.

The running job feeds it every record that it writes; a resumed job feeds it the records that it reads.
Either way the state is the same (a property test says so), which is why start and resume are one code.
Each mini-batch ends in exactly one state: scored, short, failed, or not run.
"""

from __future__ import annotations

from gristmill.engine.contract import Farewell, Reason, Scored, Span
from gristmill.run.divided import DividedBatches
from gristmill.run.intervals import Intervals
from gristmill.run.records import (
    Divided,
    FailedTry,
    JobColumns,
    Key,
    Modules,
    PlanComplete,
    Published,
    PublishedFile,
    Record,
    Revoked,
    Start,
    key_of,
)
from gristmill.run.setbacks import Setbacks
from gristmill.run.tally import Tally


class Ledger:
    """What is known of a job: ranges by state, counts, tries, columns, publication."""

    def __init__(self) -> None:
        self.fence = 0
        """Number of the latest start."""
        self.run_ids: list[str] = []
        """Marks of all runs, in order; processes of earlier ones may still be about."""
        self.revoked: set[Key] = set()
        """Records whose end state is void."""
        self.part_ends: dict[int, int] = {}
        """By part, how long it must be for all that is recorded, in bytes; from a rerun on, for what is
        recorded since: the rest is in the output that it replaces."""
        self.farewells: list[Farewell] = []
        """What workers left at their ends; from a rerun on, what they have left since."""
        self.scored = Intervals()
        """Mini-batches that returned, short ones included, and those that ended in parts."""
        self.failed = Intervals()
        """Mini-batches that failed for good."""
        self.attempts: dict[int, int] = {}
        """Mini-batch → tries used up, for those that are to be tried again as a whole."""
        self.divided = DividedBatches()
        """Mini-batches that are taken apart."""
        self.setbacks = Setbacks()
        """Tries that were cut short by us: they use up no try."""
        self.tally = Tally()
        """Which items failed, by class, in the order in which they did."""
        self.items_succeeded = 0
        self.items_missing = 0
        """Items of short ranges that have no result; nobody can know which."""
        self.items_failed = 0
        """Items of ranges that failed for good."""
        self.tries_failed = 0
        """Failed tries in all, those that were repeated included."""
        self.run_seconds = 0.0
        """Time in ``run()``, all workers together."""
        self.columns: list[tuple[str, ...]] = []
        """Columns by header id less one."""
        self.column_types: list[tuple[str, ...]] = []
        """The types of these columns, by header id less one; none where the output has no types."""
        self.header_lines: list[str] = []
        """The lines that stand above rows with these columns, by header id less one."""
        self.modules: dict[str, str] = {}
        """The script's own modules: path → SHA-256."""
        self.plan: PlanComplete | None = None
        self.published: Published | None = None
        """The output, once it is published; None again while failed items are being scored again."""
        self.earlier: Published | None = None
        """The output that stands while failed items are being scored again, and that a new one replaces."""
        self.published_files: dict[str, PublishedFile] = {}
        """Files that scripts append to, as they were published last."""
        self.held: dict[int, dict[Span, Scored]] = {}
        """By part, outcomes that count only once its worker has closed a file, or has said goodbye."""
        self.first_short: Scored | None = None
        """The first range with fewer results than items."""
        self.first_failure: FailedTry | None = None
        """The first range that failed for good, or else the first failed try: its message is the job's."""

    @property
    def items_done(self) -> int:
        """Items that are in an end state."""
        return self.items_succeeded + self.items_missing + self.items_failed

    @property
    def items_not_succeeded(self) -> int:
        """Items that count against the error threshold."""
        return self.items_missing + self.items_failed

    def is_done(self, mini_batch: int) -> bool:
        """Say whether a mini-batch is in an end state."""
        return mini_batch in self.scored or mini_batch in self.failed

    def is_recorded(self, mini_batch: int, first_item: int) -> bool:
        """Say whether the range of a mini-batch that begins with this item is in an end state."""
        return self.is_done(mini_batch) or self.divided.is_ended_at(mini_batch, first_item)

    def apply(self, record: Record) -> None:
        """Take in one record."""
        if isinstance(record, Scored):
            self._apply_scored(record)
        elif isinstance(record, FailedTry):
            self._apply_failed(record)
        elif isinstance(record, Start):
            self._apply_start(record)
        elif isinstance(record, Revoked):
            self._apply_revoked(record)
        elif isinstance(record, JobColumns):
            self.columns.append(record.names)
            self.header_lines.append(record.line)
            self.column_types.append(record.types)
        elif isinstance(record, Modules):
            if record.is_anew:
                self.modules = {}
            self.modules.update(record.modules)
        elif isinstance(record, PlanComplete):
            self.plan = record
        elif isinstance(record, Published):
            self.published = record
        elif isinstance(record, PublishedFile):
            self.published_files[record.name] = record
        elif isinstance(record, Divided):
            self.attempts.pop(record.span.first, None)
            self.divided.divide(record)
            self.setbacks.divide(record)
        elif isinstance(record, Farewell):
            self.held.pop(record.part, None)
            self.farewells.append(record)

    def _apply_scored(self, scored: Scored) -> None:
        span = scored.span
        if not span.items or self.divided.ended(span, scored.total):
            self.scored.add(span.first, span.first + span.batches)
        if scored.held:
            self.held.setdefault(scored.part, {})[span] = scored
        elif self.held:
            self.held.pop(scored.part, None)
        self.items_succeeded += scored.succeeded
        self.items_missing += scored.total - scored.succeeded
        if scored.succeeded < scored.total:
            self.tally.add(Reason.MISSING_RESULT, scored.total - scored.succeeded, self.items_done)
        if self.first_short is None and scored.succeeded < scored.total:
            self.first_short = scored
        self.run_seconds += scored.seconds
        end = scored.offset + scored.length + scored.attached
        if scored.length + scored.attached and end > self.part_ends.get(scored.part, 0):
            self.part_ends[scored.part] = end
        if self.attempts and scored.attempt > 1:
            for mini_batch in range(span.first, span.first + span.batches):
                self.attempts.pop(mini_batch, None)

    def _apply_failed(self, failed: FailedTry) -> None:
        first = failed.span.first
        self.tries_failed += 1
        self.run_seconds += failed.seconds
        if self.setbacks.take(failed):
            return
        if self.first_failure is None or (failed.final and not self.first_failure.final):
            self.first_failure = failed
        if not failed.span.items:
            self._apply_failed_whole(failed)
        elif not failed.final:
            self.divided.tried(failed.span, failed.attempt)
        else:
            self._count_failed(failed)
            if self.divided.failed_for_good(failed.span, failed.items):
                self.scored.add(first, first + 1)

    def _apply_failed_whole(self, failed: FailedTry) -> None:
        first = failed.span.first
        if failed.final:
            self.failed.add(first, first + 1)
            self._count_failed(failed)
            self.attempts.pop(first, None)
        else:
            self.attempts[first] = failed.attempt

    def _count_failed(self, failed: FailedTry) -> None:
        self.items_failed += failed.items
        self.tally.add(Reason(failed.reason), failed.items, self.items_done)

    def _apply_revoked(self, revoked: Revoked) -> None:
        first, end = revoked.span.first, revoked.span.first + revoked.span.batches
        self.revoked.add(key_of(revoked))
        self._forget_held(revoked)
        if revoked.span.items:
            self._revoke_part(revoked)
        elif not revoked.total:  # the mini-batch is another one now
            self.divided.forget(first)
            self.setbacks.forget(first)
        elif first in self.failed:
            self.failed.remove(first, end)
            self.items_failed -= revoked.total
        elif first in self.attempts:
            del self.attempts[first]
        elif first in self.scored:
            self.scored.remove(first, end)
            self.items_succeeded -= revoked.succeeded
            self.items_missing -= revoked.total - revoked.succeeded

    def _revoke_part(self, revoked: Revoked) -> None:
        first = revoked.span.first
        if first in self.scored:
            self.scored.remove(first, first + 1)
        if revoked.span in self.divided.failed:
            self.items_failed -= revoked.total
        else:
            self.items_succeeded -= revoked.succeeded
            self.items_missing -= revoked.total - revoked.succeeded
        self.divided.open_again(revoked.span, revoked.total)

    def _forget_held(self, revoked: Revoked) -> None:
        held = self.held.get(revoked.part)
        if held and held.pop(revoked.span, None) and not held:
            del self.held[revoked.part]

    def _apply_start(self, start: Start) -> None:
        self.fence = start.fence
        self.run_ids.append(start.run_id)
        if start.rerun:
            self.first_short = None
            if self.published is not None:
                self.earlier, self.published = self.published, None
                self.part_ends, self.farewells = {}, []
        if start.retry_failed:
            self.failed = Intervals()
            self.items_failed = 0
            self.attempts = {}
            self.setbacks.count_anew()
            self.tally.clear()
            for mini_batch in self.divided.retry_failed():
                if mini_batch in self.scored:
                    self.scored.remove(mini_batch, mini_batch + 1)
            self.first_failure = None
