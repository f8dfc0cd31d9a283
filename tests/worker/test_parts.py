"""The worker's small pieces: slot, frames, part, failures in words."""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gristmill.engine.contract import pieces_in
from gristmill_worker import slot as slots
from gristmill_worker import wire
from gristmill_worker.channel import Channel, ChannelLost, tasks_of
from gristmill_worker.encoded import BadReturn
from gristmill_worker.failure import describe, reason_of
from gristmill_worker.outbox import Piece
from gristmill_worker.part import Part
from gristmill_worker.script import Script, ScriptError
from gristmill_worker.slot import SLOT_BYTES, Slot

U64, U32, U16, U8 = (st.integers(0, 2**bits - 1) for bits in (64, 32, 16, 8))
RECORD = st.tuples(
    U64, U32, U32, U32, U16, U16, U64, U64, U64, U64, U32, U32, st.floats(allow_nan=False), U64, U32, U8
)
ACTIVITY = st.tuples(st.integers(0, 4), U64, U64, U64, U32, U32, U16, RECORD)
here = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


# The slot


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "slots"
    path.write_bytes(bytes(3 * SLOT_BYTES))
    return path


@here
@given(st.lists(ACTIVITY, min_size=1, max_size=5))
def test_a_slot_says_what_was_published_last(page: Path, said: list[Any]) -> None:
    writer, reader = Slot(str(page), 1), Slot(str(page), 1)
    for fields in said:
        writer.publish(*fields)
        assert reader.read() == slots.Activity(*fields)
    writer.close()
    reader.close()


@here
@given(st.lists(ACTIVITY, min_size=1, max_size=3), ACTIVITY, st.integers(0, SLOT_BYTES))
def test_a_writer_that_dies_half_way_leaves_what_it_had_published(
    page: Path, said: list[Any], unfinished: Any, written: int
) -> None:
    writer = Slot(str(page), 0)
    writer.clear()
    for fields in said:
        writer.publish(*fields)
    before = page.read_bytes()[:SLOT_BYTES]
    writer.publish(*unfinished)
    after = page.read_bytes()[:SLOT_BYTES]
    torn = before[:1] + after[1:written] + before[max(written, 1) :]  # all but the flip of byte 0
    page.write_bytes(torn + bytes(2 * SLOT_BYTES))
    reader = Slot(str(page), 0)
    assert reader.read() == slots.Activity(*said[-1])
    writer.close()
    reader.close()


def test_slots_of_neighbours_do_not_touch(page: Path) -> None:
    crew = [Slot(str(page), index) for index in range(3)]
    for index, slot in enumerate(crew):
        slot.publish(slots.RUNNING, index, 0, 0, 0, 0, 1, slots.NOTHING_PENDING)
    crew[1].set_recall(True)
    assert [slot.read().ordinal for slot in crew] == [0, 1, 2]
    assert [slot.recalled() for slot in crew] == [False, True, False]
    for slot in crew:
        slot.close()


def test_publishing_leaves_the_recall_flag_alone(page: Path) -> None:
    worker, coordinator = Slot(str(page), 0), Slot(str(page), 0)
    coordinator.set_recall(True)
    for ordinal in range(5):
        worker.publish(slots.IDLE, ordinal, 0, 0, 0, 0, 0, slots.NOTHING_PENDING)
    assert worker.recalled()
    coordinator.set_recall(False)
    assert not worker.recalled()
    worker.close()
    coordinator.close()


def test_a_cleared_slot_says_that_a_worker_is_starting(page: Path) -> None:
    slot = Slot(str(page), 0)
    slot.publish(slots.RUNNING, 7, 0, 0, 0, 0, 0, slots.NOTHING_PENDING)
    slot.set_recall(True)
    slot.clear()
    assert (slot.read().state, slot.read().pending, slot.recalled()) == (
        slots.STARTING,
        slots.NOTHING_PENDING,
        False,
    )
    slot.close()


# Frames


