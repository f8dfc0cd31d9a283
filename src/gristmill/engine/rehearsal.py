"""A script is tried out in a worker process of its own: launched, listened to, ended, swept away.

What the worker tells is kept as it comes, so that a script which ends its process, or never returns, has told
everything up to there. This module must not know what is good or bad about any of it.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from gristmill.engine.archive import worker_archive
from gristmill.engine.hearing import Hearing
from gristmill.engine.launch import (
    PARTS_PER_START,
    Assignment,
    Entry,
    Launched,
    launch_worker,
)
from gristmill.engine.process import exit_in_words, start_guard
from gristmill.engine.sweep import RUN_MARK, marked, sweep
from gristmill.errors import StorageError

#: The worker writes down where it stands at its limit; a moment later it is killed.
_GRACE_S = 0.5
_LEAVING_S = 10.0
_LONGEST_SAID_BYTES = 4096


class Ending(StrEnum):
    """How a rehearsal ended."""

    DONE = "done"
    DIED = "died"
    """The process ended in the middle."""
    TIMED_OUT = "timed out"
    """A stage did not return within its limit, and the process was killed."""
    LINGERED = "lingered"
    """All was done, but the process would not end."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is to be tried."""

    has_files: bool
    """Whether mini-batch 0 of the plan is to be run."""
    calls: int = 200
    """How often it is run, at most."""
    seconds: float = 10.0
    """For how long, at most."""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What was seen."""

    observations: tuple[Mapping[str, Any], ...]
    """As `gristmill_worker.rehearsal` tells them, in order."""
    ending: Ending
    words: str
    """How the process died; empty where it ended by itself."""
    stage: str
    """The last stage that began: start, import, init, run or shutdown."""
    call: int
    """The number of the last call of ``run()``; 0: there was none."""
    stack: str
    """Where the script stood at the limit that it exceeded; empty where it kept them."""
    left_behind: int
    """Processes that were still there a moment after the worker had ended; they were ended."""
    said: str
    """The end of what was written to standard error."""


def rehearse(
    assignment: Assignment, terms: Terms, heard: Callable[[Mapping[str, Any]], None] = lambda _: None
) -> Rehearsal:
    """Try a script out; no process is left of it.

    Parameters
    ----------
    assignment
        For one worker; its plan holds at least one mini-batch where there are files. All of its folders lie
        in its ``scratch``, which is `guarded`.
    terms
        What is to be tried.
    heard
        Is told each observation as it comes.

    Returns
    -------
    Rehearsal
        All observations up to the end, whichever it was.

    Raises
    ------
    StorageError
        The worker cannot be launched.
    """
    stack = assignment.scratch / "stack.txt"
    told = {
        "files": terms.has_files,
        "calls": terms.calls,
        "seconds": terms.seconds,
        "timeout_s": assignment.timeout_s,
        "init_timeout_s": assignment.init_timeout_s,
        "stack": str(stack),
        "stdout": str(assignment.log_path("stdout", 0, ".stdout.txt")),
    }
    try:
        archive = worker_archive(assignment.cache)
        part = assignment.fence * PARTS_PER_START
        launched = launch_worker(
            assignment, archive, 0, part, entry=Entry(name="rehearsal", terms=json.dumps(told))
        )
        return _Audience(assignment, launched, stack, heard).watch()
    except OSError as error:
        raise StorageError(
            f"the worker cannot be started: {error}; make room in {assignment.scratch}"
        ) from error
    finally:
        sweep(RUN_MARK, assignment.run_id)


@contextmanager
def guarded(run_id: str, folder: Path) -> Iterator[None]:
    """Make a folder for what is tried out, and make sure that it is gone afterwards, whatever kills us.

    Raises
    ------
    StorageError
        The folder cannot be made, or the guard cannot be started.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
        guard, held = start_guard(run_id, sys.executable, folder)
    except OSError as error:
        raise StorageError(
            f"nothing can be tried out in {folder}: {error}; set TMPDIR to another folder"
        ) from error
    try:
        yield
    finally:
        sweep(RUN_MARK, run_id)
        for here, _, _ in os.walk(folder):
            os.chmod(here, 0o700)  # the model's folders are read-only
        os.close(held)
        guard.wait()
        guard.close()


class _Audience:
    """Listens to one worker until it is dead."""

    def __init__(
        self,
        assignment: Assignment,
        launched: Launched,
        stack: Path,
        heard: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._assignment = assignment
        self._heard = heard
        self._process, self._incoming = launched.process, launched.incoming
        os.close(launched.outgoing)
        self._stack = stack
        self._hearing = Hearing(launched.incoming, self._observe)
        self._observations: list[Mapping[str, Any]] = []
        self._stage, self._call = "start", 0
        self._is_done = False
        self._deadline = time.monotonic() + assignment.init_timeout_s + _GRACE_S

    def watch(self) -> Rehearsal:
        try:
            is_late = self._listen()
            if is_late:
                self._process.kill()
            status = self._process.wait()
            self._hearing.read()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process.close()
            os.close(self._incoming)
        if self._is_done:
            ending = Ending.LINGERED if is_late else Ending.DONE
        else:
            ending = Ending.TIMED_OUT if is_late else Ending.DIED
        return Rehearsal(
            observations=tuple(self._observations),
            ending=ending,
            words="" if ending is Ending.DONE else exit_in_words(status),
            stage=self._stage,
            call=self._call,
            stack=_end_of(self._stack),
            left_behind=0 if is_late else self._left_behind(),
            said=_end_of(self._assignment.log_path("stderr", 0, ".stderr.txt")),
        )

    def _listen(self) -> bool:
        """Read until the process is dead; return whether it took too long."""
        poll = select.poll()
        poll.register(self._incoming, select.POLLIN)
        poll.register(self._process.fileno(), select.POLLIN)
        while True:
            left_s = self._deadline - time.monotonic()
            if left_s <= 0:
                return True
            for descriptor, _ in poll.poll(left_s * 1000):
                if descriptor == self._process.fileno():
                    return False
                if not self._hearing.read():
                    poll.unregister(self._incoming)

    def _observe(self, observation: Mapping[str, Any]) -> None:
        if observation["event"] == "stage":
            self._stage, self._call = observation["stage"], observation.get("call", self._call)
            if self._stage in ("run", "shutdown"):
                self._deadline = time.monotonic() + self._assignment.timeout_s + _GRACE_S
            return
        self._observations.append(observation)
        self._heard(observation)
        if observation["event"] == "ended":
            self._is_done = True
            self._deadline = time.monotonic() + _LEAVING_S
        elif observation["event"] in ("ready", "failed", "traces"):
            self._deadline = time.monotonic() + _LEAVING_S

    def _left_behind(self) -> int:
        """Count the processes that the script leaves; those that follow their parent have a moment for it."""
        deadline = time.monotonic() + 1.0
        while True:
            left = len(marked(RUN_MARK, self._assignment.run_id))
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.02)


def _end_of(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError:
        return ""
    return data[-_LONGEST_SAID_BYTES:].decode("utf-8", "replace").strip()
