"""The canary: some items from all over the plan that are scored before all others (contract, section 5 ➕).

Whether it is alive is told by the ledger alone, so a resumed job goes on in the middle of it. It must not
know how its items are run.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from gristmill.engine.contract import Span
from gristmill.run import policy
from gristmill.run.backlog import Backlog
from gristmill.run.growing_plan import Plan
from gristmill.run.ledger import Ledger
from gristmill.run.probes import Candidate, spread_candidates
from gristmill.run.progress import End, Ending
from gristmill.run.records import Divided, Record
from gristmill.run.triage import Rules

_HOLDER = "canary"


class _State(Enum):
    WAITING = "for the end of the listing"
    RUNNING = "its items are run"
    OVER = "over"


class Canary:
    """Holds the job back until its first items have been scored."""

    def __init__(
        self,
        *,
        plan: Plan,
        ledger: Ledger,
        backlog: Backlog,
        rules: Rules,
        record: Callable[[Record], None],
    ) -> None:
        """Put the collaborators together; ``record`` writes a record down, and applies it to the ledger."""
        self._plan = plan
        self._ledger = ledger
        self._backlog = backlog
        self._rules = rules
        self._record = record
        self._spans: set[Span] = set()
        self._state = _State.WAITING if rules.canary else _State.OVER
        self.notice = ""
        """What is to be told; empty where nothing is."""
        if rules.canary:
            backlog.hold_fresh(_HOLDER)

    @property
    def is_over(self) -> bool:
        """Whether the job may run everything."""
        return self._state is _State.OVER

    def look(self) -> Ending | None:
        """Look how far it is; return how the job ends if too many of its items have failed."""
        if self._state is _State.WAITING and self._plan.complete:
            self._begin()
        if self._state is not _State.RUNNING or not all(map(self._has_ended, self._spans)):
            return None
        ledger, rules = self._ledger, self._rules
        failed, done = ledger.items_not_succeeded, ledger.items_done
        if done and failed == done:
            what = f"all {done:,} items that were to be scored first (the canary) have failed"
            return Ending(end=End.SCRIPT, message=what)
        broken = policy.broken_by_canary(rules.error_threshold, rules.stop_when, ledger.tally, failed, done)
        if broken:
            return Ending(end=End.RULE, message=broken)
        self._release()
        self.notice = (
            f"canary: {done - failed:,} of {done:,} items from all over the input have results; "
            "now the rest is scored"
        )
        return None

    def _begin(self) -> None:
        """Choose the items, unless there are no others, or the job is past them."""
        plan, rules = self._plan, self._rules
        if plan.items <= rules.canary:
            self._release()
            return
        size = -(-plan.items // plan.mini_batches)
        count = min(plan.mini_batches, rules.canary if rules.isolates else -(-rules.canary // size))
        chosen = [number * plan.mini_batches // count for number in range(count)]
        items = plan.manifest.item_count
        candidates = spread_candidates(chosen, items, rules.isolates, rules.canary)
        for one in candidates:
            self._spans |= {one.span, *_singles(one)} - ({one.span} if one.alone else set())
        ended = sum(span.items or items(span.first) for span in self._spans if self._has_ended(span))
        if self._ledger.items_done > ended:  # more has been scored: it was alive, in an earlier start
            self._release()
            return
        for one in candidates:
            self._take(one)
        self._backlog.withhold_all_but(self._spans, _HOLDER)
        self._state = _State.RUNNING

    def _take(self, candidate: Candidate) -> None:
        """Put the items of a mini-batch into the backlog, unless an earlier start has done so."""
        span, singles = candidate.span, _singles(candidate)
        if self._ledger.is_done(span.first) or not self._backlog.take_fresh(span.first):
            return
        if not singles:
            self._backlog.retry(span, 1)
            return
        parts = policy.parts_of(0, self._plan.manifest.item_count(span.first), candidate.alone)
        self._record(Divided(span, parts))
        for first_item, items in parts:
            self._backlog.retry(Span(span.first, 1, first_item, items), 1)

    def _has_ended(self, span: Span) -> bool:
        divided = self._ledger.divided
        if span.items and span.first in divided:
            return span not in divided.pending
        return self._ledger.is_done(span.first)

    def _release(self) -> None:
        self._state = _State.OVER
        self._backlog.release(_HOLDER)


def _singles(candidate: Candidate) -> set[Span]:
    return {Span(candidate.span.first, 1, item, 1) for item in candidate.alone}
