"""The manifest, read: which files belong to which mini-batch.

Read by position from the two files that `layout` describes; nothing of it is kept in memory, so that ten
million files cost no more than ten. This module must not know who asks.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from operator import ge, itemgetter
from pathlib import Path

from gristmill.errors import PlanError
from gristmill.plan.layout import (
    ENTRY_BYTES,
    EXTENDING,
    OFFSETS,
    PATHS,
    PLAN,
    Summary,
    damaged,
    entries_from_bytes,
)
from gristmill.plan.sorting import merged_runs

BLOCK_BYTES = 1024 * 1024
"""Bytes read at once by `Manifest.verify`."""


class Manifest:
    """The mini-batches of a plan, complete or as far as it is written.

    `Manifest.open` reads a complete one. A `Planner` has one that grows as it works.

    Parameters
    ----------
    folder
        The folder with `paths` and `offsets`.
    root
        The absolute folder that the paths start from.
    mini_batch_size
        Files per mini-batch; only the last may have fewer.

    Raises
    ------
    PlanError
        When the files are missing.
    """

    def __init__(self, folder: Path, *, root: Path, mini_batch_size: int) -> None:
        self._folder = folder
        self._paths = self._offsets = -1
        self._summary: Summary | None = None
        self.root = root
        """The absolute folder that the paths start from."""
        self.mini_batch_size = mini_batch_size
        """Files per mini-batch; only the last may have fewer."""
        self.mini_batches = 0
        """Mini-batches that can be read."""
        self.items = 0
        """Files in these mini-batches."""
        self.skipped: dict[str, int] = {}
        """How many names were passed over, by reason; known once the plan is complete."""
        self.notices: list[str] = []
        """Sentences that the user should see; known once the plan is complete."""
        self._begins: list[tuple[int, int]] = [(0, 0)]
        try:
            self._paths = os.open(folder / PATHS, os.O_RDONLY | os.O_CLOEXEC)
            self._offsets = os.open(folder / OFFSETS, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.close()
            raise _unreadable(folder, error) from error

    @classmethod
    def open(cls, folder: Path) -> Manifest:
        """Open a complete manifest; its sizes and ``plan.json`` are checked, `verify` checks the rest.

        Parameters
        ----------
        folder
            The folder that a `Planner` wrote.

        Returns
        -------
        Manifest
            The whole plan.

        Raises
        ------
        PlanError
            When the manifest is missing, incomplete or damaged.
        """
        try:
            data = (folder / PLAN).read_bytes()
        except OSError as error:
            raise _unreadable(folder, error) from error
        summary = Summary.from_bytes(data, folder / PLAN)
        manifest = cls(folder, root=Path(summary.root), mini_batch_size=summary.mini_batch_size)
        manifest._summary = summary
        manifest.skipped, manifest.notices = summary.skipped, summary.notices
        manifest._begins += [(batches, items) for batches, items in summary.extended_at]
        manifest.grow(summary.mini_batches, summary.items)
        try:
            manifest._check_sizes(summary)
        except PlanError:
            manifest.close()
            raise
        return manifest

    def grow(self, mini_batches: int, items: int) -> None:
        """Take note that more mini-batches can be read.

        Parameters
        ----------
        mini_batches
            All mini-batches that are on disk now.
        items
            All files in them.
        """
        self.mini_batches = mini_batches
        self.items = items

    def first_files(self, most: int) -> list[str]:
        """Return the absolute paths of the first files, at most so many of those that are there by now.

        Raises
        ------
        PlanError
            When the files are damaged.
        """
        files: list[str] = []
        for mini_batch in range(self.mini_batches):
            if len(files) >= most:
                break
            names = map(os.fsdecode, self.paths_of(mini_batch))
            files += [os.path.join(self.root, name) for name in names]
        return files[:most]

    def paths_of(self, mini_batch: int, first_item: int = 0, items: int = 0) -> list[bytes]:
        """Return the files of a mini-batch, or of a part of it.

        Parameters
        ----------
        mini_batch
            Its number, from 0.
        first_item
            The first file wanted, counted within the mini-batch.
        items
            How many; 0 means all from there on.

        Returns
        -------
        list[bytes]
            Relative paths, raw, in plan order.

        Raises
        ------
        PlanError
            When there is no such range, or the files are damaged.
        """
        count = self.item_count(mini_batch)
        wanted = items or count - first_item
        if first_item < 0 or wanted < 1 or first_item + wanted > count:
            raise PlanError(
                f"mini-batch {mini_batch} of the manifest in {str(self._folder)!r} has {count} files; "
                f"there are no {wanted} files from number {first_item} on. Ask within these limits"
            )
        begin, end = self._bounds(mini_batch)
        paths = os.pread(self._paths, end - begin, begin).split(b"\0")
        if len(paths) != count + 1 or paths.pop():
            raise damaged(self._folder / PATHS, f"mini-batch {mini_batch} does not hold {count} paths")
        return paths[first_item : first_item + wanted]

    def item_count(self, mini_batch: int, batches: int = 1) -> int:
        """Return how many files a range of mini-batches has, by arithmetic.

        Parameters
        ----------
        mini_batch
            The first mini-batch of the range.
        batches
            How many mini-batches.

        Returns
        -------
        int
            The number of files: `mini_batch_size` for each, except that the last of the plan may have
            fewer, and so may the last before each extension.

        Raises
        ------
        PlanError
            When the range is not within the mini-batches that can be read.
        """
        end = mini_batch + batches
        if mini_batch < 0 or batches < 0 or end > self.mini_batches:
            raise PlanError(
                f"the manifest in {str(self._folder)!r} has {self.mini_batches} mini-batches; there are no "
                f"{batches} from number {mini_batch} on. Ask within these limits"
            )
        return self.items_before(end) - self.items_before(mini_batch)

    def items_before(self, mini_batch: int) -> int:
        """Return how many files all mini-batches before this one have together, by arithmetic."""
        part = bisect_right(self._begins, mini_batch, key=itemgetter(0)) - 1
        batches, items = self._begins[part]
        end = self._begins[part + 1][1] if part + 1 < len(self._begins) else self.items
        return min(items + (mini_batch - batches) * self.mini_batch_size, end)

    def mini_batch_of(self, item: int) -> int:
        """Return the mini-batch that holds a file, counted over the whole plan."""
        batches, items = self._begins[bisect_right(self._begins, item, key=itemgetter(1)) - 1]
        return batches + (item - items) // self.mini_batch_size

    @property
    def extended_at(self) -> list[tuple[int, int]]:
        """(mini-batches, items) of the plan before each extension, in order."""
        return self._begins[1:]

    def sorted_paths(self) -> Iterator[list[bytes]]:
        """Yield all paths of a complete plan in bytewise order, in chunks, also where it was extended.

        Raises
        ------
        PlanError
            When the files are damaged.
        """
        at = [self._bounds(batches)[0] for batches, _ in self._begins]
        end = self._bounds(self.mini_batches - 1)[1]
        return merged_runs(self._paths, list(zip(at, [*at[1:], end], strict=True)))

    def verify(self) -> None:
        """Read the whole manifest and compare it with what was written; any changed byte is found.

        Raises
        ------
        PlanError
            When something is wrong; it names the file and what is wrong with it.
        """
        try:
            data = (self._folder / PLAN).read_bytes()
        except OSError as error:
            raise _unreadable(self._folder, error) from error
        summary = Summary.from_bytes(data, self._folder / PLAN)
        if self._summary is not None and summary != self._summary:
            raise damaged(self._folder / PLAN, "it has changed since it was opened")
        self._check_sizes(summary)
        self._check_offsets(summary)
        self._check_paths(summary)

    def close(self) -> None:
        """Close the files; safe to repeat."""
        for descriptor in (self._paths, self._offsets):
            if descriptor >= 0:
                os.close(descriptor)
        self._paths = self._offsets = -1

    def _bounds(self, mini_batch: int) -> tuple[int, int]:
        entries = entries_from_bytes(os.pread(self._offsets, 2 * ENTRY_BYTES, mini_batch * ENTRY_BYTES))
        if len(entries) != 2 or not 0 < entries[1] - entries[0] <= os.fstat(self._paths).st_size:
            raise damaged(self._folder / OFFSETS, f"the entries of mini-batch {mini_batch} make no sense")
        return entries[0], entries[1]

    def _check_sizes(self, summary: Summary) -> None:
        expected = (
            (PATHS, self._paths, summary.paths_size),
            (OFFSETS, self._offsets, (summary.mini_batches + 1) * ENTRY_BYTES),
        )
        is_extending = (self._folder / EXTENDING).exists()
        for name, descriptor, size in expected:
            actual = os.fstat(descriptor).st_size
            if actual < size or (actual > size and not is_extending):
                raise damaged(self._folder / name, f"it has {actual} bytes instead of {size}")

    def _check_offsets(self, summary: Summary) -> None:
        checksum, last = 0, -1
        for block in _blocks(self._offsets, (summary.mini_batches + 1) * ENTRY_BYTES):
            checksum = zlib.crc32(block, checksum)
            entries = entries_from_bytes(block)
            if last >= entries[0] or any(map(ge, entries, entries[1:])):
                raise damaged(self._folder / OFFSETS, "its entries do not increase")
            if last < 0 and entries[0] != 0:
                raise damaged(self._folder / OFFSETS, "it does not begin with 0")
            last = entries[-1]
        if last != summary.paths_size:
            raise damaged(self._folder / OFFSETS, f"it ends at byte {last} instead of {summary.paths_size}")
        if checksum != summary.offsets_crc32:
            raise damaged(self._folder / OFFSETS, "its checksum does not match")

    def _check_paths(self, summary: Summary) -> None:
        checksum = items = 0
        for block in _blocks(self._paths, summary.paths_size):
            checksum = zlib.crc32(block, checksum)
            items += block.count(b"\0")
        if checksum != summary.paths_crc32:
            raise damaged(self._folder / PATHS, "its checksum does not match")
        if items != summary.items:
            raise damaged(self._folder / PATHS, f"it holds {items} paths instead of {summary.items}")


def _blocks(descriptor: int, size: int) -> Iterator[bytes]:
    at = 0
    while block := os.pread(descriptor, min(BLOCK_BYTES, size - at), at):
        yield block
        at += len(block)


def _unreadable(folder: Path, error: OSError) -> PlanError:
    if isinstance(error, FileNotFoundError):
        return PlanError(
            f"there is no complete manifest in {str(folder)!r} ({Path(error.filename).name} is missing): "
            "the input was not listed to its end; list it again"
        )
    return PlanError(
        f"the manifest in {str(folder)!r} cannot be read: {error.strerror}; give yourself access to it"
    )
