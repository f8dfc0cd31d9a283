"""For all old and new sets of names: what is new and what is gone is found; a plan made longer has both."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.plan import comparison, lookup
from gristmill.plan.comparison import Changes, differences
from gristmill.plan.manifest import Manifest
from gristmill.plan.planner import Planner

NAMES = st.sets(st.binary(min_size=1, max_size=3).filter(lambda name: b"\0" not in name), max_size=40)
FILES = st.sets(st.text("ab/", min_size=1, max_size=5).map(lambda path: f"{path}/f".lstrip("/")), max_size=12)


def in_chunks(names: set[bytes], size: int) -> Iterator[list[bytes]]:
    ordered = sorted(names)
    yield []
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


@given(old=NAMES, now=NAMES, one=st.integers(1, 9), other=st.integers(1, 9), at_once=st.integers(1, 9))
def test_new_and_gone_are_found_in_order_however_the_names_come(
    old: set[bytes], now: set[bytes], one: int, other: int, at_once: int
) -> None:
    before, comparison.CHUNK_NAMES = comparison.CHUNK_NAMES, at_once
    try:
        found = list(differences(in_chunks(old, one), in_chunks(now, other)))
    finally:
        comparison.CHUNK_NAMES = before

    assert [name for gone, _ in found for name in gone] == sorted(old - now)
    assert [name for _, new in found for name in new] == sorted(now - old)


@settings(max_examples=40, deadline=None)
@given(
    stages=st.lists(FILES.filter(bool), min_size=2, max_size=4),
    removed=FILES,
    size=st.integers(1, 4),
)
def test_plan_made_longer_has_every_file_once_and_keeps_what_it_had(
    stages: list[set[str]], removed: set[str], size: int
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root, folder = Path(scratch, "in"), Path(scratch, "plan")
        there: set[str] = set()
        planned: list[str] = []
        before: list[list[bytes]] = []
        for stage in stages:
            for name in stage:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).touch()
            there |= {str((root / name).relative_to(root)) for name in stage}
            for name in removed & set(planned):
                (root / name).unlink(missing_ok=True)
                there.discard(name)
            planner = Planner(root=root, folder=folder, mini_batch_size=size)
            if planner.complete:
                changes = planner.take_new()
                assert (changes.new, changes.gone) == (
                    len(there - set(planned)),
                    len(set(planned) - there),
                )
                planned += sorted(there - set(planned))
            else:
                while not planner.complete:
                    planner.step(1)
                planned = sorted(there)
            assert list(planner.comparing())[-1].new == 0
            planner.close()
            manifest = Manifest.open(folder)
            manifest.verify()
            batches = [manifest.paths_of(number) for number in range(manifest.mini_batches)]
            assert [name.decode() for batch in batches for name in batch] == planned
            assert list(map(len, batches)) == list(map(manifest.item_count, range(len(batches))))
            firsts = [manifest.items_before(number) for number in range(len(batches))]
            assert firsts == [sum(map(len, batches[:number])) for number in range(len(batches))]
            owners = [number for number, batch in enumerate(batches) for _ in batch]
            assert [manifest.mini_batch_of(item) for item in range(manifest.items)] == owners
            assert batches[: len(before)] == before
            assert manifest.item_count(0, len(batches)) == len(planned)
            places = {name: (number, at) for number, one in enumerate(batches) for at, name in enumerate(one)}
            found = {name: lookup.find(manifest, name) for name in places}
            assert {name: (at.mini_batch, at.item) for name, at in found.items() if at} == places
            before = batches
            manifest.close()


def test_only_a_few_names_are_told_of_many() -> None:
    changes = Changes()
    for number in range(0, 100, 10):
        changes = changes.and_also([b"g%d" % number], [b"n%d" % one for one in range(number, number + 10)])

    assert changes == Changes(
        new=100, gone=10, some_new=(b"n0", b"n1", b"n2"), some_gone=(b"g0", b"g10", b"g20")
    )
