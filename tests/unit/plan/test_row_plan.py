"""A plan in which items are rows: cut, read, compared, made longer, and searched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gristmill.errors import PlanError
from gristmill.plan import lookup
from gristmill.plan.lookup import Place
from gristmill.plan.manifest import Manifest
from gristmill.plan.planner import Planner
from gristmill.plan.row_counting import Kind, RowSplit, kind_of, ranges_of
from gristmill_worker import records


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Files around one table of seven rows: `a` and `s` have two rows, `e` none, `t` is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    table = "n\n" + "".join(f"{n}\n" for n in range(7))
    small = "n\n1\n2\n"
    for name, text in {"a.csv": small, "big.csv": table, "e.csv": "n\n", "s.csv": small, "t": "t"}.items():
        (folder / name).write_text(text)
    return folder


def planner_of(root: Path, folder: Path, size: int | None = 10, most_bytes: int | None = None) -> Planner:
    split = RowSplit(rows=3)
    return Planner(
        root=root, folder=folder, mini_batch_size=size, mini_batch_bytes=most_bytes, row_split=split
    )


def planned(root: Path, folder: Path, size: int | None = 10, most_bytes: int | None = None) -> Manifest:
    planner = planner_of(root, folder, size, most_bytes)
    while not planner.complete:
        planner.step(0.01)
    planner.close()
    return Manifest.open(folder)


def names(manifest: Manifest) -> list[list[str]]:
    batches = range(manifest.mini_batches)
    return [[os.fsdecode(one.piece_name) for one in manifest.inputs_of(batch)] for batch in batches]


PIECES = [["big.rows-0-2.csv"], ["big.rows-3-5.csv"], ["big.rows-6-6.csv"]]


def test_pieces_are_alone_and_the_others_are_grouped(root: Path, tmp_path: Path) -> None:
    manifest = planned(root, tmp_path / "plan")
    assert names(manifest) == [["a.csv"], *PIECES, ["e.csv", "s.csv", "t"]]
    assert [manifest.item_count(batch) for batch in range(5)] == [2, 3, 3, 1, 1 + 2 + 1]
    assert (manifest.items, [manifest.mini_batch_of(item) for item in (0, 1, 2, 9)]) == (13, [0, 0, 1, 4])
    manifest.verify()
    manifest.close()


@pytest.mark.parametrize(("size", "most_bytes"), [(2, None), (None, 8)])
def test_what_is_not_split_is_grouped_by_number_and_by_size(
    root: Path, tmp_path: Path, size: int | None, most_bytes: int | None
) -> None:
    manifest = planned(root, tmp_path / "plan", size, most_bytes)
    assert names(manifest) == [["a.csv"], *PIECES, ["e.csv", "s.csv"], ["t"]]
    manifest.close()


def test_a_part_may_begin_and_end_within_files(root: Path, tmp_path: Path) -> None:
    manifest = planned(root, tmp_path / "plan")
    part = [os.fsdecode(one.piece_name) for one in manifest.inputs_of(4, 0, 2)]
    assert part == ["e.csv", "s.rows-0-0.csv"]
    assert [one.piece_name for one in manifest.inputs_of(1, 1, 2)] == [b"big.rows-1-2.csv"]
    assert manifest.paths_of(4, 1) == [b"s.csv", b"t"]
    with pytest.raises(PlanError, match="has 4 items"):
        manifest.inputs_of(4, 3, 2)
    manifest.close()


def test_files_are_compared_by_their_names_and_new_ones_are_split(root: Path, tmp_path: Path) -> None:
    planned(root, tmp_path / "plan").close()
    (root / "big.csv.bak").write_text("b")
    (root / "c.csv").write_text("n\n1\n2\n3\n4\n")
    (root / "s.csv").unlink()
    planner = planner_of(root, tmp_path / "plan")
    changes = planner.take_new()
    assert (changes.new, changes.gone) == (2, 1)
    assert names(planner.manifest)[5:] == [["big.csv.bak"], ["c.rows-0-2.csv"], ["c.rows-3-3.csv"]]
    planner.manifest.verify()
    assert [name for some in planner.manifest.sorted_paths() for name in some] == [
        b"a.csv", b"big.csv", b"big.csv.bak", b"c.csv", b"e.csv", b"s.csv", b"t",
    ]  # fmt: skip
    planner.close()


def test_a_plan_that_was_split_in_another_way_is_refused(root: Path, tmp_path: Path) -> None:
    planned(root, tmp_path / "plan").close()
    with pytest.raises(PlanError, match="files split at 3 rows, not of 10 files; keep that size"):
        Planner(root=root, folder=tmp_path / "plan", mini_batch_size=10)


def test_files_and_rows_are_found_where_they_stand(root: Path, tmp_path: Path) -> None:
    manifest = planned(root, tmp_path / "plan")
    assert lookup.find(manifest, b"a.csv") == Place(0, 0, 2)
    assert lookup.find(manifest, b"s.csv") == Place(4, 1, 2)
    assert lookup.find(manifest, b"t") == Place(4, 3, 1)
    assert lookup.find(manifest, b"big.csv") == Place(1, 0, 3, is_split=True)
    assert lookup.find(manifest, b"big.rows-3-5.csv") == Place(2, 0, 3)
    assert lookup.find(manifest, b"big.rows-4-4.csv") == Place(2, 1, 1)
    assert lookup.find(manifest, b"s.rows-1-1.csv") == Place(4, 2, 1)
    for beyond in (b"big.rows-2-3.csv", b"big.rows-7-7.csv", b"big.rows-5-4.csv", b"c.rows-0-0.csv"):
        assert lookup.find(manifest, beyond) is None
    manifest.close()


def test_split_files_are_told_once_each(root: Path, tmp_path: Path) -> None:
    manifest = planned(root, tmp_path / "plan")
    assert [one.name for one in manifest.split_files()] == [b"big.csv"]
    manifest.close()


def test_a_table_that_changes_while_it_is_listed_again_is_different(root: Path, tmp_path: Path) -> None:
    planner = planner_of(root, tmp_path / "plan")
    while planner.mini_batches < 4:
        planner.step(0)
    planner.close()
    os.utime(root / "big.csv", ns=(1, 1))
    again = planner_of(root, tmp_path / "plan")
    while not again.compared:
        again.step(0.01)
    assert again.unchanged_mini_batches == 1
    again.close()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("w.csv", "n,m\n1,2\n".encode("utf-16"), "is UTF-16"),
        ("p.parquet", b"PAR1 nothing", "cannot be split by rows, for it does not end as a Parquet file does"),
        ("p.parquet", b"xx\x10\x00\x00\x00PAR1", "cannot be split by rows"),
        ("q.csv", b'n\n1\n"2\n3\n', "has a quote in row 1 (counted from 0) that is never closed"),
    ],
)
def test_what_cannot_be_split_is_told(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    told: list[str] = []
    kind = kind_of(os.fsencode(name))
    assert kind is not None
    found = [one for one in ranges_of(os.fsencode(path), kind, RowSplit(rows=5), told) if one is not None]
    assert [one.is_whole for one in found] == ([True] if name == "q.csv" else [])
    assert said in told[0]


def test_many_files_that_cannot_be_split_are_counted(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for number in range(9):
        (root / f"{number}.parquet").write_bytes(b"")
    manifest = planned(root, tmp_path / "plan")
    assert (len(manifest.notices), manifest.items) == (6, 9)
    assert manifest.notices[-1].startswith("4 more files could not be split by rows")
    manifest.close()


def test_a_piece_is_known_once_a_row_behind_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BLOCK_BYTES", 2)
    path = tmp_path / "t.csv"
    path.write_text("n\n" + "1\n" * 100)
    found = list(ranges_of(os.fsencode(path), Kind.CSV, RowSplit(rows=10), []))
    pieces = [number for number, one in enumerate(found) if one is not None]
    assert (len(pieces), pieces[0]) == (10, 11)  # after the pauses of the header and of ten rows
