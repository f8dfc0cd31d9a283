"""The report: what a job leaves in ``logs/`` for people to read, and one line on how it stands (contract, 6).

Everything here can be made again from ``job.json`` and the journal; nothing else reads it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from gristmill.errors import StorageError, in_words
from gristmill.run.job_folder import Counts, Job, JobFolder, Status, utc_now
from gristmill.run.ledger import Ledger
from gristmill.run.peaks import peaks_of
from gristmill.run.records import Start
from gristmill.run.tables import write_tables
from gristmill.spec.values import OutputAction

OVERVIEW = "job_progress_overview.txt"
RESULT = "job_result.txt"
ERROR = "job_error.txt"
README = "readme.txt"

_README = """\
What lies in this folder

job_result.txt             How the job ended, its counts, where the outputs are, and the command that goes on.
job_error.txt              Only of a job that failed: why, with the script's own traceback.
job_progress_overview.txt  How far the job was, every ten seconds while it ran; at the end, a summary.

user/stdout/<node>/        What the script printed, one file for each worker process.
user/stderr/<node>/        What it wrote to standard error: warnings, and the last words of crashes.
user/error/<node>/         Tracebacks of every try that failed, those that were repeated included.
user/entry_script_log/<node>/
                           What it logged with Python's logging.

sys/job_report/processed_mini-batches.csv
                           One row for each try. Quick mini-batches that one worker ran in one go share a row.
sys/job_report/process_summary.csv
                           Mini-batches, items, failed tries and time in run() of each worker process.
sys/job_report/node_summary.csv
                           The same for each machine.

Mini-batches, items and workers are counted from 0; times are UTC.
The list of failed items is not here: it is failures.jsonl beside the predictions.
"""


def write_reports(folder: JobFolder, job: Job, ledger: Ledger) -> None:
    """Write the report of a job that has ended; safe to repeat.

    Parameters
    ----------
    folder
        Its folder; the files come to stand below ``logs/``.
    job
        The job, with its last status, message and counts.
    ledger
        The fold of its journal, all of which has been flushed.

    Raises
    ------
    StorageError
        The disk is full or gone.
    JournalError
        The journal cannot be read.
    """
    logs = folder.logs
    try:
        logs.mkdir(parents=True, exist_ok=True)
        starts = write_tables(folder.journal, logs / "sys" / "job_report", peaks_of(logs))
        _write(logs / README, _README)
        _write(logs / RESULT, _result(folder, job, ledger))
        if job.status is Status.FAILED:
            _write(logs / ERROR, _error(folder, job, ledger))
        else:
            (logs / ERROR).unlink(missing_ok=True)
        _append_once(logs / OVERVIEW, _overview(job, starts))
    except OSError as error:
        raise StorageError(
            f"the report in {logs} cannot be written: {in_words(error)}; make room, then resume the job"
        ) from error


def summary_line(
    status: Status, counts: Counts, output_action: OutputAction, wrote_nothing: bool = False
) -> str:
    """Say in one line how a job stands, always with its counts; a failed job's message is not part of it."""
    total = f"{counts.total:,} {'item' if counts.total == 1 else 'items'}"
    finished = counts.succeeded + counts.failed
    if status is Status.COMPLETED:
        return _completed(counts, total, output_action, wrote_nothing)
    if not counts.total and status.is_final:
        return f"{status.value} before anything was run"
    if status is Status.FAILED:
        return f"Failed after {finished:,} of {total}, {counts.failed:,} failed"
    if status is Status.CANCELED:
        return (
            f"Canceled: {counts.succeeded:,} of {total} {'is' if counts.succeeded == 1 else 'are'} finished "
            f"and kept, {counts.failed:,} failed, {counts.not_run:,} not run"
        )
    if not finished:
        return str(status.value)
    return f"{status.value}: {finished:,} of {total} done, {counts.failed:,} failed"


def summary_of(job: Job) -> str:
    """Say in one line how a job stands that nobody is working on."""
    action = job.deployment.settings.output_action
    return summary_line(job.status, job.counts, action, job.wrote_nothing)


def _completed(counts: Counts, total: str, output_action: OutputAction, wrote_nothing: bool) -> str:
    nothing = "; the script wrote nothing to AZUREML_BI_OUTPUT_PATH" if wrote_nothing else ""
    if counts.failed:
        return (
            f"Completed: {counts.succeeded:,} of {total}, {counts.failed:,} failed; "
            f"failures.jsonl names {'it' if counts.failed == 1 else 'them'}{nothing}"
        )
    its_own = "; the script wrote the output itself" if output_action is OutputAction.SUMMARY_ONLY else ""
    return f"Completed: {total if counts.total == 1 else f'all {total}'}{nothing or its_own}"


