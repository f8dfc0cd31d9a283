"""The journal: an append-only binary log of everything that has happened to a job (design, D4).

A *group* is a header (magic, length of the payload, fence number, where the group begins in the file,
CRC-32 of the payload, CRC-32 of all of that) and a payload of records; it is written by one ``write`` per
pass of the loop, so it survives a SIGKILL the moment it is recorded. A *mark* says that the parts were
synced before it, and is synced itself: what stands before a mark survives a loss of power. Reading stops at
the first group that is not whole; the next writer cuts the file there.

A changed byte is always found, not only nearly always. The header has a fixed length and a CRC-32 of its own,
which finds every change within 32 neighbouring bits, so a length, a fence or a position that is read is the
one that was written; and a payload of a known length has the same. A group that is whole and stands
elsewhere than it was written (something before it was removed, added or exchanged) does not count either.
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

_GROUP = struct.Struct("<4sIQQI")
_HEADER_CRC = struct.Struct("<I")
_HEADER_BYTES = _GROUP.size + _HEADER_CRC.size
_MAGIC = b"GMJ3"
#: What is behind a group that is not whole is searched in pieces of this size.
_SEARCHED_BYTES = 1 << 20
#: A journal is read in pieces of this size: with a group for each mini-batch, two calls for each would cost
#: more than all that is in them.
_READ_BYTES = 1 << 18


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
        self._size = size

    def record(self, record: Record) -> None:
        """Add a record to the group that the next `flush` writes."""
        self._pending += encode(record)

    @property
    def size(self) -> int:
        """How long it is, in bytes, without what is recorded and not flushed."""
        return self._size

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
        fields = (_MAGIC, len(payload), self._fence, self._size, zlib.crc32(payload))
        header = _GROUP.pack(*fields)
        reach("journal.before_write")
        self._write(header + _HEADER_CRC.pack(zlib.crc32(header)) + payload)
        self._size += _HEADER_BYTES + len(payload)
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
        view = memoryview(group)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
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


class Damage(NamedTuple):
    """A place in the journal at which reading stops before its end."""

    position: int
    """Where the first group begins that is not whole, in bytes."""
    size: int
    """The size of the file in bytes."""
    groups: int
    """Whole groups behind that place: 0 is what a crash leaves, which tears the end of a file only."""
    records: int
    """Records in these groups."""


def read_journal(path: Path) -> Iterator[Entry]:
    """Yield the records of a journal in the order in which they were written, up to the first torn group.

    Raises
    ------
    JournalError
        The file cannot be read, or a whole group holds a record that is not one of ours.
    """
    return JournalReader(path).entries()


class JournalReader:
    """Reads a journal, or its end from the beginning of a group on, and knows how far it is whole."""

    def __init__(self, path: Path, start: int = 0) -> None:
        self._path = path
        self.position = start
        """Where the last whole group ends that was read, in bytes."""

    def entries(self) -> Iterator[Entry]:
        """Yield the records in the order in which they were written, up to the first torn group.

        Raises
        ------
        JournalError
            The file cannot be read, or a whole group holds a record that is not one of ours.
        """
        try:
            with open(self._path, "rb") as file:
                for group in _groups(file, self.position):
                    self.position = group.position + group.size
                    yield from _records(group, self._path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unreadable(self._path, error) from error


def crc_of_beginning(path: Path, end: int, start: int = 0, crc: int = 0) -> int | None:
    """Return the CRC-32 of a journal's first ``end`` bytes; None where it has not so many.

    ``crc`` is that of the first ``start`` bytes, where it is known.

    Raises
    ------
    JournalError
        The file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            file.seek(start)
            while start < end:
                data = file.read(min(_READ_BYTES, end - start))
                if not data:
                    return None
                crc, start = zlib.crc32(data, crc), start + len(data)
    except FileNotFoundError:
        return crc if start == end else None
    except OSError as error:
        raise _unreadable(path, error) from error
    return crc


