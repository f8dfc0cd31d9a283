"""The words and tables in which jobs are shown to people. This module must not fetch or print anything."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gristmill.shown.words import duration, near

if TYPE_CHECKING:
    from gristmill.service.in_flight import InFlight
    from gristmill.service.jobs import JobView, Verification
    from gristmill.shown.progress import Taken

_COMPLETED, _QUEUED = "Completed", "Queued"
#: What is shown of MLflow's runs, and of each run's metrics and parameters.
_MOST_RUNS = 10
_MOST_NAMES = 10
#: Of what is in flight the longest are shown.
_MOST_IN_FLIGHT = 5
_LONGEST_PARAMETER = 60


def job(view: JobView) -> list[str]:
    """Show all that is known about a job.

    Parameters
    ----------
    view
        The job.

    Returns
    -------
    list of str
        Lines of aligned keys and values; below them the job's message, if it has one.
    """
    return [
        *aligned(
            [
                ("job", view.name),
                ("status", _status(view)),
                ("summary", view.summary),
                ("deployment", _deployment(view)),
                *_counts(view),
                ("input", view.input),
                *_places(view),
                ("memory", _peak(view)),
                ("all of it", _projection(view)),
                ("job folder", view.folder),
                ("created", moment(view.created_at)),
                ("started", moment(view.started_at)),
                ("ended", _ended(view)),
                ("go on with", view.next_command),
                *_in_flight(view),
                *_tracked(view),
            ]
        ),
        *_without_last_blank(_message(view)),
    ]


def _deployment(view: JobView) -> str | None:
    if view.deployment_name is None or view.endpoint_name is None:
        return view.deployment_name
    return f"{view.deployment_name} of endpoint {view.endpoint_name}"


def _counts(view: JobView) -> list[tuple[str, str]]:
    """Count items and mini-batches, of a job that has been looked at."""
    if view.status == _QUEUED and not view.total:
        return []
    items = f"{view.total:,}: {view.succeeded:,} scored, {view.failed:,} failed, {view.not_run:,} not run"
    done = f"{view.mini_batches_done:,} of {view.mini_batches:,} done"
    return [("items", items), ("mini-batches", done)]


def ending(view: JobView, taken: Taken | None = None) -> list[str]:
    """Say how a job ended, where everything is, and what to do next.

    Parameters
    ----------
    view
        The job as it ended.
    taken
        What this start of it took, if that is to be said.

    Returns
    -------
    list of str
        The summary; the message, if something went wrong; places and commands.
    """
    went_well = view.status == _COMPLETED and not view.failed
    logs = None if went_well else f"gristmill job logs {view.name}"
    return [
        view.summary,
        *([] if went_well else _message(view)),
        *aligned(
            [
                *_places(view),
                ("took", _taken(taken)),
                ("all of it", _projection(view)),
                ("logs", logs),
                ("go on with", view.next_command),
            ]
        ),
    ]


def jobs(views: Sequence[JobView]) -> list[str]:
    """List jobs as a table, one line each, in the given order."""
    rows = [("JOB", "STATUS", "ITEMS", "SCORED", "FAILED", "CREATED")]
    for view in views:
        status = "Interrupted" if view.is_interrupted else view.status
        counts = (f"{view.total:,}", f"{view.succeeded:,}", f"{view.failed:,}")
        rows.append((view.name, status, *counts, moment(view.created_at)))
    return table(rows, right=(2, 3, 4))


def table(rows: Sequence[tuple[str, ...]], *, right: Sequence[int]) -> list[str]:
    """Align the columns of a table; those of numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def verification(result: Verification) -> list[str]:
    """Say what `verify` found: one line, and one for each problem."""
    return [result.summary, *(f"  {problem}" for problem in result.problems)]


def size(size_bytes: int) -> str:
    """Write the size of a file: ``812 B``, ``1.4 MB``."""
    value, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def in_flight(one: InFlight) -> str:
    """Say what a worker is running: for how long, which files, and which try it is."""
    more = f" and {one.items - 1:,} more" if len(one.inputs) > 1 else ""
    files = f"{one.inputs[0]}{more}" if one.inputs else "something"
    opened = f"; opened last: {one.opened}" if one.opened and one.items > 1 else ""
    which = f"mini-batch {one.mini_batch}, try {one.attempt}{opened}"
    return printable(f"worker {one.worker} for {duration(one.seconds)}: {files} ({which})")