class ProgressLog:
    """Writes down how far a running job is, a line at a time."""

    def __init__(self, path: Path, every_s: float = 10.0, clock: Callable[[], str] = utc_now) -> None:
        """Write nothing yet.

        Parameters
        ----------
        path
            The file that lines are appended to.
        every_s
            The least time between two lines, in seconds.
        clock
            Gives the time that stands in front of a line, as text.
        """
        self._path = path
        self._every_s = every_s
        self._clock = clock
        self._written_at: float | None = None

    def note(self, now: float, done: int, failed: int, total: int, plan_complete: bool, workers: int) -> None:
        """Append a line, the first one at once, if it is time for one.

        Parameters
        ----------
        now
            A clock in seconds that never goes back.
        done
            Items in an end state.
        failed
            Items of these that failed or have no result.
        total
            Items in the plan so far.
        plan_complete
            Whether there will be no more.
        workers
            Worker processes.
        """
        if self._written_at is not None and now - self._written_at < self._every_s:
            return
        self._written_at = now
        of = f"of {total:,} items" if plan_complete else f"of {total:,} items found so far"
        crew = "1 worker" if workers == 1 else f"{workers:,} workers"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(f"{self._clock()}  {done:,} {of} done, {failed:,} failed, {crew}\n")
        except OSError:
            pass  # a line for the curious; where it matters that a disk is full, the job is told


def _result(folder: JobFolder, job: Job, ledger: Ledger) -> str:
    counts = job.counts
    times = f", {job.starts:,} times in all" if job.starts > 1 else ""
    lines = [
        f"Job {job.name}: {summary_of(job)}",
        *(["", job.message] if job.message else []),
        "",
        f"Status        {job.status.value}",
        f"Items         {counts.total:,}: {_states(counts)}",
        f"Mini-batches  {counts.mini_batches:,}: {counts.mini_batches_done:,} finished",
        f"Failed tries  {ledger.tries_failed:,}, those that were repeated included",
        "",
        f"Created       {job.created_at}",
        f"Started       {job.started_at or 'never'}{times}",
        f"Ended         {job.ended_at}{_duration(job)}",
        f"In run()      {_span(ledger.run_seconds)}, all workers together",
        f"Workers       {job.workers:,}, Python {job.python_version} ({job.python})",
        "",
        *_places(folder, job),
        "",
        *_next_steps(job),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _places(folder: JobFolder, job: Job) -> list[str]:
    counts = job.counts
    lines = [f"Input         {job.input}"]
    if job.deployment.settings.output_action is OutputAction.SUMMARY_ONLY:
        content = "the script wrote nothing" if job.wrote_nothing else "the script's own files"
        lines.append(f"Output        {job.output} ({content})")
    elif job.has_complete_output:
        before = " (as they were before the rerun)" if job.rerunning else ""
        lines.append(f"Predictions   {job.target}{before}")
    elif counts.succeeded:
        lines.append(f"Predictions   {job.partial_target} (what is finished)")
    if counts.failed:
        lines.append(f"Failures      {job.failures}")
    lines.append(f"Logs          {folder.logs}")
    return lines


def _next_steps(job: Job) -> list[str]:
    if job.status is Status.COMPLETED:
        again = [f"  {job.next_command}"] if job.next_command else []
        return [
            *(["To score again what failed, in the same output:", *again] if again else []),
            "To prove that nothing is missing and nothing is there twice:",
            f"  gristmill verify {job.name}",
        ]
    if not job.is_worth_resuming:
        return []  # the message says what helps
    return ["To go on from here; what is finished is not run again:", f"  gristmill resume {job.name}"]


def _error(folder: JobFolder, job: Job, ledger: Ledger) -> str:
    lines = [f"Job {job.name} failed", "", job.message]
    failure = ledger.first_failure
    if failure is not None and failure.message not in job.message:
        span = failure.span
        lines += [
            "",
            f"The first try that failed: mini-batch {span.first}, try {failure.attempt}, "
            f"worker {failure.worker}, at {failure.at}: {failure.message}",
        ]
    if failure is not None and failure.traceback.strip() not in job.message:
        lines += ["", failure.traceback.rstrip()]
    if failure is not None and failure.log and failure.log.partition(":")[0] not in job.message:
        lines += ["", f"Log of that worker: {folder.path / failure.log}"]
    return "\n".join(lines) + "\n"


def _overview(job: Job, starts: Sequence[Start]) -> str:
    lines = [f"{job.ended_at}  {summary_of(job)}"]
    for number, start in enumerate(starts, 1):
        again = "; what had failed was tried again" if start.retry_failed else ""
        lines.append(f"  start {number}: {start.at}, process {start.pid} on {start.host}{again}")
    counts = job.counts
    lines.append(
        f"  {counts.mini_batches_done:,} of {counts.mini_batches:,} mini-batches finished; "
        f"of {counts.total:,} items {_states(counts)}"
    )
    return "\n".join(lines) + "\n"


def _states(counts: Counts) -> str:
    return f"{counts.succeeded:,} scored, {counts.failed:,} failed, {counts.not_run:,} not run"


def _duration(job: Job) -> str:
    if not (job.started_at and job.ended_at):
        return ""
    seconds = (_time(job.ended_at) - _time(job.started_at)).total_seconds()
    return f", {_span(seconds)} after {'the first' if job.starts > 1 else 'its'} start"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _span(seconds: float) -> str:
    """Return a time span as people say it."""
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(_bytes(text))
    os.replace(temporary, path)


def _append_once(path: Path, text: str) -> None:
    """Append a text to a file, unless the file ends with it."""
    data = _bytes(text)
    with open(path, "a+b") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - len(data)))
        if file.read() != data:
            file.write(data)


def _bytes(text: str) -> bytes:
    """Encode a text that may hold names that are not UTF-8."""
    return text.encode("utf-8", "backslashreplace")
