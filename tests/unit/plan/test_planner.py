"""Planning step by step, failing in words, and starting over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gristmill.errors import InputError, PlanError
from gristmill.plan import listing
from gristmill.plan import planner as planner_module
from gristmill.plan.manifest import Manifest
from gristmill.plan.planner import Planner


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def finished(planner: Planner) -> Planner:
    while not planner.complete:
        planner.step(1)
    return planner


def all_paths(manifest: Manifest) -> list[bytes]:
    return [path for number in range(manifest.mini_batches) for path in manifest.paths_of(number)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Hold 20 files in 5 folders."""
    touch(tmp_path / "input", *(f"f{folder}/{number}" for folder in range(5) for number in range(4)))
    return tmp_path / "input"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "job" / "plan"


def cut_off(root: Path, folder: Path, mini_batches: int, mini_batch_size: int = 2) -> list[list[bytes]]:
    """Leave an unfinished manifest with at least so many mini-batches, and return what they hold."""
    planner = Planner(root=root, folder=folder, mini_batch_size=mini_batch_size)
    while planner.mini_batches < mini_batches:
        planner.step(0)
    assert not planner.complete
    held = [planner.manifest.paths_of(number) for number in range(planner.mini_batches)]
    planner.close()
    return held


def test_mini_batches_can_be_read_while_planning_goes_on(root: Path, folder: Path) -> None:
    planner = Planner(root=root, folder=folder, mini_batch_size=3)
    while not planner.mini_batches:
        planner.step(0)
    assert not planner.complete
    assert (planner.mini_batches, planner.items) == (1, 3)
    assert planner.manifest.paths_of(0) == [b"f0/0", b"f0/1", b"f0/2"]
    assert planner.manifest.item_count(0) == 3
    assert finished(planner).items == 20
    assert planner.manifest.item_count(0, 7) == 20
    planner.close()


def test_the_manifest_that_grew_equals_the_one_that_is_opened(root: Path, folder: Path) -> None:
    planner = finished(Planner(root=root, folder=folder, mini_batch_size=3))
    opened = Manifest.open(folder)
    opened.verify()
    assert all_paths(planner.manifest) == all_paths(opened)
    assert (opened.items, opened.mini_batches, opened.root) == (20, 7, root)
    planner.close()
    opened.close()


def test_offsets_never_point_beyond_the_paths_written(root: Path, folder: Path) -> None:
    planner = Planner(root=root, folder=folder, mini_batch_size=3)
    while not planner.complete:
        planner.step(0)
        entries = (folder / "offsets").read_bytes()
        assert int.from_bytes(entries[-8:], "little") <= (folder / "paths").stat().st_size
        assert len(entries) == 8 * (planner.mini_batches + 1)
    planner.close()


def test_a_step_after_the_end_does_nothing(root: Path, folder: Path) -> None:
    planner = finished(Planner(root=root, folder=folder, mini_batch_size=3))
    before = (folder / "plan.json").stat().st_mtime_ns
    planner.step(1)
    assert (folder / "plan.json").stat().st_mtime_ns == before
    planner.close()


def test_a_single_file_is_one_mini_batch(root: Path, folder: Path) -> None:
    planner = finished(Planner(root=root / "f0" / "1", folder=folder, mini_batch_size=10))
    assert planner.manifest.paths_of(0) == [b"1"]
    assert planner.manifest.root == root / "f0"
    planner.close()


def test_the_plan_folder_and_excluded_folders_are_not_listed(root: Path) -> None:
    touch(root, "out/predictions.csv")
    planner = Planner(root=root, folder=root / "plan", mini_batch_size=10, exclude=[root / "out"])
    assert finished(planner).items == 20
    assert planner.manifest.skipped["excluded"] == 2
    planner.close()


def test_what_was_skipped_is_kept_with_the_plan(root: Path, folder: Path) -> None:
    touch(root, ".hidden", "_SUCCESS")
    (root / "loop").symlink_to(".")
    finished(Planner(root=root, folder=folder, mini_batch_size=10)).close()
    opened = Manifest.open(folder)
    assert opened.skipped == {
        "hidden": 1, "markers": 1, "special": 0, "excluded": 0, "loops": 1, "folders": 0,
        "by_pattern": 0, "not_included": 0
    }  # fmt: skip
    assert opened.notices == [
        "'loop' leads back, through a link, to the input folder itself; it is not listed again"
    ]
    opened.close()