@pytest.fixture
def ends() -> Any:
    """Give a channel and our ends of its pipes."""
    worker_in, ours_out = os.pipe()
    ours_in, worker_out = os.pipe()
    channel = Channel(worker_in, worker_out)
    yield SimpleNamespace(channel=channel, to=ours_out, fro=ours_in)
    channel.close_in_child()
    for descriptor in (ours_in, ours_out):
        try:
            os.close(descriptor)
        except OSError:
            continue  # the test closed it


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=8), st.data())
def test_frames_are_read_as_they_were_written_however_they_are_cut(
    frames: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    worker_in, ours_out = os.pipe()
    null = os.open(os.devnull, os.O_WRONLY)
    channel = Channel(worker_in, null)
    stream = b"".join(wire.frame(kind, payload) for kind, payload in frames)
    sizes = data.draw(st.lists(st.integers(1, 64), min_size=1))
    cuts = iter(sizes * (len(stream) + 1))
    read = []
    while stream or len(read) < len(frames):
        if stream:
            size = next(cuts)
            os.write(ours_out, stream[:size])
            stream = stream[size:]
            if stream:
                continue
        read.append(channel.read())
    assert read == frames
    channel.close_in_child()
    os.close(ours_out)


@given(st.lists(st.tuples(U64, U32, U32, U32, U16), max_size=20))
def test_tasks_are_read_as_they_were_packed(tasks: list[tuple[int, ...]]) -> None:
    assert tasks_of(b"".join(wire.TASK_STRUCT.pack(*task) for task in tasks)) == tasks


@given(RECORD)
def test_a_record_in_a_slot_and_in_a_frame_are_the_same_fields(record: tuple[Any, ...]) -> None:
    assert wire.RECORD_STRUCT.unpack(wire.RECORD_STRUCT.pack(*record)) == record
    assert len(slots.NOTHING_PENDING) == len(record)


def test_records_are_written_in_one_piece() -> None:
    assert len(wire.frame(wire.DONE, wire.RECORD_STRUCT.pack(*slots.NOTHING_PENDING))) <= os.pathconf(
        "/", "PC_PIPE_BUF"
    )


def test_a_channel_whose_other_end_is_closed_is_lost(ends: Any) -> None:
    os.close(ends.to)
    with pytest.raises(ChannelLost, match="the coordinator closed the channel"):
        ends.channel.read()
    os.close(ends.fro)
    with pytest.raises(ChannelLost, match="writing to the coordinator failed"):
        ends.channel.write(b"x")


def test_a_channel_lies_out_of_the_script_s_reach(ends: Any) -> None:
    channel = ends.channel
    for descriptor in (channel._in, channel._out):
        assert descriptor >= 200
        assert not os.get_inheritable(descriptor)


def test_a_message_of_lone_surrogates_is_told(ends: Any) -> None:
    ends.channel.tell(wire.NOTICE, {"text": "\udcff \ud800 é"})
    length, kind = wire.FRAME.unpack(os.read(ends.fro, wire.FRAME.size))
    assert kind == wire.NOTICE
    assert os.read(ends.fro, length) == b'{"text": "\\udcff \\ud800 \\u00e9"}'


# The part


@here
@given(rows=st.lists(st.binary(max_size=200), max_size=8))
def test_a_part_holds_what_was_appended_and_its_crc_goes_on(tmp_path: Path, rows: list[bytes]) -> None:
    path = tmp_path / "one.part"
    path.unlink(missing_ok=True)
    part, crc = Part(str(path)), 0
    for row in rows:
        crc = part.append(row, crc)
    whole = b"".join(rows)
    assert (part.offset, crc) == (len(whole), zlib.crc32(whole))
    assert (path.read_bytes() if rows else b"") == whole


def test_a_part_is_made_with_its_first_row_and_never_reopened(tmp_path: Path) -> None:
    path = tmp_path / "one.part"
    first, second = Part(str(path)), Part(str(path))
    assert not path.exists()
    first.append(b"row\n", 0)
    with pytest.raises(FileExistsError):
        second.append(b"other\n", 0)
    assert path.read_bytes() == b"row\n"


def test_what_was_written_of_a_row_before_the_disk_was_full_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Part(str(tmp_path / "one.part"))
    part.append(b"first\n", 0)
    real, room = os.write, [3]

    def write(descriptor: int, data: bytes) -> int:
        if not room:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[: room.pop()])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space left"):
            part.append(b"second\n", 0)
    assert part.offset == 6
    part.append(b"third\n", 0)
    assert (tmp_path / "one.part").read_bytes() == b"first\nthird\n"


PIECES = st.dictionaries(
    st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=20).filter(
        lambda name: name not in (".", "..")
    ),
    st.tuples(st.binary(max_size=50), st.binary(min_size=1, max_size=50)),
    max_size=4,
)


