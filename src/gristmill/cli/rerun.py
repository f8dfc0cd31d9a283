"""``gristmill rerun``: score again what failed in a completed job."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.follow import follow
from gristmill.cli.start import overrides
from gristmill.service.jobs import ResumeRequest

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs


def rerun(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Score again what failed in a completed job, and follow it.

    Parameters
    ----------
    args
        The options of ``gristmill rerun``.
    jobs
        The service.

    Returns
    -------
    ExitStatus
        How the job ended; ``COMPLETED`` where nothing had failed, and nothing was done.

    Raises
    ------
    RequestError
        There is no such job, or it is not Completed, or its output, code or model has changed; nothing was
        started.
    """
    request = ResumeRequest(force=args.force, new=False, overrides=overrides(args.settings))
    return follow(lambda: jobs.rerun(args.job, request), args, lambda: jobs.show(args.job))
