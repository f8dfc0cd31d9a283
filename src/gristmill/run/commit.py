"""Commit: the rows of all ranges become one file, in plan order, that appears all at once (design, D4).

Rows are assembled while the job runs: what lies at the front of the plan is copied from its part into a
hidden file, what is ahead of it waits. Assembling again from the beginning gives the same bytes, so an
interrupted job simply does that. Nothing is visible under the final name before all of it is there.
"""

from __future__ import annotations

import errno
import filecmp
import heapq
import os
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gristmill.engine.contract import Span
from gristmill.errors import StorageError
from gristmill.faults import reach
from gristmill.run.columns import header_line, reshaped, union_of
from gristmill.run.journal import Placed
from gristmill.run.placed import PlacedRanges
from gristmill.storage.publish import sync_folder

_MOST_OPEN_PARTS = 64
#: From here on the kernel copies; below, reading and writing is quicker.
_COPY_BY_KERNEL = 1 << 16
_BUFFER_BYTES = 1 << 20
_KERNEL_CANNOT = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP)
#: While the job runs, assembling pauses when the disk has less room than this: the workers need it more.
PAUSE_BELOW_BYTES = 1 << 30
_LOOK_FOR_ROOM_EVERY_S = 1.0


class Rows(NamedTuple):
    """The rows of a range: where they are now, and what columns they have."""

    span: Span
    part: int
    offset: int
    length: int
    crc: int
    header: int
    """Id of the columns within the job; 0 where the rows have none."""


class Assembly(NamedTuple):
    """What was put together."""

    size: int
    header_bytes: int
    header_crc: int
    columns: tuple[str, ...] | None
    """The columns of all rows; None where they have none, or not all the same (headerless files only)."""


