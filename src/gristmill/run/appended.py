"""Files that scripts append to, put together from the pieces that mini-batches added, in plan order (design,
D10).

The pieces stand in the parts behind the rows of their mini-batch, and are recorded, synced and checked with
them. So an appended file holds each piece exactly once, whatever was killed, and never two of them
interleaved.
"""

from __future__ import annotations

import os
import shutil
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gristmill.engine.contract import Piece, Span, pieces_in
from gristmill.errors import StorageError
from gristmill.run.earlier import EarlierOutput, changed_meanwhile
from gristmill.run.placed import PlacedPieces
from gristmill.run.records import PlacedPiece

_MOST_OPEN = 64
_BLOCK_BYTES = 1 << 20
_LONGEST_HEADER_BYTES = 1 << 16
_MOST_NOTICES = 5
#: Behind the place of every piece that was published before.
_COMES_LAST = 1 << 62


class AppendedFile(NamedTuple):
    """A file that has been put together."""

    name: str
    """Relative to the output folder."""
    path: Path
    """Where it is now."""
    size: int
    crc: int
    """CRC-32 of all of it."""
    header_bytes: int = 0
    """How long the line is that stands above all pieces."""


class _Stream:
    """A file that is being put together."""

    __slots__ = (
        "begins_late",
        "crc",
        "first_line",
        "header",
        "is_as_written",
        "is_ragged",
        "moved",
        "number",
        "on_top",
        "parts",
        "pieces",
        "repeats",
        "shift",
        "size",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.size = 0
        self.crc = 0
        self.header = b""
        """The line that every worker begins the file with, kept out of what follows."""
        self.on_top = True
        """Whether it stands at the top; else the file is written once more."""
        self.first_line = b""
        self.repeats = 0
        """How many workers have begun the file with `first_line`."""
        self.parts: set[int] = set()
        self.pieces = array("Q")
        """(Where it begins in the worker's own file, length) of each piece, while there is one worker's, or
        the file stands as it was written."""
        self.is_as_written = False
        """Whether it stood in the order of writing when it was published: what is added comes last."""
        self.begins_late = False
        """Whether what a worker wrote first stands behind something that it wrote later."""
        self.is_ragged = False
        """Whether a piece did not end with a line break."""
        self.moved: dict[int, int] = {}
        """Where a piece was before the file was put in order → where it is."""
        self.shift = 0
        """How far all pieces went when a header was put above them, in bytes."""


class AppendedFiles:
    """All files of one job that scripts append to."""

    def __init__(self, folder: Path, shared_header: bool, earlier: EarlierOutput | None = None) -> None:
        """Begin anew.

        Parameters
        ----------
        folder
            A hidden folder on the output's file system; what an earlier assembly left there is removed.
        shared_header
            Whether a first line that several workers wrote is to be kept once, at the top.
        earlier
            The output that was published before, if failed items of it are scored again.
        """
        self._folder = folder
        self._shared_header = shared_header
        self._earlier = earlier
        self._streams: dict[str, _Stream] = {}
        self._open: OrderedDict[int, int] = OrderedDict()
        self._places: PlacedPieces | None = None
        shutil.rmtree(folder, ignore_errors=True)
        self._forms = earlier.forms() if earlier is not None else {}
        self.kept = {name: form.file for name, form in self._forms.items() if form.must_stay}
        """Files of the earlier output that stay as they are, by the name that the script gave them."""
        self._beside: dict[str, str] = {}
        """What is added to these → the name of the file that it is put into."""

    def take(self, source: int, part: int, offset: int, attached: int, span: Span) -> None:
        """Add the pieces of a mini-batch.

        Parameters
        ----------
        source
            Descriptor of the part.
        part
            Its number.
        offset, attached
            Where the pieces begin in it, and how long they are, in bytes.
        span
            The mini-batch, or the part of it; without batches: a worker's end.

        Raises
        ------
        OSError
            The disk is full.
        StorageError
            The part does not hold what was recorded.
        """
        try:
            for piece in pieces_in(lambda size, at: os.pread(source, size, at), offset, attached):
                self._add(source, part, piece, span)
        except ValueError as error:
            raise StorageError(
                f"part {part} does not hold what was recorded ({error}); resume the job to run it again"
            ) from error

    def take_again(self, span: Span, part: int) -> None:
        """Add the pieces that a mini-batch, or a worker at its end, has in the earlier output.

        Raises
        ------
        OSError
            The disk is full, or the earlier output is gone.
        StorageError
            It does not hold what was published.
        """
        assert self._earlier is not None, "somebody published these pieces"
        for placed in self._earlier.places.pieces.get(span, ()):
            name = self._earlier.name_of(placed)
            if name in self.kept or (not span.batches and placed.part != part):
                continue
            stream, source = self._stream(name), self._earlier.piece_source(placed)
            if placed.at == 0 and not self._shared_header:
                self._note_first_line(stream, source, Piece(name, placed.offset, placed.length, 0))
            stream.begins_late |= placed.at == 0 and placed.part in stream.parts
            stream.parts.add(placed.part)
            order = placed.offset if stream.is_as_written else placed.at
            crc = self._copy(stream, source, placed.offset, placed.length, placed, order)
            if crc != placed.crc:
                raise changed_meanwhile(Path(self._earlier.places.files[placed.file].name))

    def _stream(self, name: str) -> _Stream:
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = _Stream(len(self._streams))
            if self._earlier is not None and name in self._forms:
                stream.is_as_written = self._forms[name].is_as_written
                stream.header = stream.first_line = self._earlier.shared_header_of(name)
                if stream.header:
                    self._write(stream, stream.header)
        return stream

    def _add(self, source: int, part: int, piece: Piece, span: Span) -> None:
        name = piece.name
        while name in self.kept:
            name = self._beside.setdefault(name, f"{name}.rerun")
        stream = self._stream(name)
        stream.begins_late |= piece.at == 0 and part in stream.parts
        stream.parts.add(part)
        offset, left = piece.offset, piece.length
        if piece.at == 0:
            skipped = self._note_first_line(stream, source, piece)
            offset, left = offset + skipped, left - skipped
        placed = PlacedPiece(stream.number, span, part, piece.at, stream.size, left, 0)
        order = _COMES_LAST + stream.size if stream.is_as_written else piece.at
        if self._copy(stream, source, offset, left, placed, order) == -1:
            raise ValueError(f"it ends before byte {offset + left}")

    def _copy(
        self, stream: _Stream, source: int, offset: int, length: int, piece: PlacedPiece, order: int
    ) -> int:
        """Append a piece and note where it is; return its CRC-32, -1 where not all of it is there."""
        at, crc, left, last = stream.size, 0, length, b""
        if len(stream.parts) == 1 or stream.is_as_written:
            stream.pieces.extend((order, length))
        while left:
            last = os.pread(source, min(left, _BLOCK_BYTES), offset)
            if not last:
                return -1
            self._write(stream, last)
            crc = zlib.crc32(last, crc)
            offset, left = offset + len(last), left - len(last)
        stream.is_ragged |= bool(last) and not last.endswith(b"\n")
        if self._places is None:
            self._places = PlacedPieces(self._folder.with_name("placed.pieces"))
        self._places.add(piece._replace(file=stream.number, offset=at, length=length, crc=crc))
        return crc

    def placed(self, numbers: Mapping[str, int]) -> Iterator[PlacedPiece]:
        """Yield where each piece is, once the files are finished; also of those that are kept as they are.

        Parameters
        ----------
        numbers
            Of each file, by the name that the script gave it, how many were published before it.

        Raises
        ------
        OSError
            The list of them, which is kept on the disk, cannot be written or read.
        """
        by_number = {stream.number: (numbers[name], stream) for name, stream in self._streams.items()}
        for piece in self._places.read() if self._places is not None else ():
            file, stream = by_number[piece.file]
            yield piece._replace(
                file=file, offset=stream.moved.get(piece.offset, piece.offset + stream.shift)
            )
        if self._earlier is None or not self.kept:
            return
        for pieces in self._earlier.places.pieces.values():
            for piece in pieces:
                name = self._earlier.name_of(piece)
                if name in self.kept:
                    yield piece._replace(file=numbers[name])

    def _note_first_line(self, stream: _Stream, source: int, piece: Piece) -> int:
        """Look at how a worker began the file; return how much of it is a header that stands there
        already.
        """
        start = os.pread(source, min(piece.length, _LONGEST_HEADER_BYTES), piece.offset)
        line = start[: start.find(b"\n") + 1]
        if not line:
            return 0
        stream.first_line = stream.first_line or line
        if line == stream.first_line and len(line) < piece.length:
            stream.repeats += 1
        if not self._shared_header or line != stream.first_line:
            return 0
        if not stream.header:
            stream.header = line
            stream.on_top = not stream.size
            if stream.on_top:
                self._write(stream, line)
        return len(line)

    def _write(self, stream: _Stream, data: bytes) -> None:
        view = memoryview(data)
        descriptor = self._descriptor(stream.number)
        while view:
            view = view[os.write(descriptor, view) :]
        stream.size += len(data)
        stream.crc = zlib.crc32(data, stream.crc)

    def _descriptor(self, number: int) -> int:
        descriptor = self._open.get(number)
        if descriptor is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = self._open[number] = os.open(self._folder / str(number), flags, 0o666)
            if len(self._open) > _MOST_OPEN:
                os.close(self._open.popitem(last=False)[1])
        else:
            self._open.move_to_end(number)
        return descriptor

    def finished(self) -> Iterator[AppendedFile]:
        """Yield all files, in the order in which they appeared, each synced.

        Raises
        ------
        OSError
            The disk is full.
        """
        for name, stream in self._streams.items():
            if stream.is_as_written or (len(stream.parts) == 1 and stream.begins_late):
                self._put_in_order(stream)
            elif not stream.on_top:
                self._put_header_on_top(stream)
            os.fsync(self._descriptor(stream.number))
            path = self._folder / str(stream.number)
            yield AppendedFile(name, path, stream.size, stream.crc, len(stream.header))

    def _put_in_order(self, stream: _Stream) -> None:
        """One worker wrote the file, and not in the order of the plan: leave it as it was written.

        So what has a beginning or an end of its own, such as a header, stays whole.
        """
        head = len(stream.header) if stream.on_top else 0
        places, at = [], head
        for begin, length in zip(stream.pieces[0::2], stream.pieces[1::2], strict=True):
            places.append((begin, at, length))
            at += length
        with self._set_below(stream) as below:
            if stream.header:
                self._write(stream, stream.header)
            for _, at, length in sorted(places):
                below.seek(at)
                if length:
                    stream.moved[at] = stream.size
                while length:
                    data = below.read(min(length, _BLOCK_BYTES))
                    self._write(stream, data)
                    length -= len(data)
        stream.begins_late, stream.on_top = False, True

    def _put_header_on_top(self, stream: _Stream) -> None:
        """The first piece in plan order was not the one that a worker wrote first."""
        with self._set_below(stream) as below:
            self._write(stream, stream.header)
            stream.shift = len(stream.header)
            while data := below.read(_BLOCK_BYTES):
                self._write(stream, data)
        stream.on_top = True

    @contextmanager
    def _set_below(self, stream: _Stream) -> Iterator[BinaryIO]:
        """Begin a file anew; what was there can be read until the end."""
        path = self._folder / str(stream.number)
        below = path.with_name(f"{stream.number}.below")
        os.close(self._descriptor(stream.number))
        del self._open[stream.number]
        os.rename(path, below)
        stream.size, stream.crc = 0, 0
        with open(below, "rb") as file:
            yield file
        below.unlink()

    def notices(self) -> list[str]:
        """Return what the user should know of these files."""
        notices = []
        for name, stream in self._streams.items():
            if stream.repeats > 1 and not self._shared_header:
                line = stream.first_line.decode("utf-8", "replace").strip()[:80]
                notices.append(
                    f"{name} begins {stream.repeats} times with the same line ({line}), once for each worker "
                    "that wrote to it: if that is a header, gristmill: {shared_header: true} keeps one"
                )
            if stream.begins_late and not self._shared_header:
                notices.append(
                    f"{name}: what a worker wrote first, a header perhaps, stands behind rows that it wrote "
                    "later, since pieces are in input order: gristmill: {shared_header: true} puts it on top"
                )
            if stream.is_ragged and len(stream.parts) > 1:
                notices.append(
                    f"{name} was put together from pieces of {len(stream.parts)} workers that do not end "
                    "with a line break: good for text that may be joined, not for archives. Close such a "
                    "file before run() returns, under a name of its own"
                )
        for name, beside in self._beside.items():
            notices.append(
                f"{name} stays as it was: one worker wrote it, and nothing can be put between what it wrote. "
                f"What was added to it now is in {beside}"
            )
        more = len(notices) - _MOST_NOTICES
        return [*notices[:_MOST_NOTICES], *([f"{more} more files are like these"] if more > 0 else [])]

    def close(self) -> None:
        """Close all; idempotent."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
        if self._places is not None:
            self._places.close()
            self._places = None
