"""Triage: what follows a failed try, until the file that is to blame is alone (contract, section 5.3).

It applies what `policy` decides. As long as nothing has succeeded it is careful: it tries a few places of the
whole plan (see `probes`) before it takes anything apart or repeats it. If all of them fail alike, it is the
script's fault, and a million files are not halved one after the other.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gristmill.engine.contract import Failed, Reason, Span
from gristmill.plan.row_counting import RowSplit
from gristmill.run import policy
from gristmill.run.backlog import Backlog
from gristmill.run.growing_plan import Plan
from gristmill.run.job_folder import utc_now
from gristmill.run.ledger import Ledger
from gristmill.run.probes import PLACES, SPREAD, Candidate, spread_candidates
from gristmill.run.records import Divided, FailedTry, Record
from gristmill.spec.stop_rules import FailureClass, StopRule
from gristmill.spec.values import ErrorThreshold, Settings

#: Where the plan has no more places, so many that failed alike are enough for a verdict.
FEWEST_PLACES = 3
#: Of a mini-batch of rows so many are found alone, however bad it is; after that only while most are good.
MOST_BAD_ROWS = 32
_HOLDER = "triage"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The settings that decide."""

    max_retries: int
    error_threshold: ErrorThreshold
    isolates: bool = True
    """Whether mini-batches are taken apart."""
    canary: int = 0
    """How many items, spread over the plan, are scored before all others."""
    stop_when: tuple[StopRule, ...] = ()
    """What else stops the job."""
    counts_rows: bool = False
    """Whether the items of tabular files are rows."""
    largest_first: bool | None = False
    """Whether the largest mini-batches are started first; None: where it costs nothing."""

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """Return the rules of a deployment: ``max_retries: 0`` says that ``run()`` must not be repeated."""
        isolates = settings.isolate_failures
        return cls(
            max_retries=settings.max_retries,
            error_threshold=settings.error_threshold,
            isolates=settings.max_retries > 0 if isolates is None else isolates,
            canary=settings.canary or 0,
            stop_when=settings.stop_when,
            counts_rows=RowSplit.of(settings) is not None,
            largest_first=settings.largest_first,
        )

    @property
    def may_stop(self) -> bool:
        """Whether a script that fails on everything may be stopped."""
        threshold = self.error_threshold
        has_limit = threshold.fraction is not None or (threshold.items is not None and threshold.items >= 0)
        rules = any(rule.failures in (None, FailureClass.SCRIPT) for rule in self.stop_when)
        return has_limit or rules or self.canary > 0


