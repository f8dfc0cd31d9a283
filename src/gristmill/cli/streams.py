"""The two streams: stdout for what was asked for, stderr for the eyes of people.

Both may vanish while a job goes on, and a job outlives its terminal: closing the window, or the reader of a
pipe, must neither end it nor change how it ends. So what nobody can read any more is dropped.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


class AnswerLostError(Exception):
    """What was asked for could not be written to stdout: its disk is full, say."""


def answer(*lines: str) -> None:
    """Write lines to stdout; a reader that has left, as in ``gristmill job list | head -1``, is no error.

    Raises
    ------
    AnswerLostError
        Stdout does not take them for another reason.
    """
    if sys.stdout is None:
        raise AnswerLostError("stdout is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may hold bytes that are not UTF-8
    try:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
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


class Stderr:
    """``sys.stderr``, except that it never fails."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream: TextIO = sys.stderr if stream is None else stream
        if self._stream is None:  # closed before we were started, as some daemons do
            self._stream = io.StringIO()

    def say(self, *lines: str) -> None:
        """Write lines; text that is no UTF-8, or would steer the terminal, is escaped."""
        self.write("".join(f"{_harmless(line)}\n" for line in lines))
        self.flush()

    def write(self, text: str) -> int:
        """Write a text as it is."""
        try:
            self._stream.write(text.encode("utf-8", "backslashreplace").decode("utf-8"))
        except (OSError, ValueError):  # the terminal or the reader is gone, or the stream was closed
            self._lose()
        return len(text)

    def flush(self) -> None:
        """Send what was written."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._lose()

    def _lose(self) -> None:
        if self._stream is sys.stderr:
            _drop(2)

    def isatty(self) -> bool:
        """Say whether somebody looks who can be shown a bar that moves."""
        try:
            return self._stream.isatty() and os.environ.get("TERM") != "dumb"
        except ValueError:
            return False

    @property
    def encoding(self) -> str:
        """The encoding of the stream, which decides what a bar can be drawn with."""
        return getattr(self._stream, "encoding", None) or "utf-8"


_STEERING = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F) if chr(code) not in "\n\t"}


def _harmless(text: str) -> str:
    return text.translate(_STEERING)


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
