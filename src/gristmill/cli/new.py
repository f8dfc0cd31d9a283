"""``gristmill new``: a scoring script to start from, and the commands that try it."""

from __future__ import annotations

import shlex
from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.streams import Stderr, answer
from gristmill.service.new_script import NewScript, NewScriptRequest, write_script

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs


def new(args: Namespace, _jobs: Jobs) -> ExitStatus:
    """Write a scoring script, and say how to try it.

    Parameters
    ----------
    args
        The options of ``gristmill new``.

    Returns
    -------
    ExitStatus
        ``COMPLETED``.

    Raises
    ------
    RequestError
        The script's name, the model or the folder is not right; nothing was written.
    """
    request = NewScriptRequest(
        script=args.script, model=args.model, deployment=args.deployment, overwrite=args.overwrite
    )
    written = write_script(request)
    Stderr().say(*_words(request, written))
    answer(*map(str, written.files))
    return ExitStatus.COMPLETED


def _words(request: NewScriptRequest, written: NewScript) -> list[str]:
    if request.model is None:
        about = "written, without a model (--model PATH writes one for your model)"
    else:
        about = f"written for {request.model}, {written.kind}"
    wanted = [str(written.files[-1])]
    if request.model is not None and not request.deployment:
        wanted += ["--model", str(request.model)]
    typed = f"{shlex.join(wanted)} --input FOLDER"
    workers = "" if request.deployment else " --workers 2"
    return [
        f"{request.script.name}: {about}; the comments that begin with CHANGE say what to adapt",
        *(f"notice: {notice}" for notice in written.notices),
        f"try it with  gristmill check {typed}",
        f"then         gristmill run {typed}{workers}",
    ]
