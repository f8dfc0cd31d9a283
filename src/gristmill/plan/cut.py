"""How an input is cut into mini-batches: the bounds, and the cutter that keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gristmill.plan.batches import BatchCutter, Cutter, SizeCutter
from gristmill.plan.file_sizes import FileSizes


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The bounds of a mini-batch; at least one is set."""

    files: int | None = None
    """The most files; None: any number."""
    bytes: int | None = None
    """The most bytes, except that a larger file is alone; None: any number, and no file is asked for its
    size."""

    @property
    def is_arithmetic(self) -> bool:
        """Whether all mini-batches but the last have the same number of items."""
        return self.bytes is None

    def cutter(self, root: Path, *, size_bytes: int = 0, items: int = 0, file_bytes: int = 0) -> Cutter:
        """Return what cuts so.

        Parameters
        ----------
        root
            The absolute folder that paths start from.
        size_bytes, items, file_bytes
            Bytes of paths, items, and bytes of files that stand before the first path.
        """
        if self.bytes is None:
            assert self.files is not None, "a cut has a bound"
            return BatchCutter(self.files, size_bytes=size_bytes, items=items)
        sizes = FileSizes(root)
        return SizeCutter(
            self.bytes, self.files, sizes, size_bytes=size_bytes, items=items, file_bytes=file_bytes
        )

    def words(self) -> str:
        """Say it in words, as the end of a sentence about mini-batches."""
        bounds = [
            f"{self.files} files" if self.files is not None else "",
            f"{self.bytes} bytes" if self.bytes is not None else "",
        ]
        return " and ".join(filter(None, bounds))
