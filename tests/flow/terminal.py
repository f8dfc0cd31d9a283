"""A command on a terminal of its own: what it shows is read, and keys are typed when it waits for them."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from types import TracebackType

from flow.mill import DEADLINE_S, Mill


class Terminal:
    """A pseudo terminal with a command of `mill` in its foreground."""

    def __init__(self, mill: Mill, *words: str) -> None:
        self.shown = ""
        self._ours, theirs = pty.openpty()

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self._process = subprocess.Popen(
            [sys.executable, "-m", "gristmill", *words],
            cwd=mill.root,
            env=mill.environment(TERM="dumb"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def answer(self, shown: str, keys: str) -> None:
        """Wait until something new is shown, then type."""
        seen = len(self.shown)
        deadline = time.monotonic() + DEADLINE_S
        while shown not in self.shown[seen:]:
            assert self._read(deadline), f"{shown!r} was never shown, but: {self.shown}"
        os.write(self._ours, keys.encode())

    def ended(self) -> int:
        """Wait for the end and return the exit status."""
        deadline = time.monotonic() + DEADLINE_S
        while self._read(deadline):
            continue
        return self._process.wait(DEADLINE_S)

    def _read(self, deadline: float) -> bool:
        """Take what is shown; return False at its end, or after the deadline."""
        if not select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # nobody has the terminal open any more
            return False
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
