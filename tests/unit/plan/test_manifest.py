"""Reading a manifest, and finding what is wrong with one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gristmill.errors import PlanError
from gristmill.plan.manifest import Manifest
from gristmill.plan.planner import Planner


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Hold the manifest of 7 files in mini-batches of 3."""
    (tmp_path / "input" / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c", "sub/d", "x", "y", "z"):
        (tmp_path / "input" / name).touch()
    planner = Planner(root=tmp_path / "input", folder=tmp_path / "plan", mini_batch_size=3)
    while not planner.complete:
        planner.step(1)
    planner.close()
    return tmp_path / "plan"


@pytest.fixture
def manifest(folder: Path) -> Iterator[Manifest]:
    manifest = Manifest.open(folder)
    yield manifest
    manifest.close()


def test_a_complete_manifest_tells_what_it_holds(manifest: Manifest, tmp_path: Path) -> None:
    assert (manifest.mini_batches, manifest.items, manifest.mini_batch_size) == (3, 7, 3)
    assert manifest.root == tmp_path / "input"
    assert sum(manifest.skipped.values()) == 0
    assert manifest.notices == []


def test_the_files_are_laid_out_as_workers_expect(folder: Path) -> None:
    assert (folder / "paths").read_bytes() == b"a\0b\0sub/c\0sub/d\0x\0y\0z\0"
    assert (folder / "offsets").read_bytes() == b"".join(n.to_bytes(8, "little") for n in (0, 10, 20, 22))
    assert sorted(path.name for path in folder.iterdir()) == ["offsets", "paths", "plan.json"]


def test_paths_of_returns_a_whole_mini_batch(manifest: Manifest) -> None:
    assert manifest.paths_of(0) == [b"a", b"b", b"sub/c"]
    assert manifest.paths_of(2) == [b"z"]


def test_paths_of_returns_a_part_of_a_mini_batch(manifest: Manifest) -> None:
    assert manifest.paths_of(1, 1) == [b"x", b"y"]
    assert manifest.paths_of(1, 0, 2) == [b"sub/d", b"x"]
    assert manifest.paths_of(1, 2, 1) == [b"y"]


@pytest.mark.parametrize(("first_item", "items"), [(3, 0), (0, 4), (2, 2), (-1, 1), (0, -1)])
def test_a_part_beyond_the_mini_batch_is_refused(manifest: Manifest, first_item: int, items: int) -> None:
    with pytest.raises(PlanError, match=r"mini-batch 1 of the manifest in .* has 3 items"):
        manifest.paths_of(1, first_item, items)


@pytest.mark.parametrize(
    ("mini_batch", "batches", "expected"), [(0, 1, 3), (2, 1, 1), (0, 3, 7), (1, 2, 4), (3, 0, 0)]
)
def test_items_are_counted_with_a_shorter_last_mini_batch(
    manifest: Manifest, mini_batch: int, batches: int, expected: int
) -> None:
    assert manifest.item_count(mini_batch, batches) == expected


@pytest.mark.parametrize(("mini_batch", "batches"), [(3, 1), (-1, 1), (0, 4), (0, -1)])
def test_mini_batches_that_are_not_there_are_refused(
    manifest: Manifest, mini_batch: int, batches: int
) -> None:
    with pytest.raises(PlanError, match="has 3 mini-batches"):
        manifest.item_count(mini_batch, batches)


def test_a_sound_manifest_passes(manifest: Manifest) -> None:
    manifest.verify()


@pytest.mark.parametrize("name", ["paths", "offsets", "plan.json"])
def test_every_changed_byte_is_found(folder: Path, name: str) -> None:
    sound = (folder / name).read_bytes()
    unnoticed = []
    for index, flip in ((index, flip) for index in range(len(sound)) for flip in (0x01, 0x20, 0x80, 0xFF)):
        changed = bytearray(sound)
        changed[index] ^= flip
        (folder / name).write_bytes(changed)
        if not _is_refused(folder, name):
            unnoticed.append((index, flip))
    assert unnoticed == []


def _is_refused(folder: Path, name: str) -> bool:
    try:
        manifest = Manifest.open(folder)
    except PlanError as error:
        return name in str(error)
    try:
        manifest.verify()
    except PlanError as error:
        return name in str(error)
    finally:
        manifest.close()
    return False


@pytest.mark.parametrize("name", ["paths", "offsets"])
def test_a_file_that_was_cut_short_is_found_when_opened(folder: Path, name: str) -> None:
    os.truncate(folder / name, (folder / name).stat().st_size - 1)
    with pytest.raises(PlanError, match=f"{name}' is damaged: it has .* bytes instead of .* start again"):
        Manifest.open(folder)


@pytest.mark.parametrize("name", ["paths", "offsets", "plan.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(PlanError, match=rf"there is no complete manifest in .* \({name} is missing\)"):
        Manifest.open(folder)


def test_a_byte_added_to_the_plan_is_found(folder: Path) -> None:
    with (folder / "plan.json").open("ab") as plan:
        plan.write(b"\n")
    with pytest.raises(PlanError, match=r"plan.json' is damaged: the checksum does not match"):
        Manifest.open(folder)


def test_damage_is_noticed_while_reading(folder: Path, manifest: Manifest) -> None:
    (folder / "paths").write_bytes(b"a\0b\0subsc\0sub/d\0x\0\0\0z\0")
    with pytest.raises(PlanError, match="mini-batch 1 does not hold 3 items"):
        manifest.paths_of(1)
    (folder / "offsets").write_bytes(b"".join(n.to_bytes(8, "little") for n in (0, 12, 20, 22)))
    with pytest.raises(PlanError, match="mini-batch 0 does not hold 3 items"):
        manifest.paths_of(0)
    (folder / "offsets").write_bytes(b"\xff" * 32)
    with pytest.raises(PlanError, match="the entries of mini-batch 0 make no sense"):
        manifest.paths_of(0)


def test_a_plan_of_a_newer_version_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gristmill.plan.layout.SCHEMA", 0)
    with pytest.raises(PlanError, match="has schema 1, this version reads 0; use the version"):
        Manifest.open(folder)
