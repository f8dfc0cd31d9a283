"""Make a file appear all at once, and only when its bytes are on the disk.

Write to a hidden neighbour, sync it, rename it, sync the folder: whoever looks sees the old file or
the whole new one, also after a loss of power.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path


def publish_bytes(path: Path, data: bytes, scratch: Path | None = None, *, mode: int = 0o666) -> None:
    """Replace the file at ``path`` by one that holds ``data``; safe to repeat.

    Parameters
    ----------
    scratch, mode
        See `publish_stream`.

    Raises
    ------
    OSError
        The folder is missing or cannot be written, or the disk is full; the old file is untouched.
    """
    publish_stream(path, (data,), scratch, mode=mode)


def publish_stream(
    path: Path, chunks: Iterable[bytes], scratch: Path | None = None, *, mode: int = 0o666
) -> None:
    """Replace the file at ``path`` by one that holds the chunks, one after the other; safe to repeat.

    Parameters
    ----------
    scratch
        A folder on the same file system where it is written: it is cleared by others when this process is
        killed meanwhile. None, or where there is none: beside ``path``.
    mode
        Who may read and write it, from its first moment on, less what the umask takes.

    Raises
    ------
    OSError
        The folder is missing or cannot be written, or the disk is full; the old file is untouched.
    """
    folder = scratch if scratch is not None and scratch.is_dir() else path.parent
    temporary = folder / (f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make the bytes of a file survive a loss of power, whoever wrote them.

    Raises
    ------
    OSError
        The file is gone, or the disk does not take it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Make everything that was written to the file system of a folder survive a loss of power.

    Raises
    ------
    OSError
        The folder is gone, or the disk does not take it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power.

    Raises
    ------
    OSError
        The folder is gone.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