class Triage:
    """Takes failed tries, and hands out what is to be run because of them."""

    def __init__(
        self,
        *,
        plan: Plan,
        ledger: Ledger,
        backlog: Backlog,
        rules: Rules,
        record: Callable[[Record], None],
        give_up: Callable[[Span], None],
    ) -> None:
        """Put the collaborators together.

        Parameters
        ----------
        record
            Writes a record down, and applies it to the ledger.
        give_up
            Told of each range that has failed for good.
        """
        self._plan = plan
        self._ledger = ledger
        self._backlog = backlog
        self._rules = rules
        self._record = record
        self._give_up = give_up
        self._suspected: dict[int, list[int]] = {}
        """Mini-batch → items that were tried alone because they had been opened last."""
        self._bad_rows: Counter[int] = Counter()
        """Mini-batch → its rows that have failed alone, once or for good."""
        self._lost_rows: Counter[int] = Counter()
        """Mini-batch → its rows that have failed for good, alone or not."""
        self._isolates = rules.isolates
        self._is_settled = bool(ledger.items_succeeded)
        """Whether something has succeeded, or it is known that nothing does."""
        self._places: set[Span] = set()
        """Ranges that have failed since the start, while nothing has succeeded."""
        self._kind: tuple[Reason, str] | None = None
        self._first: Span | None = None
        """The first of these, which is repeated as often as it may be; the others wait."""
        self._first_is_done = False
        self._suspended: list[Failed] = []
        """What is to be repeated or taken apart once it is known whose fault it is."""
        self._candidates: list[Candidate] | None = None
        """Places that may be tried, the next one last; None: not chosen yet."""
        self._singles: list[Span] = []
        """Files that are taken out of their mini-batches, to be tried now; the next one last."""
        self._probes: set[Span] = set()
        self.verdict = ""
        """Why the job is to be stopped, in words; empty while it is not."""

    def take(self, failed: Failed) -> None:
        """Take a try that has failed."""
        span = failed.span
        if failed.reason is Reason.INFRASTRUCTURE and not self._ledger.setbacks.are_used_up(span):
            self._record_try(failed, is_final=False)
            self._backlog.put_back(span, failed.attempt)
            return
        decision = self._decided(failed)
        if self._is_settled:
            self._apply(failed, decision)
            return
        if self._kind not in (None, _kind(failed)):
            self._apply(failed, decision)
            self._settle()
            return
        self._kind = _kind(failed)
        self._places.add(span)
        if self._first is None:
            self._first = span
        is_first = span == self._first
        self._hold_back_all_but({self._first, *self._probes})
        if decision is policy.AfterFailure.GIVE_UP or (is_first and decision is policy.AfterFailure.RETRY):
            self._apply(failed, decision)
        else:
            self._suspended.append(failed)
        if is_first and decision is not policy.AfterFailure.RETRY:
            self._first_is_done = True
        if self._has_enough():
            self._judge()

    def something_succeeded(self) -> None:
        """It is not the script's fault: what waits is taken apart, and so is what fails from now on."""
        self._isolates = self._rules.isolates
        if not self._is_settled:
            self._settle()

    def probe(self, running: int) -> bool:
        """Put a file, or a mini-batch, from another place of the plan into the backlog.

        Parameters
        ----------
        running
            Mini-batches that are handed out and not answered.

        Returns
        -------
        bool
            Whether there is one: something has failed, nothing has succeeded, and there are too few places
            that have been tried.
        """
        if self._is_settled or not self._places or not self._plan.complete:
            return False
        if len(self._probes) >= SPREAD and len(self._places) + running >= PLACES:
            return False
        if self._candidates is None:
            self._backlog.hold_fresh(_HOLDER)
            fresh = self._backlog.fresh(self._plan.mini_batches, PLACES)
            items = self._plan.manifest.item_count
            self._candidates = spread_candidates(fresh, items, self._isolates)
        if not self._singles and not self._take_out():
            return False
        span = self._singles.pop()
        self._probes.add(span)
        self._backlog.retry(span, 1)
        return True

    def nothing_else_to_do(self) -> None:
        """Nothing is running, and there is nothing to be handed out: it is time to judge."""
        if self._is_settled or not self._places:
            return
        if len(self._places) < PLACES and self._backlog.release_withheld(_HOLDER):
            return
        if self._isolates and len(self._places) >= FEWEST_PLACES:
            self._judge()
        else:
            self._settle()

    def _take_out(self) -> bool:
        """Take files out of the next candidate, or else out of a mini-batch that has failed as a whole."""
        if self._candidates:
            candidate = self._candidates.pop()
            if not candidate.alone:
                self._singles.append(candidate.span)
                return True
            self._divide_around(candidate.span, candidate.alone)
            return True
        if not self._isolates:
            return False
        for failed in self._suspended:
            items = self._items(failed.span)
            if items > 1 and not self._blamed(failed):  # else it is known which files are to be alone
                self._suspended.remove(failed)
                self._record_try(failed, is_final=False)
                wanted = min(items, PLACES)
                first = failed.span.first_item
                self._divide_around(failed.span, [first + n * items // wanted for n in range(wanted)])
                return True
        return False

    def _divide_around(self, span: Span, alone: list[int]) -> None:
        """Take a range apart into single files to be tried now, and the rest, which waits."""
        chosen = set(alone)
        for part in reversed(self._divided(span, alone)):
            if part.items == 1 and part.first_item in chosen:
                self._singles.append(part)
            else:
                self._backlog.withhold(part, _HOLDER)

    def _hold_back_all_but(self, spans: set[Span]) -> None:
        can_probe = self._plan.complete and self._isolates  # else whole mini-batches, as well in plan order
        if can_probe or len(self._places) >= PLACES - SPREAD:
            self._backlog.hold_fresh(_HOLDER)
            if not self._rules.canary:
                self._backlog.withhold_all_but(spans, _HOLDER)

    def _has_enough(self) -> bool:
        """Say whether enough places have failed, and the first one as often as it may."""
        spread = self._places if self._rules.canary else self._places & self._probes
        return self._first_is_done and len(self._places) >= PLACES and len(spread) >= SPREAD

    def _judge(self) -> None:
        """Whatever was tried has failed alike: it is the script's fault."""
        if not self._rules.may_stop:
            self._isolates = False
            self._settle()
            return
        self._is_settled = True
        for failed in self._suspended:
            is_single = self._items(failed.span) == 1
            if is_single:
                self._apply(failed, policy.AfterFailure.GIVE_UP)
            else:
                self._record_try(failed, is_final=False)
        self._suspended = []
        self.verdict = (
            f"run() was tried on {len(self._places)} places of the input, and failed in the same way on each:"
            " it is the fault of the script, or of the model, not of single files"
        )

    def _settle(self) -> None:
        """Go on as usual: what was suspended is repeated or taken apart, what waited is run."""
        self._is_settled = True
        self._backlog.release(_HOLDER)
        suspended, self._suspended = self._suspended, []
        for failed in suspended:
            self._apply(failed, self._decided(failed))
        for candidate in self._candidates or ():
            self._backlog.retry(candidate.span, 1)
        for span in self._singles:
            self._backlog.retry(span, 1)
        self._candidates, self._singles = [], []

    def _decided(self, failed: Failed) -> policy.AfterFailure:
        span = failed.span
        told = policy.FailedRange(
            items=self._items(span),
            is_part=bool(span.items),
            attempt=failed.attempt,
            reason=failed.reason,
            is_blamed=bool(self._blamed(failed)),
        )
        isolates = self._isolates and not failed.is_staging and not self._is_mostly_bad(span)
        return policy.after_failure(told, self._rules.max_retries, isolates)

    def _is_mostly_bad(self, span: Span) -> bool:
        """Say whether so many rows of a mini-batch are bad that it is not worth looking for the others."""
        bad, left = self._bad_rows[span.first], self._ledger.divided.left.get(span.first)
        if bad < MOST_BAD_ROWS or left is None:
            return False
        good = self._plan.manifest.item_count(span.first) - left - self._lost_rows[span.first]
        return good <= bad

    def _apply(self, failed: Failed, decision: policy.AfterFailure) -> None:
        span = failed.span
        if self._rules.counts_rows and span.items == 1 and failed.attempt == 1:
            self._bad_rows[span.first] += 1
        self._record_try(failed, is_final=decision is policy.AfterFailure.GIVE_UP)
        if decision is policy.AfterFailure.RETRY:
            again = self._backlog.put_back if span == self._first else self._backlog.retry
            again(span, failed.attempt + 1)
        elif decision is policy.AfterFailure.GIVE_UP:
            self._lost_rows[span.first] += self._items(span) if self._rules.counts_rows else 0
            self._give_up(span)
        else:
            for part in reversed(self._divided(span, self._suspects(failed))):
                self._backlog.put_back(part, 1)

    def _divided(self, span: Span, alone: list[int]) -> list[Span]:
        """Record that a range is taken apart, and return its parts."""
        parts = policy.parts_of(span.first_item, self._items(span), alone)
        self._record(Divided(span, parts))
        return [Span(span.first, 1, first_item, items) for first_item, items in parts]

    def _record_try(self, failed: Failed, is_final: bool) -> None:
        self._record(
            FailedTry(
                failed.span,
                failed.attempt,
                failed.reason.value,
                failed.message,
                failed.traceback,
                failed.seconds,
                failed.worker,
                failed.log,
                is_final,
                self._items(failed.span),
                utc_now(),
                activity=failed.activity,
                alone_next=failed.alone_next,
            )
        )

    def _items(self, span: Span) -> int:
        return span.items or self._plan.manifest.item_count(span.first)

    def _suspects(self, failed: Failed) -> list[int]:
        """Return the items that the script blames, or else the one that it opened last.

        Not that one, where such an item of the mini-batch was good before: a script that opens all of its
        files before it works on them opens the last one last, whoever is bad.
        """
        blamed = self._blamed(failed)
        if blamed or self._was_misled(failed.span.first):
            return blamed
        opened = self._items_of([failed.opened], failed.span)
        self._suspected.setdefault(failed.span.first, []).extend(opened)
        return opened

    def _blamed(self, failed: Failed) -> list[int]:
        return self._items_of(failed.blamed, failed.span) if failed.blamed else []

    def _items_of(self, paths: Sequence[str], span: Span) -> list[int]:
        """Return the numbers of those items of a range that have one of these paths."""
        root = os.fsencode(self._plan.manifest.root)
        raw = [os.fsencode(path) for path in paths]
        names = {path[len(root) :].lstrip(b"/") for path in raw if path.startswith(root)}
        if not names:
            return []
        found, item = [], span.first_item
        for one in self._plan.manifest.inputs_of(span.first, span.first_item, span.items):
            if one.items == 1 and one.name in names:
                found.append(item)
            item += one.items
        return found

    def _was_misled(self, mini_batch: int) -> bool:
        """Say whether a file of a mini-batch was tried alone for being opened last, and has not failed."""
        divided = self._ledger.divided
        alone = (Span(mini_batch, 1, item, 1) for item in self._suspected.get(mini_batch, ()))
        return any(part not in divided.failed and not divided.pending.get(part) for part in alone)


def _kind(failed: Failed) -> tuple[Reason, str]:
    """Tell failures that are alike: the reason, and of an exception its class."""
    is_exception = failed.reason is Reason.EXCEPTION
    return failed.reason, failed.message.partition(":")[0] if is_exception else ""
