"""The worker's part: the file that its rows go to, appended to and never reopened.

A part belongs to one incarnation of a worker. Rows are written before the outcome that names them is
sent, so that whoever reads an outcome finds its bytes.
"""

import os
import zlib

from gristmill_worker.descriptors import out_of_reach


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
        if self._file < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._file = out_of_reach(os.open(self._path, flags, 0o666))
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            os.ftruncate(self._file, self.offset)
            raise
        self.offset += len(data)
        return zlib.crc32(data, crc)