def test_a_root_that_is_not_utf8_comes_back_as_it_was(tmp_path: Path, folder: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    touch(root, "a")
    finished(Planner(root=root, folder=folder, mini_batch_size=1)).close()
    opened = Manifest.open(folder)
    assert opened.root == root
    opened.verify()
    opened.close()


def test_an_empty_folder_is_an_input_error(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    planner = Planner(root=tmp_path / "empty", folder=folder, mini_batch_size=1)
    with pytest.raises(InputError, match=r"the input folder '.*empty' has no files. Name a folder"):
        finished(planner)
    with pytest.raises(InputError, match="has no files"):
        planner.step(1)
    assert not planner.complete
    assert not (folder / "plan.json").exists()
    planner.close()


def test_a_folder_with_nothing_but_hidden_files_says_so(tmp_path: Path, folder: Path) -> None:
    touch(tmp_path / "input", ".a", ".b/c", "_SUCCESS")
    planner = Planner(root=tmp_path / "input", folder=folder, mini_batch_size=1)
    with pytest.raises(
        InputError, match=r"passed over were 2 with a hidden name \(--include-hidden .*\), 1 markers such as"
    ):
        finished(planner)
    planner.close()


def test_a_missing_input_leaves_nothing_behind(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="there is no file or folder"):
        Planner(root=tmp_path / "nowhere", folder=folder, mini_batch_size=1)
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_a_plan_error(root: Path) -> None:
    with pytest.raises(PlanError, match=r"the folder .* cannot be made"):
        Planner(root=root, folder=root / "f0" / "1" / "plan", mini_batch_size=1)


def test_a_full_disk_is_a_plan_error(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planner = Planner(root=root, folder=folder, mini_batch_size=1)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gristmill.plan.appending.write_all", full)
    with pytest.raises(PlanError, match="cannot be written: No space left on device; free some space"):
        finished(planner)
    planner.close()


def test_a_complete_manifest_is_not_made_again(root: Path, folder: Path) -> None:
    finished(Planner(root=root, folder=folder, mini_batch_size=3)).close()
    touch(root, "later")
    again = Planner(root=root, folder=folder, mini_batch_size=3)
    assert (again.complete, again.restarted, again.compared, again.items) == (True, False, True, 20)
    again.close()


def test_a_complete_manifest_of_another_size_is_refused(root: Path, folder: Path) -> None:
    finished(Planner(root=root, folder=folder, mini_batch_size=3)).close()
    with pytest.raises(PlanError, match="was cut into mini-batches of 3 files, not of 4 files; keep"):
        Planner(root=root, folder=folder, mini_batch_size=4)


def test_a_first_planner_was_not_restarted(root: Path, folder: Path) -> None:
    planner = Planner(root=root, folder=folder, mini_batch_size=3)
    assert (planner.restarted, planner.compared, planner.unchanged_mini_batches) == (False, True, 0)
    planner.close()


def test_after_a_cut_an_unchanged_input_keeps_all_mini_batches(root: Path, folder: Path) -> None:
    held = cut_off(root, folder, 4)
    again = Planner(root=root, folder=folder, mini_batch_size=2)
    assert (again.restarted, again.compared) == (True, False)
    finished(again)
    assert (again.compared, again.unchanged_mini_batches) == (True, len(held))
    again.close()


def test_after_a_cut_a_new_file_voids_what_comes_after_it(root: Path, folder: Path) -> None:
    cut_off(root, folder, 6)
    touch(root, "f1/2.new")
    again = finished(Planner(root=root, folder=folder, mini_batch_size=2))
    assert (again.compared, again.unchanged_mini_batches) == (True, 3)
    again.close()


def test_after_a_cut_a_removed_file_voids_what_comes_after_it(root: Path, folder: Path) -> None:
    cut_off(root, folder, 6)
    (root / "f0/1").unlink()
    again = finished(Planner(root=root, folder=folder, mini_batch_size=2))
    assert again.unchanged_mini_batches == 0
    again.close()


def test_after_a_cut_an_input_that_shrank_voids_what_it_lacks(root: Path, folder: Path) -> None:
    cut_off(root, folder, 6)
    for number in range(2, 5):
        for name in range(4):
            (root / f"f{number}/{name}").unlink()
    again = finished(Planner(root=root, folder=folder, mini_batch_size=2))
    assert (again.mini_batches, again.compared, again.unchanged_mini_batches) == (4, True, 4)
    again.close()
    reopened = Planner(root=root, folder=folder, mini_batch_size=2)
    assert (reopened.complete, reopened.restarted, reopened.unchanged_mini_batches) == (True, True, 4)
    reopened.close()


def test_after_a_cut_another_size_voids_everything(root: Path, folder: Path) -> None:
    cut_off(root, folder, 6)
    again = finished(Planner(root=root, folder=folder, mini_batch_size=3))
    assert again.unchanged_mini_batches == 0
    again.close()


def test_a_shorter_last_mini_batch_that_grew_is_void(root: Path, folder: Path, tmp_path: Path) -> None:
    finished(Planner(root=root, folder=folder, mini_batch_size=3)).close()
    (folder / "plan.json").unlink()
    touch(root, "later")
    again = finished(Planner(root=root, folder=folder, mini_batch_size=3))
    assert (again.mini_batches, again.unchanged_mini_batches) == (7, 6)
    again.close()


def test_what_differed_once_stays_void_after_a_second_cut(root: Path, folder: Path) -> None:
    cut_off(root, folder, 8)
    touch(root, "f1/2.new")
    cut_off(root, folder, 6)
    (root / "f1/2.new").unlink()
    third = finished(Planner(root=root, folder=folder, mini_batch_size=2))
    assert (third.restarted, third.unchanged_mini_batches) == (True, 3)
    third.close()


def test_a_second_cut_before_the_comparison_is_over_loses_nothing(root: Path, folder: Path) -> None:
    held = cut_off(root, folder, 8)
    cut_off(root, folder, 2)
    third = finished(Planner(root=root, folder=folder, mini_batch_size=2))
    assert third.unchanged_mini_batches == len(held)
    third.close()


def test_the_verdict_outlives_completion_until_it_is_forgotten(root: Path, folder: Path) -> None:
    cut_off(root, folder, 6)
    touch(root, "f1/2.new")
    finished(Planner(root=root, folder=folder, mini_batch_size=2)).close()
    third = Planner(root=root, folder=folder, mini_batch_size=2)
    assert (third.complete, third.restarted, third.unchanged_mini_batches) == (True, True, 3)
    third.forget_previous()
    assert not third.restarted
    third.forget_previous()
    third.close()
    fourth = Planner(root=root, folder=folder, mini_batch_size=2)
    assert not fourth.restarted
    assert sorted(path.name for path in folder.iterdir()) == ["offsets", "paths", "plan.json"]
    fourth.close()


def test_once_forgotten_the_newer_listing_is_what_counts(root: Path, folder: Path) -> None:
    cut_off(root, folder, 2)
    touch(root, "f0/0.new")
    second = Planner(root=root, folder=folder, mini_batch_size=2)
    while not second.compared:
        second.step(0)
    assert second.unchanged_mini_batches == 0
    second.forget_previous()
    while second.mini_batches < 6:
        second.step(0)
    known = second.mini_batches
    second.close()
    third = finished(Planner(root=root, folder=folder, mini_batch_size=2))
    assert third.unchanged_mini_batches == known
    third.close()


def test_forgetting_before_the_comparison_is_over_is_refused(root: Path, folder: Path) -> None:
    cut_off(root, folder, 6)
    again = Planner(root=root, folder=folder, mini_batch_size=2)
    with pytest.raises(PlanError, match="is still being compared"):
        again.forget_previous()
    again.close()


def test_a_cut_between_setting_aside_the_two_files_loses_nothing(root: Path, folder: Path) -> None:
    held = cut_off(root, folder, 6)
    (folder / "offsets").rename(folder / "offsets.previous")
    again = finished(Planner(root=root, folder=folder, mini_batch_size=2))
    assert again.unchanged_mini_batches == len(held)
    again.close()


def test_a_cut_while_forgetting_does_no_harm(root: Path, folder: Path) -> None:
    cut_off(root, folder, 4)
    finished(Planner(root=root, folder=folder, mini_batch_size=2)).close()
    (folder / "paths.previous").unlink()
    again = Planner(root=root, folder=folder, mini_batch_size=2)
    assert (again.complete, again.restarted, again.compared) == (True, False, True)
    again.close()


def test_old_offsets_without_their_paths_are_not_trusted(root: Path, folder: Path) -> None:
    cut_off(root, folder, 6)
    os.truncate(folder / "paths", 12)
    again = finished(Planner(root=root, folder=folder, mini_batch_size=2))
    assert again.unchanged_mini_batches == 1
    again.close()


def test_a_giant_folder_is_planned_in_many_short_steps(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SLICE_ENTRIES", 5)
    monkeypatch.setattr(planner_module, "FLUSH_BYTES", 1)
    touch(tmp_path / "flat", *(f"{number:03}" for number in range(100)))
    planner = Planner(root=tmp_path / "flat", folder=folder, mini_batch_size=10)
    steps = 0
    while not planner.complete:
        planner.step(0)
        steps += 1
    assert steps >= 20
    assert all_paths(planner.manifest) == [b"%03d" % number for number in range(100)]
    planner.close()
