"""The command ``gristmill``: find what was asked for, do it, and turn what came of it into an exit status.

The commands are imported through the table of `options` only when they are asked for. An error that is not
ours is a bug, and its traceback is shown.
"""

from __future__ import annotations

import importlib
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from gristmill.cli.exit_status import ExitStatus, of_error
from gristmill.cli.options import parse
from gristmill.cli.streams import AnswerLostError, Stderr
from gristmill.errors import GristmillError

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs
    from gristmill.service.workspace import Workspace

#: What makes that which a command works with.
_SERVICES = {
    "jobs": "gristmill.cli.services:jobs",
    "workspace": "gristmill.cli.services:workspace",
    "nothing": "gristmill.cli.services:nothing",
}


def main(
    argv: Sequence[str] | None = None,
    jobs: Jobs | None = None,
    workspace: Workspace | None = None,
    *,
    is_az: bool = False,
) -> int:
    """Do what a command line says.

    Parameters
    ----------
    argv
        What stands behind ``gristmill``; None: what this process was started with.
    jobs
        The service of jobs; None: the one over the home that the environment names.
    workspace
        The service of everything that has a name; None: the one over the home and the catalog that the
        environment names.
    is_az
        Whether it was typed behind ``az ml``.

    Returns
    -------
    int
        The exit status, one of `ExitStatus`.
    """
    if sys.platform != "linux":
        print(
            f"gristmill runs on Linux, WSL2 and containers included; this is {sys.platform}", file=sys.stderr
        )
        return ExitStatus.NOTHING_STARTED
    try:
        args = parse(sys.argv[1:] if argv is None else argv, is_az=is_az)
    except SystemExit as answered:
        return int(answered.code or 0)
    return _done(args, {"jobs": jobs, "workspace": workspace, "nothing": None})


def _done(args: Namespace, services: Mapping[str, Any]) -> int:
    try:
        command = _load(args.target)
        service = services[args.service]
        if service is None:
            service = _load(_SERVICES[args.service])(args)
        with service if args.service == "workspace" else nullcontext():
            return int(command(args, service))
    except GristmillError as error:
        lines = str(error).splitlines() or [type(error).__name__]
        Stderr().say(*(f"gristmill: error: {line}" for line in lines))
        return of_error(error, is_show=args.is_show)
    except AnswerLostError as error:
        Stderr().say(f"gristmill: error: {error}; the answer is lost, and what was done stays done")
        return ExitStatus.JOB_FAILED
    except KeyboardInterrupt:
        Stderr().say("gristmill: interrupted")
        return ExitStatus.CANCELED


def _load(target: str) -> Any:
    """Import what a table names as ``module:function``."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    sys.exit(main())