@here
@given(row=st.binary(max_size=20), pieces=PIECES)
def test_pieces_stand_behind_the_rows_and_are_read_back(
    tmp_path: Path, row: bytes, pieces: dict[str, tuple[bytes, bytes]]
) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        path = os.path.join(folder, "one.part")
        part = Part(path)
        part.append(row, 0)
        os.mkdir(os.path.join(folder, "outbox"))
        for name, (before, added) in pieces.items():
            Path(folder, "outbox", name).write_bytes(before + added)
        wanted = [Piece(name, len(before), len(before + added)) for name, (before, added) in pieces.items()]
        attached, crc = part.attach(os.path.join(folder, "outbox"), wanted)
        data = Path(path).read_bytes() if row or pieces else b""
        os.close(part._opened())
    assert part.offset == len(data) == len(row) + attached
    assert crc == zlib.crc32(data[len(row) :])
    found = list(pieces_in(lambda size, at: data[at : at + size], len(row), attached))
    assert [(one.name, one.at) for one in found] == [(one.name, one.start) for one in wanted]
    assert [data[one.offset : one.offset + one.length] for one in found] == [
        added for _, added in pieces.values()
    ]


def test_of_pieces_that_cannot_be_copied_nothing_stays_in_the_part(tmp_path: Path) -> None:
    part = Part(str(tmp_path / "one.part"))
    part.append(b"row\n", 0)
    (tmp_path / "a").write_bytes(b"whole")
    (tmp_path / "b").write_bytes(b"cut")
    with pytest.raises(OSError, match="b became shorter while it was copied"):
        part.attach(str(tmp_path), [Piece("a", 0, 5), Piece("b", 0, 9)])
    assert part.offset == 4
    part.append(b"next\n", 0)
    assert (tmp_path / "one.part").read_bytes() == b"row\nnext\n"


# Failures in words


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


class Unshowable(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError(), "exception"),
        (MemoryError(), "memory"),
        (BadReturn("no"), "bad_return"),
        (SystemExit(1), "exception"),
    ],
)
def test_the_reason_follows_from_the_kind_of_the_error(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason


def test_an_error_without_a_text_is_told_by_its_name() -> None:
    message, text = describe(raised(ValueError()), "score.py", "run")
    assert message.startswith("ValueError (test_parts.py:")
    assert text.endswith("ValueError\n")


def test_an_error_whose_text_cannot_be_made_is_told_all_the_same() -> None:
    message, text = describe(raised(Unshowable()), "score.py", "run")
    assert message.startswith("Unshowable: (its text cannot be shown: str() of it failed)")
    assert "Unshowable" in text


@pytest.mark.parametrize("stage", ["import", "init", "run"])
def test_the_end_of_a_process_is_told_with_the_place(stage: str) -> None:
    message, _ = describe(raised(SystemExit(3)), "score.py", stage)
    place = {"import": "its top level"}.get(stage, f"{stage}()")
    assert message.startswith(f"score.py ended the process with sys.exit(3) in {place}")


def test_a_chain_of_errors_is_told_as_a_whole() -> None:
    try:
        try:
            raise KeyError("a")
        except KeyError as error:
            raise ValueError("b") from error
    except ValueError as error:
        _, text = describe(error, "score.py", "run")
    assert "KeyError: 'a'" in text
    assert "direct cause" in text


@given(st.text(max_size=50_000))
def test_messages_are_never_longer_than_a_screen(words: str) -> None:
    message, text = describe(raised(ValueError(words * 5)), "score.py", "run")
    assert len(message) < 2_200
    assert len(text) < 61_000


def test_a_file_that_is_no_python_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setattr("sys.argv", [])
    (tmp_path / "score.txt").touch()
    with pytest.raises(ScriptError, match=r"score\.txt is not a Python file"):
        Script.load(str(tmp_path / "score.txt"), str(tmp_path), [])


def test_the_layout_of_the_protocol_is_that_of_its_specification() -> None:
    names = ("FRAME", "TASK_STRUCT", "RECORD_STRUCT", "PIECE_STRUCT", "DROPPED_STRUCT")
    assert [getattr(wire, name).size for name in names] == [5, 22, 85, 20, 8]
    assert struct.calcsize("<QIIIHHQQQQIIdQIB") == 85
    assert struct.calcsize("<IQQ") == 20
