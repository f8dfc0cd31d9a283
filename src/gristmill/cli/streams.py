"""The two streams: stdout for what was asked for, stderr for the eyes of people.

Both may vanish while a job goes on, and a job outlives its terminal: closing the window, or the reader of a
pipe, must neither end it nor change how it ends. So what nobody can read any more is dropped.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

from gristmill.shown.stream import Stream


class AnswerLostError(Exception):
    """What was asked for could not be written to stdout: its disk is full, say."""


def answer(*lines: str) -> None:
    """Write lines to stdout; a reader that has left, as in ``gristmill job list | head -1``, is no error.

    Raises
    ------
    AnswerLostError
        Stdout does not take them for another reason.
    """
    answer_text("".join(f"{line}\n" for line in lines))


def answer_text(text: str) -> None:
    """Write a text to stdout, as `answer` does.

    Raises
    ------
    AnswerLostError
        Stdout does not take it.
    """
    if sys.stdout is None:
        raise AnswerLostError("stdout is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may hold bytes that are not UTF-8
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        _drop(1)
        if not isinstance(error, BrokenPipeError):
            raise AnswerLostError(f"stdout cannot be written: {error}") from error


def _drop(descriptor: int) -> None:
    """Let what Python still holds for a stream go nowhere, so that its own flush at the end cannot fail."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)


class Stderr(Stream):
    """``sys.stderr``, except that it never fails."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(sys.stderr if stream is None else stream)

    def lose(self) -> None:
        if self._stream is sys.stderr:
            _drop(2)


def tell_now(text: str, descriptor: int = 2) -> None:
    """Write a line at once, past all buffers: safe in a signal handler, which may interrupt another write.

    On a terminal, whatever stands on the line of the cursor (a bar, ``^C``) is wiped first, and the cursor,
    which a bar hides, is shown, since this may be the last that is written.
    """
    try:
        start = "\r\x1b[2K\x1b[?25h" if os.isatty(descriptor) else ""
        os.write(descriptor, f"{start}{text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass
