"""How a job ends: from the end of its loop to the last word in ``job.json``."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace

from gristmill.errors import StorageError
from gristmill.faults import reach
from gristmill.plan.planner import Planner
from gristmill.run.delivery import Delivery
from gristmill.run.job_folder import Counts, Job, JobFolder, Origin, Status, utc_now
from gristmill.run.journal import Journal
from gristmill.run.ledger import Ledger
from gristmill.run.messages import Messages
from gristmill.run.outputs import Outputs
from gristmill.run.progress import End, Ending
from gristmill.run.projection import projection_of
from gristmill.run.publication import Publication
from gristmill.run.replacement import Replacement
from gristmill.run.report import write_reports
from gristmill.spec.values import OutputAction

_AS_IT_WAS = "The output is as it was before the rerun"


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """Ends a job; each way to do so returns the job as it stands then."""

    folder: JobFolder
    job: Job
    ledger: Ledger
    delivery: Delivery
    journal: Journal | None
    """None where the job had not begun."""
    planner: Planner | None
    """None where the input could not be listed at all."""

    def of_loop(self, ending: Ending, outputs: Outputs, peak_bytes: int) -> Job:
        """Turn the way the loop ended into the way the job ends.

        Raises
        ------
        JobError
            The output cannot be published, or the last word not be written; nothing that was finished is
            lost.
        """
        if not self.folder.journal.exists():
            return self._without_folder()
        end, messages = ending.end, self._messages()
        settings = self.job.deployment.settings
        nothing_scored = not self.ledger.items_succeeded and settings.output_action is OutputAction.APPEND_ROW
        if end is End.ALL_DONE and not nothing_scored:
            job = replace(self.job, status=Status.FINALIZING, counts=self.counts)
            self.folder.write(job)
            return replace(self, job=job).finish(outputs, peak_bytes)
        if not self.job.rerunning:
            self._publication(outputs).publish_partial()
            if not self.ledger.items_done:
                self._remove_traces()
        if end is End.CANCELLED:
            return self._stop(Status.CANCELED, ending.message)
        stopped = replace(self, job=replace(self.job, needs_new_job=messages.needs_new_job(end)))
        if end is End.THRESHOLD:
            return stopped._stop(Status.FAILED, messages.threshold(settings.error_threshold))
        if end is End.ALL_DONE:
            return stopped._stop(Status.FAILED, messages.nothing_scored())
        if end is End.SCRIPT:
            return stopped._stop(Status.FAILED, messages.script(ending.message))
        if end is End.RULE:
            return stopped._stop(Status.FAILED, messages.rule(ending.message))
        return stopped._stop(Status.FAILED, messages.stopped(ending))

    def _stop(self, status: Status, message: str) -> Job:
        """End a job that is not complete; the output that a rerun was to replace stands."""
        return self.end(status, f"{message}\n{_AS_IT_WAS}" if self.job.rerunning else message)

    def finish(self, outputs: Outputs | None, peak_bytes: int = 0) -> Job:
        """Publish everything; then, and only then, the job is Completed. Safe to repeat.

        Parameters
        ----------
        outputs
            None where all was published before.
        peak_bytes
            The most memory that a worker had; 0 where it is not known.

        Raises
        ------
        JobError
            Something cannot be published; nothing that was finished is lost.
        """
        self._publication(outputs).publish()
        if self.job.rerunning:
            replacement = Replacement(self.job.staging, self.job.output, self.job.target.name)
            self.delivery.outdate_files(replacement.without_successor(self.folder.journal))
        self.job.partial_target.unlink(missing_ok=True)
        self.delivery.remove_unfinished()
        settings = self.job.deployment.settings
        is_summary = settings.output_action is OutputAction.SUMMARY_ONLY
        job = replace(self.job, rerunning=False, wrote_nothing=is_summary and not self.delivery.has_moved)
        if self.planner is not None and settings.limit is not None:
            projection = projection_of(job, self.ledger, self.planner.manifest, peak_bytes)
            job = replace(job, projection=projection)
        reach("publish.before_parts_removed")
        shutil.rmtree(job.staging, ignore_errors=True)
        reach("publish.after_parts_removed")
        return replace(self, job=job).end(Status.COMPLETED, self._messages().about_failures())

    def end(self, status: Status, message: str) -> Job:
        """Write the job's last word; what cannot be written for want of room is left to the next start.

        Raises
        ------
        StorageError, OSError
            The last word of a job that did not fail cannot be written.
        """
        if not self.folder.journal.exists():
            return self._without_folder()
        job = replace(self.job, status=status, message=message, counts=self.counts, ended_at=utc_now())
        reach("job.before_ending")
        try:
            write_reports(self.folder, job, self.ledger)
            self.folder.tell("ended", status=status.value, message=message)
            self.folder.write(job)
        except (StorageError, OSError):
            if status is not Status.FAILED:
                raise
            return job  # there is no room to say so: the job stays as it was, and resume goes on with it
        reach("job.after_ending")
        return job

    def _without_folder(self) -> Job:
        """Return a job of which nothing can be written down any more."""
        message = (
            f"the job folder {self.folder.path} was removed while the job ran, and what was finished cannot "
            f"be told any more; remove {self.job.staging} too, then start a new job"
        )
        return replace(self.job, status=Status.FAILED, message=message, needs_new_job=True)

    @property
    def counts(self) -> Counts:
        """Where the items of the job are now."""
        ledger, planner = self.ledger, self.planner
        items = planner.items if planner is not None else self.job.counts.total
        batches = planner.mini_batches if planner is not None else self.job.counts.mini_batches
        return Counts(
            total=items,
            succeeded=ledger.items_succeeded,
            failed=ledger.items_not_succeeded,
            not_run=max(0, items - ledger.items_done),
            mini_batches=batches,
            mini_batches_done=ledger.scored.count + ledger.failed.count,
        )

    def _remove_traces(self) -> None:
        """Nothing was finished: leave no empty folders in the output's place."""
        shutil.rmtree(self.job.staging, ignore_errors=True)
        with suppress(OSError):
            self.job.output.rmdir()

    def _publication(self, outputs: Outputs | None) -> Publication:
        assert self.journal is not None
        assert self.planner is not None
        return Publication(
            folder=self.folder,
            job=self.job,
            ledger=self.ledger,
            journal=self.journal,
            manifest=self.planner.manifest,
            outputs=outputs,
        )

    def _messages(self) -> Messages:
        manifest = self.planner.manifest if self.planner is not None else None
        is_deployed = self.job.origin is Origin.INVOKE
        return Messages(ledger=self.ledger, manifest=manifest, folder=self.folder, is_deployed=is_deployed)
