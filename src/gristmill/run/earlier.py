"""The output that a job has published before, as the journal tells where everything in it is: what a rerun
copies, and what it must not lose.

The parts are gone by then, so that the published files are the only place of the rows. Nothing is taken from
them that does not have its CRC-32: somebody may have edited them since.
"""

from __future__ import annotations

import csv
import io
import os
import zlib
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gristmill.engine.contract import Span
from gristmill.errors import JobChangedError, StorageError
from gristmill.run.journal import read_journal
from gristmill.run.placed import PlacedIndex
from gristmill.run.records import Placed, PlacedPiece, Published, PublishedFile, Start

_BLOCK_BYTES = 1 << 20
_MOST_OPEN = 64
_WAY_OUT = "Put it back as it was, or score everything in a new job"


@dataclass(kw_only=True)
class Places:
    """Where everything is in one publication."""

    published: Published | None = None
    position: int = -1
    """Where the journal says so: what stands before it there is in this output."""
    rows: PlacedIndex = field(default_factory=PlacedIndex)
    files: list[PublishedFile] = field(default_factory=list)
    pieces: dict[Span, list[PlacedPiece]] = field(default_factory=dict)
    """By range; those of workers' ends under a range without batches."""

    @property
    def by_script_name(self) -> dict[str, PublishedFile]:
        """The files, by the name that the script gave them."""
        return {file.script_name or file.name: file for file in self.files}


def publications(journal: Path) -> Iterator[Places]:
    """Yield the publications that a journal tells of, the earliest first.

    Raises
    ------
    JournalError
        It cannot be read.
    """
    places = Places()
    for entry in read_journal(journal):
        record = entry.record
        if isinstance(record, Start):
            places = Places()
        elif isinstance(record, Placed):
            places.rows.add(record)
        elif isinstance(record, PublishedFile):
            places.files.append(record)
        elif isinstance(record, PlacedPiece):
            places.pieces.setdefault(record.span, []).append(record)
        elif isinstance(record, Published):
            places.published, places.position = record, entry.position
            yield places
            places = Places()


def last_publications(journal: Path, most: int = 1) -> list[Places]:
    """Return the last publications, the earlier one first.

    Raises
    ------
    JournalError
        It cannot be read.
    """
    return list(deque(publications(journal), most))


class _Stamp(NamedTuple):
    """What changes when somebody writes to a file, or puts another in its place."""

    device: int
    inode: int
    size: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> _Stamp:
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class Form(NamedTuple):
    """What can be done with a published file to which more is to be added."""

    file: PublishedFile
    must_stay: bool
    """Whether one worker wrote it and it is not made of lines (an archive, say), so that nothing can be put
    between its pieces or behind them; or it is not known where its pieces are."""
    is_as_written: bool
    """Whether one worker wrote it and it stands in the order in which that was done, and not in that of the
    plan: what is added comes last."""


