"""The slot: what a worker is doing now, in memory that outlives it.

One page per worker in a file that coordinator and worker both map. It answers, without a message and
also after a SIGKILL: which mini-batch is running and since when (deadlines, whom to blame), and which
mini-batches were finished but not reported yet (so that a death costs no finished work).

Layout: byte 0 is the index (0 or 1) of the valid copy; byte 1 is the recall flag, written by the
coordinator only; the two copies stand at `_COPY_AT`. A writer fills the other copy and then flips byte 0: a
worker that dies in between leaves the earlier copy valid. A reader reads twice, a millisecond apart,
before it acts on what it saw (the flip may race with its reading).

At `_OPENED_AT` stands the input file that the script opened last: its length in bytes, then its path.
"""

import mmap
import struct
from typing import NamedTuple, Tuple

SLOT_BYTES = 4096

STARTING, LOADING, IDLE, RUNNING, STOPPING = 0, 1, 2, 3, 4

#: state, ordinal, since (monotonic ns), first mini-batch, first item, items, try; then the pending record
_STRUCT = struct.Struct("<BQQQIIH" + "QIIIHHQQQQIIdQIB")
_COPY_AT = (64, 1024)
_OPENED_AT = 2048
_LENGTH = struct.Struct("<H")
_LONGEST_PATH = SLOT_BYTES - _OPENED_AT - _LENGTH.size

#: The fields of `wire.RECORD_STRUCT`; with no mini-batches (index 1) nothing is pending.
Record = Tuple[int, int, int, int, int, int, int, int, int, int, int, int, float, int, int, int]
NOTHING_PENDING: Record = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0)
#: What `Slot.publish` takes before the record, where nothing is running.
RESTING = (IDLE, 0, 0, 0, 0, 0, 0)


class Activity(NamedTuple):
    """What a slot says."""

    state: int
    ordinal: int
    since_ns: int
    first: int
    first_item: int
    items: int
    attempt: int
    pending: Record


class Slot:
    """One worker's page; the worker publishes, the coordinator reads and sets the recall flag."""

    def __init__(self, path: str, index: int) -> None:
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SLOT_BYTES, offset=index * SLOT_BYTES)

    def clear(self) -> None:
        """Make the page say that a worker is starting; for the coordinator, before it spawns one."""
        self._memory[:SLOT_BYTES] = bytes(SLOT_BYTES)

    def publish(
        self,
        state: int,
        ordinal: int,
        since_ns: int,
        first: int,
        first_item: int,
        items: int,
        attempt: int,
        pending: Record,
    ) -> None:
        """Say what is being done; one flip of a byte makes it valid."""
        memory = self._memory
        other = 1 - memory[0]
        _STRUCT.pack_into(
            memory, _COPY_AT[other], state, ordinal, since_ns, first, first_item, items, attempt, *pending
        )
        memory[0] = other

    def read(self) -> Activity:
        """Return the valid copy."""
        memory = self._memory
        fields = _STRUCT.unpack_from(memory, _COPY_AT[memory[0] & 1])
        state, ordinal, since_ns, first, first_item, items, attempt = fields[:7]
        return Activity(state, ordinal, since_ns, first, first_item, items, attempt, fields[7:])

    def note_opened(self, path: bytes) -> None:
        """Say which input file was opened last; one that does not fit is not said."""
        memory, begin = self._memory, _OPENED_AT + _LENGTH.size
        size = len(path) if len(path) <= _LONGEST_PATH else 0
        _LENGTH.pack_into(memory, _OPENED_AT, 0)  # a death in between leaves none, not a wrong one
        memory[begin : begin + size] = path[:size]
        _LENGTH.pack_into(memory, _OPENED_AT, size)

    def opened(self) -> bytes:
        """Return the path of the input file that was opened last; empty where none is known."""
        (size,) = _LENGTH.unpack_from(self._memory, _OPENED_AT)
        begin = _OPENED_AT + _LENGTH.size
        return bytes(self._memory[begin : begin + min(size, _LONGEST_PATH)])

    def set_recall(self, wanted: bool) -> None:
        """Tell the worker to start nothing more, or that it may again."""
        self._memory[1] = 1 if wanted else 0

    def recalled(self) -> bool:
        """Say whether the worker may start nothing more."""
        return self._memory[1] != 0

    def close(self) -> None:
        """Unmap the page."""
        self._memory.close()
