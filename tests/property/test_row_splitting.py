"""What holds for every tabular file: its pieces together are the file, row by row and byte by byte."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from unittest import mock

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gristmill.plan import row_counting
from gristmill.plan.parquet_rows import NotParquet, parquet_rows
from gristmill.plan.row_counting import RowSplit, kind_of, ranges_of
from gristmill_worker import records
from gristmill_worker.records import FRESH, Scanner
from gristmill_worker.row_ranges import RowRange, parsed
from gristmill_worker.staging import Stage

ODD = st.lists(st.sampled_from([*'ab,"\n\r ', "\r\n", ",", '"\n', ',"', '""', '",']), max_size=40).map(
    "".join
)
CELL = st.text(st.sampled_from('ab ,;"\n\ré'), max_size=5)
SPLITS = st.builds(RowSplit, rows=st.integers(1, 6), bytes=st.none(), has_header=st.booleans()) | st.builds(
    RowSplit, rows=st.none(), bytes=st.integers(1, 25), has_header=st.booleans()
)


@contextmanager
def stage_of(name: str, data: bytes, block_bytes: int = 7) -> Iterator[tuple[Path, Stage]]:
    """Put a file into a folder, and make everything look at a few bytes at a time."""
    home = Path(tempfile.mkdtemp())
    small = [(records, "_SMALLEST_BYTES", 4), (records, "_FEW_BYTES", 2)]
    small += [(one, "BLOCK_BYTES", block_bytes) for one in (records, row_counting)]
    patches = [mock.patch.object(module, what, value) for module, what, value in small]
    try:
        for patch in patches:
            patch.start()
        (home / name).write_bytes(data)
        yield home / name, Stage(str(home / "stage"), str(home))
    finally:
        for patch in patches:
            patch.stop()
        shutil.rmtree(home)


def ranges(path: Path, split: RowSplit, told: list[str] | None = None) -> list[RowRange]:
    kind = kind_of(os.fsencode(path.name))
    assert kind is not None
    found = ranges_of(os.fsencode(path), kind, split, told if told is not None else [])
    return [one for one in found if one is not None]


def staged(stage: Stage, path: Path, one: RowRange, first_item: int = 0, items: int = 0) -> Path:
    rows = stage.prepare(os.fsencode(path.name) + one.to_bytes(), first_item, items)
    assert rows.total == (items or one.items - first_item)
    return Path(rows.paths[0])


def bodies(stage: Stage, path: Path, found: list[RowRange]) -> list[bytes]:
    """Return the pieces without their headers, which must be the file's."""
    whole = path.read_bytes()
    texts = [staged(stage, path, one).read_bytes() for one in found]
    assert all(text.startswith(whole[: one.header]) for one, text in zip(found, texts, strict=True))
    return [text[one.header :] for one, text in zip(found, texts, strict=True)]


@given(text=ODD, cuts=st.lists(st.integers(1, 5), max_size=60))
def test_the_scan_is_the_same_in_blocks_of_any_size(text: str, cuts: list[int]) -> None:
    data, whole, at = text.encode(), Scanner(b","), 0
    whole.feed(data)
    with mock.patch.object(records, "_SMALLEST_BYTES", 2):
        scanner = Scanner(b",")
        for size in [*cuts, len(data)]:
            end = at + size
            while data[end - 1 : end + 1] == b"\r\n":
                end += 1
            scanner.feed(data[at:end])
            at = end
    assert scanner.state == whole.state


@given(text=ODD)
@example('a\n5" pipe,x\n6" pipe,y\n')
@example('a,b\n"x""y\n",1\n"",2')
@example('"a\nb",c\r\r\n\n,\n')
def test_rows_are_those_of_the_csv_module(text: str) -> None:
    scanner = Scanner(b",")
    scanner.feed(text.encode())
    try:
        read = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error:
        assume(False)
    # The csv module does not tell white space that is quoted, which is a row, from a blank line.
    blank = sum(1 for row in read if len(row) == 1 and not row[0].strip(" \t\r\n"))
    rows = sum(1 for row in read if row)
    assert rows - blank <= scanner.rows_at_end <= rows


