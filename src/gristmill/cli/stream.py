"""``gristmill job stream``: follow a job to its end, whoever works on it."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli import show
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.streams import Stderr
from gristmill.shown.progress import display, show_steps

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs


def stream(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Follow a job."""
    return follow_to_the_end(jobs, args.job)


def follow_to_the_end(jobs: Jobs, name: str) -> ExitStatus:
    """Show how far a job is until it has ended, and then how it did.

    Parameters
    ----------
    jobs
        The service.
    name
        The job.

    Returns
    -------
    ExitStatus
        ``JOB_FAILED`` for a job that failed or was cancelled.

    Raises
    ------
    RequestError
        There is no such job, or nobody works on it any more.
    """
    stderr = Stderr()
    followed = jobs.follow(name)
    try:
        show_steps(followed, display(stderr))
    except KeyboardInterrupt:
        stderr.say(f"the job goes on; follow it again with gristmill job stream {name}")
        return ExitStatus.CANCELED
    view = followed.view
    stderr.say(*show.ending(view))
    return ExitStatus.COMPLETED if view.status == "Completed" else ExitStatus.JOB_FAILED
