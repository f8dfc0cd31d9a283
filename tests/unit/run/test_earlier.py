"""An output that was published before: what of it can be copied, and what takes its place."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from gristmill.engine.contract import Span
from gristmill.errors import JobChangedError, StorageError
from gristmill.run.earlier import EarlierOutput, Places, last_publications
from gristmill.run.journal import Journal
from gristmill.run.placed import PlacedIndex
from gristmill.run.records import Placed, PlacedPiece, Published, PublishedFile, Start
from gristmill.run.replacement import Replacement, whereabouts

HEADER, ROWS = b'a,"b\nc"\n', (b"1,2\n", b"3,4\n5,6\n")


def places_of(*rows: bytes, header: bytes = HEADER) -> Places:
    """Return where these rows are in a file that begins with a header."""
    position, placed = len(header), PlacedIndex()
    for number, data in enumerate(rows):
        span = Span(number)
        placed.add(Placed(span, position, len(data), zlib.crc32(data)))
        position += len(data)
    published = Published("p.csv", position, len(header), zlib.crc32(header), "")
    return Places(published=published, rows=placed)


def file_of(*pieces: tuple[int, int, bytes], order: tuple[int, ...] | None = None) -> tuple[Places, bytes]:
    """Return the places of pieces (mini-batch, part, bytes), which stand in a file in some order."""
    data, placed = b"", {}
    for number in order or range(len(pieces)):
        mini_batch, part, piece = pieces[number]
        where = (part, 0, len(data), len(piece), zlib.crc32(piece))
        placed[Span(mini_batch)] = [PlacedPiece(0, Span(mini_batch), *where)]
        data += piece
    places = places_of()
    places.files.append(PublishedFile("all", len(data), zlib.crc32(data)))
    places.pieces.update(placed)
    return places, data


@pytest.fixture
def earlier(tmp_path: Path) -> EarlierOutput:
    (tmp_path / "p.csv").write_bytes(HEADER + b"".join(ROWS))
    return EarlierOutput(tmp_path, places_of(*ROWS))


def test_the_columns_of_an_earlier_output_are_those_of_its_first_line(earlier: EarlierOutput) -> None:
    assert earlier.header() == ("a", "b\nc")


def test_an_output_that_is_as_it_was_published_can_be_copied(earlier: EarlierOutput) -> None:
    earlier.check()
    earlier.check_untouched()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (HEADER + b"1,2\n3,4\n5,7\n", "the rows of mini-batch 1 (bytes 12 to 20) are not those"),
        (b'A,"b\nc"\n' + b"".join(ROWS), "its first line is not the one that was published"),
        (HEADER + b"".join(ROWS) + b"x", "it has 21 bytes, and 20 were published"),
    ],
)
def test_the_first_range_that_was_edited_is_named(earlier: EarlierOutput, data: bytes, said: str) -> None:
    earlier.target.write_bytes(data)
    with pytest.raises(JobChangedError) as refused:
        earlier.check()
    assert said in str(refused.value)


def test_a_file_that_is_another_one_now_is_not_replaced(earlier: EarlierOutput, tmp_path: Path) -> None:
    earlier.check()
    (tmp_path / "copy").write_bytes(earlier.target.read_bytes())
    os.rename(tmp_path / "copy", earlier.target)
    with pytest.raises(StorageError, match="has changed since it was published, and is not replaced"):
        earlier.check_untouched()


@pytest.mark.parametrize(
    ("pieces", "order", "must_stay", "is_as_written"),
    [
        (((0, 1, b"a\n"), (1, 1, b"b\n")), (0, 1), False, False),
        (((0, 1, b"a\n"), (1, 1, b"b\n")), (1, 0), False, True),
        (((0, 1, b"a"), (1, 1, b"b\n")), (0, 1), True, False),
        (((0, 1, b"a"), (1, 2, b"b")), (0, 1), False, False),
    ],
    ids=["lines", "as written", "an archive", "of several workers"],
)
def test_what_can_be_done_with_a_file_follows_from_its_pieces(
    tmp_path: Path, pieces: tuple[tuple[int, int, bytes], ...], order: tuple[int, ...],
    must_stay: bool, is_as_written: bool,
) -> None:  # fmt: skip
    places, data = file_of(*pieces, order=order)
    (tmp_path / "all").write_bytes(data)
    form = EarlierOutput(tmp_path, places).forms()["all"]
    assert (form.must_stay, form.is_as_written) == (must_stay, is_as_written)


def test_a_file_whose_places_are_not_known_must_stay(tmp_path: Path) -> None:
    places, data = file_of((0, 1, b"a\n"))
    places.pieces.clear()
    (tmp_path / "all").write_bytes(data)
    assert EarlierOutput(tmp_path, places).forms()["all"].must_stay


# What takes its place


@pytest.fixture
def replacement(earlier: EarlierOutput, tmp_path: Path) -> Replacement:
    """A new output that lies ready, and is in the journal."""
    journal = Journal(tmp_path / "journal", 1, 0)
    for fence, rows in ((1, ROWS), (2, (b"7,8\n",))):
        places = places_of(*rows)
        assert places.published is not None
        journal.record(Start(fence, "run", "host", 1, "", False, fence > 1))
        for record in (*places.rows, places.published):
            journal.record(record)
        journal.flush()
    journal.close()
    found = Replacement(tmp_path / "staging", tmp_path, "p.csv")
    found.begin()
    (found.folder / "p.csv").write_bytes(HEADER + b"7,8\n")
    return found


def test_the_last_publications_are_told_with_what_belongs_to_each(
    replacement: Replacement, tmp_path: Path
) -> None:
    older, newer = last_publications(tmp_path / "journal", 2)
    assert ([one.span for one in older.rows], [one.span for one in newer.rows]) == (
        [Span(0), Span(1)],
        [Span(0)],
    )
    assert older.position < newer.position


def test_what_lies_ready_takes_the_place_of_the_older_file_and_again_changes_nothing(
    replacement: Replacement, tmp_path: Path
) -> None:
    assert whereabouts(tmp_path / "staging", tmp_path, "p.csv") == replacement.folder / "p.csv"
    for _ in range(2):
        replacement.put_in_place(tmp_path / "journal", is_sure=False)
        assert (tmp_path / "p.csv").read_bytes() == HEADER + b"7,8\n"
    assert whereabouts(tmp_path / "staging", tmp_path, "p.csv") == tmp_path / "p.csv"


def test_an_older_file_that_was_edited_stays(replacement: Replacement, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(b"mine")
    with pytest.raises(StorageError, match="is not replaced"):
        replacement.put_in_place(tmp_path / "journal", is_sure=False)
    assert (tmp_path / "p.csv").read_bytes() == b"mine"
