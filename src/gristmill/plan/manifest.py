"""The manifest, read: which files belong to which mini-batch.

Read by position from the files that `layout` describes; nothing of it is kept in memory, so that ten
million files cost no more than ten. This module must not know who asks.
"""

from __future__ import annotations

import os
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from operator import ge, gt, itemgetter, sub
from pathlib import Path

from gristmill.errors import PlanError
from gristmill.plan.cut import Cut
from gristmill.plan.layout import EXTENDING, ITEMS, OFFSETS, PATHS, PLAN, SIZES, Summary, damaged
from gristmill.plan.numbers import ENTRY_BYTES, Numbers, entries_from_bytes
from gristmill.plan.sorting import merged_runs
from gristmill_worker.row_ranges import MARK, Input, inputs_in, items_in, name_in

BLOCK_BYTES = 1024 * 1024
"""Bytes read at once by `Manifest.verify`."""


class Manifest:
    """The mini-batches of a plan, complete or as far as it is written.

    `Manifest.open` reads a complete one. A `Planner` has one that grows as it works.

    Parameters
    ----------
    folder
        The folder with `paths` and `offsets`, and perhaps `items` and `sizes`.
    root
        The absolute folder that the paths start from.
    mini_batch_size
        Files per mini-batch; only the last may have fewer. Where there are `items`, any may; None: their
        number has no limit.

    Raises
    ------
    PlanError
        When the files are missing.
    """

    def __init__(self, folder: Path, *, root: Path, mini_batch_size: int | None) -> None:
        self._folder = folder
        self._paths = -1
        self._numbers: dict[str, Numbers] = {}
        self._summary: Summary | None = None
        self.root = root
        """The absolute folder that the paths start from."""
        self.mini_batch_size = mini_batch_size
        """Files per mini-batch; only the last may have fewer, or any where `items` are counted."""
        self.cut = Cut(files=mini_batch_size)
        """How it was cut; known once the plan is complete."""
        self.mini_batches = 0
        """Mini-batches that can be read."""
        self.items = 0
        """Items in these mini-batches."""
        self.skipped: dict[str, int] = {}
        """How many names were passed over, by reason; known once the plan is complete."""
        self.notices: list[str] = []
        """Sentences that the user should see; known once the plan is complete."""
        self._begins: list[tuple[int, int]] = [(0, 0)]
        try:
            self._paths = os.open(folder / PATHS, os.O_RDONLY | os.O_CLOEXEC)
            self._numbers[OFFSETS] = Numbers(folder / OFFSETS)
            for name in (ITEMS, SIZES):
                if (folder / name).exists():
                    self._numbers[name] = Numbers(folder / name)
        except OSError as error:
            self.close()
            raise _unreadable(folder, error) from error
        self._offsets = self._numbers[OFFSETS]
        self._items = self._numbers.get(ITEMS)
        self._sizes = self._numbers.get(SIZES)

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
        manifest.cut = Cut.of(summary)
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
            All items in them.
        """
        self.mini_batches = mini_batches
        self.items = items

    def grow_to(self, mini_batches: int) -> None:
        """Take note that so many mini-batches can be read, all of them full where items are not counted."""
        if self._items is not None:
            self.grow(mini_batches, self.items_before(mini_batches))
        else:
            self.grow(mini_batches, mini_batches * (self.mini_batch_size or 0))

    @property
    def is_complete(self) -> bool:
        """Whether it was complete when it was opened."""
        return self._summary is not None

    @property
    def counts_items(self) -> bool:
        """Whether mini-batches may differ in their number of items; else it is arithmetic."""
        return self._items is not None

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
            The first item wanted, counted within the mini-batch.
        items
            How many; 0 means all from there on.

        Returns
        -------
        list[bytes]
            Relative paths, raw, in plan order; of a file that is split by rows, its path.

        Raises
        ------
        PlanError
            When there is no such range, or the files are damaged.
        """
        entries, wanted = self._entries_of(mini_batch, first_item, items)
        if self._items is not None and any(MARK in entry for entry in entries):
            return [one.name for one in inputs_in(entries, first_item, wanted)]
        return entries[first_item : first_item + wanted]

    def inputs_of(self, mini_batch: int, first_item: int = 0, items: int = 0) -> list[Input]:
        """Return the files of a mini-batch, or of a part of it, with the rows that belong to it.

        Parameters, and what is raised, are those of `paths_of`.
        """
        entries, wanted = self._entries_of(mini_batch, first_item, items)
        return inputs_in(entries, first_item, wanted)

    def _entries_of(self, mini_batch: int, first_item: int, items: int) -> tuple[list[bytes], int]:
        """Return the entries of a mini-batch, and how many items of it are wanted."""
        count = self.item_count(mini_batch)
        wanted = items or count - first_item
        if first_item < 0 or wanted < 1 or first_item + wanted > count:
            raise PlanError(
                f"mini-batch {mini_batch} of the manifest in {str(self._folder)!r} has {count} items; "
                f"there are no {wanted} items from number {first_item} on. Ask within these limits"
            )
        begin, end = self._bounds(mini_batch)
        entries = os.pread(self._paths, end - begin, begin).split(b"\0")
        if entries.pop() or (len(entries) != count and items_in(entries) != count):
            raise damaged(self._folder / PATHS, f"mini-batch {mini_batch} does not hold {count} items")
        return entries, wanted

    def item_count(self, mini_batch: int, batches: int = 1) -> int:
        """Return how many items a range of mini-batches has.

        Parameters
        ----------
        mini_batch
            The first mini-batch of the range.
        batches
            How many mini-batches.

        Returns
        -------
        int
            The number of items: where they are not counted, `mini_batch_size` for each, except that the last
            of the plan may have fewer, and so may the last before each extension.

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
        """Return how many items all mini-batches before this one have together."""
        if self._items is not None:
            entries = self._items.read(mini_batch, 1)
            return entries[0] if entries else self.items
        assert self.mini_batch_size is not None, "items are counted where mini-batches differ"
        part = bisect_right(self._begins, mini_batch, key=itemgetter(0)) - 1
        batches, items = self._begins[part]
        end = self._begins[part + 1][1] if part + 1 < len(self._begins) else self.items
        return min(items + (mini_batch - batches) * self.mini_batch_size, end)

    def mini_batch_of(self, item: int) -> int:
        """Return the mini-batch that holds an item, counted over the whole plan."""
        if self._items is not None:
            return bisect_right(range(self.mini_batches), item, key=self.items_before) - 1
        assert self.mini_batch_size is not None, "items are counted where mini-batches differ"
        batches, items = self._begins[bisect_right(self._begins, item, key=itemgetter(1)) - 1]
        return batches + (item - items) // self.mini_batch_size

    def sizes_of(self, mini_batch: int, batches: int) -> array[int] | None:
        """Return the sizes of consecutive mini-batches in bytes; None where nobody asked when it was cut."""
        if self._sizes is None:
            return None
        ends = self._sizes.read(mini_batch, batches + 1)
        return array("Q", map(sub, ends[1:], ends))

    @property
    def extended_at(self) -> list[tuple[int, int]]:
        """(mini-batches, items) of the plan before each extension, in order."""
        return self._begins[1:]

    def sorted_paths(self) -> Iterator[list[bytes]]:
        """Yield all files of a complete plan in bytewise order, in chunks, also where it was extended.

        Raises
        ------
        PlanError
            When the files are damaged.
        """
        at = [self._bounds(batches)[0] for batches, _ in self._begins]
        end = self._bounds(self.mini_batches - 1)[1]
        name_of = name_in if self.cut.rows is not None else None
        return merged_runs(self._paths, list(zip(at, [*at[1:], end], strict=True)), name_of)

    def split_files(self) -> Iterator[Input]:
        """Yield a piece of each file of a complete plan that was split by rows.

        Raises
        ------
        PlanError
            When the files are damaged.
        """
        if self.cut.rows is None:
            return
        last = b""
        for mini_batch in range(self.mini_batches):
            for one in self.inputs_of(mini_batch):
                if one.is_a_piece and one.name != last:
                    last = one.name
                    yield one

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
        for name in summary.numbers:
            self._check_numbers(name, summary)
        self._check_paths(summary)

    def close(self) -> None:
        """Close the files; safe to repeat."""
        for numbers in self._numbers.values():
            numbers.close()
        if self._paths >= 0:
            os.close(self._paths)
            self._paths = -1

    def _bounds(self, mini_batch: int) -> tuple[int, int]:
        entries = self._offsets.read(mini_batch, 2)
        if len(entries) != 2 or not 0 < entries[1] - entries[0] <= os.fstat(self._paths).st_size:
            raise damaged(self._folder / OFFSETS, f"the entries of mini-batch {mini_batch} make no sense")
        return entries[0], entries[1]

    def _check_sizes(self, summary: Summary) -> None:
        missing = [name for name in summary.numbers if name not in self._numbers]
        if missing:
            raise damaged(self._folder / missing[0], "it is missing")
        entries = (summary.mini_batches + 1) * ENTRY_BYTES
        expected = [(PATHS, self._paths, summary.paths_size)]
        expected += [(name, self._numbers[name].descriptor, entries) for name in summary.numbers]
        is_extending = (self._folder / EXTENDING).exists()
        for name, descriptor, size in expected:
            actual = os.fstat(descriptor).st_size
            if actual < size or (actual > size and not is_extending):
                raise damaged(self._folder / name, f"it has {actual} bytes instead of {size}")

    def _check_numbers(self, name: str, summary: Summary) -> None:
        """Check a file of numbers: it begins with 0, increases, and ends where the plan does."""
        path, checksum, last = self._folder / name, 0, -1
        is_wrong = gt if name == SIZES else ge  # files may be empty
        for block in _blocks(self._numbers[name].descriptor, (summary.mini_batches + 1) * ENTRY_BYTES):
            checksum = zlib.crc32(block, checksum)
            entries = entries_from_bytes(block)
            if is_wrong(last, entries[0]) or any(map(is_wrong, entries, entries[1:])):
                raise damaged(path, "its entries do not increase")
            if last < 0 and entries[0] != 0:
                raise damaged(path, "it does not begin with 0")
            last = entries[-1]
        end = {OFFSETS: summary.paths_size, ITEMS: summary.items, SIZES: last}[name]
        if last != end:
            unit = "byte" if name == OFFSETS else "item"
            raise damaged(path, f"it ends at {unit} {last} instead of {end}")
        if checksum != summary.crc32_of(name):
            raise damaged(path, "its checksum does not match")

    def _check_paths(self, summary: Summary) -> None:
        checksum = paths = 0
        for block in _blocks(self._paths, summary.paths_size):
            checksum = zlib.crc32(block, checksum)
            paths += block.count(b"\0")
        if checksum != summary.paths_crc32:
            raise damaged(self._folder / PATHS, "its checksum does not match")
        expected = summary.items if summary.entries is None else summary.entries
        if paths != expected:
            raise damaged(self._folder / PATHS, f"it holds {paths} paths instead of {expected}")


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
