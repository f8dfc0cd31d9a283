"""Verify: prove from plan, journal and output that nothing is lost and nothing is there twice (design,
promise 2).

Nothing is believed that can be derived: the manifest's checksums, that the ranges of the journal cover the
plan exactly once, that the published ranges follow each other without a gap, the CRC of every one of them,
and everything beside the predictions that is made of the journal.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from gristmill.errors import JournalError, PlanError
from gristmill.plan.manifest import Manifest
from gristmill.run.coverage import check_coverage
from gristmill.run.job_folder import Job, JobFolder, Status
from gristmill.run.problem import Findings, Problem
from gristmill.run.proof import check_companions, check_output
from gristmill.run.replay import History, lost_rows, read_history

_NEW_JOB = "score the input again, as a new job"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What `verify` found."""

    job: str
    status: str
    """Interrupted: it says that it runs, and nobody works on it."""
    complete: bool
    """Whether the job is Completed; else everything may still be in order, so far."""
    next_command: str | None
    """The command that goes on, where there is something to go on with."""
    items: int
    succeeded: int
    failed: int
    missing: int
    """Items of short ranges without a result."""
    not_run: int
    output_bytes: int
    problems: tuple[str, ...] = field(default=())
    """One sentence each; empty when everything is in order."""
    details: tuple[Problem, ...] = field(default=())
    """The same problems in the same order, as values: kind, file, offset, range, names."""

    @property
    def ok(self) -> bool:
        """Whether everything is in order."""
        return not self.problems

    @property
    def summary(self) -> str:
        """One line."""
        counts = (
            f"{self.items:,} items: {self.succeeded:,} succeeded, {self.failed:,} failed, "
            f"{self.missing:,} without a result, {self.not_run:,} not run"
        )
        if self.ok and not self.complete:
            onward = f": {self.next_command} goes on" if self.next_command else ""
            return f"job {self.job} is in order so far ({self.status}); it did not complete{onward}. {counts}"
        if self.ok:
            return f"job {self.job} is in order ({self.status}). {counts}"
        return f"job {self.job} is NOT in order: {self._problems}. {counts}"

    @property
    def _problems(self) -> str:
        return "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        details = [
            {**asdict(one), "range": one.range._asdict() if one.range is not None else None}
            for one in self.details
        ]
        return {**asdict(self), "problems": list(self.problems), "details": details, "ok": self.ok}


def verify_job(folder: JobFolder) -> Verification:
    """Check a job that nobody is working on.

    Raises
    ------
    UnknownJobError, JobStateError
        There is no such job, or its ``job.json`` cannot be read.
    """
    job = folder.read()
    findings = Findings()
    manifest = history = None
    try:
        history = _checked_history(folder, job, findings)
        is_planned = history.ledger.plan is not None
        findings.manifest = manifest = _checked_manifest(folder, job, findings, is_planned=is_planned)
        _check(folder, job, history, manifest, findings)
    except JournalError as error:
        findings.add("journal_unreadable", str(error), _about_the_journal(job), file=folder.journal)
    finally:
        if manifest is not None:
            manifest.close()
    items = manifest.items if manifest is not None else job.counts.total
    return _verdict(job, items, history, findings.problems)


def _check(
    folder: JobFolder, job: Job, history: History, manifest: Manifest | None, findings: Findings
) -> None:
    is_complete = job.status is Status.COMPLETED
    recorded = check_coverage(folder.journal, history, manifest, findings, is_complete=is_complete)
    if history.ledger.published is not None or history.ledger.earlier is not None:
        check_output(folder, job, history, recorded, findings)
    if history.ledger.published is None and not is_complete:
        _check_parts(folder, job, history, findings)
    if is_complete and manifest is not None:
        _check_counts(folder, job, history, manifest, findings)
        check_companions(folder, job, history, recorded, manifest, findings)


def _checked_manifest(
    folder: JobFolder, job: Job, findings: Findings, *, is_planned: bool
) -> Manifest | None:
    """Return the plan, proven; none where the input was never listed to its end."""
    manifest = None
    try:
        manifest = Manifest.open(folder.plan)
        manifest.verify()
    except PlanError as error:
        if manifest is not None:
            manifest.close()
        is_begun = job.starts and not (folder.plan / "paths").exists()
        is_expected = job.status is Status.COMPLETED or is_planned or is_begun
        if is_expected or (folder.plan / "plan.json").exists():
            remedy = f"which files were scored cannot be proven any more: {_NEW_JOB}"
            findings.add("manifest_damaged", str(error), remedy, file=folder.plan)
        return None
    return manifest


