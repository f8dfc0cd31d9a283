"""One tabular file, its rows counted, and cut into ranges where it is large.

A text is read once from its beginning, block by block, with a pause after each; what is known of its first
ranges is given back while the rest is still being read. This module must not know what becomes of the ranges.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from gristmill.plan.parquet_rows import NotParquet, parquet_rows
from gristmill.spec.values import Settings
from gristmill_worker.records import BLOCK_BYTES, Scanner, dialect_of, read_block
from gristmill_worker.row_ranges import RowRange


class Kind(Enum):
    """What a file is, by its name."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


#: In any case. The worker knows `jsonl` and `parquet` by the same.
KINDS = {
    b".csv": Kind.CSV,
    b".tsv": Kind.CSV,
    b".jsonl": Kind.JSONL,
    b".ndjson": Kind.JSONL,
    b".parquet": Kind.PARQUET,
    b".pqt": Kind.PARQUET,
}


def kind_of(name: bytes) -> Kind | None:
    """Return what a file is; None: its rows are not counted."""
    return KINDS.get(os.path.splitext(name)[1].lower())


def is_tabular(path: str) -> bool:
    """Say whether a file can be split by rows, as far as its name tells."""
    return kind_of(os.fsencode(path)) is not None


@dataclass(frozen=True, kw_only=True)
class RowSplit:
    """How tabular files are split; exactly one of the first two is set."""

    rows: int | None = None
    """The most rows of a piece."""
    bytes: int | None = None
    """The most bytes of rows in a piece, unless a single row has more."""
    has_header: bool = True
    """Whether the first row of a ``csv`` file is its header."""

    @classmethod
    def of(cls, settings: Settings) -> RowSplit | None:
        """Return what a job's settings say; None: files are not split."""
        if settings.split_rows is None and settings.split_bytes is None:
            return None
        return cls(rows=settings.split_rows, bytes=settings.split_bytes, has_header=settings.split_header)

    def words(self) -> str:
        """Say it in words, as the end of a sentence about files."""
        bound = f"{self.rows} rows" if self.rows is not None else f"{self.bytes} bytes"
        return bound if self.has_header else f"{bound} without a header"


