"""A hidden file that is put together from pieces of others, before it gets its final name."""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path

#: From here on the kernel copies; below, reading and writing is quicker.
COPY_BY_KERNEL = 1 << 16
BUFFER_BYTES = 1 << 20
_KERNEL_CANNOT = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP)


class AssembledFile:
    """An append-only file; what was written is in the file once it is flushed."""

    def __init__(self, path: Path) -> None:
        """Begin an empty file; an earlier one at ``path`` is overwritten.

        Raises
        ------
        OSError
            The file cannot be made.
        """
        self.path = path
        self.size = 0
        """Bytes written, those that are not flushed included."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        self._buffer = bytearray()
        self._kernel_copies = True

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises
        ------
        OSError
            The disk is full.
        """
        self._buffer += data
        self.size += len(data)
        if len(self._buffer) >= BUFFER_BYTES:
            self.flush()

    def copy(self, source: int, offset: int, length: int) -> int:
        """Append bytes of another file.

        Parameters
        ----------
        source
            A descriptor of it.
        offset, length
            Which of its bytes.

        Returns
        -------
        int
            How many were copied: fewer than asked for where the other file ends before.

        Raises
        ------
        OSError
            The disk is full.
        """
        left = length
        if left >= COPY_BY_KERNEL:
            self.flush()
        while left:
            copied = self._copy_some(source, left, offset)
            if not copied:
                break
            offset += copied
            left -= copied
        self.size += length - left
        if len(self._buffer) >= BUFFER_BYTES:
            self.flush()
        return length - left

    def copy_checked(self, source: int, offset: int, length: int) -> int:
        """Append bytes of another file, looking at them.

        Parameters
        ----------
        source
            A descriptor of it.
        offset, length
            Which of its bytes.

        Returns
        -------
        int
            Their CRC-32; -1 where the other file ends before.

        Raises
        ------
        OSError
            The disk is full.
        """
        crc = 0
        while length:
            data = os.pread(source, min(length, BUFFER_BYTES), offset)
            if not data:
                return -1
            self.write(data)
            crc = zlib.crc32(data, crc)
            offset, length = offset + len(data), length - len(data)
        return crc

    def _copy_some(self, source: int, length: int, offset: int) -> int:
        """Return how many bytes were copied; on a file system that refuses, copy by hand from now on."""
        if length >= COPY_BY_KERNEL and self._kernel_copies:
            try:
                return os.copy_file_range(source, self._file, length, offset_src=offset)
            except OSError as error:
                if error.errno not in _KERNEL_CANNOT:
                    raise
                self._kernel_copies = False
        data = os.pread(source, min(length, BUFFER_BYTES), offset)
        self._buffer += data
        if len(self._buffer) >= BUFFER_BYTES:
            self.flush()
        return len(data)

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes that were written and flushed."""
        return os.pread(self._file, length, offset)

    def flush(self) -> None:
        """Bring everything into the file.

        Raises
        ------
        OSError
            The disk is full.
        """
        view = memoryview(bytes(self._buffer))
        self._buffer.clear()
        while view:
            view = view[os.write(self._file, view) :]

    def sync(self) -> None:
        """Make the file survive a loss of power.

        Raises
        ------
        OSError
            The disk is full.
        """
        self.flush()
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file; idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
