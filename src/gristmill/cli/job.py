"""``gristmill verify`` and ``gristmill job``: what is asked about jobs, answered on stdout."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.cli import show
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.streams import Stderr, answer

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs

CANCEL_WAIT_S = 60.0
_TAIL_BYTES = 16_384
_TAIL_LINES = 20
_MOST_TAILS = 6
_WHOLE = ("job_result.txt", "job_error.txt")


def show_job(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Show one job."""
    view = jobs.show(args.job)
    answer(*([json.dumps(view.to_json(), indent=2)] if args.json else show.job(view)))
    return ExitStatus.COMPLETED


def list_jobs(args: Namespace, jobs: Jobs) -> ExitStatus:
    """List all jobs, the newest first."""
    views = jobs.list()
    unreadable = jobs.unreadable()
    if unreadable:
        Stderr().say(f"notice: without a job.json that can be read: {', '.join(unreadable)}")
    if args.json:
        answer(json.dumps([view.to_json() for view in views], indent=2))
    elif views:
        answer(*show.jobs(views))
    else:
        Stderr().say("there are no jobs yet; gristmill run --help says how to start one")
    return ExitStatus.COMPLETED


def logs(args: Namespace, jobs: Jobs) -> ExitStatus:
    """List the log files of a job, and show what the most telling ones say."""
    folder = Path(jobs.show(args.job).folder, "logs")
    if args.path:
        answer(str(folder))
        return ExitStatus.COMPLETED
    paths = jobs.logs(args.job)
    answer(f"{folder}:", *(f"  {show.size(_size(path)):>8}  {_below(path, folder)}" for path in paths))
    said: set[str] = set()
    for path in _telling(paths, folder):
        is_whole = path.name in _WHOLE
        lines = _tail(path, None if is_whole else _TAIL_LINES)
        if said and is_whole and said.issuperset(lines[1:]):
            continue  # below its title, an error that the result shows, too
        said.update(lines)
        answer("", f"== {'' if is_whole else 'the end of '}{_below(path, folder)}", *lines)
    return ExitStatus.COMPLETED


def cancel(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Ask the process that runs a job to stop, and wait until it has."""
    view = jobs.cancel(args.job, CANCEL_WAIT_S)
    answer(json.dumps(view.to_json(), indent=2) if args.json else f"job {view.name}: {view.summary}")
    if view.ended_at:
        return ExitStatus.COMPLETED
    Stderr().say(f"it has been asked to stop and has not yet; look again: gristmill job show {view.name}")
    return ExitStatus.JOB_FAILED


def verify(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Prove from its files that a job lost nothing and has nothing twice, or say what is wrong."""
    result = jobs.verify(args.job)
    answer(*([json.dumps(result.to_json(), indent=2)] if args.json else show.verification(result)))
    return ExitStatus.COMPLETED if result.ok else ExitStatus.JOB_FAILED


def _telling(paths: list[Path], folder: Path) -> list[Path]:
    """Choose the files that are worth reading at once; empty ones are not."""
    filled = [path for path in paths if _size(path)]
    whole = [path for name in _WHOLE for path in filled if path.name == name]
    of_user = [path for path in filled if _below(path, folder).startswith("user" + os.sep)]
    return [*whole, *of_user[:_MOST_TAILS]]


def _tail(path: Path, most: int | None) -> list[str]:
    """Read the last lines of a file, of all that fit into a few kB; None: all of these."""
    try:
        with path.open("rb") as file:
            start = max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES)
            file.seek(start)
            lines = file.read(_TAIL_BYTES).decode("utf-8", "replace").splitlines()
    except OSError as error:
        return [f"(cannot be read: {error.strerror})"]
    whole = lines[1:] if start else lines
    return whole if most is None else whole[-most:]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _below(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