def _checked_history(folder: JobFolder, job: Job, findings: Findings) -> History:
    """Read the journal, and check that it is whole and says what ``job.json`` says."""
    history = read_history(folder.journal)
    journal, remedy = folder.journal, _about_the_journal(job)
    damage = history.damage
    if job.starts and not journal.exists():
        findings.add("journal_missing", f"the journal {journal} is gone", remedy, file=journal)
    elif damage is not None and (damage.groups or job.status.is_final):
        behind = f"{damage.records:,} whole records stand behind it" if damage.groups else "it is the last"
        what = (
            f"the journal {journal} is damaged: the group at byte {damage.position:,} is not whole ({behind})"
        )
        findings.add("journal_damaged", what, remedy, file=journal, offset=damage.position)
    elif history.ledger.fence < job.starts - job.rerunning:  # a rerun is announced before it is recorded
        what = (
            f"the journal {journal} knows of {history.ledger.fence} starts, and the job had {job.starts}: "
            "its end is gone"
        )
        findings.add("journal_damaged", what, remedy, file=journal, offset=history.size)
    if job.status is Status.COMPLETED and history.published_at < 0:
        what = (
            f"the journal {journal} does not say that the output was published, though the job is Completed: "
            "it is damaged or cut"
        )
        findings.add("journal_damaged", what, remedy, file=journal, offset=history.size)
    return history


def _about_the_journal(job: Job) -> str:
    if job.status is Status.COMPLETED:
        return f"the output may well be whole, and can no longer be proven: to prove it, {_NEW_JOB}"
    return f"gristmill resume {job.name} runs again what it no longer tells of"


def _check_parts(folder: JobFolder, job: Job, history: History, findings: Findings) -> None:
    """What is finished and not published is in the parts, as recorded; resume runs again what is not."""
    for lost in lost_rows(folder.journal, history, job.part_path, is_thorough=True):
        path = job.part_path(lost.part)
        findings.add(
            "part_changed",
            f"the rows of {findings.words(lost.span)} are not in their part {path}",
            f"gristmill resume {job.name} runs them again",
            file=path,
            offset=lost.offset,
            span=lost.span,
        )


def _check_counts(
    folder: JobFolder, job: Job, history: History, manifest: Manifest, findings: Findings
) -> None:
    """What ``job.json`` tells of a complete job is what plan and journal tell."""
    ledger, counts, path = history.ledger, job.counts, folder.path / "job.json"
    told = {
        "total": (counts.total, manifest.items),
        "succeeded": (counts.succeeded, ledger.items_succeeded),
        "failed": (counts.failed, ledger.items_not_succeeded),
        "not_run": (counts.not_run, manifest.items - ledger.items_done),
        "mini_batches": (counts.mini_batches, manifest.mini_batches),
        "mini_batches_done": (counts.mini_batches_done, ledger.scored.count + ledger.failed.count),
        "starts": (job.starts, ledger.fence),
    }
    for name, (said, derived) in told.items():
        if said != derived:
            what = f"{path} says {name}: {said:,}, and plan and journal say {derived:,}"
            findings.add("counts_differ", what, "the output is not concerned; correct the file", file=path)
    plan = ledger.plan
    if plan is not None and (plan.mini_batches, plan.items) != (manifest.mini_batches, manifest.items):
        what = f"the plan in {folder.plan} has {manifest.items:,} items, and {plan.items:,} were planned"
        findings.add("manifest_damaged", what, _NEW_JOB, file=folder.plan)


def _verdict(job: Job, items: int, history: History | None, problems: tuple[Problem, ...]) -> Verification:
    goes_on = job.is_worth_resuming or not job.status.is_final
    ledger = history.ledger if history is not None else None
    done = ledger.items_done if ledger is not None else 0
    return Verification(
        job=job.name,
        status=job.status.value if job.status.is_final else "Interrupted",
        complete=job.status is Status.COMPLETED,
        next_command=f"gristmill resume {job.name}" if goes_on else None,
        items=items,
        succeeded=ledger.items_succeeded if ledger is not None else 0,
        failed=ledger.items_failed if ledger is not None else 0,
        missing=ledger.items_missing if ledger is not None else 0,
        not_run=max(0, items - done),
        output_bytes=ledger.published.size if ledger is not None and ledger.published is not None else 0,
        problems=tuple(one.sentence for one in problems),
        details=problems,
    )