def ranges_of(path: bytes, kind: Kind, split: RowSplit, told: list[str]) -> Iterator[RowRange | None]:
    """Count the rows of a file.

    Parameters
    ----------
    path
        The file.
    kind
        What it is.
    split
        How it is split.
    told
        Takes what the user should know of it, without its name.

    Yields
    ------
    RowRange or None
        Its ranges, in order and without gaps: one for all of it, where it is not larger than the bound.
        None is a pause. A file whose rows cannot be counted has no range: it is one item.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return  # whoever scores it will say what is wrong
    try:
        status = os.fstat(descriptor)
        stamp = (status.st_size, status.st_mtime_ns)
        if kind is Kind.PARQUET:
            yield from _of_parquet(parquet_rows(descriptor, status.st_size), split, stamp)
            return
        head = os.pread(descriptor, BLOCK_BYTES, 0)
        dialect = dialect_of(head, is_csv=kind is Kind.CSV)
        if dialect is None:
            told.append("is UTF-16, which cannot be split by rows: it is passed whole, and is one item")
            return
        text = _Text(descriptor, stamp, Scanner(dialect.delimiter), dialect.begin)
        yield from text.ranges(split, has_header=kind is Kind.CSV and split.has_header)
        if text.open_quote is not None:
            told.append(
                f"has a quote in row {text.open_quote:,} (counted from 0) that is never closed, so all that "
                "follows is one row; close it"
            )
    except NotParquet as error:
        told.append(f"cannot be split by rows, for {error}: it is passed whole, and is one item")
    except OSError:
        return
    finally:
        os.close(descriptor)


def _of_parquet(rows: int, split: RowSplit, stamp: tuple[int, int]) -> Iterator[RowRange]:
    size = stamp[0]
    if split.rows is not None:
        pieces = -(-rows // split.rows)
        most = split.rows
    else:
        assert split.bytes is not None, "a split has a bound"
        pieces = min(rows, -(-size // split.bytes))
        most = -(-rows // max(1, pieces))
    if pieces <= 1:
        yield RowRange(True, 0, rows, 0, size, 0, *stamp)
        return
    for first in range(0, rows, most):
        end = min(rows, first + most)
        yield RowRange(False, first, end - first, size * first // rows, size * end // rows, 0, *stamp)


class _Text:
    """A text that is being read."""

    def __init__(self, descriptor: int, stamp: tuple[int, int], scanner: Scanner, begin: int) -> None:
        self._descriptor = descriptor
        self._stamp = stamp
        self._size = stamp[0]
        self._scanner = scanner
        self._at = begin
        self.open_quote: int | None = None
        """The row with a quote that the end of the file leaves open, once that is known."""

    def ranges(self, split: RowSplit, *, has_header: bool) -> Iterator[RowRange | None]:
        """Read all of it; yield the ranges, each as soon as it is known that there is more behind it."""
        header = first = begin = 0
        if has_header:
            yield from self._read_rows(1)
            header, first, begin = self._at, self._rows, self._at
        held: RowRange | None = None
        at = begin
        while self._at < self._size:
            before = self._rows
            for _ in self._read(split, before, at):
                if held is not None and self._scanner.state.rows > before:
                    yield held
                    held = None
                yield None
            rows = self._rows - before
            if held is not None and rows:  # a last row without a line break
                yield held
                held = None
            if held is None:
                held = RowRange(False, before - first, rows, at, self._at, header, *self._stamp)
            at = self._at
        if self._scanner.is_in_quotes:
            self.open_quote = max(0, self._rows - first - 1)
        if held is None:
            yield RowRange(True, 0, 0, begin, self._size, header, *self._stamp)
        else:
            yield held._replace(is_whole=held.first == 0, end=self._size)

    @property
    def _rows(self) -> int:
        """The rows so far."""
        return self._scanner.rows_at_end if self._at >= self._size else self._scanner.state.rows

    def _read(self, split: RowSplit, before: int, begin: int) -> Iterator[None]:
        """Read the rows of the next piece."""
        if split.rows is not None:
            return self._read_rows(before + split.rows)
        assert split.bytes is not None, "a split has a bound"
        is_small = self._size <= split.bytes
        return self._read_bytes(self._size if is_small else begin + split.bytes)

    def _read_rows(self, rows: int) -> Iterator[None]:
        """Read up to where so many rows are complete, or the end."""
        while self._at < self._size and self._scanner.state.rows < rows:
            self._at += self._scanner.feed_until(rows, self._block())
            yield

    def _read_bytes(self, limit: int) -> Iterator[None]:
        """Read up to the last row that ends before a byte; at least one row."""
        scanner, known, mark = self._scanner, self._scanner.state.rows, None
        while self._at < min(limit, self._size):
            before, room = (scanner.state, self._at), limit - self._at
            block = self._block(room)
            is_over = len(block) > room
            if is_over:  # it goes on behind the bound with a CR LF, or with more of CR
                block = block[: room - 1 if block[room - 1 : room + 1] == b"\r\n" else room]
            scanner.feed(block)
            self._at += len(block)
            if scanner.state.rows > before[0].rows:
                mark = before
            yield
            if is_over:
                break
        if self._at >= self._size:
            return
        rows = max(known + 1, scanner.state.rows)
        if mark is not None:
            scanner.state, self._at = mark
        yield from self._read_rows(rows)

    def _block(self, most: int = BLOCK_BYTES) -> bytes:
        block = read_block(self._descriptor, self._at, self._size, most)
        if not block:
            self._size = self._at  # it became shorter; the worker will find that it has changed
        return block
