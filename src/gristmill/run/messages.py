"""A job's message: the script's first error in its own words, and what it led to (contract, section 5.6)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from gristmill.engine.contract import Reason
from gristmill.plan.manifest import Manifest
from gristmill.run.job_folder import JobFolder
from gristmill.run.ledger import Ledger
from gristmill.run.progress import End, Ending
from gristmill.spec.values import ErrorThreshold

WROTE_NOTHING = (
    "the script wrote nothing to AZUREML_BI_OUTPUT_PATH, and with output_action summary_only there is "
    "no other "
    "output: write files into the folder that this variable names, or use --output-action append_row"
)
_AFTER_A_CORRECTION = (
    "A job keeps its own copy of the code: when the script is corrected, resume it with --force, which keeps "
    "what is scored, or start a new job; when the cause lay elsewhere, resume it as it is"
)
_AFTER_ANOTHER_DEPLOYMENT = (
    "The job has the code of its deployment as it was then: when the script is corrected, create the "
    "deployment again and invoke it anew; when the cause lay elsewhere, resume the job as it is"
)


@dataclass(frozen=True, kw_only=True)
class Messages:
    """Words about a job, from what its ledger knows."""

    ledger: Ledger
    manifest: Manifest | None
    folder: JobFolder
    is_deployed: bool = False
    """Whether the code was a deployment's, and not one that its author edits."""

    @property
    def _advice(self) -> str:
        return _AFTER_ANOTHER_DEPLOYMENT if self.is_deployed else _AFTER_A_CORRECTION

    def first_error(self) -> str:
        """Return the script's first error: the file, the script's own traceback, and where the full log
        is.
        """
        failure = self.ledger.first_failure
        if failure is None:
            return ""
        span = failure.span
        names = [f"mini-batch {span.first}"]
        if self.manifest is not None:
            found = self.manifest.inputs_of(span.first, span.first_item, span.items)
            names = [os.fsdecode(one.piece_name) for one in found]
        others = "1 other file" if len(names) == 2 else f"{len(names) - 1} other files"
        of_many = f" and {others} of mini-batch {span.first}" if len(names) > 1 else ""
        lines = [f"{names[0]}{of_many}: {failure.message}"]
        if failure.traceback.strip() and failure.traceback.strip() != failure.message:
            lines.append(failure.traceback.rstrip())
        lines.append(f"The full log is in {self.folder.path / failure.log.partition(':')[0]}")
        return "\n".join(lines)

    def threshold(self, threshold: ErrorThreshold) -> str:
        """Return why the error threshold stopped the job."""
        ledger = self.ledger
        limit = f"{threshold.items}"
        if threshold.fraction is not None:
            limit = f"{threshold.fraction:.0%} of the items done"
        return (
            f"{ledger.items_not_succeeded:,} of {ledger.items_done:,} items done "
            f"{'has' if ledger.items_not_succeeded == 1 else 'have'} failed, more than the "
            f"error threshold ({limit}) allows. The first error:\n{self.first_error() or self._short()}"
            f"\n{self._advice}"
        )

    def script(self, verdict: str) -> str:
        """Return why a job is stopped whose script fails on everything."""
        return (
            f"{verdict}. The first error:\n{self.first_error() or self._short()}\n{self._advice}, "
            "with --set settings.error_threshold=-1 if it is to go on whatever fails"
        )

    def rule(self, broken: str) -> str:
        """Return why a rule of ``gristmill.stop_when`` has stopped the job, or its canary."""
        return (
            f"{broken}. The first error:\n{self.first_error() or self._short()}\n{self._advice}, with "
            "--set gristmill.stop_when=… where other rules are to hold: what had failed gets new tries, and "
            "failures are counted anew"
        )

    def nothing_scored(self) -> str:
        """Return why a job without a single result is Failed: it is always a mistake in the script."""
        if self.ledger.first_failure is None:
            return (
                "no mini-batch returned any result, although run() never failed: it must return one element "
                f"per file; an empty list counts as nothing scored\n{self._advice}"
            )
        return f"no mini-batch returned any result. The first error:\n{self.first_error()}\n{self._advice}"

    def stopped(self, ending: Ending) -> str:
        """Return why the loop could not go on."""
        message = ending.message
        if ending.log:
            message += f"\nThe full log is in {self.folder.path / ending.log}"
        return f"{message}\n{self._advice}" if ending.end is End.CANNOT_START else message

    def needs_new_job(self, end: End) -> bool:
        """Say whether only a corrected script can help, which a resumed job does not have.

        Nothing at all was scored: of a job that has run to its end that is always a mistake in the script,
        else where the first error is what ``run`` returned.
        """
        if self.ledger.items_succeeded:
            return False
        failure = self.ledger.first_failure
        is_wrong_return = failure is None or failure.reason == Reason.BAD_RETURN.value
        return end in (End.ALL_DONE, End.SCRIPT) or (end is End.THRESHOLD and is_wrong_return)

    def about_failures(self) -> str:
        """Return why a job that is Completed has failed items; empty where it has none."""
        if self.ledger.items_failed:
            return self.first_error()
        return self._short() if self.ledger.first_short is not None else ""

    def _short(self) -> str:
        short = self.ledger.first_short
        where = ""
        if short is not None:
            where = f": {short.succeeded:,} for the {short.total:,} of mini-batch {short.span.first}"
        return f"run() returned fewer results than files{where}; return one element per file"
