"""A Parquet file that the job has published before, read by ranges of rows: what a rerun copies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gristmill.errors import StorageError
from gristmill.run.row_groups import TYPES
from gristmill.run.typed_rows import pyarrow


class PublishedTable:
    """A Parquet file that was published, read by ranges of rows."""

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path
        self._file: Any = None
        self._group: tuple[int, Any] = (-1, None)
        self._starts: list[int] = []

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        return [str(name) for name in self._opened().schema_arrow.names]

    @property
    def types(self) -> list[str]:
        """The types that they had when it was written."""
        return [str(kind) for kind in json.loads(self._opened().schema_arrow.metadata[TYPES])]

    def rows(self, offset: int, count: int) -> Any:
        """Return rows as a table.

        Raises
        ------
        StorageError
            They are not in the file.
        OSError
            It is gone, or cannot be read.
        """
        file, found, left = self._opened(), [], count
        for number, start in enumerate(self._starts[:-1]):
            end = self._starts[number + 1]
            if start <= offset < end and left:
                if self._group[0] != number:
                    self._group = (number, file.read_row_group(number))
                found.append(self._group[1].slice(offset - start, min(left, end - offset)))
                taken = found[-1].num_rows
                offset, left = offset + taken, left - taken
        if left:
            raise StorageError(f"{self._path} has fewer rows than were published; put it back as it was")
        return pyarrow().concat_tables(found)

    def _opened(self) -> Any:
        if self._file is None:
            self._file = pyarrow().parquet.ParquetFile(self._path)
            groups = self._file.metadata
            self._starts = [0]
            for number in range(groups.num_row_groups):
                self._starts.append(self._starts[-1] + groups.row_group(number).num_rows)
        return self._file

    def close(self) -> None:
        """Close the file; idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None