def intact_size(path: Path) -> int:
    """Return how many bytes of the journal are whole groups; what follows was torn by a crash.

    Raises
    ------
    JournalError
        The file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return _intact_size(file)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unreadable(path, error) from error


def damage_of(path: Path, intact: int | None = None) -> Damage | None:
    """Return where reading stops before the end of a journal and what is behind that; None: nowhere.

    ``intact`` is how many bytes are whole groups, where that is known.

    Raises
    ------
    JournalError
        The file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            position = intact if intact is not None else _intact_size(file)
            size = os.fstat(file.fileno()).st_size
            if position == size:
                return None
            groups = records = 0
            for group in _groups_behind(file, position, size):
                groups, records = groups + 1, records + _count(group.payload)
            return Damage(position, size, groups, records)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


class _Group(NamedTuple):
    fence: int
    position: int
    """Where it was written, in bytes from the beginning of the file."""
    payload: bytes

    @property
    def size(self) -> int:
        return _HEADER_BYTES + len(self.payload)


def _intact_size(file: BinaryIO) -> int:
    return sum(group.size for group in _groups(file))


def _groups(file: BinaryIO, position: int = 0) -> Iterator[_Group]:
    """Yield the groups of a journal from a place on, up to the first that is not whole or not in place."""
    file.seek(position)
    block, at = b"", 0
    while True:
        if len(block) - at < _HEADER_BYTES:
            block, at = block[at:] + file.read(_READ_BYTES), 0
        header = _header_at(block, at)
        if header is None or header.position != position:
            return
        begin, end = at + _HEADER_BYTES, at + _HEADER_BYTES + header.length
        if end > len(block):
            block = block[at:] + file.read(max(_READ_BYTES, end - len(block)))
            begin, end = begin - at, end - at
        payload = block[begin:end]
        if len(payload) < header.length or zlib.crc32(payload) != header.crc:
            return
        yield _Group(header.fence, position, payload)
        at = end
        position += _HEADER_BYTES + header.length


def _groups_behind(file: BinaryIO, start: int, size: int) -> Iterator[_Group]:
    """Yield the whole groups that are found behind a damaged place, wherever they stand."""
    at = start
    while at < size:
        file.seek(at)
        found = file.read(_SEARCHED_BYTES).find(_MAGIC)
        if found < 0:
            at += max(1, _SEARCHED_BYTES - len(_MAGIC) + 1)
            continue
        at += found
        file.seek(at)
        group = _read_group(file, size - at)
        if group is not None:
            yield group
        at += 1 if group is None else group.size


class _Header(NamedTuple):
    magic: bytes
    length: int
    fence: int
    position: int
    crc: int


def _header_at(block: bytes, at: int) -> _Header | None:
    """Return the header that stands at a place of some bytes, unless it is not whole."""
    if len(block) - at < _HEADER_BYTES:
        return None
    end = at + _GROUP.size
    if zlib.crc32(block[at:end]) != _HEADER_CRC.unpack_from(block, end)[0]:
        return None
    header = _Header._make(_GROUP.unpack_from(block, at))
    return header if header.magic == _MAGIC else None


def _read_group(file: BinaryIO, most: int) -> _Group | None:
    """Read a group, unless it is not whole, or longer than ``most`` bytes."""
    header = _header_at(file.read(_HEADER_BYTES), 0)
    if header is None or _HEADER_BYTES + header.length > most:
        return None
    payload = file.read(header.length)
    if len(payload) < header.length or zlib.crc32(payload) != header.crc:
        return None
    return _Group(header.fence, header.position, payload)


def _unreadable(path: Path, error: OSError) -> JournalError:
    return JournalError(f"the journal {path} cannot be read: {in_words(error)}")


def _count(payload: bytes) -> int:
    """Return how many records a group holds."""
    at = number = 0
    while at + RECORD_HEAD.size <= len(payload):
        at += RECORD_HEAD.size + RECORD_HEAD.unpack_from(payload, at)[1]
        number += 1
    return number


def _records(group: _Group, path: Path) -> Iterator[Entry]:
    payload, position = group.payload, group.position + _HEADER_BYTES
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
        yield Entry(record, group.fence, position + at)
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
