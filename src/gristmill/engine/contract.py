"""What every engine does, and the values that pass between an engine and the scheduler (design, D1).

An engine is given *tasks* and answers with *outcomes*. Every mini-batch of a task is answered by exactly
one outcome; one outcome may answer many consecutive mini-batches. Retry, order, thresholds and cancellation
are none of its business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from gristmill_worker.wire import PIECE_STRUCT


class Span(NamedTuple):
    """A range of work: whole mini-batches, or some items of one."""

    first: int
    """The first mini-batch, in plan order, from 0."""
    batches: int = 1
    """How many consecutive mini-batches; 1 where `items` is not 0."""
    first_item: int = 0
    """The first item within the mini-batch."""
    items: int = 0
    """How many items of it; 0 means the whole mini-batch."""


class Task(NamedTuple):
    """A span to be run, and the number of this try, from 1."""

    span: Span
    attempt: int = 1
    alone: bool = False
    """Whether no other worker of its node may run anything meanwhile: it needs the memory."""


class Scored(NamedTuple):
    """Mini-batches that returned, and where their rows are."""

    span: Span
    attempt: int
    total: int
    """Items in the span."""
    succeeded: int
    """Results, at most `total`; fewer: the span is short."""
    part: int
    """The part that holds the rows; 0 where there are none."""
    offset: int
    """Where the rows begin in the part, in bytes."""
    length: int
    """How long they are, in bytes."""
    crc: int
    """CRC-32 of them."""
    header: int
    """Id of the rows' columns (see `Columns`), counted per part; 0 where they have none."""
    files: int
    """How many whole files the script left in its output folder, set aside under this span."""
    seconds: float
    """Time in ``run()``, all mini-batches together."""
    worker: int
    """The worker's slot, from 0."""
    attached: int = 0
    """How long the pieces of files are that follow the rows in the part, in bytes (see `Piece`)."""
    attached_crc: int = 0
    """CRC-32 of them."""
    held: int = 0
    """1: a library keeps a file open in the output folder, and the outcome counts only once the worker sends
    one that is not held, or its `Farewell`."""


class Reason(str, Enum):
    """Why a try failed (contract, section 5.7)."""

    EXCEPTION = "exception"
    BAD_RETURN = "bad_return"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    WORKER_DIED = "worker_died"
    INFRASTRUCTURE = "infrastructure"
    MISSING_RESULT = "missing_result"


class Failed(NamedTuple):
    """A try of one mini-batch, or of a part of one, that failed."""

    span: Span
    attempt: int
    reason: Reason
    message: str
    """One line in words: what happened."""
    traceback: str
    """The script's own traceback, or what is known instead; may be empty."""
    seconds: float
    worker: int
    log: str
    """The worker's log, relative to the job folder, with the position: ``file:offset``."""
    leaving: bool = False
    """Whether the worker ends because of it; a `WorkerEnded` follows."""
    opened: str = ""
    """The input file that the script opened last, as it named it; empty where it is not known."""
    blamed: tuple[str, ...] = ()
    """The files of the mini-batch that the script's exception names as those to blame (``failed_files``)."""
    alone_next: bool = False
    """Whether the next try is to be alone on its node; only with `Reason.INFRASTRUCTURE`."""
    activity: str = ""
    """``computing`` or ``waiting`` when its time was up; empty where it is not known. The stack is in
    `traceback`."""
    cannot_write: bool = False
    """Whether the rows could not be written (a full disk), though the script had returned: the job is to be
    stopped, since no other try can do better; only with `Reason.INFRASTRUCTURE`."""
    is_staging: bool = False
    """Whether ``run()`` was not called, since the rows of a file could not be staged: no part of it can."""


class NotStarted(NamedTuple):
    """Work that was handed out and has not been begun: recalled, or queued on a worker that died."""

    span: Span
    attempt: int
    alone: bool = False
    """Whether it was to be alone on its node."""


class Columns(NamedTuple):
    """The names of the columns that the rows of a part have, under an id that holds within this part."""

    part: int
    header: int
    names: tuple[str, ...]
    line: str = ""
    """The line that stands above such rows, in the words of the user's pandas; empty unless asked for."""
    types: tuple[str, ...] = ()
    """The type of each, where the output has types."""


class Notice(NamedTuple):
    """A sentence for the user, to be told once per key and job."""

    key: str
    text: str


