"""What is recorded is read back, for every record and every place at which the writer may be cut off."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.engine.contract import Farewell, Scored, Span
from gristmill.run.journal import Journal, intact_size, read_journal, read_record
from gristmill.run.records import (
    FailedTry,
    JobColumns,
    Mark,
    Modules,
    Placed,
    PlacedPiece,
    PlanComplete,
    Published,
    PublishedFile,
    Record,
    Revoked,
    Start,
    decode,
    encode,
)

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
BIT = st.integers(0, 1)
SECONDS = st.floats(0, 1e9, allow_nan=False)
TEXT = st.text(st.characters(), max_size=20)  # surrogates too: file names need not be UTF-8
SPAN = st.builds(Span, U64, U32, U32, U32)
RECORD = st.one_of(
    st.builds(Start, st.integers(1, 2**40), TEXT, TEXT, U32, TEXT, st.booleans(), st.booleans()),
    st.builds(Scored, SPAN, st.integers(0, 65535), *[U64] * 5, U32, U32, U32, SECONDS, U32, U64, U32, BIT),
    st.builds(Farewell, U32, U64, U32, U64, U64, U32, U64),
    st.builds(PublishedFile, TEXT, U64, U32, TEXT, U32),
    st.builds(PlacedPiece, U32, SPAN, U32, U64, U64, U64, U32),
    st.builds(FailedTry, SPAN, U32, TEXT, TEXT, TEXT, SECONDS, U32, TEXT, st.booleans(), U64, TEXT),
    st.builds(JobColumns, U32, st.lists(TEXT).map(tuple), TEXT),
    st.builds(Modules, st.lists(st.tuples(TEXT, TEXT)).map(tuple)),
    st.builds(PlanComplete, U64, U64),
    st.just(Mark()),
    st.builds(Revoked, SPAN, U64, U64, U64, U64),
    st.builds(Placed, SPAN, U64, U64, U32),
    st.builds(Published, TEXT, U64, U64, U32, TEXT),
)
GROUPS = st.lists(st.lists(RECORD, min_size=1, max_size=3), max_size=4)


def written(path: Path, groups: list[list[Record]], fence: int = 1) -> list[int]:
    """Write the groups and return the size of the journal after each."""
    journal = Journal(path, fence, intact_size(path))
    sizes = []
    for group in groups:
        for record in group:
            journal.record(record)
        journal.flush()
        sizes.append(path.stat().st_size)
    journal.close()
    return sizes


def read(path: Path) -> list[Record]:
    return [entry.record for entry in read_journal(path)]


def flat(groups: list[list[Record]]) -> list[Record]:
    return [record for group in groups for record in group]


@given(RECORD)
def test_decode_is_the_inverse_of_encode(record: Record) -> None:
    framed = encode(record)
    back = decode(framed[0], framed[5:])
    assert back == record
    assert type(back) is type(record)


@settings(max_examples=60)
@given(GROUPS)
def test_a_journal_holds_what_was_written_in_order(groups: list[list[Record]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.bin")
        written(path, groups)
        assert read(path) == flat(groups)
        assert intact_size(path) == path.stat().st_size
        for entry in read_journal(path):
            if isinstance(entry.record, FailedTry):
                with open(path, "rb") as file:
                    assert read_record(file, entry.position) == entry.record


@settings(max_examples=60)
@given(GROUPS, GROUPS, st.data())
def test_a_journal_cut_anywhere_keeps_its_whole_groups_and_goes_on(
    before: list[list[Record]], behind: list[list[Record]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.bin")
        sizes = written(path, before)
        cut = data.draw(st.integers(0, sizes[-1] if sizes else 0))
        path.write_bytes(path.read_bytes()[:cut])
        whole = sum(size <= cut for size in sizes)
        assert read(path) == flat(before[:whole])
        assert intact_size(path) == (sizes[whole - 1] if whole else 0)
        written(path, behind, fence=2)
        assert read(path) == flat(before[:whole]) + flat(behind)
        fences = [entry.fence for entry in read_journal(path)]
        assert fences == [1] * len(flat(before[:whole])) + [2] * len(flat(behind))


@settings(max_examples=60)
@given(GROUPS.filter(len), st.data())
def test_a_changed_byte_hides_its_group_and_what_follows_and_nothing_else(
    groups: list[list[Record]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.bin")
        sizes = written(path, groups)
        place = data.draw(st.integers(0, sizes[-1] - 1))
        whole = sum(size <= place for size in sizes)
        changed = bytearray(path.read_bytes())
        changed[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(changed)
        assert read(path) == flat(groups[:whole])
