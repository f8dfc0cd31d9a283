"""One start of a job, from the lock to the last word in ``job.json``; new and resumed jobs share the code."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from gristmill.engine.contract import Engine
from gristmill.errors import GristmillError, JobChangedError, in_words
from gristmill.faults import reach
from gristmill.plan.planner import Planner
from gristmill.plan.row_counting import RowSplit
from gristmill.run import replay
from gristmill.run.checkpoint import Checkpoints
from gristmill.run.conclusion import Conclusion
from gristmill.run.delivery import Delivery
from gristmill.run.earlier import EarlierOutput, last_publications
from gristmill.run.job_folder import Job, JobFolder, Status, utc_now
from gristmill.run.journal import Journal
from gristmill.run.ledger import Ledger
from gristmill.run.lock import JobLock
from gristmill.run.messages import WROTE_NOTHING
from gristmill.run.outputs import Outputs
from gristmill.run.progress import Progress
from gristmill.run.pulse import Pulse
from gristmill.run.records import PlanComplete, Record, Start, key_of
from gristmill.run.report import ProgressLog
from gristmill.run.scheduler import PLANNING_SLICE_S, Scheduler
from gristmill.run.triage import Rules

_COMPARING_SLICE_S = 0.05
_COUNTS_EVERY_S = 3.0


@dataclass(frozen=True, kw_only=True)
class RunIdentity:
    """What distinguishes one start of a job from every other."""

    fence: int
    """Number of the start, from 1."""
    run_id: str
    """The mark that every process of this run carries."""
    earlier: tuple[str, ...]
    """Marks of earlier runs, whose processes may still be about."""


EngineFactory = Callable[[Job, RunIdentity], Engine]


def begins_rerun(job: Job, ledger: Ledger, *, is_asked_for: bool) -> bool:
    """Say whether this start is to open again what failed.

    A rerun that was announced in ``job.json`` and is not in the journal is begun by whoever goes on with the
    job; one whose new output is in the journal is only to be finished.
    """
    if ledger.published is None:
        return is_asked_for and ledger.earlier is not None
    is_to_be_finished = job.rerunning and ledger.fence >= job.starts
    return not is_to_be_finished and (is_asked_for or job.rerunning)


class Execution:
    """Works on a job until it has ended; holds the job's lock for its whole life."""

    def __init__(
        self,
        folder: JobFolder,
        make_engine: EngineFactory,
        cancel_reason: Callable[[], str | None] = lambda: None,
        *,
        rerun: bool = False,
        name_run: Callable[[Job], str] = lambda job: os.urandom(16).hex(),
    ) -> None:
        """Take the job's lock and read its past.

        Parameters
        ----------
        folder
            The job.
        make_engine
            Makes the engine for this start.
        cancel_reason
            Says in words who wants the job cancelled; None while nobody does.
        rerun
            Whether what failed in a job that has published its output is to be scored again.
        name_run
            Returns the mark of this start's processes: a new one, unless they have one already.

        Raises
        ------
        JobLockedError
            Another process works on the job.
        UnknownJobError, JobStateError, JobError
            The job cannot be read.
        """
        self.folder = folder
        self._make_engine = make_engine
        self._name_run = name_run
        self._cancel_reason = cancel_reason
        self._lock = JobLock(folder.lock)
        self._lock.acquire()
        try:
            self.job = folder.read()
            self._history = replay.read_history(folder.journal, folder.checkpoint)
        except BaseException:
            self._lock.release()
            raise
        self._ledger: Ledger = self._history.ledger
        self.notices = self._history.notices(folder.journal)
        """What the user should know of the job's past."""
        job = self.job
        self._begins_rerun = begins_rerun(job, self._ledger, is_asked_for=rerun)
        self._delivery = Delivery(
            job.staging,
            job.output,
            folder.delivered,
            job.own_names,
            may_replace=job.overwrite,
            is_rerun=self._begins_rerun or job.rerunning,
        )
        self.recorded_first: tuple[Record, ...] = ()  # right behind the start
        self.aside: Iterator[tuple[str, ...]] = iter(())
        """Work of this start that nobody waits for, a little at a time; each step says what the user should
        know."""
        self._planner: Planner | None = None
        self._journal: Journal | None = None
        self._counts_noted_at = time.monotonic()

    def release(self) -> None:
        """Let go of the job; idempotent."""
        if self._planner is not None:
            self._planner.close()
        if self._journal is not None:
            self._journal.close()
        self._lock.release()

    def check_earlier_output(self) -> None:
        """Make sure that an output that is to be replaced is as it was published: its rows are nowhere else.

        Raises
        ------
        JobChangedError
            Somebody has changed it, or the journal no longer tells what was published.
        """
        if self.job.status is Status.COMPLETED and self._history.damage is not None:
            raise JobChangedError(
                f"the journal {self.folder.journal} of job {self.job.name} is damaged, so what it has "
                f"published can no longer be told for certain: gristmill verify {self.job.name} says where. "
                "Score the input again, as a new job"
            )
        earlier = self._earlier_output(is_begun=not self._begins_rerun)
        if earlier is not None:
            try:
                earlier.check()
            finally:
                earlier.close()

    def _earlier_output(self, *, is_begun: bool = True) -> EarlierOutput | None:
        ledger = self._ledger
        if is_begun and (ledger.earlier is None or ledger.published is not None):
            return None
        return EarlierOutput(self.job.output, last_publications(self.folder.journal)[-1])

    def plan_first(self) -> None:
        """Open the plan, or make its beginning: at least one mini-batch, so that bad input is known at once.

        Raises
        ------
        InputError
            There is nothing to be scored.
        PlanError
            The manifest cannot be written, or is damaged.
        """
        job, settings = self.job, self.job.deployment.settings
        planner = Planner(
            root=job.input,
            folder=self.folder.plan,
            mini_batch_size=settings.mini_batch_size,
            mini_batch_bytes=settings.mini_batch_bytes,
            row_split=RowSplit.of(settings),
            recursive=settings.recursive,
            include_hidden=settings.include_hidden,
            exclude=[job.output, job.staging, self.folder.path],
            include_patterns=settings.include,
            exclude_patterns=settings.exclude,
            input_list=self.folder.input_list if settings.input_list is not None else None,
            original_list=settings.input_list,
            limit=settings.limit,
        )
        self._planner = planner
        # In processor time: where much else is at work, the plan of a few files is still whole at once.
        deadline = time.thread_time() + PLANNING_SLICE_S
        while not planner.complete and (not planner.mini_batches or time.thread_time() < deadline):
            planner.step(PLANNING_SLICE_S)

    @property
    def useful_workers(self) -> int:
        """How many workers there is work for, as far as the plan is known."""
        planner, workers = self._planner, self.job.workers
        if planner is None or not planner.complete:
            return workers
        return max(1, min(workers, planner.mini_batches))

    @property
    def planner(self) -> Planner:
        """The plan, once it is begun (`plan_first`)."""
        assert self._planner is not None
        return self._planner

    @property
    def ledger(self) -> Ledger:
        """What is known of the job's past."""
        return self._ledger

    @property
    def fence(self) -> int:
        """The number of this start."""
        return max(self._history.ledger.fence, self.job.starts) + 1

    def steps(self) -> Iterator[Progress]:
        """Run the job to its end; yield how far it is, now and then. ``job`` then says how it ended.

        Errors that stop a started job end it as Failed, with the error as its message; they are not raised.
        """
        try:
            if self._planner is None:
                self.plan_first()
            identity = self._begin()
            yield from self._run(identity)
        except GristmillError as error:
            self.job = self._conclusion().end(Status.FAILED, str(error))
        except OSError as error:
            self.job = self._conclusion().end(
                Status.FAILED,
                f"{in_words(error, with_path=True)}; nothing that was finished is lost. Make room or "
                "repair the disk, then resume the job",
            )
        finally:
            self.release()

    def _begin(self) -> RunIdentity:
        """Record that the job is started, and take back what cannot be trusted."""
        history, job, begins_rerun = self._history, self.job, self._begins_rerun
        identity = RunIdentity(fence=self.fence, run_id=self._name_run(job), earlier=history.run_ids)
        self._journal = Journal(self.folder.journal, identity.fence, history.size)
        if begins_rerun:  # first it is said that the output is being replaced, then that it has begun
            job = replace(job, rerunning=True)
            self._write_started(job, identity, job.started_at)
        reach("start.before_record")
        start = Start(
            fence=identity.fence,
            run_id=identity.run_id,
            host=os.uname().nodename,
            pid=os.getpid(),
            at=utc_now(),
            retry_failed=job.status is Status.FAILED or begins_rerun,
            rerun=begins_rerun,
        )
        short = replay.short_ranges(self.folder.journal, history.revoked) if begins_rerun else []
        self._delivery.outdate([one.span for one in short])
        records: list[Record] = [start, *self.recorded_first, *short]
        for record in records:
            self._journal.record(record)
            self._ledger.apply(record)
        self._history = history.without(short)
        self._revoke()
        self._journal.flush()
        reach("start.after_record")
        self._write_started(job, identity, job.started_at or start.at)
        self.folder.tell("started", fence=identity.fence, run_id=identity.run_id, pid=os.getpid())
        return identity

    def _write_started(self, job: Job, identity: RunIdentity, started_at: str) -> None:
        self.job = replace(
            job,
            status=Status.RUNNING,
            message="",
            needs_new_job=False,
            starts=identity.fence,
            started_at=started_at,
            ended_at="",
        )
        self.folder.write(self.job)

    def _revoke(self) -> None:
        """Void what the power took, and what belongs to a listing that came out differently."""
        history, journal, planner = self._history, self._journal, self._planner
        assert journal is not None
        assert planner is not None
        void = []
        if history.ledger.published is None:
            void = replay.lost_rows(self.folder.journal, history, self.job.part_path)
            known = set(map(key_of, void))
            lost = [
                *self._delivery.lost(history.untrusted),
                *chain(*(held.values() for held in self._ledger.held.values())),
            ]
            void += [replay.revocation(one) for one in lost if key_of(one) not in known]
            replay.sync_parts(history.untrusted, self.job.part_path)
        if planner.restarted:
            while not planner.compared:
                planner.step(_COMPARING_SLICE_S)
            gone = frozenset(map(key_of, void))
            void += replay.cut_off(
                self.folder.journal, history.revoked | gone, planner.unchanged_mini_batches
            )
        if history.has_lost_records:
            self._delivery.withdraw_unrecorded(history.ledger.is_recorded)
        self._delivery.withdraw(one.span for one in void)
        for revoked in void:
            journal.record(revoked)
            self._ledger.apply(revoked)
        self._revoked = history.revoked | set(map(key_of, void))
        journal.flush()
        if planner.restarted:
            planner.forget_previous()
        complete = PlanComplete(planner.mini_batches, planner.items)
        if planner.complete and self._ledger.plan != complete:
            journal.record(complete)
            self._ledger.apply(complete)

    def _run(self, identity: RunIdentity) -> Iterator[Progress]:
        assert self._journal is not None
        assert self._planner is not None
        job = self.job
        if self._ledger.published is not None:  # it ended between its publication and its last word
            self.job = self._conclusion().finish(None)
            return
        earlier = self._earlier_output()
        manifest = self._planner.manifest
        outputs = Outputs.of(
            job,
            self._ledger,
            self._delivery,
            manifest.item_count,
            earlier,
            lambda mini_batch: os.fsdecode(manifest.paths_of(mini_batch, 0, 1)[0]),
        )
        pulse = Pulse(self.folder)
        try:
            if self._ledger.items_done:
                outputs.take_again(
                    self.folder.journal, self._history.size, job.part_path, self._revoked, self._ledger
                )
            checkpoints = Checkpoints(self.folder.checkpoint, self.folder.journal, self._history.checkpoint)
            scheduler = Scheduler(
                plan=self._planner,
                engine=self._make_engine(job, identity),
                journal=self._journal,
                ledger=self._ledger,
                rules=Rules.of(job.deployment.settings),
                outputs=outputs,
                keep_lock=self._lock.keep,
                cancel_reason=self._cancel_reason,
                checkpoints=checkpoints,
                aside=self.aside,
            )
            log = ProgressLog(self.folder.logs / "job_progress_overview.txt")
            for progress in scheduler.run():
                now = time.monotonic()
                log.note(
                    now,
                    progress.done,
                    progress.failed,
                    progress.items,
                    progress.plan_complete,
                    progress.workers,
                )
                pulse.note(now, progress)
                self._note_counts(now)
                yield progress
            pulse.close(progress)
            self.job = self._conclusion().of_loop(scheduler.ending, outputs, scheduler.peak_bytes)
            notices = (*outputs.committer.appended.notices(), *self._delivery.take_notices())
            yield replace(progress, notices=(*notices, *([WROTE_NOTHING] if self.job.wrote_nothing else [])))
        finally:
            pulse.close()
            outputs.close()

    def _note_counts(self, now: float) -> None:
        """Write how far the job is into ``job.json``, now and then, for whoever asks."""
        if now - self._counts_noted_at > _COUNTS_EVERY_S:
            self._counts_noted_at = now
            self.job = replace(self.job, counts=self._conclusion().counts)
            self.folder.write(self.job)

    def _conclusion(self) -> Conclusion:
        return Conclusion(
            folder=self.folder,
            job=self.job,
            ledger=self._ledger,
            delivery=self._delivery,
            journal=self._journal,
            planner=self._planner,
        )
