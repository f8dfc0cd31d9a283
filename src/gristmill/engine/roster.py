"""Who works for a job just now, seen from another process than the one that runs it.

A worker is a child of that process, and its one argument says where its slot, its stacks and the plan are
(`launch` writes it). So nothing has to be asked of the process itself, which may be busy.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gristmill.engine.contract import Span
from gristmill.engine.kernel import command_of, family, parent_of
from gristmill.engine.stack_request import StackRequest, spy_program, wait_for
from gristmill.engine.stacks import Stacks
from gristmill_worker import slot as slots

#: A slot is read again after this long, before what it says is believed.
_SECOND_LOOK_S = 0.001
#: So many `py-spy` are started at the same time, and none any more after this long.
_SPIES_AT_ONCE = 16
_SPYING_S = 0.6
#: Of each worker so many of its child processes are asked.
_MOST_CHILDREN = 8
_STATES = {
    slots.STARTING: "starting",
    slots.LOADING: "loading",
    slots.IDLE: "idle",
    slots.RUNNING: "running",
    slots.STOPPING: "stopping",
}


@dataclass(frozen=True, kw_only=True)
class Present:
    """A worker that is there, and what it is doing."""

    process: int
    worker: int
    """Its slot, from 0."""
    state: str
    """``starting``, ``loading``, ``idle``, ``running`` or ``stopping``."""
    span: Span | None
    """What it is running: a mini-batch, or a part of one; None when nothing."""
    attempt: int
    """Which try, from 1; 0 when nothing is running."""
    seconds: float
    """For how long it has been running or loading that."""
    opened: str
    """The input file that the script opened last, as it named it; empty where none is known."""
    answers: Path
    """The file in which it writes down its stacks."""
    code: Path
    """The code folder that it runs: the job's copy, or that of workers that stay loaded."""


def roster(coordinator: int, plan: Path) -> list[Present]:
    """Return the workers of a job, in the order of their slots.

    Parameters
    ----------
    coordinator
        The process that works on the job.
    plan
        The folder of the job's manifest.
    """
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and parent_of(int(name)) == coordinator:
            present = _present(int(name), plan)
            if present is not None:
                found.append(present)
    return sorted(found, key=lambda present: present.worker)


def stacks_of(workers: Sequence[Present]) -> list[tuple[Present, Stacks]]:
    """Return the stacks of workers, each followed by those of its child processes; within two seconds.

    Parameters
    ----------
    workers
        The workers, as `roster` tells them.
    """
    spy = spy_program()
    asked = [(one, child) for one in workers for child in family(one.process)[: _MOST_CHILDREN + 1]]
    found: list[tuple[Present, Stacks]] = []
    begun_at = time.monotonic()
    while len(found) < len(asked):
        now = time.monotonic()
        if now - begun_at > _SPYING_S:
            spy = None
        some = asked[len(found) :][: _SPIES_AT_ONCE if spy is not None else None]
        requests = [StackRequest(process, one.answers, spy, now) for one, process in some]
        found += [(one, stacks) for (one, _), stacks in zip(some, wait_for(requests), strict=True)]
    return found


def _present(process: int, plan: Path) -> Present | None:
    """Return a child of the coordinator if it is a worker of this job."""
    told = _configuration(command_of(process))
    try:
        if not os.path.samefile(told["plan"], plan):
            return None
        slot = slots.Slot(told["slots"], told["slot"])
    except (OSError, KeyError, TypeError, ValueError):
        return None  # it is something else, or has just ended
    try:
        activity, opened = _settled(slot), os.fsdecode(slot.opened())
    finally:
        slot.close()
    running = activity.state == slots.RUNNING
    is_timed = running or activity.state == slots.LOADING
    return Present(
        process=process,
        worker=told["slot"],
        state=_STATES.get(activity.state, "starting"),
        span=Span(activity.first, 1, activity.first_item, activity.items) if running else None,
        attempt=activity.attempt,
        seconds=(time.monotonic_ns() - activity.since_ns) / 1e9 if is_timed else 0.0,
        opened=opened if running else "",
        answers=Path(told["stacks"]),
        code=Path(told["code"]),
    )


def _configuration(command: Sequence[str]) -> dict[str, Any]:
    """Return what the one argument of a worker says; of any other command, nothing."""
    if len(command) != 3 or not command[2].startswith("{"):
        return {}
    try:
        told = json.loads(command[2])
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _settled(slot: slots.Slot) -> slots.Activity:
    """Read a slot until it says the same twice: it may be written while it is read."""
    seen = slot.read()
    for _ in range(3):
        time.sleep(_SECOND_LOOK_S)
        again = slot.read()
        if again == seen:
            break
        seen = again
    return seen
