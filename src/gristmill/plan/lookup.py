"""Where a file stands in a plan, found by its name: a plan is in bytewise order, so few reads are enough. One
that was extended by new files is in order twice, or more often.

The plan may still be growing. This module must not know why somebody looks.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from gristmill.errors import PlanError
from gristmill.plan.layout import OFFSETS, PATHS, PLAN
from gristmill.plan.manifest import Manifest
from gristmill.plan.numbers import ENTRY_BYTES, entries_from_bytes
from gristmill.spec.problems import nearest

#: Up to so many names, all are compared with one that is not there; else those that stand near it.
_MOST_COMPARED = 5000
_MOST_NAMED = 3


#: What a worker calls some rows of a file (see `gristmill_worker.row_ranges`).
_PIECE = re.compile(rb"(.*)\.rows-([0-9]{1,18})-([0-9]{1,18})((?:\.[^./]*)?)", re.DOTALL)


class Place(NamedTuple):
    """Where a file stands, or some rows of one."""

    mini_batch: int
    item: int
    """The number of its first item within the mini-batch, from 0."""
    items: int = 1
    """Its items: rows, where these are counted."""
    is_split: bool = False
    """Whether it is a file of which other rows stand in other mini-batches."""


def opened(folder: Path, root: Path, mini_batch_size: int | None) -> Manifest:
    """Open a plan as far as it is on disk; `Manifest.close` gives it back.

    Parameters
    ----------
    folder
        The folder of the manifest.
    root
        The input folder, of a plan that is not complete.
    mini_batch_size
        Files per mini-batch, of a plan that is not complete; None: any number.

    Returns
    -------
    Manifest
        Without a mini-batch, where none is on disk yet.

    Raises
    ------
    PlanError
        It is missing or damaged.
    """
    if (folder / PLAN).exists():
        return Manifest.open(folder)
    manifest = Manifest(folder, root=root, mini_batch_size=mini_batch_size)
    batches = max(0, (folder / OFFSETS).stat().st_size // ENTRY_BYTES - 1)
    try:
        manifest.grow_to(max(0, batches - 1))
        if manifest.counts_items:
            manifest.grow_to(batches)
        elif batches:  # all are full but perhaps the last
            manifest.grow(batches, manifest.items + _files_of(folder, batches - 1))
    except BaseException:
        manifest.close()
        raise
    return manifest


def find(manifest: Manifest, name: bytes) -> Place | None:
    """Return where a file stands, or some rows of one; None: it is not in the plan.

    Parameters
    ----------
    manifest
        The plan.
    name
        Its path relative to the input folder, raw; of some rows that are in one mini-batch, as the script got
        them: ``a.rows-0-99.csv``.

    Raises
    ------
    PlanError
        The plan is damaged.

    Notes
    -----
    Takes as many reads of a mini-batch as its number has binary digits.
    """
    for section in _sections(manifest):
        at = bisect_right(section, (name, 0), key=lambda one: _first_of(manifest, one)) - 1
        place = _place_in(manifest, section[at], name) if at >= 0 else None
        if place is not None:
            return place
    piece = _PIECE.fullmatch(name) if manifest.cut.rows is not None or not manifest.is_complete else None
    return None if piece is None else _find_rows(manifest, piece[1] + piece[4], int(piece[2]), int(piece[3]))


def _find_rows(manifest: Manifest, name: bytes, first: int, last: int) -> Place | None:
    for section in _sections(manifest):
        at = bisect_right(section, (name, first), key=lambda one: _first_of(manifest, one)) - 1
        place = _place_in(manifest, section[at], name, first) if at >= 0 else None
        if place is not None and first <= last and last - first < place.items:
            return place._replace(items=last - first + 1, is_split=False)
    return None


def _first_of(manifest: Manifest, mini_batch: int) -> tuple[bytes, int]:
    first = manifest.inputs_of(mini_batch)[0]
    return first.name, first.first_row


def _place_in(manifest: Manifest, mini_batch: int, name: bytes, row: int = 0) -> Place | None:
    """Return where a file, from a row on, stands in a mini-batch."""
    item = 0
    for one in manifest.inputs_of(mini_batch):
        skipped = row - one.first_row
        if one.name == name and (not row or 0 <= skipped < one.rows):
            return Place(mini_batch, item + skipped, one.items - skipped, one.is_a_piece)
        item += one.items
    return None


def similar(manifest: Manifest, name: bytes) -> list[str]:
    """Return names in the plan that may be meant by one that is not there; a few at most.

    These are files of the same name in other folders, else the name that is nearest, of those that stand near
    it where the plan is long.

    Raises
    ------
    PlanError
        The plan is damaged.
    """
    ending = b"/" + name.rpartition(b"/")[2]
    found: list[str] = []
    for batch in range(manifest.mini_batches):
        found += [os.fsdecode(path) for path in manifest.paths_of(batch) if (b"/" + path).endswith(ending)]
        if len(found) >= _MOST_NAMED:
            return found[:_MOST_NAMED]
    if found:
        return found
    near = nearest(os.fsdecode(name), _compared(manifest, name))
    return [near] if near is not None else []


def _compared(manifest: Manifest, name: bytes) -> list[str]:
    batches = list(_sections(manifest))
    if manifest.items > _MOST_COMPARED:
        around = max(1, _MOST_COMPARED * manifest.mini_batches // (2 * manifest.items * len(batches)))
        ats = [bisect_right(one, name, key=lambda batch: manifest.paths_of(batch)[0]) for one in batches]
        batches = [one[max(0, at - around) : at + around] for one, at in zip(batches, ats, strict=True)]
    return [os.fsdecode(path) for one in batches for batch in one for path in manifest.paths_of(batch)]


def _sections(manifest: Manifest) -> Iterator[range]:
    """Yield the mini-batches that are in order among themselves: a plan that was extended has several."""
    bounds = [0, *(batches for batches, _ in manifest.extended_at), manifest.mini_batches]
    return (range(first, end) for first, end in pairwise(bounds))


def _files_of(folder: Path, mini_batch: int) -> int:
    """Count the files of a mini-batch by its names."""
    with open(folder / OFFSETS, "rb") as offsets, open(folder / PATHS, "rb") as paths:
        bounds = entries_from_bytes(os.pread(offsets.fileno(), 2 * ENTRY_BYTES, mini_batch * ENTRY_BYTES))
        count = os.pread(paths.fileno(), bounds[1] - bounds[0], bounds[0]).count(b"\0")
    if not count:
        raise PlanError(
            f"the manifest in {str(folder)!r} is just being written; try again in a moment, when the job "
            "has more of it"
        )
    return count
