"""Triage: what follows a failed try, until the file that is to blame is alone (contract, section 5.3).

It applies what `policy` decides. As long as nothing has succeeded it is careful: when the first mini-batches
all fail alike, single files from many places of the plan are tried before any more is taken apart. If they
fail alike too, it is the script's fault, and a million files are not halved one after the other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from gristmill.engine.contract import Failed, Reason, Span
from gristmill.run import policy
from gristmill.run.backlog import Backlog
from gristmill.run.growing_plan import Plan
from gristmill.run.job_folder import utc_now
from gristmill.run.ledger import Ledger
from gristmill.run.records import Divided, FailedTry, Record
from gristmill.spec.values import ErrorThreshold, Settings

#: So many mini-batches that fail alike, with nothing succeeded, make us look elsewhere.
ALIKE_AT_FIRST = 3
#: Places of the plan from which single files are tried then.
PROBES = 20


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The settings that decide."""

    max_retries: int
    error_threshold: ErrorThreshold
    isolates: bool = True
    """Whether mini-batches are taken apart."""

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """Return the rules of a deployment: ``max_retries: 0`` says that ``run()`` must not be repeated."""
        isolates = settings.isolate_failures
        return cls(
            max_retries=settings.max_retries,
            error_threshold=settings.error_threshold,
            isolates=settings.max_retries > 0 if isolates is None else isolates,
        )


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
        self._isolates = rules.isolates
        self._is_settled = bool(ledger.items_succeeded or ledger.divided.left)
        """Whether something has succeeded, or it is known that nothing does."""
        self._suspended: list[Failed] = []
        """What is to be taken apart once it is known whose fault it is."""
        self._probes: set[Span] = set()
        self._probes_failed: list[Failed] = []
        self._paused: list[Span] = []
        """Parts that wait for the verdict."""
        self.verdict = ""
        """Why the job is to be stopped, in words; empty while it is not."""

    def take(self, failed: Failed) -> None:
        """Take a try that has failed."""
        span = failed.span
        decision = policy.after_failure(
            policy.FailedRange(
                items=self._items(span),
                is_part=bool(span.items),
                attempt=failed.attempt,
                reason=failed.reason,
            ),
            self._rules.max_retries,
            self._isolates,
        )
        if decision is policy.AfterFailure.DIVIDE and not self._is_settled:
            self._suspended.append(failed)
            self.look_elsewhere()
            return
        self._apply(failed, decision)
        if span in self._probes:
            self._probes.discard(span)
            self._probes_failed.append(failed)
            if not self._probes and not self._is_settled:
                self._judge()

    def something_succeeded(self) -> None:
        """It is not the script's fault: what waits is taken apart."""
        if not self._is_settled:
            self._settle()

    def nothing_else_to_do(self) -> None:
        """There is no other mini-batch to wait for: what is suspended is taken apart."""
        if self._suspended and not self._probes:
            self._settle()

    def look_elsewhere(self) -> None:
        """Begin to try single files from many places, if the first mini-batches have all failed alike."""
        suspended = self._suspended
        known = self._plan.mini_batches
        enough = min(ALIKE_AT_FIRST, known) if self._plan.complete else ALIKE_AT_FIRST
        if self._is_settled or self._probes or len(suspended) < enough:
            return
        if len({_kind(failed) for failed in suspended}) > 1:
            self._settle()
            return
        self._backlog.holds_fresh = True
        self._suspended = []
        places = [failed.span.first for failed in suspended]
        fresh = self._backlog.fresh(known, PROBES - len(places))
        each = -(-PROBES // max(1, len(places) + len(fresh)))
        for failed in suspended:
            self._record_try(failed, is_final=False)
        for mini_batch in (*places, *fresh):
            self._probe(mini_batch, each)

    def _probe(self, mini_batch: int, singles: int) -> None:
        """Take a mini-batch apart into single files to be tried now, and the rest, which waits."""
        span, items = Span(mini_batch), self._plan.manifest.item_count(mini_batch)
        alone = [number * items // min(singles, items) for number in range(min(singles, items))]
        if items == 1:
            self._probes.add(span)
            self._backlog.put_back(span, 1)
            return
        for part in self._divided(span, alone):
            if part.items == 1 and part.first_item in alone:
                self._probes.add(part)
                self._backlog.put_back(part, 1)
            else:
                self._paused.append(part)

    def _judge(self) -> None:
        """All probes have failed: if alike, it is the script's fault."""
        kinds = {_kind(failed) for failed in self._probes_failed}
        threshold = self._rules.error_threshold
        may_stop = threshold.fraction is not None or (threshold.items is not None and threshold.items >= 0)
        if len(kinds) > 1:
            self._settle()
        elif may_stop:
            self._is_settled = True
            self.verdict = (
                f"{len(self._probes_failed)} files from as many places of the input were tried alone, and "
                "each failed in the same way: it is the fault of the script, or of the model, not of files"
            )
        else:
            self._isolates = False
            self._settle()

    def _settle(self) -> None:
        """Go on as usual: what was suspended is taken apart, what waited is run."""
        self._is_settled = True
        self._backlog.holds_fresh = False
        suspended, self._suspended = self._suspended, []
        for failed in suspended:
            decides = policy.AfterFailure.DIVIDE if self._isolates else policy.AfterFailure.GIVE_UP
            self._apply(failed, decides)
        paused, self._paused = self._paused, []
        for part in paused:
            self._backlog.retry(part, 1)

    def _apply(self, failed: Failed, decision: policy.AfterFailure) -> None:
        span = failed.span
        self._record_try(failed, is_final=decision is policy.AfterFailure.GIVE_UP)
        if decision is policy.AfterFailure.RETRY:
            self._backlog.retry(span, failed.attempt + 1)
        elif decision is policy.AfterFailure.GIVE_UP:
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
            )
        )

    def _items(self, span: Span) -> int:
        return span.items or self._plan.manifest.item_count(span.first)

    def _suspects(self, failed: Failed) -> list[int]:
        """Return the item that the script opened last, if it is one of the mini-batch."""
        root = os.fsencode(self._plan.manifest.root)
        opened = os.fsencode(failed.opened)
        if not opened.startswith(root):
            return []
        name = opened[len(root) :].lstrip(b"/")
        names = self._plan.manifest.paths_of(failed.span.first)
        return [names.index(name)] if name in names else []


def _kind(failed: Failed) -> tuple[Reason, str]:
    """Tell failures that are alike: the reason, and of an exception its class."""
    is_exception = failed.reason is Reason.EXCEPTION
    return failed.reason, failed.message.partition(":")[0] if is_exception else ""