class EarlierOutput:
    """The published files of a job, opened to be copied from."""

    def __init__(self, output: Path, places: Places) -> None:
        """Open nothing yet.

        Parameters
        ----------
        output
            The output folder.
        places
            Where everything is in it.
        """
        assert places.published is not None, "only what was published can be copied"
        self.places = places
        self.published = places.published
        self._output = output
        self._open: OrderedDict[str, int] = OrderedDict()
        self._stamps: dict[str, _Stamp] = {}

    @property
    def target(self) -> Path:
        """The predictions file; meaningless where there is none."""
        return self._output / self.published.file

    def header(self) -> tuple[str, ...] | None:
        """Return the columns that stand in the first line of a comma-separated predictions file.

        Raises
        ------
        OSError
            It cannot be read.
        """
        if not self.published.header_bytes:
            return None
        line = os.pread(self.rows_source(), self.published.header_bytes, 0)
        text = io.StringIO(line.decode("utf-8", "surrogateescape"), newline="")
        return tuple(next(csv.reader(text), ()))

    def rows_source(self) -> int:
        """Return a descriptor of the predictions file, good until the next call.

        Raises
        ------
        OSError
            It is gone, or cannot be read.
        """
        return self._descriptor(self.published.file)

    def piece_source(self, piece: PlacedPiece) -> int:
        """Return a descriptor of the file that a piece is in, good until the next call.

        Raises
        ------
        OSError
            It is gone, or cannot be read.
        """
        return self._descriptor(self.places.files[piece.file].name)

    def name_of(self, piece: PlacedPiece) -> str:
        """Return the name that the script gave to the file of a piece."""
        file = self.places.files[piece.file]
        return file.script_name or file.name

    def shared_header_of(self, name: str) -> bytes:
        """Return the line that stands above all pieces of a file, by the name that the script gave it."""
        file = self.places.by_script_name.get(name)
        if file is None or not file.header_bytes:
            return b""
        return os.pread(self._descriptor(file.name), file.header_bytes, 0)

    def left_at_the_end(self) -> list[int]:
        """Return the parts of the workers that left pieces when they ended, in order."""
        return sorted({piece.part for piece in self.places.pieces.get(Span(0, 0), ())})

    def forms(self) -> dict[str, Form]:
        """Return how each file is made that scripts append to, by the name that they gave it."""
        sums = [file.header_bytes for file in self.places.files]
        ends: list[int] = [0] * len(sums)
        parts: list[set[int]] = [set() for _ in sums]
        is_ragged = [False] * len(sums)
        is_as_written = [False] * len(sums)
        for _, pieces in sorted(self.places.pieces.items(), key=_in_plan_order):
            for piece in (one for one in pieces if one.length):
                sums[piece.file] += piece.length
                parts[piece.file].add(piece.part)
                is_ragged[piece.file] |= not self._ends_a_line(piece)
                is_as_written[piece.file] |= piece.offset < ends[piece.file]
                ends[piece.file] = piece.offset
        return {
            file.script_name or file.name: Form(
                file,
                sums[number] != file.size or (len(parts[number]) == 1 and is_ragged[number]),
                is_as_written[number],
            )
            for number, file in enumerate(self.places.files)
        }

    def _ends_a_line(self, piece: PlacedPiece) -> bool:
        return os.pread(self.piece_source(piece), 1, piece.offset + piece.length - 1) == b"\n"

    def check(self) -> None:
        """Make sure that every byte is the one that was published.

        Raises
        ------
        JobChangedError
            It is not; the message names the first range that differs.
        """
        try:
            if self.published.file:
                self._check_rows()
            for file in self.places.files:
                if not self._is_whole(file):
                    raise JobChangedError(
                        f"the file {self._output / file.name}, which the script appended to, has changed "
                        f"since it was published; it is left as it is, and nothing was started. {_WAY_OUT}"
                    )
        except OSError as error:
            raise JobChangedError(
                f"the output of the job cannot be read: {error.strerror}: {error.filename}; nothing was "
                f"started. {_WAY_OUT}"
            ) from error

    def _is_whole(self, file: PublishedFile) -> bool:
        source = self._descriptor(file.name)
        return os.fstat(source).st_size == file.size and _crc(source, 0, file.size) == file.crc

    def _check_rows(self) -> None:
        source, published = self.rows_source(), self.published
        if published.rows >= 0:
            is_same_size = os.fstat(source).st_size == published.size
            if not is_same_size or _crc(source, 0, published.size) != published.crc:
                raise self._has_changed("it is not the Parquet file that was published")
            return
        if _crc(source, 0, published.header_bytes) != published.header_crc:
            raise self._has_changed("its first line is not the one that was published")
        for placed in self.places.rows:
            if _crc(source, placed.offset, placed.length) != placed.crc:
                end = placed.offset + placed.length
                raise self._has_changed(
                    f"the rows of {span_in_words(placed.span)} (bytes {placed.offset} to {end}) are not "
                    "those that were published"
                )
        size = os.fstat(source).st_size
        if size != published.size:
            raise self._has_changed(f"it has {size} bytes, and {published.size} were published")

    def _has_changed(self, how: str) -> JobChangedError:
        return JobChangedError(
            f"the output {self.target} has changed since it was published: {how}; it is left as it is, and "
            f"nothing was started. {_WAY_OUT}"
        )

    def check_untouched(self) -> None:
        """Make sure that nobody has touched a file since it was opened: it is about to be replaced.

        Raises
        ------
        StorageError
            Somebody has.
        """
        for name, stamp in self._stamps.items():
            try:
                is_same = _Stamp.of(os.stat(self._output / name)) == stamp
            except OSError:
                is_same = False
            if not is_same:
                raise changed_meanwhile(self._output / name)

    def _descriptor(self, name: str) -> int:
        descriptor = self._open.get(name)
        if descriptor is None:
            descriptor = os.open(self._output / name, os.O_RDONLY | os.O_CLOEXEC)
            self._open[name] = descriptor
            self._stamps.setdefault(name, _Stamp.of(os.fstat(descriptor)))
            if len(self._open) > _MOST_OPEN:
                os.close(self._open.popitem(last=False)[1])
        else:
            self._open.move_to_end(name)
        return descriptor

    def close(self) -> None:
        """Close all files; idempotent."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()


def changed_meanwhile(path: Path) -> StorageError:
    """Say that a published file is no longer what it was, while failed items were scored again."""
    return StorageError(
        f"{path} has changed since it was published, and is not replaced; nothing that was finished is lost. "
        "Put it back as it was, then resume the job"
    )


def is_as_published(output: Path, name: str, places: Places) -> bool:
    """Say whether a file of the output folder holds what an earlier publication put there."""
    earlier = EarlierOutput(output, places)
    try:
        for file in places.files:
            if file.name == name:
                return earlier._is_whole(file)
        if name == earlier.published.file:
            earlier._check_rows()
    except (OSError, JobChangedError):
        return False
    finally:
        earlier.close()
    return True


def span_in_words(span: Span) -> str:
    """Say which mini-batches, or which items of one, a range is."""
    if span.items:
        return f"mini-batch {span.first}, items {span.first_item} to {span.first_item + span.items - 1},"
    if span.batches > 1:
        return f"mini-batches {span.first} to {span.first + span.batches - 1}"
    return f"mini-batch {span.first}"


def _in_plan_order(pieces: tuple[Span, list[PlacedPiece]]) -> tuple[bool, Span]:
    return not pieces[0].batches, pieces[0]


def _crc(source: int, offset: int, length: int) -> int:
    """Return the CRC-32 of some bytes, -1 where they are not there."""
    crc = 0
    while length:
        data = os.pread(source, min(length, _BLOCK_BYTES), offset)
        if not data:
            return -1
        crc = zlib.crc32(data, crc)
        offset, length = offset + len(data), length - len(data)
    return crc
