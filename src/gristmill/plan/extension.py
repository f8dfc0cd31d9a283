"""A complete manifest made longer: new files as further mini-batches behind those that it has.

What was cut stays as it was, to the byte, and so does the number of every mini-batch. `paths` and the files
that point into it grow first, under the marker ``extending``; then ``plan.json`` is replaced, all at once. A
process that is killed before leaves the old plan, one that is killed after it the new one. This module must
not know where names come from.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from gristmill.errors import PlanError
from gristmill.faults import reach
from gristmill.plan.appending import ManifestFiles
from gristmill.plan.cut import Cut
from gristmill.plan.layout import EXTENDING, PATHS, PLAN, SIZES, Summary, write_durably
from gristmill.plan.numbers import ENTRY_BYTES, Numbers

FLUSH_BYTES = 256 * 1024
"""Bytes of paths that are held back at most."""


def extend(folder: Path, chunks: Iterable[list[bytes]]) -> None:
    """Append files to a complete manifest, if there are any; nobody else may be writing or reading it.

    Parameters
    ----------
    folder
        The manifest's folder, without an unfinished extension (see `undo_unfinished`).
    chunks
        Entries for files in order, none of which the plan has.

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
        entries = (summary.mini_batches + 1) * ENTRY_BYTES
        for name, size in ((PATHS, summary.paths_size), *((name, entries) for name in summary.numbers)):
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
        self._files: ManifestFiles | None = None
        try:
            data = (folder / PLAN).read_bytes()
            self._before = before = Summary.from_bytes(data, folder / PLAN)
            self._cut = Cut.of(before)
            self._cutter = self._cut.cutter(
                Path(before.root),
                size_bytes=before.paths_size,
                items=before.items,
                file_bytes=_file_bytes(folder, before),
            )
        except OSError as error:
            raise _unwritable(folder, error) from error
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def add(self, names: list[bytes]) -> None:
        if self._files is None:
            write_durably(self._folder / EXTENDING, b"")
            self._files = ManifestFiles(self._folder, self._cut, self._before)
        self._pending.append(self._cutter.add(b"", names))
        self._pending_bytes += len(self._pending[-1])
        if self._pending_bytes >= FLUSH_BYTES:
            self._flush(self._files)

    def finish(self) -> None:
        """Make the longer plan the plan."""
        if self._files is None:
            return
        self._cutter.finish()
        self._flush(self._files)
        self._files.sync()
        before = self._before
        longer = replace(
            before,
            items=self._cutter.items,
            extended_at=[*before.extended_at, [before.mini_batches, before.items]],
            **self._files.described(),
        )
        reach("plan.before_extension")
        write_durably(self._folder / PLAN, longer.to_bytes())
        reach("plan.after_extension")
        (self._folder / EXTENDING).unlink()

    def close(self) -> None:
        if self._files is not None:
            self._files.close()

    def _flush(self, files: ManifestFiles) -> None:
        paths, self._pending, self._pending_bytes = b"".join(self._pending), [], 0
        files.append(paths, self._cutter.take_ends())


def _file_bytes(folder: Path, plan: Summary) -> int:
    """Return the size of all files in a plan, as far as it was asked for."""
    if plan.sizes_crc32 is None:
        return 0
    sizes = Numbers(folder / SIZES)
    try:
        return sum(sizes.read(plan.mini_batches, 1))
    finally:
        sizes.close()


def _unwritable(folder: Path, error: OSError) -> PlanError:
    return PlanError(
        f"the manifest in {str(folder)!r} cannot be made longer: {error.strerror}; it is what it was. "
        "Free some space or give yourself access, then resume again"
    )
