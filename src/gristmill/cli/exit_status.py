"""The exit statuses of the command: the one table of them. This module must not know how things are shown."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from gristmill.errors import GristmillError, RequestError, UnknownJobError, UnknownResourceError

if TYPE_CHECKING:
    from gristmill.service.jobs import JobView


class ExitStatus(IntEnum):
    """What the shell sees at the end."""

    COMPLETED = 0
    """Done: the job completed, or the question was answered."""
    JOB_FAILED = 1
    """The job failed, or `verify` found something wrong."""
    NOTHING_STARTED = 2
    """What was asked for cannot be done; nothing was started."""
    CANCELED = 3
    """The job was cancelled; what was finished is kept. Or: what was to be shown is not there."""
    FAILED_ITEMS = 4
    """Under ``--strict``: the job completed, and items of it failed."""


_BY_JOB_STATUS = {"Completed": ExitStatus.COMPLETED, "Canceled": ExitStatus.CANCELED}


def of_job(view: JobView, *, is_strict: bool) -> ExitStatus:
    """Say with which status a command ends that ran a job.

    Parameters
    ----------
    view
        The job as it ended.
    is_strict
        Whether items that failed in a completed job count.

    Returns
    -------
    ExitStatus
        ``JOB_FAILED`` for every job status that is not known to be better.
    """
    status = _BY_JOB_STATUS.get(view.status, ExitStatus.JOB_FAILED)
    if status is ExitStatus.COMPLETED and is_strict and view.failed:
        return ExitStatus.FAILED_ITEMS
    return status


def of_error(error: GristmillError, *, is_show: bool = False) -> ExitStatus:
    """Say with which status a command ends that met this error.

    Parameters
    ----------
    error
        The error.
    is_show
        Whether the command shows one thing: that it is not there has a status of its own then, as in ``az``.

    Returns
    -------
    ExitStatus
        ``CANCELED``, 3, for what is not there.
    """
    if is_show and isinstance(error, (UnknownResourceError, UnknownJobError)):
        return ExitStatus.CANCELED
    return ExitStatus.NOTHING_STARTED if isinstance(error, RequestError) else ExitStatus.JOB_FAILED
