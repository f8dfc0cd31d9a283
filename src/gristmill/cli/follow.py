"""Follow a job to its end: its progress on stderr, and what came of it in words and as an exit status."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from gristmill.cli import show
from gristmill.cli.exit_status import ExitStatus, of_error, of_job
from gristmill.cli.interrupts import Interrupts
from gristmill.cli.streams import Stderr, answer
from gristmill.errors import JobError
from gristmill.shown.progress import Taken, display, show_steps

if TYPE_CHECKING:
    from gristmill.service.jobs import JobView, RunningJob


def follow(
    start: Callable[[], RunningJob | None],
    args: Namespace,
    show_as_it_is: Callable[[], JobView] | None = None,
) -> ExitStatus:
    """Begin a job and follow it.

    Parameters
    ----------
    start
        Begins it.
    args
        The options that all of these commands have.
    show_as_it_is
        Shows the job where there is nothing to begin.

    Returns
    -------
    ExitStatus
        How it ended.

    Raises
    ------
    RequestError
        It cannot be begun.
    """
    stderr = Stderr()
    with Interrupts() as interrupts:
        running = start()
        if running is None:
            assert show_as_it_is is not None, "only some jobs need not be begun"
            return _nothing_to_do(show_as_it_is(), stderr, args)
        interrupts.watch(running)
        try:
            taken = show_steps(running, display(stderr))
        except JobError as error:
            stderr.say(*(f"gristmill: error: {line}" for line in str(error).splitlines()))
            stderr.say(f"job folder  {running.folder}", f"go on with  gristmill resume {running.name}")
            return of_error(error)
        view = running.view
    return _ended(view, taken, stderr, args)


def _nothing_to_do(view: JobView, stderr: Stderr, args: Namespace) -> ExitStatus:
    stderr.say(f"nothing failed in job {view.name}: there is nothing to score again")
    if args.json:
        answer(json.dumps(view.to_json(), indent=2))
    return ExitStatus.COMPLETED


def _ended(view: JobView, taken: Taken, stderr: Stderr, args: Namespace) -> ExitStatus:
    stderr.say(*show.ending(view, taken))
    if args.json:
        answer(json.dumps(view.to_json(), indent=2))
    return of_job(view, is_strict=args.strict)