@given(text=ODD, rows=st.integers(1, 8))
def test_a_scan_up_to_a_row_ends_behind_its_line_break(text: str, rows: int) -> None:
    data, scanner = text.encode(), Scanner(b",")
    with mock.patch.object(records, "_FEW_BYTES", 2):
        taken = scanner.feed_until(rows, data)
    again = Scanner(b",", FRESH)
    again.feed(data[:taken])
    assert again.state == scanner.state
    assert taken == len(data) or (scanner.state.rows == rows and data[taken - 1 : taken] in b"\r\n")
    assert data[taken - 1 : taken + 1] != b"\r\n"


@given(text=ODD, split=SPLITS, extension=st.sampled_from([".csv", ".CSV", ".jsonl"]), bom=st.booleans())
@example(text='a,b\n1,"x\ny"\n2,z\n', split=RowSplit(rows=1), extension=".csv", bom=False)
@example(text='a,b\n1,"never closed\n2,z\n', split=RowSplit(rows=1), extension=".csv", bom=True)
@example(text="a\n\n\n1\n\n2\n \n\n", split=RowSplit(bytes=1), extension=".csv", bom=False)
@example(text="aaaaa\na\r\na", split=RowSplit(bytes=8, has_header=False), extension=".csv", bom=False)
@example(
    text="aaaaaaaa\r\n\r\n\r\na\r\na", split=RowSplit(bytes=17, has_header=False), extension=".csv", bom=True
)
@example(text="aaaaa\na\r\r\r\na", split=RowSplit(bytes=8, has_header=False), extension=".csv", bom=False)
@settings(max_examples=200)
def test_pieces_joined_are_the_file(text: str, split: RowSplit, extension: str, bom: bool) -> None:
    data = b"\xef\xbb\xbf" * bom + text.encode()
    with stage_of("f" + extension, data) as (path, stage):
        found = ranges(path, split)
        assert data[: found[0].header] + b"".join(bodies(stage, path, found)) == data
        assert [one.first for one in found[1:]] == [one.first + one.rows for one in found[:-1]]
        assert [one.is_whole for one in found] == ([True] if len(found) == 1 else [False] * len(found))
        assert all(one.rows for one in found) or len(found) == 1
        if split.rows is not None:
            assert all(one.rows == split.rows for one in found[:-1])
            assert found[-1].rows <= split.rows
        else:
            assert split.bytes is not None
            assert all(one.end - one.begin <= split.bytes or one.rows == 1 for one in found[:-1])
            assert len(found) == 1 or len(data) > split.bytes


@given(text=ODD, split=SPLITS, data=st.data())
def test_parts_of_a_piece_joined_are_the_piece(text: str, split: RowSplit, data: st.DataObject) -> None:
    with stage_of("f.csv", text.encode()) as (path, stage):
        for one in ranges(path, split):
            [whole] = bodies(stage, path, [one])
            cuts = sorted({0, one.items, *data.draw(st.sets(st.integers(1, one.items)))})
            parts = [staged(stage, path, one, at, end - at).read_bytes() for at, end in pairwise(cuts)]
            alone = len(parts) == 1
            assert b"".join(part[one.header :] for part in parts) == whole
            assert alone or all(
                scanned(part, one) == end - at for part, (at, end) in zip(parts, pairwise(cuts), strict=True)
            )


def scanned(part: bytes, one: RowRange) -> int:
    scanner = Scanner(b",")
    scanner.feed(part[one.header :])
    return scanner.rows_at_end


