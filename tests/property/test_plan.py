"""What holds for every input: nothing is left out, nothing comes twice, the order is one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gristmill.plan import listing
from gristmill.plan.batches import BatchCutter, SizeCutter
from gristmill.plan.listing import Listing
from gristmill.plan.manifest import Manifest
from gristmill.plan.planner import Planner
from gristmill.plan.previous import PreviousManifest
from gristmill.plan.sorting import SortedNames

TRICKY = [b"a", b"a.b", b"a-", b"a0", b"ab", b"b", b"a b", b"a\n", b'"', b"\xff", b"\xc3\xa9", b"_x", b"~"]
ANY_NAME = st.binary(min_size=1, max_size=12).filter(
    lambda name: not set(name) & {0, 0x2F} and not name.startswith(b".")
)
NAME = st.sampled_from(TRICKY) | ANY_NAME
TREES = st.lists(st.lists(NAME, min_size=1, max_size=4).map(tuple), min_size=1, max_size=25)


@contextmanager
def tree_of(paths: list[tuple[bytes, ...]]) -> Iterator[tuple[Path, Path]]:
    """Make the files of a tree, as far as no name is a file and a folder at once; yield root and scratch."""
    home = tempfile.mkdtemp()
    root, scratch = Path(home, "root"), Path(home, "scratch")
    root.mkdir()
    scratch.mkdir()
    try:
        for parts in paths:
            path = os.path.join(os.fsencode(root), *parts)
            try:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            except OSError:
                continue
        yield root, scratch
    finally:
        shutil.rmtree(home)


def walked_by_os(root: Path) -> list[bytes]:
    base = os.fsencode(root)
    return sorted(
        os.path.relpath(os.path.join(folder, name), base)
        for folder, _, names in os.walk(base, followlinks=True)
        for name in names
    )


def listed(walk: Listing) -> list[bytes]:
    return [prefix + name for prefix, names in walk.walk() for name in names]


def planned(root: Path, folder: Path, mini_batch_size: int, budget_s: float) -> tuple[bytes, bytes]:
    planner = Planner(root=root, folder=folder, mini_batch_size=mini_batch_size, include_hidden=True)
    while not planner.complete:
        planner.step(budget_s)
    planner.close()
    return (folder / "paths").read_bytes(), (folder / "offsets").read_bytes()


@given(TREES)
@example([(b"a", b"b"), (b"a.b",), (b"a-",), (b"a0",), (b"aa", b"b")])
def test_the_listing_is_the_sorted_list_of_all_files(paths: list[tuple[bytes, ...]]) -> None:
    with tree_of(paths) as (root, scratch):
        assert listed(Listing(root, scratch=scratch, include_hidden=True)) == walked_by_os(root)


@given(TREES, st.integers(1, 4), st.integers(1, 4), st.integers(0, 6))
def test_spilling_changes_nothing(
    paths: list[tuple[bytes, ...]], slice_entries: int, run_names: int, memory_names: int
) -> None:
    with tree_of(paths) as (root, scratch), mock.patch.object(listing, "SLICE_ENTRIES", slice_entries):
        walk = Listing(
            root, scratch=scratch, include_hidden=True, run_names=run_names, memory_names=memory_names
        )
        assert listed(walk) == walked_by_os(root)


@given(st.lists(st.lists(ANY_NAME, max_size=8), max_size=30), st.integers(1, 5), st.integers(0, 20))
def test_sorted_runs_hold_every_name_once(
    slices: list[list[bytes]], run_names: int, memory_names: int
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        sorter = SortedNames(Path(scratch), run_names=run_names, memory_names=memory_names)
        for names in slices:
            sorter.add(sorted(names))
        with mock.patch("gristmill.plan.sorting.CHUNK_NAMES", 4):
            chunks = list(sorter.merged())
        sorter.close()
    assert [name for chunk in chunks for name in chunk] == sorted(name for names in slices for name in names)
    assert all(chunks)


@given(st.lists(st.tuples(st.sampled_from([b"", b"f/", b"long/er/"]), st.lists(NAME, min_size=1))),
       st.integers(1, 12))  # fmt: skip
def test_the_cut_covers_each_file_once_in_order(
    chunks: list[tuple[bytes, list[bytes]]], mini_batch_size: int
) -> None:
    cutter = BatchCutter(mini_batch_size)
    data = b"".join(cutter.add(prefix, names) for prefix, names in chunks)
    cutter.finish()
    boundaries = [0, *cutter.take_ends().paths]
    batches = [data[begin:end].split(b"\0")[:-1] for begin, end in pairwise(boundaries)]
    files = [prefix + name for prefix, names in chunks for name in names]
    assert batches == [
        files[begin : begin + mini_batch_size] for begin in range(0, len(files), mini_batch_size)
    ]
    assert cutter.items == len(files)


FILE_SIZES = st.lists(st.integers(0, 30), min_size=1, max_size=40)


@given(FILE_SIZES, st.integers(1, 40), st.none() | st.integers(1, 6), st.integers(1, 12))
def test_the_cut_by_size_keeps_its_bounds_and_leaves_no_room(
    sizes: list[int], most_bytes: int, most_files: int | None, chunk: int
) -> None:
    batches = _cut_by_size(sizes, most_bytes, most_files, chunk)
    assert [size for batch in batches for size in batch] == sizes
    assert all(sum(batch) <= most_bytes or len(batch) == 1 for batch in batches)
    assert all(len(batch) <= (most_files or len(sizes)) for batch in batches)
    for batch, following in pairwise(batches):
        assert sum(batch) + following[0] > most_bytes or len(batch) == most_files


@given(FILE_SIZES, st.integers(1, 40), st.none() | st.integers(1, 6), st.integers(1, 12))
def test_the_cut_by_size_does_not_depend_on_how_files_arrive(
    sizes: list[int], most_bytes: int, most_files: int | None, chunk: int
) -> None:
    at_once = _cut_by_size(sizes, most_bytes, most_files, len(sizes))
    assert _cut_by_size(sizes, most_bytes, most_files, chunk) == at_once


def _cut_by_size(sizes: list[int], most_bytes: int, most_files: int | None, chunk: int) -> list[list[int]]:
    """Cut files of these sizes, so many at a time, and check that the three kinds of ends agree."""
    cutter = SizeCutter(most_bytes, most_files, lambda _, names: [sizes[int(name)] for name in names])
    names = [b"%d" % number for number in range(len(sizes))]
    data, ends = b"", ([0], [0], [0])
    for begin in range(0, len(names), chunk):
        data += cutter.add(b"", names[begin : begin + chunk])
        if begin + chunk >= len(names):
            cutter.finish()
        for all_ends, some in zip(ends, cutter.take_ends(), strict=True):
            all_ends.extend(some or ())
    paths, items, file_bytes = ends
    found = [data[begin:end].split(b"\0")[:-1] for begin, end in pairwise(paths)]
    assert [len(batch) for batch in found] == [end - begin for begin, end in pairwise(items)]
    batches = [[sizes[int(name)] for name in batch] for batch in found]
    assert [sum(batch) for batch in batches] == [end - begin for begin, end in pairwise(file_bytes)]
    return batches


@settings(max_examples=25)
@given(FILE_SIZES, st.integers(1, 40), st.integers(0, 40))
def test_a_plan_with_counted_items_answers_as_its_mini_batches_do(
    sizes: list[int], most_bytes: int, extended_by: int
) -> None:
    with tempfile.TemporaryDirectory() as home:
        root, folder = Path(home, "root"), Path(home, "plan")
        root.mkdir()
        for number, size in enumerate(sizes):
            Path(root, f"{number:03}").write_bytes(b"x" * size)
        planner = Planner(root=root, folder=folder, mini_batch_size=None, mini_batch_bytes=most_bytes)
        while not planner.complete:
            planner.step(0)
        for number in range(extended_by):
            Path(root, f"a{number:03}").write_bytes(b"x" * number)
        planner.take_new()
        manifest = planner.manifest
        manifest.verify()
        batches = [manifest.paths_of(number) for number in range(manifest.mini_batches)]
        counts = [len(batch) for batch in batches]
        assert [path for batch in batches for path in batch] == sorted(map(os.fsencode, os.listdir(root)))
        assert [manifest.item_count(number) for number in range(len(batches))] == counts
        assert [manifest.items_before(number) for number in range(len(batches) + 1)] == [
            sum(counts[:number]) for number in range(len(batches) + 1)
        ]
        owners = [number for number, count in enumerate(counts) for _ in range(count)]
        assert [manifest.mini_batch_of(item) for item in range(manifest.items)] == owners
        weights = [sum(Path(root, os.fsdecode(path)).stat().st_size for path in batch) for batch in batches]
        assert list(manifest.sizes_of(0, len(batches)) or ()) == weights
        planner.close()


@settings(max_examples=50)
@given(TREES, st.integers(1, 7))
def test_stepwise_equals_all_at_once_and_reads_back(
    paths: list[tuple[bytes, ...]], mini_batch_size: int
) -> None:
    with tree_of(paths) as (root, scratch):
        at_once = planned(root, scratch / "one", mini_batch_size, 10)
        assert planned(root, scratch / "two", mini_batch_size, 0) == at_once
        manifest = Manifest.open(scratch / "two")
        manifest.verify()
        batches = [manifest.paths_of(number) for number in range(manifest.mini_batches)]
        counts = [manifest.item_count(number) for number in range(manifest.mini_batches)]
        manifest.close()
        assert [path for batch in batches for path in batch] == walked_by_os(root)
        assert [len(batch) for batch in batches] == counts
        assert set(counts[:-1]) <= {mini_batch_size}


@settings(max_examples=50)
@given(st.lists(NAME, max_size=12), st.lists(NAME, max_size=12), st.integers(1, 3), st.integers(1, 5))
@example([b"a", b"b", b"c"], [b"a", b"b", b"d"], 1, 1)
def test_unchanged_is_the_common_beginning_of_old_and_new(
    old: list[bytes], new: list[bytes], mini_batch_size: int, chunk: int
) -> None:
    expected = 0
    old_batches, new_batches = _batched(old, mini_batch_size), _batched(new, mini_batch_size)
    for one, other in zip(old_batches, new_batches, strict=False):
        if one != other:
            break
        expected += 1
    with tempfile.TemporaryDirectory() as folder:
        cutter = BatchCutter(mini_batch_size)
        paths = cutter.add(b"", old) if old else b""
        cutter.finish()
        entries = [0, *cutter.take_ends().paths]
        Path(folder, "paths.previous").write_bytes(paths)
        Path(folder, "offsets.previous").write_bytes(b"".join(n.to_bytes(8, "little") for n in entries))
        previous = PreviousManifest(Path(folder))
        cutter = BatchCutter(mini_batch_size)
        for begin in range(0, len(new), chunk):
            at = cutter.size_bytes
            data = cutter.add(b"", new[begin : begin + chunk])
            if begin + chunk >= len(new):
                cutter.finish()
            previous.compare(data, at, cutter.take_ends())
        previous.conclude()
        previous.close()
        assert previous.unchanged_mini_batches == expected
        assert Path(folder, "offsets.previous").stat().st_size == 8 * (expected + 1)


def _batched(files: list[bytes], size: int) -> list[list[bytes]]:
    return [files[begin : begin + size] for begin in range(0, len(files), size)]
