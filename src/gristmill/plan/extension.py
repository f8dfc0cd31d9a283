"""A complete manifest made longer: new files as further mini-batches behind those that it has.

What was cut stays as it was, to the byte, and so does the number of every mini-batch. `paths` and `offsets`
grow first, under the marker ``extending``; then ``plan.json`` is replaced, all at once. A process that is
killed before leaves the old plan, one that is killed after it the new one. This module must not know where
names come from.
"""

from __future__ import annotations

import os
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from gristmill.errors import PlanError
from gristmill.faults import reach
from gristmill.plan.batches import BatchCutter
from gristmill.plan.layout import (
    ENTRY_BYTES,
    EXTENDING,
    OFFSETS,
    PATHS,
    PLAN,
    Summary,
    bytes_from_entries,
    write_all,
    write_durably,
)

FLUSH_BYTES = 256 * 1024
"""Bytes of paths that are held back at most."""


def extend(folder: Path, chunks: Iterable[list[bytes]]) -> None:
    """Append files to a complete manifest, if there are any; nobody else may be writing or reading it.

    Parameters
    ----------
    folder
        The manifest's folder, without an unfinished extension (see `undo_unfinished`).
    chunks
        Relative paths in order, none of which the plan has.

    Raises
    ------
    PlanError
        When the manifest is damaged, or cannot be written; it is what it was then.
    """
    extension = _Extension(folder)
    try:
        for names in chunks:
            if names:
                extension.add(names)
        extension.finish()
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        extension.close()


def undo_unfinished(folder: Path) -> None:
    """Cut off what an extension that was killed has left; safe to repeat, and to be done before reading.

    Raises
    ------
    PlanError
        When the manifest is damaged, or cannot be written.
    """
    if not (folder / EXTENDING).exists():
        return
    try:
        summary = Summary.from_bytes((folder / PLAN).read_bytes(), folder / PLAN)
        sizes = ((PATHS, summary.paths_size), (OFFSETS, (summary.mini_batches + 1) * ENTRY_BYTES))
        for name, size in sizes:
            with (folder / name).open("rb+") as file:
                if os.fstat(file.fileno()).st_size > size:
                    file.truncate(size)
                    os.fsync(file.fileno())
        (folder / EXTENDING).unlink()
    except OSError as error:
        raise _unwritable(folder, error) from error


class _Extension:
    """The files of a manifest, open for appending; nothing is touched before there is a name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths = self._offsets = -1
        try:
            data = (folder / PLAN).read_bytes()
        except OSError as error:
            raise _unwritable(folder, error) from error
        self._before = before = Summary.from_bytes(data, folder / PLAN)
        self._cutter = BatchCutter(before.mini_batch_size, size_bytes=before.paths_size)
        self._mini_batches = before.mini_batches
        self._paths_size = before.paths_size
        self._paths_crc32, self._offsets_crc32 = before.paths_crc32, before.offsets_crc32
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def add(self, names: list[bytes]) -> None:
        if self._paths < 0:
            write_durably(self._folder / EXTENDING, b"")
            flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
            self._paths = os.open(self._folder / PATHS, flags)
            self._offsets = os.open(self._folder / OFFSETS, flags)
        self._pending.append(self._cutter.add(b"", names))
        self._pending_bytes += len(self._pending[-1])
        if self._pending_bytes >= FLUSH_BYTES:
            self._flush()

    def finish(self) -> None:
        """Make the longer plan the plan."""
        if self._paths < 0:
            return
        self._cutter.finish()
        self._flush()
        os.fsync(self._paths)
        os.fsync(self._offsets)
        before = self._before
        longer = replace(
            before,
            items=before.items + self._cutter.items,
            mini_batches=self._mini_batches,
            paths_size=self._paths_size,
            paths_crc32=self._paths_crc32,
            offsets_crc32=self._offsets_crc32,
            extended_at=[*before.extended_at, [before.mini_batches, before.items]],
        )
        reach("plan.before_extension")
        write_durably(self._folder / PLAN, longer.to_bytes())
        reach("plan.after_extension")
        (self._folder / EXTENDING).unlink()

    def close(self) -> None:
        for descriptor in (self._paths, self._offsets):
            if descriptor >= 0:
                os.close(descriptor)
        self._paths = self._offsets = -1

    def _flush(self) -> None:
        paths, self._pending, self._pending_bytes = b"".join(self._pending), [], 0
        boundaries: array[int] = self._cutter.take_boundaries()
        self._paths_crc32 = zlib.crc32(paths, self._paths_crc32)
        self._paths_size += write_all(self._paths, paths)
        data = bytes_from_entries(boundaries)
        self._offsets_crc32 = zlib.crc32(data, self._offsets_crc32)
        write_all(self._offsets, data)
        self._mini_batches += len(boundaries)


def _unwritable(folder: Path, error: OSError) -> PlanError:
    return PlanError(
        f"the manifest in {str(folder)!r} cannot be made longer: {error.strerror}; it is what it was. "
        "Free some space or give yourself access, then resume again"
    )