class Farewell(NamedTuple):
    """A worker has called ``shutdown()``, and left this in its output folder."""

    worker: int
    part: int
    files: int
    """How many whole files were set aside."""
    offset: int
    """Where the pieces of other files begin in the part, in bytes."""
    attached: int
    """How long they are, in bytes."""
    attached_crc: int
    """CRC-32 of them."""
    peak_bytes: int = 0
    """The most memory that the worker had; 0 where it is not known."""


class Piece(NamedTuple):
    """What one mini-batch added to a file in the output folder."""

    name: str
    """The file, relative to the output folder."""
    offset: int
    """Where the piece begins in the part, in bytes."""
    length: int
    at: int
    """Where it began in the worker's own file, in bytes: 0 for the beginning of the file."""


def pieces_in(read: Callable[[int, int], bytes], offset: int, attached: int) -> Iterator[Piece]:
    """Yield the pieces that are attached to an outcome, in the order of their names.

    Parameters
    ----------
    read
        Gives so many bytes of the part, from an offset.
    offset
        Where the first one begins in the part, in bytes.
    attached
        How long all of them are, in bytes.

    Raises
    ------
    ValueError
        There is something else.
    """
    end = offset + attached
    while offset < end:
        head = read(PIECE_STRUCT.size, offset)
        if len(head) < PIECE_STRUCT.size:
            raise ValueError(f"the part ends before byte {offset + PIECE_STRUCT.size}")
        name_length, length, at = PIECE_STRUCT.unpack(head)
        name = os.fsdecode(read(name_length, offset + PIECE_STRUCT.size))
        offset += PIECE_STRUCT.size + name_length
        yield Piece(name, offset, length, at)
        offset += length


class Ready(NamedTuple):
    """A worker has loaded the script."""

    worker: int
    init_s: float
    modules: tuple[tuple[str, str], ...]
    """(path below the code folder, SHA-256) of the modules that it loaded from there."""
    python: str
    """Version of its interpreter."""


class StartFailed(NamedTuple):
    """A worker could not load the script, or died or ran out of time while it did; its slot is empty now."""

    worker: int
    message: str
    traceback: str
    log: str


class WorkerEnded(NamedTuple):
    """A worker is gone after it had been ready; the engine replaces it unless the slot is given up."""

    worker: int
    message: str
    part: int = 0
    """The part that its rows went to."""
    peak_bytes: int = 0
    """The most memory that it had, with the processes that it started; 0 where it is not known."""


Event = Scored | Failed | NotStarted | Columns | Notice | Ready | StartFailed | WorkerEnded | Farewell


@dataclass(frozen=True, kw_only=True)
class Load:
    """How busy an engine is, for the eyes of people."""

    workers: int
    """Slots that are not given up."""
    ready: int
    """Workers that have loaded the script."""
    running: int
    """Mini-batches handed out and not answered."""
    idle: int
    """Workers that would take a task and have nothing to do."""


class Engine(Protocol):
    """Runs tasks in workers.

    Tests hold every engine to one suite (``tests/contracts/engine_suite.py``).
    """

    def start(self) -> None:
        """Begin to start the workers; returns at once.

        Raises
        ------
        JobError
            Nothing can be started at all.
        """

    def room(self) -> int:
        """Return how many mini-batches the neediest worker would take now; 0 when none would."""

    def submit(self, task: Task) -> None:
        """Hand a task to the neediest worker; to be called only while `room` is not 0."""

    def events(self, timeout_s: float) -> Sequence[Event]:
        """Return what has happened, in the order in which it did, waiting up to ``timeout_s`` for
        anything.
        """

    def restart(self, worker: int, after_s: float) -> None:
        """Start a worker again in a slot whose start has failed, after a pause."""

    def give_up(self, worker: int) -> None:
        """Leave a slot empty whose start has failed."""

    def sync(self) -> None:
        """Make every row that an event has named survive a loss of power.

        Raises
        ------
        StorageError
            The rows cannot be made durable.
        """

    def load(self) -> Load:
        """Return how busy the engine is."""

    def wind_down(self, limit_s: float) -> Sequence[Event]:
        """Take back what is not begun, wait for what is running (``limit_s`` at most); return the events."""

    def halt(self) -> Sequence[Event]:
        """Stop everything at once and return the last events: what had finished, and what is not started."""

    def close(self) -> Sequence[Event]:
        """Let idle workers call ``shutdown()``, end everything, and return the last notices. Idempotent."""
