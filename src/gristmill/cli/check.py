"""``gristmill check``: what is wrong with a deployment or a script, before a job, one line each on stdout."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli import show
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.start import overrides
from gristmill.cli.streams import Stderr, answer
from gristmill.service.check import CheckReport, Preview
from gristmill.service.check import check as check_file
from gristmill.service.findings import Finding

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs

_MOST_FILES = 5


def check(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Check a deployment or a script.

    Parameters
    ----------
    args
        The options of ``gristmill check``.
    jobs
        Says where the home is: a check is no job, and leaves nothing there but an environment.

    Returns
    -------
    ExitStatus
        ``JOB_FAILED`` where something is found that cannot work; warnings change nothing.

    Raises
    ------
    RequestError
        The file, the input or the interpreter is not there.
    """
    report = check_file(args.deployment, overrides(args.settings), args.input, jobs.home, Stderr().say)
    if args.json:
        answer(json.dumps(report.to_json(), indent=2))
    else:
        answer(*_lines(report))
    return ExitStatus.JOB_FAILED if report.errors else ExitStatus.COMPLETED


def _lines(report: CheckReport) -> list[str]:
    lines: list[str] = []
    for finding in report.findings:
        lines += _finding(finding)
    if report.findings:
        lines.append("")
    if report.python:
        lines.append(f"python      {report.python}")
    if report.start_s is not None:
        lines.append(f"start       {report.start_s:.2f} s for the import and init()")
    if report.preview is not None:
        lines += _preview(report.preview)
    if report.peak_bytes is not None:
        lines.append(f"memory      {show.size(report.peak_bytes)} in the worker")
    return [*lines, _summary(report)]


def _finding(finding: Finding) -> list[str]:
    lines = [f"{finding.severity:<9}{finding.place}  {finding.what}"]
    lines += [f"         | {line}" for line in finding.detail.splitlines()]
    return [*lines, f"         {finding.remedy}"] if finding.remedy else lines


def _preview(preview: Preview) -> list[str]:
    again = f"; {preview.calls} calls in all" if preview.calls > 1 else ""
    lines = [
        f"run         {preview.seconds:.3f} s for the first mini-batch: {_count(preview.files, 'file')}, "
        f"{_count(preview.results, 'result')}{again}"
    ]
    return [*lines, *written(preview)]


def written(preview: Preview) -> list[str]:
    """Show what a call of ``run()`` gave: columns, the first rows, files of its own."""
    lines: list[str] = []
    if preview.columns:
        lines.append(f"columns     {', '.join(preview.columns)}")
    if preview.rows:
        first = f"first {len(preview.rows)} rows" if len(preview.rows) > 1 else "first row"
        lines += [f"written     {show.size(preview.written_bytes)}, the {first}:"]
        lines += [f"    {row}" for row in preview.rows]
    if preview.left:
        named = ", ".join(f"{name} ({show.size(size)})" for name, size in preview.left[:_MOST_FILES])
        more = len(preview.left) - _MOST_FILES
        lines.append(f"files       {named}{f' and {more:,} more' if more > 0 else ''}")
    return lines


def _summary(report: CheckReport) -> str:
    if not report.findings:
        tried = "" if report.preview is not None else "; with --input PATH a mini-batch is run, too"
        return f"check: nothing wrong{tried}"
    counts = [(report.errors, "error"), (report.warnings, "warning")]
    return "check: " + ", ".join(_count(number, word) for number, word in counts if number)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' if number != 1 else ''}"
