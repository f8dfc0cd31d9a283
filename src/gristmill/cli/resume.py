"""``gristmill resume``: go on with a job, as it is or with what has changed."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.follow import follow
from gristmill.cli.start import overrides
from gristmill.service.jobs import ResumeRequest

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs


def resume(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Go on with a job, and follow it.

    Parameters
    ----------
    args
        The options of ``gristmill resume``.
    jobs
        The service.

    Returns
    -------
    ExitStatus
        How the job ended.

    Raises
    ------
    RequestError
        There is no such job, or it cannot go on; nothing was started.
    """
    request = ResumeRequest(force=args.force, new=args.new, overrides=overrides(args.settings))
    return follow(lambda: jobs.resume(args.job, request), args)
