"""Files that scripts wrote themselves reach the output once, whatever interrupts the moving."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gristmill.engine.contract import Scored, Span
from gristmill.errors import StorageError
from gristmill.run.delivery import Delivery


@pytest.fixture
def delivery(tmp_path: Path) -> Delivery:
    (tmp_path / "output").mkdir()
    return again(tmp_path)


def again(tmp_path: Path) -> Delivery:
    """Return what a resumed job has."""
    return Delivery(tmp_path / "staging", tmp_path / "output", tmp_path / "delivered.jsonl")


def left(tmp_path: Path, first: int, files: dict[str, str], *, part: int = 1, attempt: int = 1) -> Scored:
    """Set files aside as a worker does."""
    folder = tmp_path / "staging" / "aside" / str(part) / f"{first}-0-{attempt}"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Scored(Span(first), attempt, 1, 1, part, 0, 0, 0, 0, len(files), 0.1, 0)


def output(tmp_path: Path) -> dict[str, str]:
    root = tmp_path / "output"
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_files_and_their_folders_are_moved(delivery: Delivery, tmp_path: Path) -> None:
    delivery.deliver(left(tmp_path, 0, {"a.txt": "a", "date=2024-01-01/b.txt": "b"}))
    assert output(tmp_path) == {"a.txt": "a", "date=2024-01-01/b.txt": "b"}
    assert delivery.conflicts == 0


def test_nothing_stays_set_aside(delivery: Delivery, tmp_path: Path) -> None:
    delivery.deliver(left(tmp_path, 3, {"deep/er/a.txt": "a"}, part=7, attempt=2))
    assert list((tmp_path / "staging" / "aside" / "7").iterdir()) == []


def test_delivering_twice_is_delivering_once(delivery: Delivery, tmp_path: Path) -> None:
    scored = left(tmp_path, 0, {"a.txt": "a"})
    delivery.deliver(scored)
    delivery.deliver(scored)
    assert output(tmp_path) == {"a.txt": "a"}
    assert delivery.conflicts == 0


def test_the_later_mini_batch_keeps_the_name(delivery: Delivery, tmp_path: Path) -> None:
    delivery.deliver(left(tmp_path, 2, {"a.txt": "two"}))
    delivery.deliver(left(tmp_path, 5, {"a.txt": "five"}))
    assert output(tmp_path) == {"a.txt": "five", "a.txt.mini-batch-2": "two"}
    assert delivery.conflicts == 1


def test_the_later_mini_batch_keeps_the_name_also_when_it_comes_first(
    delivery: Delivery, tmp_path: Path
) -> None:
    delivery.deliver(left(tmp_path, 5, {"a.txt": "five"}))
    delivery.deliver(left(tmp_path, 2, {"a.txt": "two"}))
    assert output(tmp_path) == {"a.txt": "five", "a.txt.mini-batch-2": "two"}
    assert delivery.conflicts == 1


def test_of_three_mini_batches_the_last_keeps_the_name(delivery: Delivery, tmp_path: Path) -> None:
    for first in (5, 2, 8):
        delivery.deliver(left(tmp_path, first, {"a.txt": str(first)}))
    assert output(tmp_path) == {"a.txt": "8", "a.txt.mini-batch-5": "5", "a.txt.mini-batch-2": "2"}


def test_a_resumed_job_knows_who_wrote_what(delivery: Delivery, tmp_path: Path) -> None:
    delivery.deliver(left(tmp_path, 5, {"a.txt": "five"}))
    again(tmp_path).deliver(left(tmp_path, 2, {"a.txt": "two"}))
    assert output(tmp_path) == {"a.txt": "five", "a.txt.mini-batch-2": "two"}


def test_a_mini_batch_that_ran_again_replaces_its_own_file(delivery: Delivery, tmp_path: Path) -> None:
    delivery.deliver(left(tmp_path, 4, {"a.txt": "old"}))
    delivery.deliver(left(tmp_path, 4, {"a.txt": "new"}, part=2))
    assert output(tmp_path) == {"a.txt": "new"}
    assert delivery.conflicts == 0


@pytest.mark.parametrize("order", [(2, 5), (5, 2)])
@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_move_that_is_cut_off_anywhere_is_done_again(
    delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[int, int], renames: int
) -> None:
    ranges = [left(tmp_path, first, {"a.txt": str(first)}) for first in order]
    delivery.deliver(ranges[0])
    original, done = os.rename, iter(range(renames))

    def cut_off(source: Path, target: Path) -> None:
        if next(done, None) is None:
            raise OSError("killed here")
        original(source, target)

    monkeypatch.setattr(os, "rename", cut_off)
    try:
        delivery.deliver(ranges[1])
    except StorageError:
        pass
    monkeypatch.undo()
    for scored in ranges:
        again(tmp_path).deliver(scored)
    assert output(tmp_path) == {"a.txt": "5", "a.txt.mini-batch-2": "2"}


def test_a_torn_line_in_the_log_of_moves_is_passed_over(delivery: Delivery, tmp_path: Path) -> None:
    delivery.deliver(left(tmp_path, 5, {"a.txt": "five"}))
    with open(tmp_path / "delivered.jsonl", "a") as log:
        log.write('[5, "b.t')
    again(tmp_path).deliver(left(tmp_path, 2, {"b.txt": "two"}))
    again(tmp_path).deliver(left(tmp_path, 1, {"b.txt": "one"}))
    assert output(tmp_path) == {"a.txt": "five", "b.txt": "two", "b.txt.mini-batch-1": "one"}


def test_a_name_that_is_not_utf_8_is_moved(delivery: Delivery, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.txt")
    delivery.deliver(left(tmp_path, 2, {name: "two"}))
    delivery.deliver(left(tmp_path, 1, {name: "one"}))
    assert output(tmp_path) == {name: "two", f"{name}.mini-batch-1": "one"}


def test_a_link_is_moved_as_a_link(delivery: Delivery, tmp_path: Path) -> None:
    scored = left(tmp_path, 0, {"sub/a.txt": "a"})
    os.symlink("sub", tmp_path / "staging" / "aside" / "1" / "0-0-1" / "link")
    delivery.deliver(scored)
    assert os.readlink(tmp_path / "output" / "link") == "sub"


def test_what_cannot_be_moved_stays_set_aside_and_is_named(delivery: Delivery, tmp_path: Path) -> None:
    scored = left(tmp_path, 6, {"a.txt": "a"})
    (tmp_path / "output").rmdir()
    (tmp_path / "output").write_text("a file")
    with pytest.raises(StorageError, match="files of mini-batch 6 cannot be moved"):
        delivery.deliver(scored)
    assert (tmp_path / "staging" / "aside" / "1" / "6-0-1" / "a.txt").read_text() == "a"