class Committer:
    """Puts the rows of a job together and publishes them."""

    def __init__(
        self, parts: Path, scratch: Path, columns: Sequence[tuple[str, ...]], with_header: bool
    ) -> None:
        """Begin a new assembly; what an earlier one left is overwritten.

        Parameters
        ----------
        parts
            Folder of the parts.
        scratch
            Hidden folder on the output's file system.
        columns
            The columns by header id less one; may grow while the job runs.
        with_header
            Whether the file begins with a line of column names, and all rows have these columns.

        Raises
        ------
        StorageError
            The hidden file cannot be made.
        """
        self._parts = parts
        self._columns = columns
        self._with_header = with_header
        self._waiting: list[Rows] = []
        self._next = (0, 0)
        self._open_parts: OrderedDict[int, int] = OrderedDict()
        self._path = scratch / "assembled"
        self._placed_path = scratch / "placed"
        try:
            scratch.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise StorageError(f"the output cannot be assembled in {scratch}: {error}") from error
        self._placed = PlacedRanges(self._placed_path)
        self._buffer = bytearray()
        self._room_seen_at = float("-inf")
        self._has_room = True
        self._size = 0
        self._first_header = 0
        self._is_mixed = False
        self._kernel_copies = True
        self._header = b""

    def add(self, rows: Rows) -> None:
        """Take the rows of a range, in any order; a range without rows has length 0."""
        heapq.heappush(self._waiting, rows)

    def advance_if_room(self) -> None:
        """Copy what has come to the front of the plan, unless the workers need the room on the disk more.

        Raises
        ------
        StorageError
            The disk is full, or a part is gone.
        """
        now = time.monotonic()
        if now - self._room_seen_at > _LOOK_FOR_ROOM_EVERY_S:
            self._room_seen_at = now
            self._has_room = free_bytes(self._path.parent) >= PAUSE_BELOW_BYTES
        if self._has_room:
            self.advance()

    def advance(self) -> None:
        """Copy all that has come to the front of the plan.

        Raises
        ------
        StorageError
            The disk is full, or a part is gone.
        """
        while self._waiting and self._is_next(self._waiting[0].span):
            rows = heapq.heappop(self._waiting)
            self._place(rows)
            self._next = (rows.span.first + rows.span.batches, 0)

    def advance_over_gaps(self) -> None:
        """Copy everything, in plan order, leaving out what was not run: for a partial output."""
        while self._waiting:
            self._place(heapq.heappop(self._waiting))

    @property
    def bytes_waiting(self) -> int:
        """How many bytes are still to be copied."""
        return sum(rows.length for rows in self._waiting)

    @property
    def is_complete(self) -> bool:
        """Say whether nothing waits."""
        return not self._waiting

    def assemble(self) -> Assembly:
        """Finish the hidden file and sync it.

        Raises
        ------
        StorageError
            The disk is full.
        """
        try:
            self._flush()
            columns = self._settle_columns()
            reach("publish.before_sync")
            os.fsync(self._file)
            reach("publish.after_sync")
        except OSError as error:
            raise self._storage_error(error) from error
        return Assembly(self._size, len(self._header), zlib.crc32(self._header), columns)

    def placed(self) -> Iterator[Placed]:
        """Yield where each range's rows are in the assembled file, in plan order.

        Raises
        ------
        StorageError
            The list of them, which is kept on the disk, cannot be written or read.
        """
        try:
            yield from self._placed.read()
        except OSError as error:
            raise self._storage_error(error) from error

    def is_same_as(self, target: Path) -> bool:
        """Say whether the file at ``target`` holds what was assembled: a crash came just after its
        publication.
        """
        return filecmp.cmp(self._path, target, shallow=False)

    def publish(self, target: Path) -> None:
        """Rename the hidden file to its final name; safe to repeat after a crash, by assembling again.

        Raises
        ------
        StorageError
            The output folder is gone or cannot be written.
        """
        reach("publish.before_rename")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(self._path, target)
            sync_folder(target.parent)
        except OSError as error:
            raise self._storage_error(error) from error
        reach("publish.after_rename")

    def close(self) -> None:
        """Close all files; idempotent."""
        for descriptor in self._open_parts.values():
            os.close(descriptor)
        self._open_parts.clear()
        self._placed.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    # Placing rows

    def _is_next(self, span: Span) -> bool:
        return (span.first, span.first_item) == self._next

    def _place(self, rows: Rows) -> None:
        try:
            if rows.length:
                self._note_header(rows.header)
                self._placed.add(Placed(rows.span, self._size, rows.length, rows.crc), rows.header)
                self._copy(rows)
        except OSError as error:
            raise self._storage_error(error) from error

    def _note_header(self, header: int) -> None:
        if not self._size and not self._first_header:
            self._first_header = header
            if self._with_header and header:
                self._header = header_line(self._columns[header - 1])
                self._write(self._header)
        elif header != self._first_header:
            self._is_mixed = True

    def _copy(self, rows: Rows) -> None:
        source = self._part(rows.part)
        offset, left = rows.offset, rows.length
        if left >= _COPY_BY_KERNEL:
            self._flush()
        reach("publish.before_write")
        while left:
            if left >= _COPY_BY_KERNEL and self._kernel_copies:
                copied = self._copy_by_kernel(source, left, offset)
            else:
                data = os.pread(source, min(left, _BUFFER_BYTES), offset)
                self._buffer += data
                copied = len(data)
                if len(self._buffer) >= _BUFFER_BYTES:
                    self._flush()
            if not copied:
                raise StorageError(
                    f"part {rows.part} ends before byte {offset + left}: rows of mini-batch "
                    f"{rows.span.first} are "
                    "gone; resume the job to run it again"
                )
            offset += copied
            left -= copied
        self._size += rows.length
        reach("publish.after_write")
        if len(self._buffer) >= _BUFFER_BYTES:
            self._flush()

    def _copy_by_kernel(self, source: int, length: int, offset: int) -> int:
        """Return how many bytes were copied; on a file system that refuses, copy by hand from now on."""
        try:
            return os.copy_file_range(source, self._file, length, offset_src=offset)
        except OSError as error:
            if error.errno not in _KERNEL_CANNOT:
                raise
            self._kernel_copies = False
            data = os.pread(source, min(length, _BUFFER_BYTES), offset)
            self._buffer += data
            return len(data)

    def _write(self, data: bytes) -> None:
        self._buffer += data
        self._size += len(data)

    def _flush(self) -> None:
        view = memoryview(bytes(self._buffer))
        self._buffer.clear()
        while view:
            view = view[os.write(self._file, view) :]

    def _part(self, part: int) -> int:
        descriptor = self._open_parts.get(part)
        if descriptor is None:
            descriptor = os.open(self._parts / f"{part}.part", os.O_RDONLY | os.O_CLOEXEC)
            self._open_parts[part] = descriptor
            if len(self._open_parts) > _MOST_OPEN_PARTS:
                os.close(self._open_parts.popitem(last=False)[1])
        else:
            self._open_parts.move_to_end(part)
        return descriptor

    def _storage_error(self, error: OSError) -> StorageError:
        return StorageError(
            f"the output cannot be put together in {self._path.parent}: {error}; nothing that was "
            "finished is lost. "
            "Make room or repair the folder, then resume the job"
        )

    # Columns

    def _settle_columns(self) -> tuple[str, ...] | None:
        """Return the columns of all rows, writing the file once more where they are not the same."""
        if not self._is_mixed:
            return self._columns[self._first_header - 1] if self._first_header else None
        if not self._with_header:
            return None
        headers = [header for _, header in self._placed.read_with_headers()]
        columns = union_of([self._columns[header - 1] for header in dict.fromkeys(headers) if header])
        self._rewrite(columns)
        return columns

    def _rewrite(self, columns: tuple[str, ...]) -> None:
        old, old_placed = self._file, self._placed
        new_path = self._path.with_name("assembled.reshaped")
        self._file = os.open(new_path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        self._placed = PlacedRanges(self._placed_path.with_name("placed.reshaped"))
        self._size = 0
        self._header = header_line(columns)
        self._write(self._header)
        for placed, header in old_placed.read_with_headers():
            rows = os.pread(old, placed.length, placed.offset)
            rows = reshaped(rows, self._columns[header - 1], columns)
            self._placed.add(Placed(placed.span, self._size, len(rows), zlib.crc32(rows)), header)
            self._write(rows)
            if len(self._buffer) >= _BUFFER_BYTES:
                self._flush()
        self._flush()
        os.close(old)
        old_placed.close()
        os.rename(new_path, self._path)


def free_bytes(folder: Path) -> int:
    """Return how much room the disk of a folder has, in bytes.

    Raises
    ------
    StorageError
        The folder is gone.
    """
    try:
        status = os.statvfs(folder)
    except OSError as error:
        raise StorageError(f"the output folder {folder} cannot be used: {error}") from error
    return status.f_bavail * status.f_frsize
