"""The journal: an append-only binary log of everything that has happened to a job (design, D4).

A *group* is a header (magic, length of the payload, CRC-32 of fence and payload, fence number) and a
payload of records; it is written by one ``write`` per pass of the loop, so it survives a SIGKILL the moment
it is recorded. A *mark* says that the parts were synced before it, and is synced itself: what stands before
a mark survives a loss of power. Reading stops at the first group that is torn; the next writer cuts the
file there.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gristmill.errors import JournalError, StorageError, in_words
from gristmill.faults import reach
from gristmill.run.records import RECORD_HEAD, Mark, Record, decode, encode

_GROUP = struct.Struct("<4sIIQ")
_MAGIC = b"GMJ2"


class Journal:
    """The writing end; one process at a time, which holds the job's lock."""

    def __init__(self, path: Path, fence: int, size: int) -> None:
        """Open the journal for appending after its first ``size`` bytes; what follows was torn and is cut.

        Raises
        ------
        JournalError
            The file cannot be opened or cut.
        """
        self._path = path
        self._fence = fence
        self._pending = bytearray()
        self._unmarked = False
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, size)
            os.lseek(self._file, size, os.SEEK_SET)
        except OSError as error:
            raise JournalError(f"the journal {path} cannot be written: {in_words(error)}") from error

    def record(self, record: Record) -> None:
        """Add a record to the group that the next `flush` writes."""
        self._pending += encode(record)

    @property
    def needs_mark(self) -> bool:
        """Say whether anything was written since the last mark."""
        return self._unmarked or bool(self._pending)

    def flush(self) -> None:
        """Write what was recorded, as one group; it survives the end of this process from now on.

        Raises
        ------
        StorageError
            The disk is full or gone. The group is not there at all; the journal is as it was.
        """
        if not self._pending:
            return
        payload = bytes(self._pending)
        header = _GROUP.pack(_MAGIC, len(payload), _checksum(payload, self._fence), self._fence)
        reach("journal.before_write")
        self._write(header + payload)
        reach("journal.after_write")
        self._pending.clear()
        self._unmarked = True

    def mark(self) -> None:
        """Say that the parts are synced, and sync the journal itself.

        Raises
        ------
        StorageError
            The disk is full or gone.
        """
        self.record(Mark())
        self.flush()
        reach("sync.after_mark")
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise StorageError(f"the journal {self._path} cannot be synced: {in_words(error)}") from error
        self._unmarked = False
        reach("sync.after_journal")

    def close(self) -> None:
        """Close the file; what was recorded and not flushed is not written. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, group: bytes) -> None:
        start = os.lseek(self._file, 0, os.SEEK_CUR)
        view = memoryview(group)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            os.ftruncate(self._file, start)
            os.lseek(self._file, start, os.SEEK_SET)
            raise StorageError(
                f"the journal {self._path} cannot be written: {in_words(error)}; "
                "make room on its disk, then resume the job"
            ) from error


class Entry(NamedTuple):
    """A record, the fence of the group that holds it, and where it stands."""

    record: Record
    fence: int
    position: int
    """Where the record begins in the file."""


def read_journal(path: Path) -> Iterator[Entry]:
    """Yield the records of a journal in the order in which they were written, up to the first torn group.

    Raises
    ------
    JournalError
        The file cannot be read, or a whole group holds a record that is not one of ours.
    """
    try:
        with open(path, "rb") as file:
            position = 0
            while True:
                group = _read_group(file.read(_GROUP.size), file)
                if group is None:
                    return
                fence, payload = group
                yield from _records(payload, fence, position + _GROUP.size, path)
                position += _GROUP.size + len(payload)
    except FileNotFoundError:
        return
    except OSError as error:
        raise JournalError(f"the journal {path} cannot be read: {in_words(error)}") from error


def intact_size(path: Path) -> int:
    """Return how many bytes of the journal are whole groups; what follows was torn by a crash.

    Raises
    ------
    JournalError
        The file cannot be read.
    """
    size = 0
    try:
        with open(path, "rb") as file:
            while (group := _read_group(file.read(_GROUP.size), file)) is not None:
                size += _GROUP.size + len(group[1])
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise JournalError(f"the journal {path} cannot be read: {in_words(error)}") from error
    return size


def _read_group(header: bytes, file: BinaryIO) -> tuple[int, bytes] | None:
    if len(header) < _GROUP.size:
        return None
    magic, length, crc, fence = _GROUP.unpack(header)
    if magic != _MAGIC:
        return None
    payload = file.read(length)
    if len(payload) < length or _checksum(payload, fence) != crc:
        return None
    return fence, payload


def _checksum(payload: bytes, fence: int) -> int:
    """Return the CRC-32 of a group: of its fence number and its payload."""
    return zlib.crc32(payload, zlib.crc32(fence.to_bytes(8, "little")))


def _records(payload: bytes, fence: int, position: int, path: Path) -> Iterator[Entry]:
    at = 0
    while at < len(payload):
        kind = -1
        try:
            kind, length = RECORD_HEAD.unpack_from(payload, at)
            body = payload[at + RECORD_HEAD.size : at + RECORD_HEAD.size + length]
            record = decode(kind, body)
        except (KeyError, ValueError, TypeError, struct.error) as error:
            raise JournalError(
                f"the journal {path} holds a record of kind {kind} that this release does not know; "
                "use the release that wrote it"
            ) from error
        yield Entry(record, fence, position + at)
        at += RECORD_HEAD.size + length


def read_record(file: BinaryIO, position: int) -> Record:
    """Return the record that begins at ``position`` of an open journal, as `Entry` told.

    Raises
    ------
    KeyError, ValueError, TypeError, struct.error
        There is no record there.
    """
    file.seek(position)
    kind, length = RECORD_HEAD.unpack(file.read(RECORD_HEAD.size))
    return decode(kind, file.read(length))
