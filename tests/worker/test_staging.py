"""Rows of a mini-batch as files of their own: what a script gets, and as what its results count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gristmill_worker.row_ranges import RowRange
from gristmill_worker.staging import Rows, Source, Stage, StagingError

TEXT = b"n,w\n0,a\n1,b\n2,c\n"


def raw(path: Path, *, whole: bool = False, rows: int = 3, name: bytes = b"") -> bytes:
    """Return the entry of a file that holds `TEXT`, of all of its rows."""
    status = os.stat(path)
    found = RowRange(whole, 0, rows, 4, len(TEXT), 4, status.st_size, status.st_mtime_ns)
    return (name or os.fsencode(path.name)) + found.to_bytes()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "t.csv"
    path.parent.mkdir()
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(str(tmp_path / "pieces"), str(tmp_path / "in"))


def test_piece_has_the_header_and_its_rows_and_is_gone_when_it_is_cleared(table: Path, stage: Stage) -> None:
    rows = stage.prepare(raw(table), 1, 1)
    [path] = rows.paths
    assert os.path.basename(path) == "t.rows-1-1.csv"
    assert Path(path).read_bytes() == b"n,w\n1,b\n"
    assert rows.sources == {path: Source(str(table), 1)}
    stage.clear()
    assert not os.path.exists(path)


def test_file_that_is_not_split_is_passed_itself(table: Path, stage: Stage) -> None:
    rows = stage.prepare(raw(table, whole=True) + b"\0other.txt", 0, 0)
    assert rows.paths == [str(table), str(table.with_name("other.txt"))]
    assert (rows.total, set(rows.sources.values())) == (4, {Source(path, 0) for path in rows.paths})


@pytest.mark.parametrize(
    ("results", "succeeded"),
    [(3, 5), (4, 5), (9, 5), (2, 2), (1, 1), (0, 0)],
    ids=["one for each path", "one for each row", "more", "some", "one", "none"],
)
def test_results_count_for_paths_or_for_rows(table: Path, stage: Stage, results: int, succeeded: int) -> None:
    empty = raw(table, whole=True, rows=0, name=b"e.csv")
    rows = stage.prepare(b"\0".join([raw(table), empty, b"x.bin"]), 0, 0)
    assert rows.total == 5
    assert rows.succeeded(results) == succeeded


def test_names_fit_the_result(table: Path, stage: Stage) -> None:
    rows: Rows = stage.prepare(raw(table) + b"\0x.bin", 0, 0)
    assert rows.names_for([1, 2]) == ["t.csv", "x.bin"]
    assert rows.names_for([1, 2, 3, 4]) == ["t.csv", "t.csv", "t.csv", "x.bin"]
    assert rows.names_for(7) == ["t.csv", "x.bin"]


def test_file_that_changed_or_is_gone_is_told(table: Path, stage: Stage) -> None:
    entry = raw(table)
    os.utime(table, ns=(1, 1))
    with pytest.raises(StagingError, match=r"t.csv has changed since its rows were counted.*put it back"):
        stage.prepare(entry, 0, 0)
    table.unlink()
    with pytest.raises(StagingError, match=r"t.csv cannot be read: No such file.*put it back"):
        stage.prepare(entry, 0, 0)


def test_place_that_takes_no_pieces_is_named_with_its_number(table: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    stage = Stage(str(tmp_path / "file" / "pieces"), str(tmp_path / "in"))
    with pytest.raises(
        OSError, match=r"rows of t.csv cannot be put into the temporary folder \(TMPDIR\)"
    ) as told:
        stage.prepare(raw(table), 0, 0)
    assert told.value.errno is not None


def test_longest_name_of_a_file_is_no_trouble(table: Path, stage: Stage) -> None:
    long = table.with_name("n" * 251 + ".csv")
    table.rename(long)
    [path] = stage.prepare(raw(long), 0, 2).paths
    assert path.endswith("n.rows-0-1.csv")
    assert Path(path).read_bytes() == b"n,w\n0,a\n1,b\n"
