"""Coverage: every item of the plan is in exactly one end state, and every row belongs to one of them.

One pass over the journal, flat in memory: what was scored and what was published are compared by a sum that
does not depend on the order; only where the sums differ are the ranges looked for one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gristmill.engine.contract import Farewell, Scored, Span
from gristmill.plan.manifest import Manifest
from gristmill.run.intervals import Intervals
from gristmill.run.journal import read_journal
from gristmill.run.problem import Findings
from gristmill.run.records import Placed, Published, Start, key_of
from gristmill.run.replay import History

_NEW_JOB = "the journal is not what was written: score the input again, as a new job"
_MASK = (1 << 64) - 1


@dataclass(kw_only=True)
class Recorded:
    """What the journal says was scored, and published last, added up."""

    headers: set[int] = field(default_factory=set)
    """Ids of the columns that rows have."""
    files: int = 0
    """Whole files that scripts left."""
    scored: int = 0
    """The sum over (range, length, CRC) of rows that were scored."""
    scored_ranges: int = 0
    """The sum over the ranges alone."""
    placed: int = 0
    placed_ranges: int = 0
    scored_crcs: int = 0
    """The sum over (range, CRC): what is the same in a file whose ranges are counted in rows."""
    placed_crcs: int = 0
    publication: int = -1
    """Where in the journal the records of the last publication begin; -1: there was none."""
    published_at: int = -1
    """Where its last record stands: what comes behind it belongs to none."""

    def take_scored(self, scored: Scored) -> None:
        """Add the rows of a range."""
        self.files += scored.files
        if scored.length:
            self.headers.add(scored.header)
            self.scored_ranges = self.scored_ranges + _sum(scored.span) & _MASK
            self.scored_crcs = self.scored_crcs + _sum((scored.span, scored.crc)) & _MASK
            self.scored = self.scored + _sum((scored.span, scored.length, scored.crc)) & _MASK


def check_coverage(
    journal: Path, history: History, manifest: Manifest | None, findings: Findings, *, is_complete: bool
) -> Recorded:
    """Check that no item is in two end states and, of a complete job, that each is in one.

    Parameters
    ----------
    journal
        The job's journal.
    history
        What was read from it.
    manifest
        The plan; None where it is missing or damaged, which leaves only sums to be made.
    findings
        Takes what is wrong.
    is_complete
        Whether every item must be in an end state.

    Raises
    ------
    JournalError
        The journal cannot be read.
    """
    recorded = Recorded()
    cover = _Cover(manifest, findings) if manifest is not None else None
    start = placed = placed_ranges = placed_crcs = 0
    for record, _, position in read_journal(journal):
        if isinstance(record, Scored):
            if key_of(record) not in history.revoked:
                recorded.take_scored(record)
                if cover is not None:
                    cover.take(record)
        elif isinstance(record, Placed):
            placed_ranges = placed_ranges + _sum(record.span) & _MASK
            placed = placed + _sum((record.span, record.length, record.crc)) & _MASK
            placed_crcs = placed_crcs + _sum((record.span, record.crc)) & _MASK
        elif isinstance(record, Start):
            start, placed, placed_ranges, placed_crcs = position, 0, 0, 0
        elif isinstance(record, Published):
            recorded.publication, recorded.published_at = start, position
            recorded.placed, recorded.placed_ranges = placed, placed_ranges
            recorded.placed_crcs = placed_crcs
        elif isinstance(record, Farewell):
            recorded.files += record.files
    if cover is not None:
        cover.take_failed(history)
        if is_complete:
            cover.conclude()
    return recorded


class _Cover:
    """Which items are in an end state."""

    def __init__(self, manifest: Manifest, findings: Findings) -> None:
        self._manifest = manifest
        self._findings = findings
        self._seen = Intervals()

    def take(self, scored: Scored) -> None:
        span, findings = scored.span, self._findings
        if not self._is_in_plan(span):
            return
        begin, items = self._items_of(span)
        if scored.total != items:
            findings.add(
                "wrong_count",
                f"{findings.words(span)} is recorded with {scored.total} items, and the plan says otherwise",
                _NEW_JOB,
                span=span,
            )
        if self._seen.add(begin, begin + items) != items:
            findings.add(
                "scored_twice", f"{findings.words(span)} is recorded as scored twice", _NEW_JOB, span=span
            )

    def take_failed(self, history: History) -> None:
        for span in _failed(history):
            if not self._is_in_plan(span):
                continue
            begin, items = self._items_of(span)
            if self._seen.add(begin, begin + items) != items:
                words = self._findings.words(span)
                what = f"{words} is recorded as scored and as failed"
                self._findings.add("scored_and_failed", what, _NEW_JOB, span=span)

    def conclude(self) -> None:
        """Every item must have been seen."""
        manifest, start = self._manifest, 0
        while not self._findings.is_enough("no_end_state"):
            begin, end = self._seen.gap(start, manifest.items)
            if begin == end:
                return
            first = manifest.mini_batch_of(begin)
            first_item = manifest.items_before(first)
            start = min(end, first_item + manifest.item_count(first))
            span = Span(first, 1, begin - first_item, start - begin)
            if span.items == manifest.item_count(first):
                span = Span(first)
            missing = manifest.items - self._seen.count
            self._findings.add(
                "no_end_state",
                f"{self._findings.words(span)} is in no end state ({missing:,} items in all are not)",
                _NEW_JOB,
                span=span,
            )

    def _is_in_plan(self, span: Span) -> bool:
        end = span.first + span.batches
        items = self._manifest.item_count(span.first) if end <= self._manifest.mini_batches else -1
        if items >= 0 and span.first_item + span.items <= items:
            return True
        words = self._findings.words(span)
        what = f"{words} is recorded, and the plan has no such range"
        self._findings.add("unknown_range", what, _NEW_JOB, span=span)
        return False

    def _items_of(self, span: Span) -> tuple[int, int]:
        """Return the first item of a range, counted over the whole plan, and how many there are."""
        begin = self._manifest.items_before(span.first) + span.first_item
        return begin, span.items or self._manifest.item_count(span.first, span.batches)


def _failed(history: History) -> Iterator[Span]:
    for first, end in history.ledger.failed:
        yield from (Span(mini_batch) for mini_batch in range(first, end))
    yield from history.ledger.divided.failed


def _sum(what: tuple[object, ...]) -> int:
    return hash(what) & _MASK
