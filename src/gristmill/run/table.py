"""Table: the predictions as one Parquet file, made at publication from the typed blocks of all workers.

The blocks are assembled in plan order while the job runs, as text would be. Only at the end it is known
which columns there are and of what types: then the file is written in one pass, a row group at a time. From
the same rows in the same order comes the same file, so that an interrupted publication is simply done again.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from gristmill.engine.contract import Span
from gristmill.errors import SchemaError
from gristmill.faults import reach
from gristmill.run.assembling import AssembledFile
from gristmill.run.placed import PlacedRanges
from gristmill.run.published_table import PublishedTable
from gristmill.run.records import Placed
from gristmill.run.row_groups import RowGroups
from gristmill.run.typed_rows import (
    arrow_type,
    block_of,
    blocks_in,
    converted,
    from_plain,
    from_stream,
    pyarrow,
)
from gristmill.run.widening import Conflict, in_words, schema_of, united

#: Values in plain form become columns once there are so many rows of them.
_ROWS_AT_ONCE = 1 << 13
_READ_BYTES = 1 << 20
NameOf = Callable[[int], str]


class Written(NamedTuple):
    """A Parquet file that was written."""

    path: Path
    size: int
    crc: int
    rows: int
    placed: PlacedRanges
    """Where each range is in it, in rows."""


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Rows that have the same columns of the same types."""

    names: Sequence[str]
    types: Sequence[str]


class Table:
    """Writes the predictions of one job as a Parquet file."""

    def __init__(
        self,
        columns: Sequence[tuple[str, ...]],
        types: Sequence[tuple[str, ...]],
        name_of: NameOf = str,
        earlier: Path | None = None,
        *,
        allows_text: bool = False,
    ) -> None:
        """Touch nothing yet.

        Parameters
        ----------
        columns, types
            The names and types of columns by header id less one; may grow while the job runs.
        name_of
            Gives the name of the first file of a mini-batch, for messages.
        earlier
            The Parquet file that was published before, if failed items of it are scored again.
        allows_text
            Whether a column whose types have nothing in common becomes text.
        """
        self._columns = columns
        self._types = types
        self._name_of = name_of
        self._allows_text = allows_text
        self._seen: dict[int, Span] = {}
        self.misfit: SchemaError | None = None
        """Why the rows that are there cannot become one file; None while they can."""
        self._earlier = PublishedTable(earlier) if earlier is not None else None

    def note(self, header: int, span: Span) -> None:
        """Take notice of the columns of some rows, as soon as they are there; see `misfit`."""
        if header and header not in self._seen:
            self._seen[header] = span
            if not self._allows_text and self.misfit is None:
                _, conflicts = united(self._schema(one) for one in self._seen)
                self.misfit = self._refusal(conflicts[0], span) if conflicts else None

    def published_block(self, offset: int, rows: int) -> bytes:
        """Return rows of the file that was published before, as a block.

        Raises
        ------
        OSError
            It is gone, or cannot be read.
        """
        assert self._earlier is not None, "somebody published these rows"
        return block_of(self._earlier.rows(offset, rows))

    def write(self, source: AssembledFile, placed: PlacedRanges, *, is_partial: bool = False) -> Written:
        """Write the file beside what was assembled, and sync it.

        Parameters
        ----------
        source
            The assembled blocks.
        placed
            Where each range's blocks are in it.
        is_partial
            Whether columns that do not fit are text, since only a part is to be shown.

        Raises
        ------
        SchemaError
            Columns of different mini-batches have types that do not fit, or a value does not.
        OSError
            The disk is full.
        """
        order = {(header, was_there): None for _, header, was_there in placed.read_with_headers()}
        kinds = {key: self._kind(*key) for key in order}
        columns, conflicts = united(schema_of(kind.names, kind.types) for kind in kinds.values())
        if conflicts and not (self._allows_text or is_partial):
            raise self._refusal(conflicts[0], None)
        path = source.path.with_name("assembled.parquet")
        by_rows = PlacedRanges(source.path.with_name("placed.rows"))
        try:
            with open(path, "w+b") as file:
                rows = self._write_groups(file, columns, by_rows, _runs(placed, source, kinds))
                reach("publish.before_sync")
                os.fsync(file.fileno())
                reach("publish.after_sync")
                size, crc = file.tell(), _crc_of(file)
        except BaseException:
            by_rows.close()
            raise
        return Written(path, size, crc, rows, by_rows)

    def _write_groups(
        self, file: BinaryIO, columns: dict[str, str], by_rows: PlacedRanges, runs: Iterator[_Run]
    ) -> int:
        """Write all rows, note where each range's are, and return how many there are."""
        rows, groups = 0, RowGroups(file, columns)
        try:
            for run in runs:
                for one, count in run.places:
                    by_rows.add(Placed(one.span, rows, count, one.crc), 0)
                    rows += count
                groups.add(self._fitted(run, columns))
            groups.close()
            file.flush()
        except BaseException:
            groups.abandon()
            raise
        return rows

    def close(self) -> None:
        """Close the earlier file; idempotent."""
        if self._earlier is not None:
            self._earlier.close()

    def _schema(self, header: int) -> list[tuple[str, str]]:
        return schema_of(self._columns[header - 1], self._types[header - 1])

    def _kind(self, header: int, was_published: bool) -> _Kind:
        if was_published and self._earlier is not None:
            return _Kind(names=self._earlier.names, types=self._earlier.types)
        return _Kind(names=self._columns[header - 1], types=self._types[header - 1])

    def _fitted(self, run: _Run, columns: dict[str, str]) -> Any:
        """Return rows with the columns of all."""
        arrow, kind = pyarrow(), run.kind
        own = dict(zip(kind.names, range(len(kind.names)), strict=True))
        fitted = []
        for name, wanted in columns.items():
            if name not in own:
                fitted.append(arrow.nulls(run.rows, arrow_type(wanted)))
                continue
            place = own[name]
            try:
                fitted.append(converted(run.columns[place], kind.types[place], wanted))
            except ValueError as error:
                conflict = Conflict(name, wanted, kind.types[place])
                raise self._refusal(conflict, run.places[0][0].span, str(error)) from error
        return arrow.table(fitted, names=list(columns))

    def _refusal(self, conflict: Conflict, span: Span | None, why: str = "") -> SchemaError:
        """Say which column has which types, where, and what can be done."""
        column, first, second = conflict
        span = span or self._first_with(column, second)
        where = ""
        if span is not None:
            where = f" of mini-batch {span.first} (its first file is {self._name_of(span.first)})"
        what = f"is {in_words(second)} in the rows{where}, and {in_words(first)} in those of others"
        if second == "mixed" or first == second:
            what = f"has values of different types in the rows{where}"
        elif why:
            what += f": {why}"
        return SchemaError(
            f"the column {column} {what}; one column of a Parquet file has one type. Nothing that was "
            "finished is lost: resume with --set gristmill.conflicting_types=text to write such columns as "
            "text; or return one type, or choose --format jsonl, in a new job"
        )

    def _first_with(self, column: str, kind: str) -> Span | None:
        found = (span for header, span in self._seen.items() if (column, kind) in self._schema(header))
        return next(found, None)


