"""``gristmill az -- COMMAND``: run a script that was written for ``az ml``, unchanged.

The command finds an ``az`` first on its ``PATH``, which is `stand_in`, run by this very Python over this very
home. What ``az configure`` and ``az account set`` say is remembered until the command ends, and no longer.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from gristmill.cli.az.stand_in import REMEMBERED
from gristmill.errors import RequestError, in_words
from gristmill.settings import Home

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_BY_SIGNAL = 128


def run_script(args: Namespace, _: None) -> int:
    """Run a command that may call ``az``.

    Parameters
    ----------
    args
        ``command``: its words.

    Returns
    -------
    int
        Its exit status; 128 and the number of a signal that ended it.

    Raises
    ------
    RequestError
        It cannot be run.
    """
    words = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not words:
        raise RequestError("which command? Type it behind --, as in: gristmill az -- bash deploy-and-run.sh")
    if words[0] == "ml":
        raise RequestError(
            "what az ml does is done by gristmill itself, as in: gristmill batch-endpoint list; gristmill az "
            "runs a script that says az ml: gristmill az -- bash deploy-and-run.sh"
        )
    try:
        with tempfile.TemporaryDirectory(prefix="gristmill-az-") as folder:
            return _run(words, _environment(Path(folder)))
    except OSError as error:
        raise RequestError(f"{words[0]} cannot be run: {in_words(error)}") from error


def _environment(folder: Path) -> dict[str, str]:
    """Make the ``az`` that is found first, and return the variables with which it is."""
    programs = folder / "bin"
    programs.mkdir()
    entry = programs / "az"
    entry.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m gristmill.cli.az.stand_in "$@"\n',
        encoding="utf-8",
    )
    entry.chmod(0o755)
    path = os.environ.get("PATH", os.defpath)
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{path}",
        "GRISTMILL_HOME": str(Home.from_environment().path),  # the same, wherever the script goes
        REMEMBERED: str(folder / "remembered.json"),
    }


def _run(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end, and pass signals on to it."""
    before = {number: signal.getsignal(number) for number in _PASSED_ON}
    waiting: list[int] = []
    started: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and _has_terminal():
            return  # Ctrl-C reaches all that the terminal runs
        if started:
            started[0].send_signal(number)
        else:
            waiting.append(number)

    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, pass_on)
        started.append(subprocess.Popen(words, env=environment))
        for came_early in waiting:
            started[0].send_signal(came_early)
        status = started[0].wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else _BY_SIGNAL - status


def _has_terminal() -> bool:
    """Say whether we are what a terminal runs in its foreground."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
