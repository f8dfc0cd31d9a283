"""A mini-batch, or some items of it, run in a worker that a person watches: on our terminal, without limits.

The worker stays in our session and process group, so that Ctrl-C and Ctrl-Z reach it as they would reach the
script itself; while it runs, Ctrl-C is the script's and not ours. No process is left of it. This module must
not know what is good or bad about what it sees.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gristmill.engine.archive import worker_archive
from gristmill.engine.hearing import Hearing, Observation
from gristmill.engine.launch import (
    PARTS_PER_START,
    Assignment,
    Entry,
    Launched,
    launch_worker,
)
from gristmill.engine.process import exit_in_words
from gristmill.engine.sweep import RUN_MARK, sweep
from gristmill.errors import StorageError

#: Keys of a terminal that are meant for the script.
_OF_THE_SCRIPT = (signal.SIGINT, signal.SIGQUIT)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is to be run."""

    mini_batch: int
    first_item: int = 0
    items: int = 0
    """How many items from there on; 0: the whole mini-batch."""
    attempt: int = 1
    """The number of the try that the script is told."""
    worker: int = 0
    """The slot that it is told to be."""
    post_mortem: bool = False
    """Whether a debugger opens where the script raises."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What was seen."""

    observations: tuple[Observation, ...]
    """As `gristmill_worker.foreground` tells them, in order, but for the stages."""
    stage: str
    """The last stage that began: start, import, init, run or shutdown."""
    has_ended: bool
    """Whether all was done, so that how the process ended is of no consequence."""
    words: str
    """How the process ended."""
    signal: int
    """The signal that killed it; 0: none."""


def watch(assignment: Assignment, scene: Scene) -> Watched:
    """Run it once, on our standard streams, for as long as it takes; no process is left of it.

    Parameters
    ----------
    assignment
        Of the job. All that is written lies in its ``scratch``, which is `rehearsal.guarded`.
    scene
        What is to be run.

    Returns
    -------
    Watched
        All observations up to the end, whichever it was.

    Raises
    ------
    StorageError
        The worker cannot be launched.
    """
    terms = {
        "mini_batch": scene.mini_batch,
        "first_item": scene.first_item,
        "items": scene.items,
        "attempt": scene.attempt,
        "post_mortem": scene.post_mortem,
    }
    entry = Entry(name="foreground", terms=json.dumps(terms), is_attached=True)
    part = assignment.fence * PARTS_PER_START
    try:
        with _keys_are_the_script_s(), _terminal_as_it_was():
            archive = worker_archive(assignment.cache)
            return _followed(launch_worker(assignment, archive, scene.worker, part, entry=entry))
    except OSError as error:
        raise StorageError(
            f"the worker cannot be started: {error}; make room in {assignment.scratch}"
        ) from error
    finally:
        sweep(RUN_MARK, assignment.run_id)


def _followed(launched: Launched) -> Watched:
    process = launched.process
    seen: list[Observation] = []
    hearing = Hearing(launched.incoming, seen.append)
    try:
        poll = select.poll()
        poll.register(launched.incoming, select.POLLIN)
        poll.register(process.fileno(), select.POLLIN)
        while process.fileno() not in {descriptor for descriptor, _ in poll.poll()}:
            if not hearing.read():
                poll.unregister(launched.incoming)
        status = process.wait()
        hearing.read()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        process.close()
        os.close(launched.incoming)
        os.close(launched.outgoing)
    return Watched(
        observations=tuple(one for one in seen if one["event"] != "stage"),
        stage=next((one["stage"] for one in reversed(seen) if one["event"] == "stage"), "start"),
        has_ended=any(one["event"] == "ended" for one in seen),
        words=exit_in_words(status),
        signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
    )


@contextmanager
def _keys_are_the_script_s() -> Iterator[None]:
    """Let Ctrl-C end the script, and not us before we have told what came of it."""
    before = {number: signal.signal(number, lambda *_: None) for number in _OF_THE_SCRIPT}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _terminal_as_it_was() -> Iterator[None]:
    """Put the terminal back as it was: a script that dies at a prompt leaves it without an echo."""
    try:
        terminal = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
        before = termios.tcgetattr(terminal)
    except (OSError, ValueError, termios.error):
        yield  # it is no terminal
        return
    try:
        yield
    finally:
        if os.tcgetpgrp(terminal) == os.getpgrp():
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
