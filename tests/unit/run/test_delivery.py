"""Files that scripts wrote themselves reach the output once, whatever interrupts the moving."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.engine.contract import Farewell, Scored, Span
from gristmill.errors import StorageError
from gristmill.run.delivered import delivered_files
from gristmill.run.delivery import Delivery


@pytest.fixture
def delivery(tmp_path: Path) -> Delivery:
    (tmp_path / "output").mkdir()
    return again(tmp_path)


def again(tmp_path: Path, **more: Any) -> Delivery:
    """Return what a resumed job has."""
    return Delivery(tmp_path / "staging", tmp_path / "output", tmp_path / "delivered.jsonl", **more)


def left(tmp_path: Path, first: int, files: dict[str, str], *, part: int = 1, attempt: int = 1) -> Scored:
    """Set files aside as a worker does."""
    folder = tmp_path / "staging" / "aside" / str(part) / f"{first}-0-{attempt}"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Scored(Span(first), attempt, 1, 1, part, 0, 0, 0, 0, len(files), 0.1, 0)


def left_at_the_end(tmp_path: Path, part: int, files: dict[str, str]) -> Farewell:
    """Set files aside as a worker does after ``shutdown()``."""
    folder = tmp_path / "staging" / "aside" / str(part) / "shutdown"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Farewell(0, part, len(files), 0, 0, 0)


def assembled(tmp_path: Path, text: str) -> Path:
    """Put a file together in the staging folder."""
    path = tmp_path / "staging" / "appended" / "0"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """Let the process die before the so manieth rename (even steps) or just after it (odd ones)."""
    original, renames = os.rename, iter(range(1 << 30))

    def rename(source: Path, target: Path) -> None:
        number = next(renames)
        if 2 * number == step:
            raise Killed
        original(source, target)
        if 2 * number + 1 == step:
            raise Killed

    with mock.patch.object(os, "rename", rename), suppress(Killed):
        yield


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


# Many writers of one name


WRITERS = st.lists(st.integers(0, 40), min_size=1, max_size=6, unique=True)


def kept(writers: list[int], name: str = "a.txt") -> dict[str, str]:
    """Return what is to be there when these mini-batches, and no others, wrote a file."""
    return {name if one == max(writers) else f"{name}.mini-batch-{one}": str(one) for one in writers}


@settings(max_examples=60)
@given(WRITERS, st.sets(st.integers(0, 5)))
def test_whatever_the_order_the_latest_keeps_the_name_and_each_other_is_there_once(
    writers: list[int], resumed_before: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tmp_path = Path(folder)
        delivery, conflicts = again(tmp_path), 0
        for number, writer in enumerate(writers):
            if number in resumed_before:
                conflicts += delivery.conflicts
                delivery = again(tmp_path)
            delivery.deliver(left(tmp_path, writer, {"a.txt": str(writer), f"{writer}.txt": ""}))
        assert output(tmp_path) == {**kept(writers), **{f"{writer}.txt": "" for writer in writers}}
        assert conflicts + delivery.conflicts == len(writers) - 1


@settings(max_examples=60)
@given(WRITERS, st.lists(st.integers(0, 5), max_size=3))
def test_however_often_it_is_killed_nothing_is_lost_and_nothing_is_there_twice(
    writers: list[int], kills: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tmp_path = Path(folder)
        outcomes = [left(tmp_path, writer, {"a.txt": str(writer), "b.txt": "b"}) for writer in writers]
        for step in kills:
            with killed_at(step):
                delivery = again(tmp_path)
                for outcome in outcomes:
                    delivery.deliver(outcome)
        delivery = again(tmp_path)
        for outcome in outcomes:
            delivery.deliver(outcome)
        others = dict.fromkeys(kept(writers, "b.txt"), "b")
        assert output(tmp_path) == {**kept(writers), **others}


def test_many_contested_names_are_told_apart(delivery: Delivery, tmp_path: Path) -> None:
    names = [f"{number}.txt" for number in range(100)]
    for writer in (3, 1, 2):
        delivery.deliver(left(tmp_path, writer, dict.fromkeys(names, str(writer))))
    wanted = {(1, ".mini-batch-1"), (2, ".mini-batch-2"), (3, "")}
    assert output(tmp_path) == {name + suffix: str(writer) for name in names for writer, suffix in wanted}
    assert delivery.conflicts == 200


def test_of_many_conflicts_five_are_told_and_where_the_others_are(delivery: Delivery, tmp_path: Path) -> None:
    for writer in (1, 2):
        delivery.deliver(left(tmp_path, writer, {f"{number}.txt": "" for number in range(9)}))
    notices = delivery.take_notices()
    assert len(notices) == 6
    assert notices[0] == (
        "mini-batch 1 and mini-batch 2 both wrote 0.txt: the later one keeps the name, the other is "
        "0.txt.mini-batch-1"
    )
    assert "delivered.jsonl" in notices[-1]
    assert delivery.take_notices() == []


# Names that are taken


def test_a_file_that_was_there_before_may_be_replaced(delivery: Delivery, tmp_path: Path) -> None:
    (tmp_path / "output" / "a.txt").write_text("before")
    delivery.deliver(left(tmp_path, 3, {"a.txt": "three"}))
    assert output(tmp_path) == {"a.txt": "three"}
    assert delivery.take_notices() == []


@pytest.mark.parametrize("kill", [None, 0, 1])
def test_a_file_that_was_there_before_is_kept_where_it_may_not_be_replaced(
    tmp_path: Path, kill: int | None
) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "a.txt").write_text("before")
    outcomes = [left(tmp_path, first, {"a.txt": str(first)}) for first in (3, 5)]
    if kill is not None:
        with killed_at(kill):
            again(tmp_path, may_replace=False).deliver(outcomes[0])
    delivery = again(tmp_path, may_replace=False)
    for outcome in outcomes:
        delivery.deliver(outcome)
    assert output(tmp_path) == {"a.txt": "before", "a.txt.mini-batch-3": "3", "a.txt.mini-batch-5": "5"}
    assert "a.txt was there before the job; what mini-batch 5 wrote is a.txt.mini-batch-5" in (
        delivery.take_notices()
    )


def test_names_of_the_job_are_not_taken(tmp_path: Path) -> None:
    names = frozenset({"predictions.csv", "failures.jsonl"})
    delivery = again(tmp_path, reserved=names)
    files = {"predictions.csv": "p", "failures.jsonl": "f", ".gristmill-1": "g", "sub/predictions.csv": "s"}
    delivery.deliver(left(tmp_path, 4, files))
    assert output(tmp_path) == {
        "predictions.csv.mini-batch-4": "p", "failures.jsonl.mini-batch-4": "f",
        "gristmill-1.mini-batch-4": "g", "sub/predictions.csv": "s",
    }  # fmt: skip
    assert delivery.conflicts == 3
    assert "predictions.csv is the job's own name" in " ".join(delivery.take_notices())


@pytest.mark.parametrize("name", ["n" * 250, "sub/" + "n" * 255, "é" * 127, os.fsdecode(b"\xff" * 250)])
def test_a_long_name_is_cut_to_make_room_for_its_suffix(
    delivery: Delivery, tmp_path: Path, name: str
) -> None:
    for writer in (7, 12345, 1):
        delivery.deliver(left(tmp_path, writer, {name: str(writer)}))
    found = output(tmp_path)
    assert found.pop(name) == "12345"
    assert sorted(found.values()) == ["1", "7"]
    for other, text in found.items():
        assert other.endswith(f".mini-batch-{text}")
        assert len(os.fsencode(os.path.basename(other))) <= 255


# Farewells


def test_what_a_worker_leaves_at_its_end_comes_after_all_mini_batches(
    delivery: Delivery, tmp_path: Path
) -> None:
    delivery.deliver(left_at_the_end(tmp_path, 9, {"a.txt": "end", "sub/b.txt": "b"}))
    delivery.deliver(left(tmp_path, 1 << 40, {"a.txt": "late"}))
    assert output(tmp_path) == {"a.txt": "end", f"a.txt.mini-batch-{1 << 40}": "late", "sub/b.txt": "b"}
    assert "a worker's shutdown() both wrote a.txt" in delivery.take_notices()[0]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_two_workers_that_leave_one_name_the_later_keeps_it(
    delivery: Delivery, tmp_path: Path, order: tuple[int, int]
) -> None:
    for part in order:
        delivery.deliver(left_at_the_end(tmp_path, part, {"sum.txt": str(part)}))
    assert output(tmp_path) == {"sum.txt": "2", "sum.txt.shutdown-1": "1"}


def test_a_farewell_delivered_twice_is_there_once(delivery: Delivery, tmp_path: Path) -> None:
    farewell = left_at_the_end(tmp_path, 1, {"sum.txt": "1"})
    delivery.deliver(farewell)
    again(tmp_path).deliver(farewell)
    assert output(tmp_path) == {"sum.txt": "1"}
    assert list((tmp_path / "staging" / "aside" / "1").iterdir()) == []


# What a loss of power took


def test_files_that_are_set_aside_or_delivered_are_not_lost(delivery: Delivery, tmp_path: Path) -> None:
    waiting, moved = left(tmp_path, 1, {"a": "", "b": ""}), left(tmp_path, 2, {"c": "", "d/e": ""})
    delivery.deliver(moved)
    without = left(tmp_path, 3, {})
    assert again(tmp_path).lost([waiting, moved, without]) == []


def test_half_delivered_is_not_lost(delivery: Delivery, tmp_path: Path) -> None:
    scored = left(tmp_path, 1, {"a": "", "b": ""})
    with killed_at(2):
        delivery.deliver(scored)
    assert (tmp_path / "output" / "a").exists()
    assert not (tmp_path / "output" / "b").exists()
    assert again(tmp_path).lost([scored]) == []


@pytest.mark.parametrize("delivered", [True, False])
def test_an_outcome_of_which_a_file_is_gone_is_lost(
    delivery: Delivery, tmp_path: Path, delivered: bool
) -> None:
    gone, other = left(tmp_path, 1, {"a": "", "b": ""}), left(tmp_path, 2, {"c": ""})
    where = tmp_path / "staging" / "aside" / "1" / "1-0-1"
    if delivered:
        delivery.deliver(gone)
        where = tmp_path / "output"
    (where / "b").unlink()
    assert again(tmp_path).lost([gone, other]) == [gone]


def test_what_void_mini_batches_left_is_withdrawn_and_nothing_else(
    delivery: Delivery, tmp_path: Path
) -> None:
    for first in (1, 2, 3):
        delivery.deliver(left(tmp_path, first, {f"{first}.txt": "", "same.txt": str(first)}))
    for _ in range(2):
        again(tmp_path).withdraw([Span(1), Span(3)])
        assert output(tmp_path) == {"2.txt": "", "same.txt.mini-batch-2": "2"}


def test_what_a_void_part_of_a_mini_batch_left_is_withdrawn_and_not_that_of_its_other_parts(
    delivery: Delivery, tmp_path: Path
) -> None:
    for number, part in enumerate((Span(1, 1, 0, 4), Span(1, 1, 4, 4)), 1):
        folder = tmp_path / "staging" / "aside" / str(number) / f"1-{part.first_item}-1"
        folder.mkdir(parents=True)
        (folder / f"{part.first_item}.txt").write_text("")
        delivery.deliver(Scored(part, 1, 4, 4, number, 0, 0, 0, 0, 1, 0.1, 0))

    again(tmp_path).withdraw([Span(1, 1, 4, 4)])

    assert output(tmp_path) == {"0.txt": ""}


def test_what_is_out_of_date_stays_until_it_is_replaced_or_the_job_is_complete(
    delivery: Delivery, tmp_path: Path
) -> None:
    delivery.deliver(left(tmp_path, 1, {"same.txt": "old", "gone.txt": "old"}))
    delivery.deliver(left(tmp_path, 2, {"same.txt": "2"}))
    rerun = again(tmp_path)
    rerun.outdate([Span(1)])
    assert output(tmp_path) == {"same.txt": "2", "same.txt.mini-batch-1": "old", "gone.txt": "old"}

    rerun.deliver(left(tmp_path, 1, {"same.txt": "new"}))
    again(tmp_path).remove_unfinished()

    assert output(tmp_path) == {"same.txt": "2", "same.txt.mini-batch-1": "new"}
    assert sorted(name for name, _ in delivered_files(tmp_path / "delivered.jsonl")) == [
        "same.txt",
        "same.txt.mini-batch-1",
    ]


def test_what_workers_of_a_rerun_leave_at_their_ends_does_not_displace_what_is_there(
    delivery: Delivery, tmp_path: Path
) -> None:
    delivery.deliver(left_at_the_end(tmp_path, 1, {"all.bin": "all"}))

    rerun = again(tmp_path, is_rerun=True)
    rerun.deliver(left_at_the_end(tmp_path, 2, {"all.bin": "few"}))

    assert output(tmp_path) == {"all.bin": "all", "all.bin.shutdown-2": "few"}
    assert rerun.take_notices() == [
        "all.bin stays as it was; what a worker's shutdown() wrote now is all.bin.shutdown-2"
    ]


# Files that were put together


@pytest.mark.parametrize("kill", [None, 0, 1])
def test_a_file_that_was_put_together_gets_its_name_and_again_after_a_crash(
    tmp_path: Path, kill: int | None
) -> None:
    if kill is not None:
        with killed_at(kill):
            again(tmp_path).place(assembled(tmp_path, "all"), "sub/all.csv")
    delivery = again(tmp_path)
    assert delivery.place(assembled(tmp_path, "all"), "sub/all.csv") == "sub/all.csv"
    assert output(tmp_path) == {"sub/all.csv": "all"}
    assert delivery.conflicts == 0


@pytest.mark.parametrize("kill", [None, 0, 1, 2, 3])
def test_a_file_that_was_put_together_keeps_its_name_before_whole_ones(
    tmp_path: Path, kill: int | None
) -> None:
    again(tmp_path).deliver(left(tmp_path, 5, {"all.csv": "five"}))
    if kill is not None:
        with killed_at(kill):
            again(tmp_path).place(assembled(tmp_path, "all"), "all.csv")
    assert again(tmp_path).place(assembled(tmp_path, "all"), "all.csv") == "all.csv"
    assert output(tmp_path) == {"all.csv": "all", "all.csv.mini-batch-5": "five"}


@pytest.mark.parametrize("kill", [None, 0, 1])
def test_a_file_that_was_put_together_makes_way_for_the_job_s_own_and_for_older_ones(
    tmp_path: Path, kill: int | None
) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "old.csv").write_text("before")
    options: dict[str, Any] = {"reserved": {"predictions.csv"}, "may_replace": False}
    if kill is not None:
        with killed_at(kill):
            again(tmp_path, **options).place(assembled(tmp_path, "all"), "old.csv")
    delivery = again(tmp_path, **options)
    assert delivery.place(assembled(tmp_path, "all"), "old.csv") == "old.csv.appended"
    assert delivery.place(assembled(tmp_path, "rows"), "predictions.csv") == "predictions.csv.appended"
    assert output(tmp_path) == {
        "old.csv": "before",
        "old.csv.appended": "all",
        "predictions.csv.appended": "rows",
    }


def test_an_unfinished_file_is_shown_replaced_and_removed(delivery: Delivery, tmp_path: Path) -> None:
    delivery.deliver(left(tmp_path, 1, {"sub/whole.csv": "w"}))
    delivery.place_unfinished(assembled(tmp_path, "half"), "sub/all.csv")
    assert output(tmp_path) == {"sub/whole.csv": "w", "sub/all.partial.csv": "half"}
    resumed = again(tmp_path)
    resumed.place_unfinished(assembled(tmp_path, "more"), "sub/all.csv")
    assert output(tmp_path) == {"sub/whole.csv": "w", "sub/all.partial.csv": "more"}
    resumed.place(assembled(tmp_path, "all"), "sub/all.csv")
    for _ in range(2):
        again(tmp_path).remove_unfinished()
        assert output(tmp_path) == {"sub/whole.csv": "w", "sub/all.csv": "all"}
    assert (delivery.conflicts, resumed.conflicts) == (0, 0)


@pytest.mark.parametrize("kill", [0, 1])
def test_an_unfinished_file_whose_placing_was_cut_off_is_removed_all_the_same(
    tmp_path: Path, kill: int
) -> None:
    with killed_at(kill):
        again(tmp_path).place_unfinished(assembled(tmp_path, "half"), "all.csv")
    again(tmp_path).remove_unfinished()
    assert output(tmp_path) == {}


def test_what_cannot_be_removed_is_told(delivery: Delivery, tmp_path: Path) -> None:
    delivery.place_unfinished(assembled(tmp_path, "half"), "all.csv")
    (tmp_path / "output" / "all.partial.csv").unlink()
    (tmp_path / "output" / "all.partial.csv").mkdir()
    with pytest.raises(
        StorageError, match=r"all\.partial\.csv, of several mini-batches together and out of date"
    ):
        delivery.remove_unfinished()


def test_a_disk_that_cannot_be_synced_is_told(delivery: Delivery, tmp_path: Path) -> None:
    left(tmp_path, 1, {"a": ""})
    delivery.sync()
    gone = Delivery(tmp_path / "nowhere", tmp_path / "output", tmp_path / "log")
    with pytest.raises(StorageError, match="cannot be made durable"):
        gone.sync()
