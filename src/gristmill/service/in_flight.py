"""What the workers of a running job are doing just now: which inputs they have, and their Python stacks.

Both are seen from outside, from any process of the same user on the same machine; the process that runs the
job is not asked, for it may be busy.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gristmill.engine.contract import Span
from gristmill.engine.kernel import command_of
from gristmill.engine.roster import Present, roster, stacks_of
from gristmill.engine.stacks import Stacks, in_words
from gristmill.errors import JobStateError, PlanError
from gristmill.plan.manifest import Manifest
from gristmill.run.job_folder import Job, JobFolder
from gristmill.run.lock import holder_of, is_held

#: What has been running for less is not worth a word.
SHORTEST_S = 1.0
#: Of a larger mini-batch so many inputs are named.
MOST_INPUTS = 100


@dataclass(frozen=True, kw_only=True)
class InFlight:
    """A mini-batch, or a part of one, that a worker is running."""

    inputs: tuple[str, ...]
    """The files in it, relative to the input folder: 100 at most; none where the plan cannot be read."""
    items: int
    """How many items are in it; 0 where the plan cannot be read."""
    mini_batch: int
    """From 0."""
    first_item: int
    """The place of its first item in the mini-batch, from 0."""
    attempt: int
    """Which try it is, from 1."""
    seconds: float
    """For how long it has been running."""
    worker: int
    """The worker's slot, from 0."""
    process: int
    """The worker's process."""
    opened: str
    """The file that the script opened last, relative to the input folder; empty where it is not known."""


@dataclass(frozen=True, kw_only=True)
class ProcessStacks:
    """What is known of a worker, or of a child process of one."""

    worker: int
    """The worker's slot, from 0."""
    process: int
    child: str
    """The command of a child process; empty of the worker itself."""
    state: str
    """What the worker does: ``starting``, ``loading``, ``idle``, ``running`` or ``stopping``."""
    running: InFlight | None
    """What it is running, if it is."""
    stacks: Stacks
    """The stacks, with how they were had."""
    text: str
    """The same as people read it."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        values = asdict(self)
        del values["stacks"]
        found = asdict(self.stacks)
        del found["process"]
        return {**values, **found}


def in_flight(folder: JobFolder, job: Job) -> tuple[InFlight, ...]:
    """Return what the workers of a job have been running for a second or longer, the longest first.

    Parameters
    ----------
    folder
        The job; it is running.
    job
        What it is.
    """
    holder = holder_of(folder.lock)
    if holder is None or holder[1] != os.uname().nodename:
        return ()
    found = [
        _running(one, folder, job) for one in roster(holder[0], folder.plan) if one.seconds >= SHORTEST_S
    ]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: -one.seconds))


def stacks(folder: JobFolder) -> list[ProcessStacks]:
    """Return the Python stacks of every worker of a running job, and of their child processes.

    Parameters
    ----------
    folder
        The job.

    Returns
    -------
    list of ProcessStacks
        By worker; each worker is followed by its child processes.

    Raises
    ------
    UnknownJobError
        There is no such job.
    JobStateError
        It is not running, or not where we can see its workers.
    """
    job = folder.read()
    found = stacks_of(roster(_coordinator(folder, job), folder.plan))
    if not found:
        raise JobStateError(
            f"job {folder.name} is running, and no worker of it can be seen: it is starting or ending, or it "
            "runs in another container or as another user. Look again in a moment; then ask there"
        )
    return [
        ProcessStacks(
            worker=one.worker,
            process=told.process,
            child="" if told.process == one.process else _command(told.process),
            state=one.state,
            running=_running(one, folder, job) if told.process == one.process else None,
            stacks=told,
            text=in_words(told, one.code),
        )
        for one, told in found
    ]


def _coordinator(folder: JobFolder, job: Job) -> int:
    """Return the process that works on a job."""
    holder = holder_of(folder.lock)
    if not job.status.is_final and holder is not None and holder[1] != os.uname().nodename:
        raise JobStateError(
            f"job {job.name} is worked on by process {holder[0]} on {holder[1]}, and only there its workers "
            f"can be seen: type gristmill job stacks {job.name} there"
        )
    if holder is None or not is_held(folder.lock):
        raise JobStateError(
            f"job {job.name} is not running, so it has no stacks. Those of its timeouts stand in "
            f"failures.jsonl and in the logs: gristmill job logs {job.name}"
        )
    return holder[0]


def _running(one: Present, folder: JobFolder, job: Job) -> InFlight | None:
    if one.span is None:
        return None
    names, items = _inputs(folder.plan, one.span, job.deployment.settings.mini_batch_size)
    return InFlight(
        inputs=names,
        items=items,
        mini_batch=one.span.first,
        first_item=one.span.first_item,
        attempt=one.attempt,
        seconds=one.seconds,
        worker=one.worker,
        process=one.process,
        opened=one.opened.removeprefix(f"{job.input if job.input.is_dir() else job.input.parent}/"),
    )


def _inputs(plan: Path, span: Span, mini_batch_size: int | None) -> tuple[tuple[str, ...], int]:
    """Name the inputs of a span, and say how many they are; nothing where the plan cannot be read."""
    try:
        manifest = _manifest(plan, span.first + 1, mini_batch_size)
        try:
            found = manifest.inputs_of(span.first, span.first_item, span.items)
        finally:
            manifest.close()
    except PlanError:
        return (), 0
    names = tuple(os.fsdecode(one.piece_name) for one in found[:MOST_INPUTS])
    return names, sum(one.items for one in found)


def _manifest(plan: Path, mini_batches: int, mini_batch_size: int | None) -> Manifest:
    """Open a plan; of one that is still being made, as much as a worker has been given of it."""
    try:
        return Manifest.open(plan)
    except PlanError:
        manifest = Manifest(plan, root=plan, mini_batch_size=mini_batch_size)
        manifest.grow_to(mini_batches)  # only the last of a plan has fewer
        return manifest


def _command(process: int) -> str:
    return " ".join(command_of(process)) or "it has ended"
