"""The cut by size: its bounds, and a plan whose mini-batches differ."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from gristmill.errors import PlanError
from gristmill.plan import lookup
from gristmill.plan.batches import SizeCutter
from gristmill.plan.extension import extend
from gristmill.plan.file_sizes import FileSizes
from gristmill.plan.manifest import Manifest
from gristmill.plan.planner import Planner


def cut(sizes: list[int], most_bytes: int, most_files: int | None = None) -> list[list[int]]:
    """Cut files of these sizes, named by their numbers, and return the sizes by mini-batch."""
    cutter = SizeCutter(most_bytes, most_files, lambda _, names: [sizes[int(name)] for name in names])
    cutter.add(b"", [b"%d" % number for number in range(len(sizes))])
    cutter.finish()
    ends = [0, *(cutter.take_ends().items or ())]
    return [sizes[begin:end] for begin, end in pairwise(ends)]


def test_a_mini_batch_is_closed_before_the_file_that_would_exceed_the_bound() -> None:
    assert cut([4, 4, 4, 2, 1, 9], 10) == [[4, 4], [4, 2, 1], [9]]


def test_what_fits_exactly_is_in() -> None:
    assert cut([5, 5, 0, 5], 10) == [[5, 5, 0], [5]]


def test_a_larger_file_is_alone() -> None:
    assert cut([1, 99, 0, 1], 10) == [[1], [99], [0, 1]]


def test_a_number_of_files_is_a_bound_as_well() -> None:
    assert cut([1, 1, 1, 9, 9], 10, 2) == [[1, 1], [1, 9], [9]]


def test_empty_files_take_no_room() -> None:
    assert cut([0] * 100, 1) == [[0] * 100]


@pytest.mark.parametrize(("most_bytes", "most_files"), [(0, None), (5, 0)])
def test_a_mini_batch_of_nothing_is_refused(most_bytes: int, most_files: int | None) -> None:
    with pytest.raises(ValueError, match="cannot cut at"):
        SizeCutter(most_bytes, most_files, lambda *_: [])


def test_a_file_that_is_gone_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"12345")
    (tmp_path / "sub" / "nowhere").symlink_to("gone")
    assert FileSizes(tmp_path)(b"sub/", [b"a", b"gone", b"nowhere"]) == [5, 0, 0]


SIZES = {"a": 6, "b": 4, "c": 12, "d/e": 0, "f": 3, "g": 3, "h": 3}
BATCHES = [[b"a", b"b"], [b"c"], [b"d/e", b"f", b"g", b"h"]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, size in SIZES.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"x" * size)
    return tmp_path / "in"


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    """A plan with at most ten bytes to a mini-batch."""
    planner = Planner(root=root, folder=tmp_path / "plan", mini_batch_size=None, mini_batch_bytes=10)
    while not planner.complete:
        planner.step(1)
    planner.close()
    return tmp_path / "plan"


@pytest.fixture
def manifest(folder: Path) -> Iterator[Manifest]:
    manifest = Manifest.open(folder)
    yield manifest
    manifest.close()


def batches(manifest: Manifest) -> list[list[bytes]]:
    return [manifest.paths_of(number) for number in range(manifest.mini_batches)]


def test_items_are_counted_where_mini_batches_differ(manifest: Manifest) -> None:
    manifest.verify()
    assert batches(manifest) == BATCHES
    assert [manifest.items_before(number) for number in range(4)] == [0, 2, 3, 7]
    assert [manifest.mini_batch_of(item) for item in range(7)] == [0, 0, 1, 2, 2, 2, 2]
    assert (manifest.item_count(0), manifest.item_count(1, 2), manifest.item_count(3, 0)) == (2, 5, 0)
    assert manifest.paths_of(2, 1, 2) == [b"f", b"g"]


def test_sizes_are_kept_where_they_were_asked_for(manifest: Manifest) -> None:
    assert list(manifest.sizes_of(0, 3) or ()) == [10, 12, 9]
    assert list(manifest.sizes_of(1, 1) or ()) == [12]


@pytest.mark.parametrize("name", ["items", "sizes"])
def test_every_changed_byte_is_found(folder: Path, name: str) -> None:
    sound = (folder / name).read_bytes()
    for index in range(len(sound)):
        changed = bytearray(sound)
        changed[index] ^= 0x20
        (folder / name).write_bytes(changed)
        manifest = Manifest.open(folder)
        with pytest.raises(PlanError, match=f"{name}' is damaged"):
            manifest.verify()
        manifest.close()


@pytest.mark.parametrize("name", ["items", "sizes"])
def test_a_file_that_is_missing_or_cut_short_is_named(folder: Path, name: str) -> None:
    os.truncate(folder / name, 24)
    with pytest.raises(PlanError, match=f"{name}' is damaged: it has 24 bytes instead of 32"):
        Manifest.open(folder)
    (folder / name).unlink()
    with pytest.raises(PlanError, match=f"{name}' is damaged: it is missing"):
        Manifest.open(folder)


@pytest.mark.parametrize(
    ("size", "most_bytes", "words"),
    [(None, 20, "of 20 bytes"), (5, 10, "of 5 files and 10 bytes"), (5, None, "of 5 files")],
)
def test_a_complete_plan_that_was_cut_otherwise_is_refused(
    root: Path, folder: Path, size: int | None, most_bytes: int | None, words: str
) -> None:
    with pytest.raises(PlanError, match=f"was cut into mini-batches of 10 bytes, not {words}; keep"):
        Planner(root=root, folder=folder, mini_batch_size=size, mini_batch_bytes=most_bytes)


def test_new_files_are_cut_by_size_as_well(root: Path, folder: Path) -> None:
    for name in ("A", "B", "C"):
        (root / name).write_bytes(b"x" * 4)
    extend(folder, [[b"A"], [b"B", b"C"]])

    manifest = Manifest.open(folder)
    manifest.verify()
    assert batches(manifest) == [*BATCHES, [b"A", b"B"], [b"C"]]
    assert list(manifest.sizes_of(2, 3) or ()) == [9, 8, 4]
    assert (manifest.items, manifest.item_count(3), manifest.extended_at) == (10, 2, [(3, 7)])
    manifest.close()


def test_a_listing_that_was_cut_off_is_compared(root: Path, tmp_path: Path) -> None:
    def planner() -> Planner:
        return Planner(root=root, folder=tmp_path / "p", mini_batch_size=None, mini_batch_bytes=10)

    first = planner()
    while first.mini_batches < 2:
        first.step(0)
    first.close()
    (root / "h").write_bytes(b"x" * 8)

    second = planner()
    while not second.complete:
        second.step(0)
    assert second.restarted
    assert second.unchanged_mini_batches == 2
    second.forget_previous()
    assert batches(second.manifest) == [*BATCHES[:2], [b"d/e", b"f", b"g"], [b"h"]]
    second.close()
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "items", "offsets", "paths", "plan.json", "sizes"
    ]  # fmt: skip


def test_a_growing_plan_is_read_by_others(root: Path, tmp_path: Path) -> None:
    planner = Planner(root=root, folder=tmp_path / "p", mini_batch_size=None, mini_batch_bytes=10)
    while planner.mini_batches < 2:
        planner.step(0)
    seen = lookup.opened(tmp_path / "p", root, None)
    assert (seen.mini_batches, seen.items) == (planner.mini_batches, planner.items)
    assert lookup.find(seen, b"c") == lookup.Place(1, 0)
    seen.close()
    planner.close()