@given(
    table=st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=12)
    ),
    split=SPLITS.filter(lambda split: split.has_header),
    ending=st.sampled_from(["\n", "\r\n"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    final=st.booleans(),
    bom=st.booleans(),
)
@settings(max_examples=60)
def test_pandas_and_csv_read_pieces_as_they_read_the_file(
    table: list[list[str]], split: RowSplit, ending: str, delimiter: str, quoting: int, final: bool, bom: bool
) -> None:
    if ending == "\n" and any("\r" in cell for row in table for cell in row):
        quoting = (
            csv.QUOTE_ALL
        )  # the csv module leaves it bare, and pandas loses rows of such a file at times
    sink = io.StringIO(newline="")
    names = [f"column {number}" for number in range(len(table[0]))]
    csv.writer(sink, delimiter=delimiter, quoting=quoting, lineterminator=ending).writerows([names, *table])  # type: ignore[arg-type]  # an integer
    text = sink.getvalue() if final else sink.getvalue()[: -len(ending)]
    with stage_of("f.csv", b"\xef\xbb\xbf" * bom + text.encode(), 32) as (path, stage):
        pieces = [staged(stage, path, one) for one in ranges(path, split)]
        frames = [read_frame(one, delimiter) for one in pieces]
        pd.testing.assert_frame_equal(pd.concat(frames, ignore_index=True), read_frame(path, delimiter))
        rows = [row for one in pieces for row in read_rows(one, delimiter)[1:]]
        assert rows == read_rows(path, delimiter)[1:]


def read_frame(path: Path, delimiter: str) -> pd.DataFrame:
    return pd.read_csv(path, sep=delimiter, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def read_rows(path: Path, delimiter: str) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.reader(file, delimiter=delimiter))


@given(
    rows=st.integers(0, 40),
    group=st.integers(1, 15),
    split=st.builds(RowSplit, rows=st.integers(1, 15), bytes=st.none())
    | st.builds(RowSplit, rows=st.none(), bytes=st.integers(200, 4000)),
)
@settings(max_examples=25)
def test_pieces_of_parquet_have_its_rows_and_its_schema(rows: int, group: int, split: RowSplit) -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([None if n % 7 == 3 else n for n in range(rows)], dtype="Int64"),
            "kind": pd.Categorical([f"kind {n % 3}" for n in range(rows)]),
            "at": pd.to_datetime([f"2024-01-01T00:00:{n:02d}.000000001Z" for n in range(rows)]),
            "nested": [[n, n + 1] for n in range(rows)],
        }
    )
    with stage_of("f.parquet", b"") as (path, stage):
        whole = pa.Table.from_pandas(frame)
        pq.write_table(whole, path, row_group_size=group)
        found = ranges(path, split)
        assert sum(one.rows for one in found) == rows
        tables = [pq.read_table(staged(stage, path, one)) for one in found]
        assert [table.num_rows for table in tables] == [one.rows for one in found]
        assert all(table.schema.equals(pq.read_schema(path), check_metadata=True) for table in tables)
        assert pa.concat_tables(tables).equals(pq.read_table(path))
        if found[0].items > 1:
            part = staged(stage, path, found[0], 1, 1)
            assert pq.read_table(part).equals(pq.read_table(path).slice(1, 1))


@given(data=st.binary(max_size=60), length=st.integers(0, 70))
def test_a_footer_of_anything_is_read_or_refused(data: bytes, length: int) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(data + length.to_bytes(4, "little") + b"PAR1")
        file.flush()
        try:
            assert parquet_rows(file.fileno(), len(data) + 8) >= 0
        except NotParquet:
            pass


@given(
    one=st.builds(RowRange, st.booleans(), *[st.integers(0, 2**62)] * 7),
    name=st.binary(min_size=1, max_size=20),
)
def test_an_entry_is_read_as_it_was_written(one: RowRange, name: bytes) -> None:
    assume(b"//" not in name and b"\0" not in name and not name.endswith(b"/"))
    found = parsed(name + one.to_bytes())
    assert (found.name, found.range, found.items) == (name, one, one.items)
