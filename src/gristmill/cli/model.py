"""``gristmill model``: what can be done with a model before there is a deployment of it."""

from __future__ import annotations

import os
import shlex
from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.streams import Stderr, answer
from gristmill.service.scoring_script import ScoringScriptRequest, write_scoring_script

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs


def scoring_script(args: Namespace, _jobs: Jobs) -> ExitStatus:
    """Write the script that scores with an MLflow model, and a deployment of it.

    Parameters
    ----------
    args
        The options of ``gristmill model scoring-script``.

    Returns
    -------
    ExitStatus
        ``COMPLETED``.

    Raises
    ------
    RequestError
        It is no MLflow model, or the folder is not right; nothing was written.
    """
    request = ScoringScriptRequest(model=args.model, output=args.output, overwrite=args.overwrite)
    written = write_scoring_script(request)
    typed = shlex.join(["gristmill", "run", os.path.relpath(written.deployment), "--input", "FOLDER"])
    Stderr().say(
        f"written for {args.model}: the script that runs where a deployment names none, and a deployment",
        *(f"notice: {notice}" for notice in written.notices),
        f"run it with  {typed}",
    )
    answer(*(os.path.relpath(file) for file in written.files))
    return ExitStatus.COMPLETED