@dataclass(kw_only=True)
class _Run:
    """Ranges that follow each other and have the same columns."""

    kind: _Kind
    rows: int
    columns: list[Any]
    places: list[tuple[Placed, int]]
    """Each range with its number of rows."""


def _runs(
    placed: PlacedRanges, source: AssembledFile, kinds: dict[tuple[int, bool], _Kind]
) -> Iterator[_Run]:
    """Yield the rows of all ranges, those in plain form many ranges at a time."""
    pending: _Pending | None = None
    for one, header, was_published in placed.read_with_headers():
        kind = kinds[header, was_published]
        if pending is not None and (pending.kind is not kind or pending.rows >= _ROWS_AT_ONCE):
            yield pending.run()
            pending = None
        pending = pending or _Pending(kind)
        pending.take(one, source.read(one.offset, one.length))
    if pending is not None:
        yield pending.run()


class _Pending:
    """Rows that are still to become columns."""

    def __init__(self, kind: _Kind) -> None:
        self.kind = kind
        self.rows = 0
        self._places: list[tuple[Placed, int]] = []
        self._plain: list[list[Any]] = [[] for _ in kind.names]
        self._arrays: list[list[Any]] = [[] for _ in kind.names]

    def take(self, one: Placed, data: bytes) -> None:
        rows = 0
        for block in blocks_in(data):
            rows += block.rows
            arrays = from_stream(block.arrow)
            for place, values in enumerate(block.plain):
                if values is not None:
                    self._plain[place] += values
                else:
                    self._settle(place)
                    self._arrays[place] += arrays[place].chunks
        self.rows += rows
        self._places.append((one, rows))

    def _settle(self, place: int) -> None:
        if self._plain[place]:
            self._arrays[place].append(from_plain(self.kind.types[place], self._plain[place]))
            self._plain[place] = []

    def run(self) -> _Run:
        arrow, columns = pyarrow(), []
        for place, kind in enumerate(self.kind.types):
            self._settle(place)
            wanted = arrow_type(kind)
            pieces = [one if one.type == wanted else one.cast(wanted) for one in self._arrays[place]]
            columns.append(arrow.chunked_array(pieces, wanted))
        return _Run(kind=self.kind, rows=self.rows, columns=columns, places=self._places)


def _crc_of(file: BinaryIO) -> int:
    crc = 0
    file.seek(0)
    while data := file.read(_READ_BYTES):
        crc = zlib.crc32(data, crc)
    return crc
