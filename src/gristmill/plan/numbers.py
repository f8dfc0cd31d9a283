"""Files of numbers: little-endian u64 entries one behind the other, written at the end and read by position.

A manifest keeps in them where its mini-batches begin (see `layout`). This module must not know what the
numbers mean.
"""

from __future__ import annotations

import os
import sys
import zlib
from array import array
from pathlib import Path

ENTRY_BYTES = 8


class NumbersWriter:
    """A file of numbers, open for appending; `OSError` is passed on to the caller throughout.

    Parameters
    ----------
    path
        The file.
    crc32
        CRC-32 of what it holds, of a file that is made longer; None: it is begun anew with a 0.
    """

    def __init__(self, path: Path, crc32: int | None = None) -> None:
        flags = os.O_CREAT | os.O_TRUNC if crc32 is None else os.O_APPEND
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o600)
        self.crc32: int = crc32 or 0
        """CRC-32 of all entries."""
        if crc32 is None:
            self.append(array("Q", [0]))

    def append(self, entries: array[int]) -> None:
        """Write the next entries; they can be read when this returns."""
        data = bytes_from_entries(entries)
        self.crc32 = zlib.crc32(data, self.crc32)
        write_all(self._descriptor, data)

    def sync(self) -> None:
        """Bring all entries to stable storage."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file; safe to repeat."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Numbers:
    """A file of numbers, read by position; nothing of it is kept in memory.

    Parameters
    ----------
    path
        An existing file, which may still be growing; `OSError` is passed on to the caller.
    """

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        """The file."""
        self.descriptor: int = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        """The open file; -1 once it is closed."""

    def read(self, first: int, count: int) -> array[int]:
        """Return entries from a number on: fewer than asked for where the file ends before."""
        return entries_from_bytes(os.pread(self.descriptor, count * ENTRY_BYTES, first * ENTRY_BYTES))

    def close(self) -> None:
        """Close the file; safe to repeat."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def write_all(descriptor: int, data: bytes) -> int:
    """Write all of `data` and return its size: a single write may stop short at two gigabytes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return len(data)


def entries_from_bytes(data: bytes) -> array[int]:
    """Return the whole entries in `data`."""
    entries = array("Q", data[: len(data) // ENTRY_BYTES * ENTRY_BYTES])
    if sys.byteorder != "little":
        entries.byteswap()
    return entries


def bytes_from_entries(entries: array[int]) -> bytes:
    """Return entries as they stand in a file."""
    if sys.byteorder != "little":
        entries = array("Q", entries)
        entries.byteswap()
    return entries.tobytes()
