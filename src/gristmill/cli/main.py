"""The command ``gristmill``: find what was asked for, do it, and turn what came of it into an exit status.

The commands are imported through the table of `options` only when they are asked for. An error that is not
ours is a bug, and its traceback is shown.
"""

from __future__ import annotations

import importlib
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gristmill.cli.exit_status import ExitStatus, of_error
from gristmill.cli.options import parse
from gristmill.cli.streams import AnswerLostError, Stderr
from gristmill.errors import GristmillError

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs

_HOME = "gristmill.settings:Home"
_JOBS = "gristmill.service.jobs:Jobs"


def main(argv: Sequence[str] | None = None, jobs: Jobs | None = None) -> int:
    """Do what a command line says.

    Parameters
    ----------
    argv
        What stands behind ``gristmill``; None: what this process was started with.
    jobs
        The service; None: the one over the home that the environment names.

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
        args = parse(sys.argv[1:] if argv is None else argv)
    except SystemExit as answered:
        return int(answered.code or 0)
    return _done(args, jobs)


def _done(args: Namespace, jobs: Jobs | None) -> int:
    try:
        command = _load(args.target)
        return int(command(args, jobs or _load(_JOBS)(_load(_HOME).from_environment(), Stderr().say)))
    except GristmillError as error:
        lines = str(error).splitlines() or [type(error).__name__]
        Stderr().say(*(f"gristmill: error: {line}" for line in lines))
        return of_error(error)
    except AnswerLostError as error:
        Stderr().say(f"gristmill: error: {error}; what was asked for is lost, the job is not")
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
