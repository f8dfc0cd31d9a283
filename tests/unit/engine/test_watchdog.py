"""Who is stopped when memory is short: the decisions, and real workers on a machine said to be small."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doubles.assignment import TELL, Bench, Shift
from gristmill.engine.contract import Failed, Notice, NotStarted, Reason, Scored, Span, Task, WorkerEnded
from gristmill.engine.ground import OwnGround
from gristmill.engine.kernel_kills import KernelKills
from gristmill.engine.local import LocalEngine
from gristmill.engine.machine import MachineMemory, MemoryReading
from gristmill.engine.watchdog import Stop, Use, is_ours, is_short, reserve_of, whom_to_stop

GB = 1_000_000_000
MB = 1_000_000


def reading(available: int, total: int = 10 * GB) -> MemoryReading:
    return MemoryReading(available_bytes=available, total_bytes=total)


def use(worker: int, taken: int, does: str = "run") -> Use:
    return Use(
        worker=worker,
        taken_bytes=taken,
        is_running=does in ("run", "alone"),
        is_loading=does == "load",
        is_alone=does == "alone",
    )


@pytest.mark.parametrize(
    ("total", "reserve"), [(GB, 125 * MB), (4 * GB, 256 * MB), (10 * GB, 300 * MB), (100 * GB, 3 * GB)]
)
def test_a_share_of_the_memory_is_left_to_others(total: int, reserve: int) -> None:
    assert reserve_of(total) == reserve


@pytest.mark.parametrize(
    ("before", "now", "short"),
    [
        (None, 301 * MB, False),
        (None, 299 * MB, True),
        (400 * MB, 400 * MB, False),
        (600 * MB, 450 * MB, False),  # at the next look 300 MB are left
        (600 * MB, 449 * MB, True),
        (310 * MB, 400 * MB, False),
        (9 * GB, 5 * GB, False),
        (9 * GB, 4 * GB, True),
    ],
)
def test_memory_is_short_before_it_is_gone(before: int | None, now: int, short: bool) -> None:
    assert is_short(reading(now), None if before is None else reading(before)) is short


@pytest.mark.parametrize(("taken", "ours"), [(2499 * MB, False), (2500 * MB, True)])
def test_workers_that_hold_little_are_not_why_memory_is_short(taken: int, ours: bool) -> None:
    assert is_ours(reading(0), [use(0, taken - 1 * MB), use(1, 1 * MB, "rest")]) is ours


INFRASTRUCTURE, MEMORY = Reason.INFRASTRUCTURE, Reason.MEMORY


@pytest.mark.parametrize(
    ("uses", "stop"),
    [
        ([], None),
        ([use(0, 9, "rest"), use(1, 5, "rest")], None),
        ([use(0, 5), use(1, 9), use(2, 7)], Stop(worker=1, reason=INFRASTRUCTURE)),
        ([use(0, 5), use(1, 5)], Stop(worker=0, reason=INFRASTRUCTURE)),
        ([use(0, 9, "rest"), use(1, 3), use(2, 2)], Stop(worker=1, reason=INFRASTRUCTURE)),
        ([use(0, 5)], Stop(worker=0, reason=MEMORY)),
        ([use(0, 9, "rest"), use(1, 3)], Stop(worker=1, reason=MEMORY)),
        ([use(0, 5, "alone")], Stop(worker=0, reason=MEMORY)),
        ([use(0, 5, "alone"), use(1, 3)], Stop(worker=0, reason=MEMORY)),
        ([use(0, 5, "load")], None),
        ([use(0, 5, "load"), use(1, 7, "load")], Stop(worker=1, reason=None)),
        ([use(0, 5), use(1, 7, "load")], Stop(worker=1, reason=None)),
        ([use(0, 7), use(1, 5, "load")], Stop(worker=0, reason=INFRASTRUCTURE)),
    ],
)
def test_the_largest_worker_that_does_something_is_stopped(uses: list[Use], stop: Stop | None) -> None:
    assert whom_to_stop(uses) == stop


# Real workers. Each writes what it wants the machine to say into the file that the watchdog reads.

SCRIPT = (
    TELL
    + """
def says(free_mb):
    with open(os.path.join(SEEN, "meminfo.new"), "w") as file:
        file.write("MemTotal: %d kB\\nMemFree: 1 kB\\nMemAvailable: %d kB\\n" % (600 * 1000, free_mb * 1000))
    os.replace(os.path.join(SEEN, "meminfo.new"), os.path.join(SEEN, "meminfo"))

def run(mini_batch, context):
    batch = context.minibatch_index
    tell("calls", batch)
    if batch == 0:
        kept = bytearray(b"x") * 200_000_000
        tell("large")
        wait_for("small-1")
        says(10)
        wait_for("never")
    if batch == 1:
        kept = bytearray(b"x") * 100_000_000
        tell("small-1")
        wait_for("go-on")
    return mini_batch
