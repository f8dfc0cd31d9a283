"""Staging: the rows of a mini-batch as files of their own, which the script finds at ordinary paths.

A piece of a file is written just before ``run()`` into the worker's working folder, below the same folders as
its file, and removed after it. A piece of a ``csv`` file is its header, byte for byte, and exactly the bytes
of these rows; one of a ``jsonl`` file these bytes alone; one of a Parquet file has the same schema and
metadata. A file that is not split is passed as it is.
"""

import errno
import os
import shutil
import sys
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from gristmill_worker.records import BLOCK_BYTES, FRESH, Scanner, dialect_of, read_block
from gristmill_worker.row_ranges import Input, RowRange, inputs_in

_COPIED_BYTES = 1 << 16
#: So many places in a range are remembered.
_MOST_FOUND = 10_000
_PARQUET = (b".parquet", b".pqt")
_JSONL = (b".jsonl", b".ndjson")


class StagingError(Exception):
    """The rows cannot be staged; the message is for the user."""


class Source(NamedTuple):
    """Where the rows of a path come from: what ``context.source[path]`` is."""

    #: The absolute path of the file in the input folder.
    file: str
    #: The number of its first row, counted from 0; of a file that is not split, 0.
    first_row: int


class Rows:
    """The inputs of one mini-batch, or of a part of it, where items are rows."""

    def __init__(self, inputs: Sequence[Input], paths: List[str], sources: Dict[str, Source]) -> None:
        self.paths = paths
        """What the script gets."""
        self.sources = sources
        self.names = [os.fsdecode(one.name) for one in inputs]
        """The relative path of each file, for each path."""
        self.total = sum(one.items for one in inputs)
        """Items."""
        self._first_rows = [one.first_row for one in inputs]
        # A file without rows is an item for which nobody can return a row.
        self._rows = [one.rows for one in inputs]
        self._wanted = sum(self._rows)

    def succeeded(self, results: int) -> int:
        """Return how many items a number of results stands for.

        As many results as paths: each path counts for all its rows. Otherwise one result is one row.
        """
        if results == len(self.paths) or results >= self._wanted:
            return self.total
        return results

    def names_for(self, result: object) -> List[str]:
        """Return the file names that fit a result: one for each path, or for each row."""
        try:
            results = len(result)  # type: ignore[arg-type]  # what has no length is refused later
        except Exception:
            return self.names
        if results == len(self.paths) or results != self._wanted:
            return self.names
        return [name for name, rows in zip(self.names, self._rows) for _ in range(rows)]

    def inputs_of(self, result: object, mini_batch: int) -> Tuple[List[str], int, List[int]]:
        """Return what the rows of a result come from: `names_for` it, the mini-batch, and first rows."""
        names = self.names_for(result)
        if names is self.names:
            return names, mini_batch, self._first_rows
        rows = zip(self._first_rows, self._rows)
        return names, mini_batch, [first + number for first, count in rows for number in range(count)]


