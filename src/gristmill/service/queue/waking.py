"""How a command makes sure that the runner of a home lives, and has heard of what there is to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from gristmill.engine.process import Process
from gristmill.service.queue.doorbell import ring
from gristmill.service.queue.presence import Presence
from gristmill.service.queue.waiting import Waiting
from gristmill.settings import Home

#: Where the runner finds the lock that it inherits.
LOCK_DESCRIPTOR = 3
_LARGEST_LOG_BYTES = 1_000_000


def wake(home: Home, environment: Mapping[str, str] = os.environ) -> None:
    """Ring at the runner; start one where there is none. It outlives this process, its terminal and shell.

    Parameters
    ----------
    home
        Whose runner.
    environment
        What a runner that is started finds around it, and the jobs that it runs.

    Raises
    ------
    OSError
        The home cannot be written, or no process be started.
    """
    if ring(home):
        return
    presence = Presence.held(home)
    if presence is None:
        return  # it is just starting, or about to end: in both cases it is going to look
    try:
        _start(home, presence, environment)
    finally:
        os.close(presence.descriptor)  # without letting go: the lock is the runner's now


def wake_if_needed(home: Home) -> None:
    """Start a runner where there are jobs that wait for one: so the next command notices what was killed."""
    if Waiting(home).names():
        try:
            wake(home)
        except OSError:
            return  # whoever only looks can do nothing about it


def _start(home: Home, presence: Presence, environment: Mapping[str, str]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    log = os.open(_log(home), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        started = Process(
            [sys.executable, "-P", "-m", "gristmill.service.queue.runner"],
            {**environment, "GRISTMILL_HOME": str(home.path)},
            {0: nothing, 1: log, 2: log, LOCK_DESCRIPTOR: presence.descriptor},
        )
        started.close()  # nobody waits for it
    finally:
        os.close(nothing)
        os.close(log)


def _log(home: Home) -> str:
    """Return the runner's log; one that has grown large is put aside."""
    path = home.runner / "runner.log"
    try:
        if path.stat().st_size > _LARGEST_LOG_BYTES:
            path.replace(path.with_name("runner.log.1"))
    except FileNotFoundError:
        pass
    return str(path)
