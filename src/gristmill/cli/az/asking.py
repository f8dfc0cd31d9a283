"""A question before something is deleted."""

from __future__ import annotations

import sys
from argparse import Namespace

from gristmill.cli.streams import Stderr
from gristmill.errors import RequestError

_YES = ("y", "yes")


def sure(args: Namespace, deed: str) -> None:
    """Ask whether it is meant, unless ``--yes`` says so.

    Parameters
    ----------
    args
        The options, ``yes`` among them.
    deed
        What is to be done: ``delete the endpoint x``.

    Raises
    ------
    RequestError
        It is not meant, or nobody can be asked; nothing was done.
    """
    if args.yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise RequestError(
            f"there is no terminal to ask on whether to {deed}; --yes says so. Nothing was done"
        )
    stderr = Stderr()
    stderr.write(f"{deed[0].upper()}{deed[1:]}? (y/n): ")
    stderr.flush()
    if sys.stdin.readline().strip().lower() not in _YES:
        raise RequestError("nothing was done: the answer was not yes")
