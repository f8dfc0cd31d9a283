"""Row groups: how a Parquet file is cut, at the same rows however the rows come."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from gristmill.faults import reach
from gristmill.run.typed_rows import arrow_type, pyarrow

#: A row group has so many rows, or is about as large; readers want them not much smaller.
ROWS_PER_GROUP = 1 << 17
BYTES_PER_GROUP = 64 << 20
#: Whether a group is large enough is asked after so many rows: a place that depends on the rows alone.
ROWS_PER_STEP = 1 << 10
#: Where the file itself says which types its columns had: JSON is text in Parquet.
TYPES = b"gristmill.types"


class RowGroups:
    """Writes tables as row groups of useful size."""

    def __init__(self, file: Any, columns: dict[str, str]) -> None:
        arrow = pyarrow()
        fields = [(name, arrow_type(kind)) for name, kind in columns.items()]
        self._schema = arrow.schema(fields, metadata={TYPES: json.dumps(list(columns.values()))})
        compression = "zstd" if arrow.Codec.is_available("zstd") else "snappy"
        self._writer = arrow.parquet.ParquetWriter(file, self._schema, compression=compression)
        self._waiting: list[Any] = []
        self._rows_waiting = 0
        self._steps: list[Any] = []
        self._bytes = 0

    def add(self, table: Any) -> None:
        """Take rows; write a group where there are enough."""
        self._waiting.append(table)
        self._rows_waiting += table.num_rows
        if self._rows_waiting < ROWS_PER_STEP:
            return
        whole = pyarrow().concat_tables(self._waiting)
        end = self._rows_waiting // ROWS_PER_STEP * ROWS_PER_STEP
        for start in range(0, end, ROWS_PER_STEP):
            step = whole.slice(start, ROWS_PER_STEP)
            self._steps.append(step)
            self._bytes += sum(map(_bytes_of, step.columns))
            if len(self._steps) * ROWS_PER_STEP >= ROWS_PER_GROUP or self._bytes >= BYTES_PER_GROUP:
                self._write()
        self._waiting = [whole.slice(end)]
        self._rows_waiting -= end

    def close(self) -> None:
        """Write the rest, and the footer."""
        self._steps += self._waiting
        if self._steps:
            self._write()
        self._writer.close()

    def abandon(self) -> None:
        """End a file that nobody will read, while it is still open."""
        with suppress(Exception):  # the first error is the one that counts
            self._writer.close()

    def _write(self) -> None:
        reach("publish.before_write")
        group = pyarrow().concat_tables(self._steps).combine_chunks().cast(self._schema)
        if group.num_rows:
            self._writer.write_table(group, row_group_size=group.num_rows)
        self._steps, self._bytes = [], 0
        reach("publish.after_write")


def _bytes_of(column: Any) -> int:
    """Return how large a column is, whatever pieces it is in."""
    types = pyarrow().types
    if types.is_string(column.type) or types.is_binary(column.type):
        return int(pyarrow().compute.sum(pyarrow().compute.binary_length(column)).as_py() or 0)
    if types.is_list(column.type):
        return 8 * int(pyarrow().compute.sum(pyarrow().compute.list_value_length(column)).as_py() or 0)
    return 8 * len(column)
