"""The Parquet file of a job: its types, its row groups, and that the same rows are always the same bytes."""

from __future__ import annotations

import datetime
import itertools
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gristmill.engine.contract import Span
from gristmill.errors import SchemaError, StorageError
from gristmill.run import row_groups
from gristmill.run import table as table_module
from gristmill.run.assembling import AssembledFile
from gristmill.run.placed import PlacedRanges
from gristmill.run.projection import footer_bytes
from gristmill.run.published_table import PublishedTable
from gristmill.run.records import Placed
from gristmill.run.table import Table, Written
from gristmill_worker.encoded import Encoded
from gristmill_worker.rows import encoder

ENCODE = encoder("parquet", "score.py")
DAY, WHEN = datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2, 3)  # noqa: DTZ001  # it has no zone


def written(folder: Path, ranges: Sequence[Sequence[Any]], *, allows_text: bool = False) -> Written:
    """Write a file of ranges, each of which holds the results of some mini-batches."""
    folder.mkdir(parents=True, exist_ok=True)
    columns: list[tuple[str, ...]] = []
    types: list[tuple[str, ...]] = []
    table = Table(columns, types, lambda number: f"file {number}", allows_text=allows_text)
    known: dict[tuple[Any, Any], int] = {}
    first = 0
    with (
        closing(AssembledFile(folder / "assembled")) as source,
        closing(PlacedRanges(folder / "placed")) as placed,
    ):
        for results in ranges:
            some: list[Encoded] = [ENCODE(result, []) for result in results]
            kinds = {(one.header, one.types) for one in some}
            assert len(kinds) == 1, "a range has rows of one kind"
            header = known.setdefault(kinds.pop(), len(known) + 1)
            if header > len(columns):
                columns.append(some[0].header or ())
                types.append(some[0].types)
            span = Span(first, len(some))
            table.note(header, span)
            data = b"".join(one.data for one in some)
            placed.add(Placed(span, source.size, len(data), zlib.crc32(data)), header)
            source.write(data)
            first += len(some)
        source.flush()
        made = table.write(source, placed)
    assert made.size == made.path.stat().st_size
    assert made.crc == zlib.crc32(made.path.read_bytes())
    return made


def test_pandas_reads_the_file_with_its_types(tmp_path: Path) -> None:
    made = written(
        tmp_path,
        [
            [[{"n": 1, "t": None, "d": DAY, "v": [1]}], [{"n": 2, "t": None, "d": DAY, "v": [2, 3]}]],
            [[{"n": 0.5, "t": "x", "d": WHEN, "v": [0.5], "k": {"a": [None]}}]],
        ],
    )
    frame = pd.read_parquet(made.path)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "n": "float64", "t": "str", "d": "datetime64[us]", "v": "object", "k": "str",
    }  # fmt: skip
    assert frame["n"].tolist() == [1, 2, 0.5]
    assert frame["v"].map(list).tolist() == [[1], [2, 3], [0.5]]
    assert frame["k"].tolist()[2] == '{"a": [null]}'
    assert [(one.span, one.offset, one.length) for one in made.placed.read()] == [
        (Span(0, 2), 0, 2),
        (Span(2, 1), 2, 1),
    ]
    assert made.rows == 3
    made.placed.close()


ROWS = st.lists(
    st.fixed_dictionaries(
        {"n": st.integers(-9, 9), "t": st.none() | st.text(), "v": st.lists(st.integers(0, 9))}
    ),
    min_size=1,
    max_size=30,
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, cuts=st.sets(st.integers(1, 29)), merged=st.sets(st.integers(1, 29)))
def test_the_bytes_do_not_depend_on_where_ranges_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[Any], cuts: set[int], merged: set[int]
) -> None:
    monkeypatch.setattr(row_groups, "ROWS_PER_STEP", 4)
    monkeypatch.setattr(row_groups, "ROWS_PER_GROUP", 12)
    monkeypatch.setattr(row_groups, "BYTES_PER_GROUP", 200)
    monkeypatch.setattr(table_module, "_ROWS_AT_ONCE", 5)
    fixed = [{"n": 0, "t": "", "v": [1]}, *rows]  # each piece has a value for every type
    bounds = sorted({0, len(fixed), *(cut for cut in cuts if cut < len(fixed))})
    pieces = [pd.DataFrame(fixed[a:b], columns=["n", "t", "v"]) for a, b in itertools.pairwise(bounds)]
    for piece in pieces:
        piece["t"] = piece["t"].astype("str")
        piece["v"] = piece["v"].map(lambda values: values or [0])
    ranges: list[list[Any]] = []
    for number, piece in enumerate(pieces):
        if number in merged and ranges:
            ranges[-1].append(piece)
        else:
            ranges.append([piece])
    whole = written(tmp_path / "whole", [[pd.concat(pieces, ignore_index=True)]])
    parts = written(tmp_path / "parts", ranges)
    assert parts.path.read_bytes() == whole.path.read_bytes()
    whole.placed.close()
    parts.placed.close()


