"""``gristmill run`` and ``gristmill resume``: start a job, follow it to its end, and say how it ended."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gristmill.cli import show
from gristmill.cli.exit_status import ExitStatus, of_error, of_job
from gristmill.cli.interrupts import Interrupts
from gristmill.cli.options import Given
from gristmill.cli.progress import display
from gristmill.cli.streams import Stderr, answer
from gristmill.errors import JobError, SpecError
from gristmill.service.jobs import RunRequest
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override, parse_set

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs, JobView, RunningJob


def run(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Start a job from a deployment or a script, and follow it.

    Parameters
    ----------
    args
        The options of ``gristmill run``.
    jobs
        The service.

    Returns
    -------
    ExitStatus
        How the job ended.

    Raises
    ------
    RequestError
        The deployment, an option, the input or the output is not right; nothing was started.
    """
    deployment = load(args.deployment, overrides(args.settings))
    request = RunRequest(
        deployment=deployment,
        input=args.input,
        output=args.output_path,
        name=args.job_name,
        overwrite=args.overwrite,
    )
    return _follow(lambda: jobs.run(request), args)


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
    return _follow(lambda: jobs.resume(args.job), args)


def overrides(settings: Sequence[Given]) -> list[Override]:
    """Turn the settings that were typed into those that the deployment takes.

    Parameters
    ----------
    settings
        In the order in which they were typed, which is kept.

    Returns
    -------
    list of Override
        One each.

    Raises
    ------
    SpecError
        What stands behind ``--set`` is not KEY=VALUE; one line for each.
    """
    found: list[Override] = []
    problems: list[str] = []
    for given in settings:
        try:
            if given.path is None:
                found.append(parse_set(str(given.value)))
            else:
                found.append(Override(path=given.path, value=given.value, origin=given.origin))
        except SpecError as error:
            problems.extend(error.problems)
    if problems:
        raise SpecError(*problems)
    return found


def _follow(start: Callable[[], RunningJob], args: Namespace) -> ExitStatus:
    stderr = Stderr()
    with Interrupts() as interrupts:
        running = start()
        interrupts.watch(running)
        try:
            _show_steps(running, stderr)
        except JobError as error:
            stderr.say(*(f"gristmill: error: {line}" for line in str(error).splitlines()))
            stderr.say(f"job folder  {running.folder}", f"go on with  gristmill resume {running.name}")
            return of_error(error)
        view = running.view
    return _ended(view, stderr, args)


def _show_steps(running: RunningJob, stderr: Stderr) -> None:
    shown = display(stderr)
    stderr.say(f"job {running.name}; output in {show.near(str(running.output))}")
    try:
        for text in running.notices:
            shown.note(text)
        for progress in running.steps():
            shown.show(progress)
    finally:
        shown.close()


def _ended(view: JobView, stderr: Stderr, args: Namespace) -> ExitStatus:
    stderr.say(*show.ending(view))
    if args.json:
        answer(json.dumps(view.to_json(), indent=2))
    return of_job(view, is_strict=args.strict)
