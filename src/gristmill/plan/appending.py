"""The files of a manifest, open for appending: of a new one, or of one that is made longer.

`paths` is written before what points into it, and `offsets` last, so that whoever reads along never sees a
mini-batch that is not whole. This module must not know how mini-batches are cut; `OSError` is passed on.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

from gristmill.plan.batches import Ends
from gristmill.plan.cut import Cut
from gristmill.plan.layout import ITEMS, OFFSETS, PATHS, SIZES, Summary
from gristmill.plan.numbers import NumbersWriter, write_all


class ManifestFiles:
    """The files of a manifest, open for appending.

    Parameters
    ----------
    folder
        The manifest's folder.
    cut
        How it is cut: where all mini-batches but the last have the same number of items, there are no `items`
        and no `sizes`.
    before
        What the manifest is, if it is made longer; None: a new one is begun.
    """

    def __init__(self, folder: Path, cut: Cut, before: Summary | None = None) -> None:
        self.paths_size: int = before.paths_size if before is not None else 0
        """Size of `paths` in bytes."""
        self.mini_batches: int = before.mini_batches if before is not None else 0
        """Mini-batches that are on disk."""
        self._paths_crc32 = before.paths_crc32 if before is not None else 0
        self._entries = (before.entries or 0) if before is not None else 0
        self._counts_entries = cut.rows is not None
        flags = os.O_CREAT | os.O_TRUNC if before is None else os.O_APPEND
        self._paths = os.open(folder / PATHS, os.O_WRONLY | os.O_CLOEXEC | flags, 0o600)
        self._numbers: dict[str, NumbersWriter] = {}
        try:
            for name in (OFFSETS,) if cut.is_arithmetic else (ITEMS, SIZES, OFFSETS):
                checksum = before.crc32_of(name) if before is not None else None
                self._numbers[name] = NumbersWriter(folder / name, checksum)
        except BaseException:
            self.close()
            raise

    def append(self, paths: bytes, ends: Ends) -> None:
        """Write the next paths and the mini-batches that end in them; readable when this returns."""
        self._paths_crc32 = zlib.crc32(paths, self._paths_crc32)
        self.paths_size += write_all(self._paths, paths)
        if self._counts_entries:
            self._entries += paths.count(b"\0")
        for name, entries in ((ITEMS, ends.items), (SIZES, ends.sizes), (OFFSETS, ends.paths)):
            if entries is not None:
                self._numbers[name].append(entries)
        self.mini_batches += len(ends.paths)

    def sync(self) -> None:
        """Bring all that was written to stable storage."""
        os.fsync(self._paths)
        for numbers in self._numbers.values():
            numbers.sync()

    def described(self) -> dict[str, Any]:
        """Return what `Summary` says about the files."""
        checksums = {f"{name}_crc32": numbers.crc32 for name, numbers in self._numbers.items()}
        return {
            "mini_batches": self.mini_batches,
            "paths_size": self.paths_size,
            "paths_crc32": self._paths_crc32,
            "entries": self._entries if self._counts_entries else None,
            **checksums,
        }

    def close(self) -> None:
        """Close the files; safe to repeat."""
        for numbers in self._numbers.values():
            numbers.close()
        if self._paths >= 0:
            os.close(self._paths)
            self._paths = -1
