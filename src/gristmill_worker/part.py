"""The worker's part: the file that its rows go to, appended to and never reopened.

A part belongs to one incarnation of a worker. Rows are written before the outcome that names them is
sent, so that whoever reads an outcome finds its bytes.
"""

import os
import zlib
from typing import List, Tuple

from gristmill_worker.descriptors import closed, out_of_reach
from gristmill_worker.outbox import Piece
from gristmill_worker.wire import PIECE_STRUCT

_BLOCK_BYTES = 1 << 20


class Part:
    """An append-only file with a running offset and the CRC-32 of the record that is being made."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = -1
        self.offset = 0

    def append(self, data: bytes, crc: int) -> int:
        """Append ``data`` and return the CRC-32 continued from ``crc``.

        Raises
        ------
        OSError
            The disk is full or the file cannot be written; what was written of ``data`` is taken back.
        """
        file = self._opened()
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(file, view) :]
        except OSError:
            os.ftruncate(file, self.offset)
            raise
        self.offset += len(data)
        return zlib.crc32(data, crc)

    def attach(self, folder: str, pieces: List[Piece]) -> Tuple[int, int]:
        """Append what a mini-batch added to files in ``folder``: for each a head and the bytes.

        Returns
        -------
        tuple of int
            How many bytes were appended, and their CRC-32.

        Raises
        ------
        OSError
            The disk is full, or a file is shorter than it was a moment ago; what was written is taken back.
        """
        began, crc = self.offset, 0
        try:
            for piece in pieces:
                name = os.fsencode(piece.name)
                head = PIECE_STRUCT.pack(len(name), piece.end - piece.start, piece.start) + name
                crc = self.append(head, crc)
                crc = self._copy(os.path.join(folder, piece.name), piece, crc)
        except OSError:
            os.ftruncate(self._opened(), began)
            self.offset = began
            raise
        return self.offset - began, crc

    def _copy(self, path: str, piece: Piece, crc: int) -> int:
        left = piece.end - piece.start
        with open(path, "rb", buffering=0) as file:
            file.seek(piece.start)
            while left:
                data = file.read(min(left, _BLOCK_BYTES))
                if not data:
                    raise OSError("%s became shorter while it was copied" % piece.name)
                crc = self.append(data, crc)
                left -= len(data)
        return crc

    def close(self) -> None:
        """Give the file back; idempotent."""
        if self._file >= 0:
            closed(self._file)
            self._file = -1

    def _opened(self) -> int:
        if self._file < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._file = out_of_reach(os.open(self._path, flags, 0o666))
        return self._file