def test_a_projection_leaves_the_footer_out(tmp_path: Path) -> None:
    made = written(tmp_path, [[[{"p": 1}]]])
    assert footer_bytes(made.path) == pq.ParquetFile(made.path).metadata.serialized_size + 12
    assert footer_bytes(tmp_path / "none") == 0
    made.placed.close()


def test_row_groups_have_a_useful_size(tmp_path: Path) -> None:
    rows = 200_000
    frame = pd.DataFrame({"n": range(rows)})
    made = written(tmp_path / "rows", [[frame[start : start + 777]] for start in range(0, rows, 777)])
    metadata = pq.ParquetFile(made.path).metadata
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [
        row_groups.ROWS_PER_GROUP,
        rows - row_groups.ROWS_PER_GROUP,
    ]
    made.placed.close()
    wide = pd.DataFrame({"t": ["x" * 100_000] * 2_000})
    made = written(tmp_path / "bytes", [[wide]])
    metadata = pq.ParquetFile(made.path).metadata
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [1024, 976]
    made.placed.close()


def test_types_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError) as refused:
        written(tmp_path, [[[{"p": 1}]], [[{"p": None}]], [[{"p": "x"}]]])
    said = str(refused.value)
    assert "the column p is text in the rows of mini-batch 2 (its first file is file 2), and int64" in said
    assert "--set gristmill.conflicting_types=text" in said


def test_types_that_do_not_fit_are_noted_as_soon_as_they_are_there() -> None:
    table = Table(
        [("p",)] * 4, [("null",), ("int64",), ("double",), ("string",)], lambda number: f"file {number}"
    )
    for header in (1, 2, 3):
        table.note(header, Span(header))
        assert table.misfit is None
    table.note(4, Span(4))
    table.note(2, Span(9))
    assert "the column p is text in the rows of mini-batch 4 (its first file is file 4)" in str(table.misfit)


def test_values_of_different_types_in_one_mini_batch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="the column p has values of different types in the rows of mini-b"):
        written(tmp_path, [[[{"p": 1}, {"p": "x"}]]])


def test_a_number_that_is_too_large_for_a_float_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"the column p is int64 in the rows of mini-batch 0 .* float64"):
        written(tmp_path, [[[{"p": 2**53 + 1}]], [[{"p": 0.5}]]])


def test_types_that_do_not_fit_are_text_where_that_is_allowed(tmp_path: Path) -> None:
    values: list[Any] = [1, 0.5, True, "x", None, [1, 2], {"a": 1}, DAY, WHEN, b"\x00"]
    ranges = [[[{"p": value}]] for value in values]
    made = written(tmp_path, [*ranges, [[{"p": 7}, {"p": "y"}]]], allows_text=True)
    assert pq.read_table(made.path)["p"].to_pylist() == [
        "1", "0.5", "true", "x", None, "[1, 2]", '{"a": 1}', "2024-01-02", "2024-01-02 03:00:00.000000",
        r"b'\x00'", "7", "y",
    ]  # fmt: skip
    made.placed.close()


def test_rows_of_a_published_file_come_back_as_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_groups, "ROWS_PER_GROUP", 1024)
    frame = pd.DataFrame({"n": range(3000), "v": [[float(n)] for n in range(3000)]})
    made = written(tmp_path, [[frame]])
    published = PublishedTable(made.path)
    assert (published.names, published.types) == (["n", "v"], ["int64", "list<double>"])
    for offset, count in ((0, 1), (1020, 10), (1000, 2000), (2999, 1)):
        assert published.rows(offset, count)["n"].to_pylist() == list(range(offset, offset + count))
    with pytest.raises(StorageError, match="has fewer rows than were published"):
        published.rows(2990, 11)
    published.close()
    made.placed.close()


def test_a_disk_that_is_full_is_an_error_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, table: pa.Table, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path, [[[{"p": 1}]]])