class Stage:
    """The folder for the pieces of one worker."""

    def __init__(self, folder: str, root: str) -> None:
        """Prepare.

        Parameters
        ----------
        folder
            Where pieces are written; it is made when it is needed.
        root
            The input folder.
        """
        self._folder = os.fsencode(folder)
        self._root = os.fsencode(root)
        self._found: Tuple[Optional[Tuple[bytes, RowRange]], Dict[int, int]] = (None, {})
        """A range, and where rows of it begin: parts of it that follow one another are found at once."""

    def prepare(self, raw: bytes, first_item: int, items: int) -> Rows:
        """Write the pieces of a mini-batch, or of a part of it.

        Parameters
        ----------
        raw
            Its entries in the manifest, separated by NUL.
        first_item, items
            The part; 0 items: all.

        Raises
        ------
        StagingError
            A file is gone, cannot be read, or is not what it was when its rows were counted.
        OSError
            There is no room for the pieces.
        """
        inputs = inputs_in(raw.split(b"\0"), first_item, items)
        paths, sources = [], {}
        for one in inputs:
            original = os.path.join(self._root, one.name)
            path = os.fsdecode(self._staged(one, original) if one.is_a_piece else original)
            paths.append(path)
            sources[path] = Source(os.fsdecode(original), one.first_row)
        return Rows(inputs, paths, sources)

    def clear(self) -> None:
        """Remove what was written; safe to repeat."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _staged(self, one: Input, original: bytes) -> bytes:
        target = os.path.join(self._folder, one.piece_name)
        try:
            source = os.open(original, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            words = "cannot be read: %s; its rows are %s"
            raise StagingError(_about(one, words % (error.strerror, _WANTED))) from error
        try:
            _check_unchanged(one, source)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if original.lower().endswith(_PARQUET):
                _write_parquet(one, os.fsdecode(original), os.fsdecode(target))
            else:
                _write_text(one, source, target, self._bytes_of(one, source))
        except OSError as error:
            words = _NO_ROOM % (os.fsdecode(one.name), error.strerror or error)
            raise OSError(error.errno or errno.EIO, words, os.fsdecode(self._folder)) from error
        finally:
            os.close(source)
        return target

    def _bytes_of(self, one: Input, source: int) -> Tuple[int, int]:
        """Return where the wanted rows of a range begin and end; those before them are counted again."""
        found = one.range
        assert found is not None, "it is a piece"
        if one.items == found.items:
            return found.begin, found.end
        is_csv = not one.name.lower().endswith(_JSONL)
        dialect = dialect_of(os.pread(source, BLOCK_BYTES, 0), is_csv)
        assert dialect is not None, "its rows could be counted"
        if self._found[0] != (one.name, found) or len(self._found[1]) > _MOST_FOUND:
            self._found = ((one.name, found), {0: max(found.begin, dialect.begin)})
        begins = self._found[1]
        for rows in (one.skipped, one.skipped + one.items):
            nearest = max(row for row in begins if row <= rows)
            scanner, at = Scanner(dialect.delimiter, FRESH._replace(rows=nearest)), begins[nearest]
            while scanner.state.rows < rows < found.rows and at < found.end:
                at += scanner.feed_until(rows, read_block(source, at, found.end))
            begins[rows] = at if rows < found.rows else found.end
        begin, end = begins[one.skipped], begins[one.skipped + one.items]
        return (begin if one.skipped else found.begin), end


_NO_ROOM = "the rows of %s cannot be put into the temporary folder (TMPDIR), a piece for each worker: %s"
_WANTED = "to be scored, so put it back as it was, or score the input as a new job"


def _about(one: Input, words: str) -> str:
    return "%s %s" % (os.fsdecode(one.name), words)


def _check_unchanged(one: Input, source: int) -> None:
    assert one.range is not None, "it is a piece"
    now, then = os.fstat(source), one.range
    if (now.st_size, now.st_mtime_ns) != (then.size, then.mtime_ns):
        words = (
            "has changed since its rows were counted, so where they stand is not known any more; they are %s"
        )
        raise StagingError(_about(one, words % _WANTED))


def _write_text(one: Input, source: int, target: bytes, rows: Tuple[int, int]) -> None:
    assert one.range is not None, "it is a piece"
    with open(target, "wb", buffering=0) as file:
        for at, stop in ((0, one.range.header), rows):
            while at < stop:
                data = os.pread(source, min(_COPIED_BYTES, stop - at), at)
                if not data:
                    raise StagingError(_about(one, "became shorter while its rows were read"))
                at += len(data)
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]


_NO_PYARROW = (
    "is split by rows, which takes the package 'pyarrow', and the Python that runs the script (%s) has none: "
    "install it there, name another with --python, or leave out split_rows and split_bytes"
)


def _write_parquet(one: Input, original: str, target: str) -> None:
    try:
        import pyarrow.parquet  # slow to import, and needed for such pieces only
    except ImportError as error:
        raise StagingError(_about(one, _NO_PYARROW % sys.executable)) from error
    first, rows = one.first_row, one.rows
    file = pyarrow.parquet.ParquetFile(original)
    groups: List[int] = []
    begin = skipped = 0
    for number in range(file.num_row_groups):
        end = begin + file.metadata.row_group(number).num_rows
        if begin < first + rows and end > first:
            if not groups:
                skipped = first - begin
            groups.append(number)
        begin = end
    table = file.read_row_groups(groups).slice(skipped, rows)
    pyarrow.parquet.write_table(table, target, compression="NONE")
