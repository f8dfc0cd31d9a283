"""Any order in which ranges come, and any interruption, gives the same file."""

from __future__ import annotations

import csv
import io
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.engine.contract import Span
from gristmill.run import assembling, parts
from gristmill.run.columns import header_line, reshaped, union_of
from gristmill.run.commit import Committer
from gristmill.run.waiting import Rows

RANGE = st.tuples(st.integers(1, 3), st.binary(max_size=40), st.integers(1, 3))
RANGES = st.lists(RANGE, min_size=1, max_size=12)
CELL = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["", '"', ",", "\r", "\n", "a\r\nb"]
)
NAMES = st.lists(st.sampled_from(["file", "a", "b", "c,", 'd"', ""]), min_size=1, max_size=4, unique=True)


@contextmanager
def written(ranges: list[tuple[int, bytes, int]]) -> Iterator[tuple[Path, list[Rows]]]:
    """Write the rows of (mini-batches, rows, part) to their parts; small limits make every path be taken."""
    small = mock.patch.multiple(assembling, COPY_BY_KERNEL=16, BUFFER_BYTES=24)
    with tempfile.TemporaryDirectory() as folder, small, mock.patch.object(parts, "_MOST_OPEN", 1):
        (Path(folder) / "parts").mkdir()
        sizes: dict[int, int] = {}
        rows, first = [], 0
        for batches, data, part in ranges:
            offset = sizes.get(part, 0)
            with open(Path(folder, "parts", f"{part}.part"), "ab") as file:
                file.write(data)
            sizes[part] = offset + len(data)
            rows.append(Rows(Span(first, batches), part, offset, len(data), zlib.crc32(data), 0))
            first += batches
        yield Path(folder), rows


def committed(folder: Path, steps: list[Rows | None], gaps: bool = False) -> bytes:
    """Add ranges, advance at each None, and publish."""
    committer = Committer(folder / "parts", folder / "scratch", [], with_header=False)
    for step in steps:
        if step is None:
            committer.advance()
        else:
            committer.add(step)
    if gaps:
        committer.advance_over_gaps()
    else:
        committer.advance()
    assert committer.is_complete
    assembly = committer.assemble()
    target = folder / "out" / "predictions.csv"
    committer.publish(target)
    data = target.read_bytes()
    assert assembly.size == len(data)
    position = 0
    for placed in committer.placed():
        assert placed.offset == position
        assert zlib.crc32(data[position : position + placed.length]) == placed.crc
        position += placed.length
    assert position == len(data)
    committer.close()
    return data


def in_order(ranges: list[tuple[int, bytes, int]]) -> bytes:
    return b"".join(data for _, data, _ in ranges)


@settings(max_examples=60)
@given(RANGES, st.data())
def test_any_order_of_ranges_gives_the_bytes_of_plan_order(
    ranges: list[tuple[int, bytes, int]], data: st.DataObject
) -> None:
    with written(ranges) as (folder, rows):
        steps = data.draw(st.permutations([*rows, *[None] * 3]))
        assert committed(folder, steps) == in_order(ranges)


@settings(max_examples=60)
@given(RANGES, st.data())
def test_an_interrupted_commit_done_again_gives_the_same_bytes(
    ranges: list[tuple[int, bytes, int]], data: st.DataObject
) -> None:
    with written(ranges) as (folder, rows):
        steps = data.draw(st.permutations([*rows, *[None] * 3]))
        cut, is_assembled = data.draw(st.integers(0, len(steps))), data.draw(st.booleans())
        interrupted = Committer(folder / "parts", folder / "scratch", [], with_header=False)
        for step in steps[:cut]:
            if step is None:
                interrupted.advance()
            else:
                interrupted.add(step)
        if is_assembled:
            interrupted.assemble()
        interrupted.close()
        assert committed(folder, steps) == in_order(ranges)
        assert committed(folder, list(rows)) == in_order(ranges)


@settings(max_examples=60)
@given(RANGES, st.data())
def test_a_partial_output_is_what_is_there_in_plan_order(
    ranges: list[tuple[int, bytes, int]], data: st.DataObject
) -> None:
    with written(ranges) as (folder, rows):
        kept = data.draw(st.lists(st.sampled_from(range(len(rows))), unique=True))
        steps = data.draw(st.permutations([*[rows[place] for place in kept], None, None]))
        assert committed(folder, steps, gaps=True) == b"".join(ranges[place][1] for place in sorted(kept))