def printable(text: str) -> str:
    """Write what cannot be shown as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _in_flight(view: JobView) -> list[tuple[str, str]]:
    """Show what has been running longest, a line each."""
    rows = [
        ("" if number else "in flight", in_flight(one))
        for number, one in enumerate(view.in_flight[:_MOST_IN_FLIGHT])
    ]
    if len(view.in_flight) > _MOST_IN_FLIGHT:
        rows.append(("", f"and {len(view.in_flight) - _MOST_IN_FLIGHT} more: --json has all"))
    return rows


def _places(view: JobView) -> list[tuple[str, str | None]]:
    label = "predictions" if view.status == _COMPLETED else "so far"
    return [
        ("output", near(view.output) if view.target is None and os.path.isdir(view.output) else None),
        (label, near(view.target) if view.target else None),
        ("read with", view.read_hint if view.target else None),
        ("failures", near(view.failures) if view.failures else None),
        ("look into", view.replay_command),
    ]


def _taken(taken: Taken | None) -> str | None:
    """Say how long it took and how fast it was; nothing where nothing was done."""
    if taken is None or taken.items <= 0:
        return None
    spent = duration(taken.seconds) if taken.seconds >= 10 else f"{taken.seconds:.1f} s"
    speed = taken.items / taken.seconds if taken.seconds > 0 else 0.0
    return f"{spent}, {speed:,.0f} items/s" if speed >= 10 else f"{spent}, {speed:,.2g} items/s"


def _tracked(view: JobView) -> list[tuple[str, str]]:
    """Show what was logged with MLflow, one line for each run: metrics, then parameters in brackets."""
    rows = []
    for number, run in enumerate(view.mlflow_runs[:_MOST_RUNS]):
        metrics = _listed(
            f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in run.metrics.items()
        )
        params = _listed(f"{key}={value[:_LONGEST_PARAMETER]}" for key, value in run.params.items())
        words = " ".join(filter(None, (metrics, f"({params})" if params else "")))
        rows.append(("" if number else "mlflow", printable(f"{run.name}: {words}")))
    if len(view.mlflow_runs) > _MOST_RUNS:
        rows.append(("", f"and {len(view.mlflow_runs) - _MOST_RUNS} more runs: --json has all"))
    return rows


def _listed(words: Iterable[str]) -> str:
    known = list(words)
    more = [f"{len(known) - _MOST_NAMES} more"] if len(known) > _MOST_NAMES else []
    return ", ".join([*known[:_MOST_NAMES], *more])


def _peak(view: JobView) -> str | None:
    return f"{size(view.peak_bytes)} at most in a worker" if view.peak_bytes else None


def _projection(view: JobView) -> str | None:
    """Say what the whole input would take, where a sample of it was scored."""
    whole = view.projection
    if whole is None:
        return None
    memory = f", {size(whole['memory_bytes'])} of memory" if whole["memory_bytes"] else ""
    return (
        f"{whole['items']:,} items would take about {duration(whole['seconds'])} in run() and "
        f"{size(whole['output_bytes'])} of output{memory}; leave --limit out to score them"
    )


def _status(view: JobView) -> str:
    if view.is_interrupted:
        return f"Interrupted: it says {view.status}, but no process works on it"
    return view.status


def _message(view: JobView) -> list[str]:
    if not view.message or view.message == view.summary:
        return []
    lines = [f"  {line}".rstrip() for line in view.message.splitlines()]
    return lines if len(lines) == 1 else ["", *lines, ""]


def _without_last_blank(lines: list[str]) -> list[str]:
    return lines[:-1] if lines and not lines[-1] else lines


def aligned(rows: Iterable[tuple[str, str | None]]) -> list[str]:
    """Align keys and values; rows without a value are left out."""
    known = [(key, value) for key, value in rows if value]
    width = max((len(key) for key, _ in known), default=0)
    return [f"{key:<{width}}  {value}" for key, value in known]


def _ended(view: JobView) -> str:
    ended = moment(view.ended_at)
    try:
        span = datetime.fromisoformat(view.ended_at) - datetime.fromisoformat(view.started_at)
    except ValueError:
        return ended
    return f"{ended}, after {duration(span.total_seconds())}"


def moment(text: str) -> str:
    """Write a moment as people do; what is no moment is left as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment.tzinfo else text