"""
)


def meminfo(folder: Path, free_mb: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / "meminfo.new"
    new.write_text(f"MemTotal: {600 * 1000} kB\nMemFree: 1 kB\nMemAvailable: {free_mb * 1000} kB\n")
    new.replace(folder / "meminfo")
    return folder


@pytest.fixture
def small_machine(tmp_path: Path) -> Iterator[tuple[Bench, LocalEngine]]:
    bench = Bench(tmp_path, SCRIPT)
    assert bench.engine(workers=2) is not None
    memory = MachineMemory(cgroup=tmp_path / "none", proc=meminfo(bench.seen, 500))
    engine = LocalEngine(bench.assignment, OwnGround(sys.executable), memory)
    yield bench, engine
    engine.halt()
    engine.close()


def test_the_largest_is_stopped_then_alone_then_it_is_its_own_fault(
    small_machine: tuple[Bench, LocalEngine],
) -> None:
    bench, engine = small_machine
    engine.start()
    shift = Shift(engine)
    shift.ready(2)
    engine.submit(Task(Span(0)))
    engine.submit(Task(Span(1)))

    shift.until(lambda: shift.all(Failed))
    [first] = shift.all(Failed)
    assert (first.span, first.attempt, first.reason) == (Span(0), 1, Reason.INFRASTRUCTURE)
    assert first.alone_next
    assert "tried again alone" in first.message
    assert shift.all(Scored) == []

    meminfo(bench.seen, 500)
    (bench.seen / "go-on").touch()
    shift.until(lambda: 1 in shift.answers())
    shift.until(engine.room)
    engine.submit(Task(Span(0), 1, alone=True))
    shift.until(lambda: len(shift.all(Failed)) == 2)
    second = shift.all(Failed)[1]
    assert (second.span, second.attempt, second.reason) == (Span(0), 1, Reason.MEMORY)
    assert not second.alone_next
    assert "nothing ran beside" in second.message
    assert sorted(bench.told("calls")) == ["0", "0", "1"]
    assert max(event.peak_bytes for event in shift.all(WorkerEnded)) >= 200_000_000


def test_where_others_take_the_memory_nobody_is_stopped_and_it_is_said(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TELL + "def run(mini_batch):\n    wait_for('go-on')\n    return mini_batch\n")
    bench.engine()
    memory = MachineMemory(cgroup=tmp_path / "none", proc=meminfo(bench.seen, 10))
    engine = LocalEngine(bench.assignment, OwnGround(sys.executable), memory)
    engine.start()
    shift = Shift(engine)
    try:
        shift.ready()
        engine.submit(Task(Span(0)))
        shift.until(lambda: any(notice.key == "memory_of_others" for notice in shift.all(Notice)))
        (bench.seen / "go-on").touch()
        shift.until(lambda: shift.all(Scored))
        assert [notice.key for notice in shift.all(Notice)].count("memory_of_others") == 1
        assert shift.all(Failed) == shift.all(NotStarted) == []
    finally:
        engine.halt()
        engine.close()


def test_what_nobody_works_with_goes_before_anybody_is_stopped(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TELL + "def run(mini_batch):\n    wait_for('go-on')\n    return mini_batch\n")
    bench.engine()
    memory = MachineMemory(cgroup=tmp_path / "none", proc=meminfo(bench.seen, 10))
    given: list[str] = []

    def give_way() -> bool:
        given.append("all that waits")
        meminfo(bench.seen, 500)
        return True

    engine = LocalEngine(bench.assignment, OwnGround(sys.executable), memory, give_way=give_way)
    engine.start()
    shift = Shift(engine)
    try:
        shift.ready()
        engine.submit(Task(Span(0)))
        shift.until(lambda: given)
        (bench.seen / "go-on").touch()
        shift.until(lambda: shift.all(Scored))
        assert given == ["all that waits"]
        assert [event.key for event in shift.all(Notice)] == ["no_init"]
        assert shift.all(Failed) == shift.all(NotStarted) == []
    finally:
        engine.halt()
        engine.close()


# The kernel's own kills


def kills(tmp_path: Path, count: int) -> Path:
    (tmp_path / "proc/self").mkdir(parents=True, exist_ok=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/job\n")
    events = tmp_path / "cgroup/job/memory.events"
    events.parent.mkdir(parents=True, exist_ok=True)
    events.write_text(f"low 0\noom 9\noom_kill {count}\n")
    return tmp_path


def test_each_kill_that_the_group_counts_explains_one_death(tmp_path: Path) -> None:
    kills(tmp_path, 3)
    witness = KernelKills(tmp_path / "cgroup", tmp_path / "proc", tmp_path / "kmsg")
    witness.start()
    assert witness.proof_of(7, 1.0) == ""
    kills(tmp_path, 4)
    witness.look(2.0)
    assert "oom_kill" in witness.proof_of(7, 3.0)
    assert witness.proof_of(8, 3.0) == ""
    kills(tmp_path, 5)
    witness.look(4.0)
    assert witness.proof_of(9, 100.0) == ""  # long ago: it was somebody else
    witness.close()
