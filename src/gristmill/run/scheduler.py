"""The scheduler: the one loop of a job, and the only place where retry, thresholds and cancellation are
decided.

Plan a little, hand out work, take in outcomes, record them, put the output together; again. It knows the
engine by its contract only, and what to decide from `policy`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from gristmill.engine.contract import (
    Columns,
    Engine,
    Event,
    Failed,
    Farewell,
    Notice,
    NotStarted,
    Ready,
    Scored,
    StartFailed,
    WorkerEnded,
)
from gristmill.errors import InputError, PlanError
from gristmill.faults import reach
from gristmill.run import policy
from gristmill.run.backlog import Backlog
from gristmill.run.canary import Canary
from gristmill.run.checkpoint import Checkpoints
from gristmill.run.columns import other_columns_notice
from gristmill.run.growing_plan import Plan
from gristmill.run.journal import Journal
from gristmill.run.largest_first import LargestFirst
from gristmill.run.ledger import Ledger
from gristmill.run.outputs import Outputs
from gristmill.run.progress import End, Ending, Progress
from gristmill.run.records import JobColumns, PlanComplete, Record, Revoked
from gristmill.run.starts import Starts
from gristmill.run.triage import Rules, Triage

#: Rows and journal are made safe against a loss of power this often.
SYNC_EVERY_S = 0.5
#: How long one pass may spend on listing and planning while work is going on.
PLANNING_SLICE_S = 0.004
#: With nothing to do, a pass takes this long at most.
_PASS_S = 0.1
_PROGRESS_EVERY_S = 0.1
#: How long a cancelled job waits for workers that hold a file open.
_HELD_LIMIT_S = 20.0
_LOST_AT_THE_END = (
    "a worker died in shutdown() while a library held a file in the output folder open; the mini-batches "
    "whose results were in it do not count. Close the file before run() returns; resume the job to run them "
    "again"
)


class Scheduler:
    """Runs one start of a job to its end."""

    def __init__(
        self,
        *,
        plan: Plan,
        engine: Engine,
        journal: Journal,
        ledger: Ledger,
        rules: Rules,
        outputs: Outputs,
        keep_lock: Callable[[], None] = lambda: None,
        cancel_reason: Callable[[], str | None] = lambda: None,
        checkpoints: Checkpoints | None = None,
        aside: Iterator[Sequence[str]] | None = None,
    ) -> None:
        """Put the collaborators together.

        Parameters
        ----------
        keep_lock
            Called in every pass.
        cancel_reason
            Says, in words, who wants the job cancelled; None while nobody does.
        checkpoints
            Keeps what the journal adds up to, now and then; None: nobody does.
        aside
            Work that nobody waits for, a few milliseconds at most with each step, which gives notices; None:
            there is none.
        """
        self._plan = plan
        self._engine = engine
        self._journal = journal
        self._ledger = ledger
        self._rules = rules
        self._outputs = outputs
        self._keep_lock = keep_lock
        self._cancel_reason = cancel_reason
        self._checkpoints = checkpoints
        self._aside = aside if aside is not None else iter(())
        self._backlog = Backlog(ledger)
        self._triage = Triage(
            plan=plan,
            ledger=ledger,
            backlog=self._backlog,
            rules=rules,
            record=self._record,
            give_up=outputs.take_failed,
        )
        self._canary = Canary(
            plan=plan, ledger=ledger, backlog=self._backlog, rules=rules, record=self._record
        )
        self._largest_first = LargestFirst(plan, self._backlog, ledger, wanted=rules.largest_first)
        self._starts = Starts(engine, ledger, self._record)
        self._leaving: set[int] = set()
        """Workers that end because of a failed try."""
        self._part_columns: dict[tuple[int, int], int] = {}
        known = zip(ledger.columns, ledger.column_types, strict=True)
        self._column_ids = {columns: number for number, columns in enumerate(known, 1)}
        self._noticed: set[str] = set()
        self._notices: list[str] = []
        self._plan_is_told = False
        self._ending: Ending | None = None
        self.peak_bytes = 0
        """The most memory that a worker had which is gone."""
        self._synced_at = time.monotonic()

    @property
    def ending(self) -> Ending:
        """How the loop ended; only once `run` is through."""
        assert self._ending is not None, "the loop has not ended"
        return self._ending

    def run(self) -> Iterator[Progress]:
        """Run until everything is in an end state, or the job is to stop; yield how far it is, now and then.

        Raises
        ------
        JobError
            The journal or the output cannot be written any more; nothing that was recorded is lost.
        """
        try:
            yield from self._loop()
            yield from self._wind_up()
        except BaseException:
            self._engine.halt()
            self._engine.close()
            raise

    def _loop(self) -> Iterator[Progress]:
        self._engine.start()
        last_progress = 0.0
        while self._ending is None:
            self._pass()
            now = time.monotonic()
            if now - last_progress >= _PROGRESS_EVERY_S or self._notices or self._starts.notices:
                last_progress = now
                yield self._progress()

    def _wind_up(self) -> Iterator[Progress]:
        """Stop what is in flight where the job is to stop; let the workers end; make everything durable."""
        if self.ending.end in (End.CANCELLED, End.THRESHOLD, End.RULE) and self._ledger.held:
            # let what is held come to count
            self._take_in_all(self._engine.wind_down(_HELD_LIMIT_S), is_halting=True)
            self._journal.flush()
        elif self.ending.end is not End.ALL_DONE:
            self._take_in_all(self._engine.halt(), is_halting=True)
            self._journal.flush()
        self._take_in_all(self._engine.close(), is_halting=True)
        lost = [scored for part in list(self._ledger.held) for scored in self._revoke_held(part)]
        if lost and self.ending.end is End.ALL_DONE:
            self._ending = Ending(end=End.BROKEN, message=_LOST_AT_THE_END, log="")
        self._sync()
        self._outputs.catch_up()
        if self.ending.end is End.ALL_DONE:
            for notices in self._aside:
                self._notices += notices
        yield self._progress()

    def _pass(self) -> None:
        """Go once round: plan, hand out, take in, record, put together."""
        self._keep_lock()
        planning = self._plan_a_little()
        self._look_at_canary()
        is_learning = self._largest_first.look()
        self._hand_out()
        is_busy = planning or is_learning or self._outputs.is_behind
        events = self._engine.events(0.0 if is_busy else _PASS_S)
        if is_learning and not events:
            self._largest_first.advance()
        self._take_in_all(events)
        self._journal.flush()
        if time.monotonic() - self._synced_at > SYNC_EVERY_S:
            self._sync()
        self._outputs.advance()
        self._notices += next(self._aside, ())
        self._decide_ending()

    def _look_at_canary(self) -> None:
        if not self._canary.is_over:
            self._end_if(self._canary.look())
            if self._canary.notice:
                self._notices.append(self._canary.notice)

    def _plan_a_little(self) -> bool:
        """Let the listing go on; return whether there is more of it."""
        plan = self._plan
        if not plan.complete:
            try:
                plan.step(PLANNING_SLICE_S)
            except (InputError, PlanError) as error:
                self._end(End.BROKEN, f"{error}. What was finished is kept; resume the job when it is mended")
        if plan.complete and self._ledger.plan is None:
            self._record(PlanComplete(plan.mini_batches, plan.items))
            reach("plan.complete")
        if plan.complete and not self._plan_is_told:
            self._plan_is_told = True
            self._notices += plan.manifest.notices
        return not plan.complete

    def _hand_out(self) -> None:
        known, complete, backlog = self._plan.mini_batches, self._plan.complete, self._backlog
        while self._ending is None and (room := self._engine.room()):
            load, remaining = self._engine.load(), backlog.remaining(known)
            if remaining and not policy.may_wait(remaining, load, complete, backlog.begins_large):
                return
            most = policy.largest_task(room, remaining, load.workers, complete)
            if (task := backlog.take(most, known)) is not None:
                self._engine.submit(task)
                continue
            if self._canary.is_over and self._triage.probe(load.running):
                continue
            if complete and not load.running:
                self._triage.nothing_else_to_do()
                self._end_by_verdict()
            return

    # What has happened

    def _take_in_all(self, events: Sequence[Event], is_halting: bool = False) -> None:
        """Take in what happened; what was not started keeps its order, and goes before all else."""
        for event in events:
            if not isinstance(event, NotStarted):
                self._take_in(event, is_halting)
        for event in reversed(events):
            if isinstance(event, NotStarted):
                self._backlog.put_back(event.span, event.attempt)

    def _take_in(self, event: Event, is_halting: bool = False) -> None:
        if isinstance(event, Scored):
            self._take_scored(event)
        elif isinstance(event, Failed):
            self._take_failed(event)
        elif isinstance(event, Columns):
            self._take_columns(event)
        elif isinstance(event, Ready):
            self._end_if(self._starts.take_ready(event))
        elif isinstance(event, StartFailed):
            if not is_halting:
                self._end_if(self._starts.take_failure(event))
        elif isinstance(event, WorkerEnded):
            self._leaving.discard(event.worker)
            self.peak_bytes = max(self.peak_bytes, event.peak_bytes)
            self._notices.append(f"{event.message}; it is replaced")
            held = self._revoke_held(event.part)
            for scored in held:
                self._backlog.put_back(scored.span, scored.attempt)
            if held and not is_halting:
                self._end_if(self._starts.take_loss())
        elif isinstance(event, Farewell):
            self._take_farewell(event)
        elif isinstance(event, Notice) and event.key not in self._noticed:
            self._noticed.add(event.key)
            self._notices.append(event.text)

    def _take_scored(self, scored: Scored) -> None:
        self._starts.take_answer(scored.worker)
        if scored.header:
            scored = scored._replace(header=self._part_columns[scored.part, scored.header])
        if scored.succeeded:
            self._triage.something_succeeded()
        self._largest_first.note(scored)
        held = self._ledger.held.get(scored.part, {})
        self._record(scored)
        if not scored.held:
            self._starts.forget_losses()
            for one in (*held.values(), scored):
                self._outputs.take(one)

    def _take_farewell(self, farewell: Farewell) -> None:
        self.peak_bytes = max(self.peak_bytes, farewell.peak_bytes)
        held = self._ledger.held.get(farewell.part, {})
        if held or farewell.files or farewell.attached:
            self._record(farewell)
        for scored in held.values():
            self._outputs.take(scored)
        self._outputs.take_last(farewell)

    def _revoke_held(self, part: int) -> list[Scored]:
        """A worker died while a library held a file of its open: what it scored since then is void."""
        held = list(self._ledger.held.get(part, {}).values())
        for scored in held:
            self._record(Revoked(scored.span, scored.total, scored.succeeded, scored.part, scored.offset))
        return held

    def _take_failed(self, failed: Failed) -> None:
        span = failed.span
        self._starts.take_answer(failed.worker)
        self._starts.forget_losses()
        if failed.leaving:
            self._leaving.add(failed.worker)
        if failed.cannot_write:
            self._backlog.put_back(span, failed.attempt)
            self._end(End.BROKEN, f"{failed.message}; make room or repair the disk, then resume the job")
            return
        self._triage.take(failed)
        self._end_by_verdict()

    def _end_by_verdict(self) -> None:
        if self._triage.verdict:
            self._end(End.SCRIPT, self._triage.verdict)

    def _take_columns(self, columns: Columns) -> None:
        kind = (columns.names, columns.types)
        number = self._column_ids.get(kind)
        if number is None:
            number = self._column_ids[kind] = len(self._column_ids) + 1
            self._record(JobColumns(number, columns.names, columns.line, columns.types))
            if columns.line and number > 1:
                notice = other_columns_notice(self._ledger.columns[0], columns.names)
                self._take_in(Notice("other_columns", notice))
        self._part_columns[columns.part, columns.header] = number

    # What follows

    def _decide_ending(self) -> None:
        if self._ending is not None or self._leaving:
            return  # what a worker that leaves held is about to be void
        ledger = self._ledger
        is_end = self._plan.complete and self._is_everything_done()
        failed, done = ledger.items_not_succeeded, ledger.items_done
        if policy.is_exceeded(self._rules.error_threshold, failed, done, is_end):
            self._end(End.THRESHOLD)
            return
        if broken := policy.broken_rule(self._rules.stop_when, ledger.tally, done):
            self._end(End.RULE, broken)
            return
        if misfit := self._outputs.committer.misfit:
            self._end(End.BROKEN, str(misfit))
            return
        reason = self._cancel_reason()
        if reason is not None:
            self._end(End.CANCELLED, reason)
        elif is_end:
            self._end(End.ALL_DONE)

    def _is_everything_done(self) -> bool:
        done = self._ledger.scored.count + self._ledger.failed.count
        return done >= self._plan.mini_batches

    def _end(self, end: End, message: str = "") -> None:
        self._end_if(Ending(end=end, message=message))

    def _end_if(self, ending: Ending | None) -> None:
        if self._ending is None:
            self._ending = ending

    def _record(self, record: Record) -> None:
        self._journal.record(record)
        self._ledger.apply(record)

    def _sync(self) -> None:
        """Make rows, then journal, survive a loss of power; then move what scripts wrote themselves."""
        self._synced_at = time.monotonic()
        if not self._journal.needs_mark:
            return
        self._journal.flush()
        reach("sync.before_parts")
        self._engine.sync()
        self._outputs.sync()
        reach("sync.after_parts")
        self._journal.mark()
        if self._checkpoints is not None:
            self._checkpoints.keep(self._ledger, self._journal.size)
        self._outputs.deliver()
        self._notices += self._outputs.delivery.take_notices()

    def _progress(self) -> Progress:
        load = self._engine.load()
        notices = (*self._notices, *self._starts.notices)
        self._notices.clear()
        self._starts.notices.clear()
        return Progress(
            items=self._plan.items,
            plan_complete=self._plan.complete,
            done=self._ledger.items_done,
            failed=self._ledger.items_not_succeeded,
            workers=load.workers,
            ready=load.ready,
            notices=notices,
        )
