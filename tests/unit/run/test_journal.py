"""The journal on disk: torn, full, unknown; round trips are in tests/property/test_journal.py."""

from __future__ import annotations

import errno
import os
import resource
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

from gristmill.engine.contract import Scored, Span
from gristmill.errors import JournalError, StorageError
from gristmill.run import journal
from gristmill.run.journal import Journal, damage_of, intact_size, read_journal, read_record
from gristmill.run.records import FailedTry, Mark, PlanComplete, Record

FAILED = FailedTry(Span(7), 2, "timeout", "too long", "", 30.0, 1, "log:5", True, 10, "2026-01-01T00:00:00Z")
SCORED = Scored(Span(3, 2), 1, 20, 20, 1 << 20, 5, 100, 1, 0, 0, 0.5, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.bin"


def write(path: Path, *groups: tuple[Record, ...]) -> list[int]:
    journal = Journal(path, 1, intact_size(path))
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


def raw_group(payload: bytes, position: int = 0) -> bytes:
    header = struct.pack("<4sIQQI", b"GMJ3", len(payload), 1, position, zlib.crc32(payload))
    return header + struct.pack("<I", zlib.crc32(header)) + payload


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size; the kernel answers as for a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_journal_that_does_not_exist_says_nothing(path: Path) -> None:
    assert read(path) == []
    assert intact_size(path) == 0


def test_nothing_recorded_writes_nothing(path: Path) -> None:
    assert write(path, ()) == [0]


def test_what_is_recorded_and_not_flushed_is_not_written(path: Path) -> None:
    journal = Journal(path, 1, 0)
    journal.record(Mark())
    journal.close()
    assert read(path) == []


def test_one_flush_is_one_group(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []
    original = os.write
    monkeypatch.setattr(os, "write", lambda file, data: writes.append(len(data)) or original(file, data))
    write(path, (SCORED,) * 100)
    assert len(writes) == 1
    assert read(path) == [SCORED] * 100


def test_a_journal_torn_at_any_byte_of_its_last_group_keeps_the_groups_before(path: Path) -> None:
    before, whole = write(path, (SCORED, FAILED), (PlanComplete(3, 30), SCORED))
    data = path.read_bytes()
    for size in range(before, whole):
        path.write_bytes(data[:size])
        assert read(path) == [SCORED, FAILED]
        assert intact_size(path) == before


def test_the_next_writer_cuts_a_torn_group_off(path: Path) -> None:
    _, whole = write(path, (SCORED,), (FAILED,))
    os.truncate(path, whole - 1)
    write(path, (Mark(),))
    assert read(path) == [SCORED, Mark()]
    assert path.stat().st_size == intact_size(path)


def test_zeros_after_the_last_group_are_a_torn_group(path: Path) -> None:
    (size,) = write(path, (SCORED,))
    with open(path, "ab") as file:
        file.write(bytes(100))
    assert read(path) == [SCORED]
    assert intact_size(path) == size


def test_each_group_names_the_fence_of_its_writer(path: Path) -> None:
    write(path, (SCORED,))
    later = Journal(path, 7, intact_size(path))
    later.record(Mark())
    later.flush()
    later.close()
    assert [entry.fence for entry in read_journal(path)] == [1, 7]


def test_a_record_can_be_read_by_its_position(path: Path) -> None:
    write(path, (SCORED, FAILED), (FAILED._replace(message="other"), Mark()))
    positions = [entry.position for entry in read_journal(path)]
    with open(path, "rb") as file:
        records = [read_record(file, position) for position in reversed(positions)]
    assert records[::-1] == read(path)


def test_beyond_the_end_there_is_no_record(path: Path) -> None:
    write(path, (SCORED,))
    with open(path, "rb") as file, pytest.raises(struct.error):
        read_record(file, 10_000)


def test_a_record_of_an_unknown_kind_asks_for_the_release_that_wrote_it(path: Path) -> None:
    path.write_bytes(raw_group(struct.pack("<BI", 99, 2) + b"{}"))
    with pytest.raises(JournalError, match="kind 99 that this release does not know; use the release"):
        read(path)


def test_a_known_kind_with_unknown_fields_asks_for_the_release_that_wrote_it(path: Path) -> None:
    body = b'{"mini_batches": 1, "items": 2, "colour": "red"}'
    path.write_bytes(raw_group(struct.pack("<BI", 6, len(body)) + body))
    with pytest.raises(JournalError, match="kind 6"):
        read(path)


def test_a_known_kind_of_another_size_asks_for_the_release_that_wrote_it(path: Path) -> None:
    path.write_bytes(raw_group(struct.pack("<BI", 2, 3) + b"abc"))
    with pytest.raises(JournalError, match="kind 2"):
        read(path)


def test_a_record_that_is_cut_within_a_whole_group_is_an_error(path: Path) -> None:
    path.write_bytes(raw_group(b"\x02\x00"))
    with pytest.raises(JournalError):
        read(path)


def test_a_full_disk_leaves_the_journal_as_it_was(path: Path) -> None:
    journal = Journal(path, 1, 0)
    journal.record(SCORED)
    journal.flush()
    size = path.stat().st_size
    journal.record(FAILED)
    with file_size_limit(size + 30), pytest.raises(StorageError, match="make room on its disk, then resume"):
        journal.flush()
    assert path.stat().st_size == size
    assert read(path) == [SCORED]
    journal.close()


def test_after_room_is_made_the_same_records_are_written(path: Path) -> None:
    journal = Journal(path, 1, 0)
    journal.record(FAILED)
    with file_size_limit(30), pytest.raises(StorageError):
        journal.flush()
    journal.record(SCORED)
    journal.flush()
    journal.close()
    assert read(path) == [FAILED, SCORED]


def test_a_short_write_is_gone_on_with(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.write
    monkeypatch.setattr(os, "write", lambda file, data: original(file, data[:7]))
    write(path, (SCORED, FAILED))
    monkeypatch.undo()
    assert read(path) == [SCORED, FAILED]


def test_a_mark_is_needed_after_records_and_not_after_a_mark(path: Path) -> None:
    journal = Journal(path, 1, 0)
    needed = [journal.needs_mark]
    journal.record(SCORED)
    needed.append(journal.needs_mark)
    journal.flush()
    needed.append(journal.needs_mark)
    journal.mark()
    needed.append(journal.needs_mark)
    journal.close()
    assert needed == [False, True, True, False]
    assert read(path) == [SCORED, Mark()]


def test_a_mark_is_synced_after_it_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[list[Record]] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: synced.append(read(path)))
    journal = Journal(path, 1, 0)
    journal.record(SCORED)
    journal.mark()
    journal.close()
    assert synced == [[SCORED, Mark()]]


def test_a_disk_that_does_not_sync_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal = Journal(path, 1, 0)
    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(StorageError, match="cannot be synced"):
        journal.mark()
    assert journal.needs_mark
    journal.close()


def test_closing_twice_is_allowed(path: Path) -> None:
    journal = Journal(path, 1, 0)
    journal.close()
    journal.close()


def test_a_folder_in_place_of_a_journal_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be written"):
        Journal(tmp_path, 1, 0)
    with pytest.raises(JournalError, match="cannot be read"):
        read(tmp_path)
    with pytest.raises(JournalError, match="cannot be read"):
        intact_size(tmp_path)


@pytest.fixture
def groups(path: Path) -> list[bytes]:
    """Write three groups with 1, 2 and 1 records; return their bytes."""
    ends = [0, *write(path, (SCORED,), (FAILED, SCORED), (Mark(),))]
    data = path.read_bytes()
    return [data[begin:end] for begin, end in pairwise(ends)]


def place_of(groups: list[bytes], byte: int) -> int:
    """Return where the group begins that a byte belongs to."""
    begins = list(accumulate(map(len, groups), initial=0))
    return max(begin for begin in begins[:-1] if begin <= byte)


def test_a_whole_journal_is_not_damaged(path: Path, groups: list[bytes]) -> None:
    assert damage_of(path) is None


def test_a_journal_that_is_not_there_is_not_damaged(path: Path) -> None:
    assert damage_of(path) is None


def test_every_bit_that_changes_is_found_in_its_group(path: Path, groups: list[bytes]) -> None:
    whole = b"".join(groups)
    for byte in range(len(whole)):
        for bit in range(8):
            path.write_bytes(whole[:byte] + bytes([whole[byte] ^ 1 << bit]) + whole[byte + 1 :])
            damage = damage_of(path)
            assert damage is not None
            behind = [group for group in groups if place_of(groups, byte) < whole.index(group)]
            assert damage[:3] == (place_of(groups, byte), len(whole), len(behind))


def test_every_byte_that_is_removed_is_found(path: Path, groups: list[bytes]) -> None:
    whole = b"".join(groups)
    for byte in range(len(whole)):
        path.write_bytes(whole[:byte] + whole[byte + 1 :])
        damage = damage_of(path)
        assert damage is not None
        assert damage.position <= place_of(groups, byte)


def test_every_byte_that_is_added_is_found(path: Path, groups: list[bytes]) -> None:
    whole = b"".join(groups)
    for byte in range(len(whole) + 1):
        path.write_bytes(whole[:byte] + b"G" + whole[byte:])
        assert damage_of(path) is not None


@pytest.mark.parametrize(
    ("order", "position"), [((1, 0, 2), 0), ((0, 2, 1), 1), ((1, 2), 0), ((0, 2), 1), ((0, 0, 1, 2), 1)]
)
def test_whole_groups_that_stand_elsewhere_do_not_count(
    order: tuple[int, ...], position: int, path: Path, groups: list[bytes]
) -> None:
    path.write_bytes(b"".join(groups[number] for number in order))

    damage = damage_of(path)

    assert damage is not None
    assert damage.position == sum(map(len, groups[:position]))
    assert damage.groups == len(order) - position


def test_a_torn_end_has_nothing_whole_behind_it(path: Path, groups: list[bytes]) -> None:
    size = path.stat().st_size
    os.truncate(path, size - 1)
    assert damage_of(path) == (size - len(groups[2]), size - 1, 0, 0)


def test_records_behind_a_damaged_place_are_counted(path: Path, groups: list[bytes]) -> None:
    path.write_bytes(bytes(len(groups[0])) + groups[1] + groups[2])
    assert damage_of(path) == (0, path.stat().st_size, 2, 3)


def test_a_group_is_found_wherever_the_pieces_end_that_are_searched(
    path: Path, groups: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_SEARCHED_BYTES", 7)
    for filling in range(30):
        path.write_bytes(bytes(filling + 1) + groups[1] + groups[2])
        damage = damage_of(path)
        assert damage is not None
        assert damage.groups == 2


def test_a_journal_that_is_a_folder_cannot_be_searched(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be read"):
        damage_of(tmp_path)
