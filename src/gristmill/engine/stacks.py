"""The Python stacks as values: read from what ``py-spy`` and ``faulthandler`` say, then in words."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PY_SPY, FAULTHANDLER, KERNEL = "py-spy", "faulthandler", "kernel"
_SOURCES = {PY_SPY: PY_SPY, FAULTHANDLER: "the worker itself", KERNEL: "the kernel alone"}
_THREAD = re.compile(r"(?:Current thread|Thread) (0x[0-9a-f]+)")
_FRAME = re.compile(r'  File "(.*)", line (\d+|\?\?\?) in (.*)')
#: The frame that a program begins with.
_PROGRAM = "_run_module_as_main"
#: Frames of ours and of the interpreter's start, below which the script's own begin.
_OURS = ("gristmill_worker/", ".zip/__main__.py", "<frozen runpy>", "<frozen importlib", "/runpy.py")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One call on a stack."""

    function: str
    file: str
    line: int
    """From 1; 0 where it is not known."""


@dataclass(frozen=True, kw_only=True)
class Thread:
    """The stack of one thread."""

    name: str
    is_main: bool
    """Whether it is the one that calls ``run()``."""
    frames: tuple[Frame, ...]
    """The most recent call last; frames of ours are left out."""


@dataclass(frozen=True, kw_only=True)
class Stacks:
    """What is known of a process at one moment."""

    process: int
    source: str
    """``py-spy``, ``faulthandler`` or ``kernel``: how it was had."""
    threads: tuple[Thread, ...]
    """The main thread first; none where only the kernel told something."""
    kernel: str
    """What the kernel says, in words."""

    @property
    def main(self) -> Thread | None:
        """The thread that calls ``run()``."""
        return next((thread for thread in self.threads if thread.is_main), None)


def threads_of_spy(answer: bytes, process: int) -> tuple[Thread, ...]:
    """Read what ``py-spy dump --json`` says; of what is no such answer, nothing."""
    try:
        told = json.loads(answer)
        return tuple(_spied(thread, process) for thread in told if thread["frames"])
    except (ValueError, LookupError, TypeError):
        return ()


def threads_of_faulthandler(text: str) -> tuple[Thread, ...]:
    """Read what ``faulthandler`` has written."""
    found: list[tuple[str, list[Frame]]] = []
    for line in text.splitlines():
        if thread := _THREAD.match(line):
            found.append((f"thread {thread[1]}", []))
        elif (frame := _FRAME.match(line)) and found:
            number = int(frame[2]) if frame[2].isdigit() else 0
            found[-1][1].append(Frame(function=frame[3], file=frame[1], line=number))
    last = len(found) - 1  # the main thread is the oldest one, which is told last
    return tuple(_thread(name, frames, at == last) for at, (name, frames) in enumerate(found) if frames)


def is_whole(text: str) -> bool:
    """Say whether an answer of ``faulthandler`` has its end, the frame that a program begins with."""
    if not text.endswith("\n"):
        return False
    frame = _FRAME.match(text.splitlines()[-1])
    return frame is not None and frame[3] == _PROGRAM


def in_words(stacks: Stacks, code: Path | None = None) -> str:
    """Write stacks as tracebacks are written.

    Parameters
    ----------
    stacks
        The stacks.
    code
        The folder whose source lines are shown; None: none are.

    Returns
    -------
    str
        Lines; the last one says how they were had, and what the kernel says.
    """
    lines = []
    for thread in stacks.threads:
        lines.append(f"{'main thread' if thread.is_main else thread.name} (most recent call last):")
        for frame in thread.frames:
            lines.append(f'  File "{frame.file}", line {frame.line}, in {frame.function}')
            source = _source(frame, code)
            lines += [f"    {source}"] if source else []
    if not stacks.threads:
        lines.append("no Python stack could be had")
    lines.append(
        f"(process {stacks.process}, from {_SOURCES[stacks.source]}; the kernel says: {stacks.kernel})"
    )
    return "\n".join(lines) + "\n"


def place_in(stacks: Stacks, code: Path) -> str:
    """Return ``file:line`` of the innermost frame in the user's own code; empty where it is not known."""
    frames = stacks.main.frames if stacks.main is not None else ()
    for frame in reversed(frames):
        if _is_below(frame.file, code) and "/site-packages/" not in frame.file:
            return f"{os.path.basename(frame.file)}:{frame.line}"
    return ""


def _spied(told: dict[str, Any], process: int) -> Thread:
    frames = [
        Frame(function=str(frame["name"]), file=str(frame["filename"]), line=int(frame["line"]))
        for frame in told["frames"]
    ]
    name = told.get("thread_name") or f"thread {told.get('os_thread_id')}"
    return _thread(str(name), frames, told.get("os_thread_id") == process)


def _thread(name: str, frames: Iterable[Frame], is_main: bool) -> Thread:
    """Return a thread without the frames that are ours; ``frames`` come with the most recent call first."""
    outermost_first = list(frames)[::-1]
    while len(outermost_first) > 1 and any(part in outermost_first[0].file for part in _OURS):
        del outermost_first[0]
    return Thread(name=name, is_main=is_main, frames=tuple(outermost_first))


def _source(frame: Frame, code: Path | None) -> str:
    """Return a line of the user's own code; other files are nobody's to open."""
    if code is None or not frame.line or not _is_below(frame.file, code) or not os.path.isfile(frame.file):
        return ""
    try:
        with open(frame.file, encoding="utf-8", errors="replace") as file:
            return next((line.strip() for at, line in enumerate(file, 1) if at == frame.line), "")
    except OSError:
        return ""


def _is_below(file: str, code: Path) -> bool:
    return file.startswith(f"{code}{os.sep}")
