"""Finding a file in a plan by its name."""

from __future__ import annotations

import os
import resource
import tempfile
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.plan import lookup
from gristmill.plan.layout import OFFSETS, PATHS
from gristmill.plan.lookup import Place
from gristmill.plan.numbers import bytes_from_entries

NAMES = st.sets(
    st.lists(st.binary(min_size=1, max_size=3).filter(lambda part: not set(part) & {0, 47}), min_size=1).map(
        b"/".join
    ),
    min_size=1,
    max_size=30,
)


def planned(folder: Path, names: list[bytes], size: int) -> Path:
    """Write a plan as far as a planner has it on disk while it works."""
    bounds, at = [0], 0
    for first in range(0, len(names), size):
        at += sum(len(name) + 1 for name in names[first : first + size])
        bounds.append(at)
    (folder / PATHS).write_bytes(b"".join(name + b"\0" for name in names))
    (folder / OFFSETS).write_bytes(bytes_from_entries(array("Q", bounds)))
    return folder


@given(NAMES, st.integers(1, 7), st.binary(min_size=1, max_size=4))
def test_every_file_of_a_plan_is_found_where_it_stands_and_no_other(
    names: set[bytes], size: int, other: bytes
) -> None:
    ordered = sorted(names)
    with tempfile.TemporaryDirectory() as folder:
        manifest = lookup.opened(planned(Path(folder), ordered, size), Path("/in"), size)
        found = [lookup.find(manifest, name) for name in ordered]
        foreign = lookup.find(manifest, other)
        manifest.close()

    assert found == [Place(*divmod(number, size)) for number in range(len(ordered))]
    assert (foreign is None) == (other not in names)


def test_plan_without_a_mini_batch_yet_has_no_file(tmp_path: Path) -> None:
    manifest = lookup.opened(planned(tmp_path, [], 10), Path("/in"), 10)

    assert (manifest.mini_batches, lookup.find(manifest, b"a")) == (0, None)
    manifest.close()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (b"f0042.txt", ["d/f0042.txt"]),
        (b"d/f0042.tx", ["d/f0042.txt"]),
        (b"D/F0042.TXT", ["d/f0042.txt"]),
        (b"q", []),
    ],
)
def test_what_may_be_meant_is_named(tmp_path: Path, typed: bytes, meant: list[str]) -> None:
    names = [b"d/f%04d.txt" % number for number in range(100)]
    manifest = lookup.opened(planned(tmp_path, names, 10), Path("/in"), 10)

    assert lookup.similar(manifest, typed) == meant
    manifest.close()


def test_a_file_of_a_million_is_found_with_few_reads_and_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [b"folder/file-%07d.bin" % number for number in range(1_000_000)]
    manifest = lookup.opened(planned(tmp_path, names, 10), Path("/in"), 10)
    reads = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *which: reads.append(which) or pread(*which))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    place = lookup.find(manifest, b"folder/file-0987654.bin")

    assert place == Place(98765, 4)
    assert len(reads) <= 2 * 18
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1024
    manifest.close()
