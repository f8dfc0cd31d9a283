"""How an input is cut into mini-batches: the bounds, and the cutter that keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gristmill.plan.batches import BatchCutter, Cutter, SizeCutter
from gristmill.plan.file_sizes import FileSizes
from gristmill.plan.layout import Summary
from gristmill.plan.row_batches import RowCutter
from gristmill.plan.row_counting import RowSplit


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The bounds of a mini-batch; at least one of the first two is set."""

    files: int | None = None
    """The most files; None: any number."""
    bytes: int | None = None
    """The most bytes, except that a larger file is alone; None: any number, and no file is asked for its
    size."""
    rows: RowSplit | None = None
    """How tabular files are split by rows; None: they are not, and a file is an item."""

    @property
    def is_arithmetic(self) -> bool:
        """Whether all mini-batches but the last have the same number of items."""
        return self.bytes is None and self.rows is None

    def cutter(self, root: Path, *, size_bytes: int = 0, items: int = 0, file_bytes: int = 0) -> Cutter:
        """Return what cuts so.

        Parameters
        ----------
        root
            The absolute folder that paths start from.
        size_bytes, items, file_bytes
            Bytes of paths, items, and bytes of files that stand before the first path.
        """
        before = {"size_bytes": size_bytes, "items": items, "file_bytes": file_bytes}
        if self.rows is not None:
            return RowCutter(self.files, self.bytes, FileSizes(root), **before)
        if self.bytes is None:
            assert self.files is not None, "a cut has a bound"
            return BatchCutter(self.files, size_bytes=size_bytes, items=items)
        return SizeCutter(self.bytes, self.files, FileSizes(root), **before)

    @classmethod
    def of(cls, summary: Summary) -> Cut:
        """Return how a complete manifest was cut."""
        rows = None
        if summary.split_header is not None:
            rows = RowSplit(
                rows=summary.split_rows, bytes=summary.split_bytes, has_header=summary.split_header
            )
        return cls(files=summary.mini_batch_size, bytes=summary.mini_batch_bytes, rows=rows)

    def described(self) -> dict[str, Any]:
        """Return what `Summary` says about it."""
        rows = self.rows
        return {
            "mini_batch_size": self.files,
            "mini_batch_bytes": self.bytes,
            "split_rows": rows.rows if rows is not None else None,
            "split_bytes": rows.bytes if rows is not None else None,
            "split_header": rows.has_header if rows is not None else None,
        }

    def words(self) -> str:
        """Say it in words, as the end of a sentence about mini-batches."""
        bounds = [
            f"{self.files} files" if self.files is not None else "",
            f"{self.bytes} bytes" if self.bytes is not None else "",
            f"files split at {self.rows.words()}" if self.rows is not None else "",
        ]
        return " and ".join(filter(None, bounds))
