"""``gristmill run``: a deployment or a bare script, with the settings that were typed over it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.follow import follow
from gristmill.cli.settings_options import Given
from gristmill.errors import SpecError
from gristmill.service.endpoints.references import load_at
from gristmill.service.jobs import RunRequest
from gristmill.spec.overrides import Override, parse_set

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs


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
    request = request_of(args, jobs)
    return follow(lambda: jobs.run(request), args)


def request_of(args: Namespace, jobs: Jobs) -> RunRequest:
    """Return what the options of ``gristmill run`` ask for.

    Raises
    ------
    RequestError
        The deployment or an option is not right.
    """
    return RunRequest(
        deployment=load_at(jobs.home, args.deployment, overrides(args.settings)),
        input=args.input,
        output=args.output_path,
        name=args.job_name,
        overwrite=args.overwrite,
        chose_workers=any("workers" in given.origin for given in args.settings),
    )


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
    typed = {given.path for given in settings}
    if {"gristmill.python", "gristmill.use_current_python"} <= typed:
        raise SpecError("--python and --use-current-python contradict each other; give one of them")
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