@st.composite
def frames(draw: st.DrawFn) -> list[tuple[tuple[str, ...], list[list[str]]]]:
    """Draw blocks of rows, each with columns of its own."""
    return [
        (
            tuple(names),
            draw(st.lists(st.lists(CELL, min_size=len(names), max_size=len(names)), min_size=1, max_size=3)),
        )
        for names in draw(st.lists(NAMES, min_size=1, max_size=5))
    ]


def quoted(rows: list[list[str]]) -> bytes:
    """Return rows as a worker writes them: minimal quoting, and a lone empty cell quoted."""
    special = set(',"\r\n')
    lines = []
    for row in rows:
        cells = ['"' + c.replace('"', '""') + '"' if special & set(c) else c for c in row]
        lines.append('""' if cells == [""] else ",".join(cells))
    return "".join(line + "\n" for line in lines).encode("utf-8")


def parsed(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


@settings(max_examples=60)
@given(frames())
def test_rows_of_mixed_columns_parse_back_under_the_union_of_columns(
    blocks: list[tuple[tuple[str, ...], list[list[str]]]],
) -> None:
    columns = list(dict.fromkeys(names for names, _ in blocks))
    with written([(1, quoted(rows), 1) for _, rows in blocks]) as (folder, places):
        committer = Committer(folder / "parts", folder / "scratch", columns, with_header=True)
        for place, (names, _) in zip(places, blocks, strict=True):
            committer.add(place._replace(header=columns.index(names) + 1))
        committer.advance()
        assembly = committer.assemble()
        committer.publish(folder / "predictions.csv")
        data = (folder / "predictions.csv").read_bytes()
        crcs = [
            zlib.crc32(data[placed.offset : placed.offset + placed.length]) == placed.crc
            for placed in committer.placed()
        ]
        committer.close()
    union = tuple(dict.fromkeys(name for names, _ in blocks for name in names))
    assert assembly.columns == union
    assert crcs == [True] * len(blocks)
    assert zlib.crc32(data[: assembly.header_bytes]) == assembly.header_crc
    wanted = [
        {name: dict(zip(names, row, strict=True)).get(name, "") for name in union}
        for names, rows in blocks
        for row in rows
    ]
    assert list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""))) == wanted


@given(frames(), NAMES)
def test_reshaped_rows_keep_their_cells_by_column(
    blocks: list[tuple[tuple[str, ...], list[list[str]]]], extra: list[str]
) -> None:
    names, rows = blocks[0]
    union = union_of([names, tuple(extra)])
    assert parsed(header_line(union)) == [list(union)]
    wanted = [[dict(zip(names, row, strict=True)).get(name, "") for name in union] for row in rows]
    assert parsed(reshaped(quoted(rows), names, union)) == wanted


HEADED = st.lists(st.tuples(RANGE, st.integers(0, 2)), min_size=1, max_size=12)


@settings(max_examples=60)
@given(HEADED, st.randoms(use_true_random=False))
def test_line_of_the_first_rows_with_columns_stands_once_above_all_rows(
    ranges: list[tuple[tuple[int, bytes, int], int]], random: Random
) -> None:
    lines = ["one\n", "\udcfftwo\n"]
    with written([one for one, _ in ranges]) as (folder, rows):
        headed = [row._replace(header=header) for row, (_, header) in zip(rows, ranges, strict=True)]
        first = next((row.header for row in headed if row.length and row.header), 0)
        random.shuffle(headed)
        committer = Committer(folder / "parts", folder / "scratch", [("a",), ("b",)], True, lines)
        for row in headed:
            committer.add(row)
            committer.advance()
        assembly = committer.assemble()
        committer.publish(folder / "out" / "predictions.csv")
        placed = list(committer.placed())
        committer.close()
        data = (folder / "out" / "predictions.csv").read_bytes()

    line = lines[first - 1].encode("utf-8", "surrogateescape") if first else b""
    assert data == line + in_order([one for one, _ in ranges])
    assert (assembly.header_bytes, assembly.header_crc) == (len(line), zlib.crc32(line))
    assert [one.offset for one in placed] == [
        len(line) + sum(before.length for before in placed[:number]) for number in range(len(placed))
    ]
