"""The slots of a runner, seen from there: each a process that runs one job after the other."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from gristmill.engine.process import Process, exit_in_words
from gristmill.service.queue.dealing import Seat

_CHUNK = 65_536


class Slot:
    """One slot. Its process is waited for by its descriptor: a child of a job may keep a pipe open."""

    def __init__(self, number: int) -> None:
        """Start the process.

        Raises
        ------
        OSError
            It cannot be started.
        """
        self.number = number
        self.job: str | None = None
        self.is_ready = False
        self.warm_until: dict[str, float] = {}
        """Until when it keeps workers for a deployment, in seconds of the runner's clock."""
        names, self._names = os.pipe()
        self.answers, answers = os.pipe()
        os.set_blocking(self.answers, False)
        try:
            self.process = Process(
                [sys.executable, "-P", "-m", "gristmill.service.queue.slot"],
                os.environ,
                {0: names, 1: answers},
            )
        except BaseException:
            self.close()
            raise
        finally:
            os.close(names)
            os.close(answers)
        self._unread = b""

    def seat(self, now: float) -> Seat:
        """Return what matters when jobs are dealt."""
        warm = frozenset(one for one, until in self.warm_until.items() if until > now)
        return Seat(number=self.number, job=self.job, warm=warm)

    def begin(self, job: str) -> None:
        """Let it run a job; where its process has just died, that is seen soon enough."""
        self.job = job
        with suppress(BrokenPipeError):
            os.write(self._names, f"{job}\n".encode("ascii"))

    def said(self) -> Iterator[dict[str, Any]]:
        """Yield what it has said since the last time; nothing once it is closed.

        Its death and its last words wake whoever waits for both at the same time, the death first or last.
        """
        if self.answers < 0:
            return
        with suppress(BlockingIOError):
            while chunk := os.read(self.answers, _CHUNK):
                self._unread += chunk
        *lines, self._unread = self._unread.split(b"\n")
        yield from map(json.loads, lines)

    def death(self) -> str | None:
        """Say how its process has died; None while it lives."""
        status = self.process.reap()
        return None if status is None else exit_in_words(status)

    def close(self) -> None:
        """Let go of it: it ends the job that it has, and then itself. Idempotent."""
        for descriptor in (self._names, self.answers):
            if descriptor >= 0:
                os.close(descriptor)
        self._names = self.answers = -1
        process = self.__dict__.pop("process", None)
        if process is not None:
            process.close()
