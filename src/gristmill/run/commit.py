"""Commit: the rows of all ranges become one file, in plan order, that appears all at once (design, D4).

Rows are assembled while the job runs: what lies at the front of the plan is copied from its part into a
hidden file, what is ahead of it waits. Assembling again from the beginning gives the same bytes, so an
interrupted job simply does that. Nothing is visible under the final name before all of it is there.
"""

from __future__ import annotations

import filecmp
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from gristmill.errors import SchemaError, StorageError
from gristmill.faults import reach
from gristmill.run.appended import AppendedFiles
from gristmill.run.assembling import AssembledFile
from gristmill.run.assembly import Assembly
from gristmill.run.columns import header_line, reshaped, union_of
from gristmill.run.earlier import EarlierOutput, changed_meanwhile
from gristmill.run.parts import Parts
from gristmill.run.placed import PlacedRanges
from gristmill.run.records import Placed
from gristmill.run.table import Table
from gristmill.run.waiting import Rows, WaitingRows
from gristmill.storage.publish import sync_folder

#: While the job runs, assembling pauses when the disk has less room than this: the workers need it more.
PAUSE_BELOW_BYTES = 1 << 30
_LOOK_FOR_ROOM_EVERY_S = 1.0


class Committer:
    """Puts the rows of a job together and publishes them."""

    def __init__(
        self,
        parts: Path,
        scratch: Path,
        columns: Sequence[tuple[str, ...]],
        with_header: bool,
        lines: Sequence[str] | None = None,
        shared_header: bool = False,
        earlier: EarlierOutput | None = None,
        table: Table | None = None,
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
            Whether the file begins with a line of column names.
        lines
            That line, as it was written by what wrote the rows, by header id less one: it is the one of the
            first rows that have columns, and all rows stay as they are. None: the line is ours, and all rows
            are brought to the same columns.
        shared_header
            Whether files that scripts append to keep one first line that several workers wrote.
        earlier
            The output that was published before, if failed items of it are scored again.
        table
            Makes a Parquet file of the rows; None: they are text, and the file is one behind the other.

        Raises
        ------
        StorageError
            The hidden file cannot be made.
        """
        self._columns = columns
        self._with_header = with_header
        self._lines = lines
        self._waiting = WaitingRows(scratch)
        self._last: list[Rows] = []
        self._next = (0, 0)
        self._scratch = scratch
        self._earlier = earlier
        self._table = table
        self._earlier_columns: tuple[str, ...] | None = None
        """The columns that the rows of an earlier output were brought to."""
        try:
            scratch.mkdir(parents=True, exist_ok=True)
            self._file = AssembledFile(scratch / "assembled")
            if earlier is not None and with_header and lines is None:
                self._earlier_columns = earlier.header()
        except OSError as error:
            raise StorageError(f"the output cannot be assembled in {scratch}: {error}") from error
        self._placed = PlacedRanges(scratch / "placed")
        self._parts = Parts(parts)
        self.appended = AppendedFiles(scratch / "appended", shared_header, earlier)
        """The files that scripts append to."""
        self._room_seen_at = float("-inf")
        self._has_room = True
        self._first_header = 0
        self._headed_by = 0
        self._is_mixed = False
        self._header = b""

    def add(self, rows: Rows) -> None:
        """Take the rows of a range, in any order; a range without rows has length 0.

        Raises
        ------
        StorageError
            The disk is full.
        """
        if self._table is not None and not rows.is_published:
            self._table.note(rows.header, rows.span)
        try:
            self._waiting.add(rows)
        except OSError as error:
            raise self._storage_error(error) from error

    def add_last(self, rows: Rows) -> None:
        """Take what a worker left at its end: it comes after everything else, in the order of the parts."""
        self._last.append(rows)

    def has_room(self) -> bool:
        """Say whether to copy while the job runs: not when the workers need the room on the disk more.

        Raises
        ------
        StorageError
            The folder is gone.
        """
        now = time.monotonic()
        if now - self._room_seen_at > _LOOK_FOR_ROOM_EVERY_S:
            self._room_seen_at = now
            self._has_room = free_bytes(self._scratch) >= PAUSE_BELOW_BYTES
        return self._has_room

    def advance(self) -> None:
        """Copy all that has come to the front of the plan.

        Raises
        ------
        StorageError
            The disk is full, or a part is gone.
        """
        while (rows := self._take_next()) is not None:
            self._place(rows)
            span = rows.span
            self._next = (span.first, span.first_item + span.items)
            if rows.is_last_part:
                self._next = (span.first + span.batches, 0)

    def advance_over_gaps(self) -> None:
        """Copy everything, in plan order, leaving out what was not run: for a partial output."""
        try:
            for rows in self._waiting.take_all(self._next[0]):
                self._place(rows)
        except OSError as error:
            raise self._storage_error(error) from error

    @property
    def misfit(self) -> SchemaError | None:
        """Why the rows that were taken cannot become one file, as far as is known; None: they can."""
        return self._table.misfit if self._table is not None else None

    @property
    def bytes_waiting(self) -> int:
        """How many bytes are still to be copied."""
        return self._waiting.bytes_waiting + sum(rows.length + rows.attached for rows in self._last)

    @property
    def is_complete(self) -> bool:
        """Say whether nothing waits."""
        return not self._waiting

    def assemble(self, *, is_partial: bool = False) -> Assembly:
        """Finish the hidden file and sync it; ``is_partial``: of a job that is not complete.

        Raises
        ------
        SchemaError
            The file has types, and those of its rows do not fit.
        StorageError
            The disk is full.
        """
        for rows in sorted(self._last, key=lambda one: one.part):
            self._place(rows)
        self._last.clear()
        try:
            self._file.flush()
            if self._table is not None:
                return self._write_table(self._table, is_partial=is_partial)
            columns = self._settle_columns()
            reach("publish.before_sync")
            self._file.sync()
            reach("publish.after_sync")
        except OSError as error:
            raise self._storage_error(error) from error
        return Assembly(self._file.size, len(self._header), zlib.crc32(self._header), columns)

    def _write_table(self, table: Table, *, is_partial: bool) -> Assembly:
        written = table.write(self._file, self._placed, is_partial=is_partial)
        self._file.close()
        self._placed.close()
        os.unlink(self._file.path)
        self._file.path, self._placed = written.path, written.placed
        return Assembly(written.size, 0, 0, None, written.rows, written.crc)

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
        """Say whether the file at ``target`` is what was assembled: a crash came just after publication."""
        return filecmp.cmp(self._file.path, target, shallow=False)

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
            os.rename(self._file.path, target)
            sync_folder(target.parent)
        except OSError as error:
            raise self._storage_error(error) from error
        reach("publish.after_rename")

    def set_aside(self, target: Path) -> None:
        """Rename the hidden file to another hidden one, from which it will replace an earlier output.

        Raises
        ------
        StorageError
            It cannot be renamed.
        """
        try:
            os.rename(self._file.path, target)
        except OSError as error:
            raise self._storage_error(error) from error

    def close(self) -> None:
        """Close all files; idempotent."""
        self._waiting.close()
        self._parts.close()
        self._placed.close()
        self._file.close()
        self.appended.close()
        if self._table is not None:
            self._table.close()

    # Placing rows

    def _take_next(self) -> Rows | None:
        try:
            return self._waiting.take(*self._next)
        except OSError as error:
            raise self._storage_error(error) from error

    def _place(self, rows: Rows) -> None:
        try:
            if rows.length:
                self._note_header(rows.header)
                at = self._file.size
                if self._table is not None and rows.is_published:
                    self._copy_from_table(self._table, rows, at)
                else:
                    is_reshaped = rows.is_published and self._earlier_columns is not None
                    self._placed.add(Placed(rows.span, at, rows.length, rows.crc), rows.header, is_reshaped)
                    (self._copy_published if rows.is_published else self._copy)(rows)
            if rows.attached and rows.is_published:
                self.appended.take_again(rows.span, rows.part)
            elif rows.attached:
                source = self._parts.descriptor(rows.part)
                end = rows.offset + rows.length
                self.appended.take(source, rows.part, end, rows.attached, rows.span)
        except OSError as error:
            raise self._storage_error(error) from error

    def _note_header(self, header: int) -> None:
        self._headed_by = self._headed_by or header
        if not self._file.size and not self._first_header:
            self._first_header = header
            if self._with_header and header:
                self._header = self._line_of(header)
                self._file.write(self._header)
        elif header != self._first_header:
            self._is_mixed = True

    def _line_of(self, header: int) -> bytes:
        if self._lines is None:
            return header_line(self._columns[header - 1])
        return self._lines[header - 1].encode("utf-8", "surrogateescape")

    def _copy(self, rows: Rows) -> None:
        reach("publish.before_write")
        source = self._parts.descriptor(rows.part)
        copied = self._file.copy(source, rows.offset, rows.length)
        if copied < rows.length:
            raise StorageError(
                f"part {rows.part} ends before byte {rows.offset + rows.length}: rows of mini-batch "
                f"{rows.span.first} are gone; resume the job to run it again"
            )
        reach("publish.after_write")

    def _copy_published(self, rows: Rows) -> None:
        assert self._earlier is not None, "somebody published these rows"
        reach("publish.before_write")
        source = self._earlier.rows_source()
        if self._file.copy_checked(source, rows.offset, rows.length) != rows.crc:
            raise changed_meanwhile(self._earlier.target)
        reach("publish.after_write")

    def _copy_from_table(self, table: Table, rows: Rows, at: int) -> None:
        reach("publish.before_write")
        block = table.published_block(rows.offset, rows.length)
        self._placed.add(Placed(rows.span, at, len(block), rows.crc), rows.header, True)
        self._file.write(block)
        reach("publish.after_write")

    def _storage_error(self, error: OSError) -> StorageError:
        return StorageError(
            f"the output cannot be put together in {self._scratch}: {error}; nothing that was "
            "finished is lost. "
            "Make room or repair the folder, then resume the job"
        )

    # Columns

    def _settle_columns(self) -> tuple[str, ...] | None:
        """Return the columns of all rows, writing the file once more where they are not the same."""
        if not self._is_mixed:
            columns = self._columns[self._first_header - 1] if self._first_header else None
            if columns is not None and self._earlier_columns not in (None, columns):
                self._rewrite(header_line(columns), columns)  # rows of an earlier output have more columns
            return columns
        if not self._with_header:
            return None
        if self._lines is not None:
            if not self._header:  # the first rows are those of lists; the header stands above them too
                self._rewrite(self._line_of(self._headed_by), None)
            return None
        headers = [header for _, header, _ in self._placed.read_with_headers()]
        columns = union_of([self._columns[header - 1] for header in dict.fromkeys(headers) if header])
        self._rewrite(header_line(columns), columns)
        return columns

    def _rewrite(self, first_line: bytes, columns: tuple[str, ...] | None) -> None:
        """Write the file once more, below this header; with columns, all rows are brought to them."""
        old, old_placed = self._file, self._placed
        path = old.path
        self._file = AssembledFile(path.with_name("assembled.reshaped"))
        self._placed = PlacedRanges(path.with_name("placed.reshaped"))
        self._header = first_line
        self._file.write(self._header)
        for placed, header, is_reshaped in old_placed.read_with_headers():
            rows = old.read(placed.offset, placed.length)
            if columns is not None:
                before = self._earlier_columns if is_reshaped else None
                rows = reshaped(rows, before or self._columns[header - 1], columns)
            at = self._file.size
            self._placed.add(Placed(placed.span, at, len(rows), zlib.crc32(rows)), header)
            self._file.write(rows)
        self._file.flush()
        old.close()
        old_placed.close()
        os.rename(self._file.path, path)
        self._file.path = path


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
