"""Finished jobs of several shapes, each with something of its own in plan, journal and output."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from doubles.whole_job import AZURE, SUMMARY, WholeJob
from gristmill.engine.contract import Span
from gristmill.spec.values import OutputFormat
from gristmill_worker.provenance import Provenance
from gristmill_worker.typed_blocks import of_list

_SHORT_AND_FAILED = {2: ["raise"] * 4, 3: ["short"], 4: ["empty"]}
_POISONS = {(2, 1): "raise", (5, 0): "exit"}


def rows_of_lists(root: Path) -> WholeJob:
    """Azure's bytes, without a header; one failed, one short, one without any result."""
    job = WholeJob(root=root, script=_SHORT_AND_FAILED, settings={**AZURE, "isolate_failures": False})
    job.start(seed=1)
    return job


def frames_with_a_header(root: Path) -> WholeJob:
    """A CSV; one mini-batch has another column, so rows are written anew; one item failed, all alone."""
    job = WholeJob(
        root=root,
        columns=lambda number: ("a", "b", "c") if number == 3 else ("a", "b"),
        rows=lambda number, items: [b"%d,x%s\n" % (number, b",y" if number == 3 else b"")] * items,
        poisons=_POISONS,
    )
    job.start(seed=2)
    return job


def rows_below_a_line(root: Path) -> WholeJob:
    """Azure's bytes below a line of column names."""
    job = WholeJob(
        root=root,
        columns=lambda number: ("a", "b"),
        line=lambda names: " ".join(names) + "\n",
        settings={**AZURE, "include_output_header": True},
    )
    job.start(seed=3)
    return job


def files_of_its_own(root: Path) -> WholeJob:
    """No predictions: files that all append to, and whole ones."""

    def pieces(span: Span) -> list[tuple[str, bytes]]:
        return [("all.txt", b"%d\n" % span.first), ("deep/some.txt", b"x" * (span.first % 3))]

    job = WholeJob(root=root, pieces=pieces, script={1: ["file"], 4: ["raise", "file"]}, settings=SUMMARY)
    job.start(seed=4)
    return job


def divided(root: Path) -> WholeJob:
    """Mini-batches of eight that were taken apart."""
    poisons = {(0, 5): "raise", (1, 0): "exit", (2, 3): "hang"}
    job = WholeJob(root=root, items=23, mini_batch_size=8, poisons=poisons, settings=AZURE)
    job.start(seed=5)
    return job


def resumed(root: Path) -> WholeJob:
    """Three starts, and rows that the power took after the first."""
    job = WholeJob(root=root, items=17, mini_batch_size=1, script={3: ["raise"]}, settings=AZURE)
    job.start(seed=6, kill_at=9)
    for part in (job.job.staging / "parts").iterdir():
        os.truncate(part, part.stat().st_size // 2)
    job.start(seed=7, cancel_at=5)
    job.start(seed=8)
    return job


#: The row of each item of some mini-batches of a Parquet file; of all others it is that of the first.
_TYPED_ROWS: Mapping[int, Mapping[str, object]] = {
    0: {"n": 7, "t": "x"},
    2: {"n": 0.5, "u": "y"},
    3: {"n": 8, "t": "z", "more": [1]},
}


def typed_rows(root: Path) -> WholeJob:
    """A Parquet file; mini-batches have other columns, one has another type, and one item failed."""
    encoded = {number: of_list(Provenance(), [row], (), 0) for number, row in _TYPED_ROWS.items()}
    types = {one.header: one.types for one in encoded.values()}
    job = WholeJob(
        root=root,
        columns=lambda number: encoded.get(number, encoded[0]).header,
        types=lambda names: types[names],
        rows=lambda number, items: [encoded.get(number, encoded[0]).data] * items,
        poisons=_POISONS,
        settings={"output_format": OutputFormat.PARQUET, "output_file_name": "predictions.parquet"},
    )
    job.start(seed=9)
    return job


SHAPES: tuple[Callable[[Path], WholeJob], ...] = (
    rows_of_lists,
    frames_with_a_header,
    rows_below_a_line,
    files_of_its_own,
    divided,
    resumed,
    typed_rows,
)
