"""``gristmill run --detach``: queue a job, and leave; the runner of the home works on it."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.start import request_of
from gristmill.cli.streams import Stderr, answer
from gristmill.errors import SpecError

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace


def detach(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Queue a job, and say its name and how it is followed.

    Parameters
    ----------
    args
        The options of ``gristmill run``.
    workspace
        The service.

    Returns
    -------
    ExitStatus
        That it is queued.

    Raises
    ------
    RequestError
        The deployment, an option, the input or the output is not right; nothing was queued.
    """
    if args.strict:
        raise SpecError(
            "--strict is about how the job ends, and --detach does not wait for that; leave one of them out"
        )
    submitted = workspace.queue.submit_detached(request_of(args, workspace.jobs))
    view, stderr = submitted.view, Stderr()
    stderr.say(*(f"notice: {text}" for text in submitted.notices))
    stderr.say(f"job {view.name}: {view.summary}; follow it with gristmill job stream {view.name}")
    answer(json.dumps(view.to_json(), indent=2) if args.json else view.name)
    return ExitStatus.COMPLETED
