"""A program that builds something: its words are passed on as it goes, and kept for the case that it fails.

The lock of the environment is inherited by it: whoever wants to build there waits until a program that has
lost its parent has ended, too.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_MOST_LINES = 400
_TELLING = ("Resolved ", "Downloading ", "Building ", "Prepared ", "Installed ", "Collecting ", "Solving ")
_GRACE_S = 5.0


class CommandFailedError(Exception):
    """The program ended with another status than 0.

    Parameters
    ----------
    words
        What it said, line by line; the last ones, if that is much.
    """

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__("\n".join(words))
        self.words = tuple(words)


def run_command(
    command: Sequence[str],
    variables: Mapping[str, str],
    say: Callable[[str], None],
    *,
    folder: Path,
    inherited: int,
) -> list[str]:
    """Run a program to its end.

    Parameters
    ----------
    command
        The program and its arguments.
    variables
        Its whole environment.
    say
        Is told what it does, in its own words.
    folder
        Its working folder.
    inherited
        A descriptor that it is to hold as long as it lives, and whatever it starts.

    Returns
    -------
    list of str
        What it said.

    Raises
    ------
    CommandFailedError
        It ended with another status than 0, or cannot be executed.
    """
    try:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[inherited],
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
    except OSError as error:
        raise CommandFailedError([f"{command[0]}: {error.strerror}"]) from error
    lines: deque[str] = deque(maxlen=_MOST_LINES)
    try:
        assert process.stdout is not None
        with process.stdout:
            for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip()
                lines.append(line)
                if line.strip().startswith(_TELLING):
                    say(f"  {line.strip()}")
        status = process.wait()
    except BaseException:
        _end(process)
        raise
    if status:
        ended = f"it was killed by signal {-status}" if status < 0 else f"it ended with status {status}"
        raise CommandFailedError([line for line in lines if line.strip()] or [ended])
    return list(lines)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program, and what it has started, before we leave."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_GRACE_S)
        except (ProcessLookupError, PermissionError):
            return
        except subprocess.TimeoutExpired:
            continue
        return
