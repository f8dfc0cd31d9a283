"""A text stream that never fails: what nobody can read any more is dropped.

A job outlives its terminal: closing the window, or the reader of a pipe, must neither end it nor change how
it ends. What becomes of the file descriptor of a stream that is lost is its owner's business.
"""

from __future__ import annotations

import io
import os
from typing import TextIO

from gristmill.shown.words import harmless


class Stream:
    """A stream for the eyes of people."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream: TextIO = io.StringIO() if stream is None else stream  # closed before we were started

    def say(self, *lines: str) -> None:
        """Write lines; text that is no UTF-8, or would steer the terminal, is escaped."""
        self.write("".join(f"{harmless(line)}\n" for line in lines))
        self.flush()

    def write(self, text: str) -> int:
        """Write a text as it is."""
        try:
            self._stream.write(text.encode("utf-8", "backslashreplace").decode("utf-8"))
        except (OSError, ValueError):  # the terminal or the reader is gone, or the stream was closed
            self.lose()
        return len(text)

    def flush(self) -> None:
        """Send what was written."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self.lose()

    def lose(self) -> None:
        """Nobody reads any more: what is still written goes nowhere."""

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
