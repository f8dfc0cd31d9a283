"""The end of a run: ``shutdown()``, the sweep, the guard, and nothing left behind."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from doubles.assignment import DEADLINE_S, TELL, Bench, settled
from gristmill.engine.contract import Farewell, Notice, Span, Task, WorkerEnded
from gristmill.engine.guard import CLEAN
from gristmill.engine.process import start_guard
from gristmill.engine.sweep import RUN_MARK
from unit.engine.conftest import Open


def guards(bench: Bench) -> list[int]:
    """Return the ids of the run's living guards, found by their command lines."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended meanwhile
        if bench.assignment.run_id.encode() in words and b"guard.py" in words[3]:
            found.append(int(name))
    return found


def wait_for_death(process: int) -> None:
    descriptor = os.pidfd_open(process)
    try:
        assert select.select([descriptor], [], [], DEADLINE_S)[0], f"process {process} lives on"
    finally:
        os.close(descriptor)


# The end


def test_closing_calls_shutdown_once_in_every_worker(open_engine: Open) -> None:
    bench, shift = open_engine(
        """
        def run(mini_batch):
            return mini_batch


        def shutdown():
            tell("shutdowns", os.getpid())
            raise RuntimeError("no matter")
        """,
        workers=3,
    )
    shift.ready(3)
    ending = [*shift.engine.close(), *shift.engine.close()]
    notices = [event for event in ending if isinstance(event, Notice)]
    assert len(set(bench.told("shutdowns"))) == len(bench.told("shutdowns")) == 3
    assert [notice.key for notice in notices] == ["shutdown"] * 3
    goodbyes = [event for event in ending if isinstance(event, Farewell)]
    assert sorted(event.worker for event in goodbyes) == [0, 1, 2]
    assert {(event.files, event.attached) for event in goodbyes} == {(0, 0)}
    assert len(ending) == 6
    assert "RuntimeError: no matter" in notices[0].text
    assert "no matter" in bench.log("error")


def test_nobody_watches_the_pipe_of_a_worker_that_takes_its_time_to_end(
    open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, shift = open_engine(
        """
        import time


        def linger():  # after the channel is closed, as libraries do that clean up
            time.sleep(0.2)


        def init():
            import atexit
            atexit.register(linger)


        def run(mini_batch):
            return mini_batch
        """
    )
    shift.ready(1)
    looks, select_ = [], shift.engine._selector.select

    def counted(timeout: float | None = None) -> Any:
        looks.append(timeout)
        return select_(timeout)

    monkeypatch.setattr(shift.engine._selector, "select", counted)
    shift.engine.close()
    assert len(looks) < 30  # one with each tick of the clock, not thousands


def test_nothing_carries_the_mark_of_a_run_that_is_closed(open_engine: Open) -> None:
    bench, shift = open_engine(
        """
        def run(mini_batch):
            subprocess.Popen(["sleep", "60"], start_new_session=True)
            if os.fork() == 0:
                os.setsid()
                time.sleep(60)
                os._exit(0)
            return mini_batch
        """,
        workers=2,
    )
    shift.serve([Span(0, 4)])
    shift.until(lambda: len(bench.carriers()) >= 10)
    [guard] = guards(bench)
    shift.engine.close()
    assert bench.carriers() == []
    assert not Path(f"/proc/{guard}").exists()
    assert not bench.assignment.scratch.exists()


def test_the_children_of_a_dead_worker_die_and_those_of_its_neighbour_do_not(open_engine: Open) -> None:
    bench, shift = open_engine(
        """
        def init():
            child = subprocess.Popen(["sleep", "60"], start_new_session=True)
            tell("child-" + os.environ["GRISTMILL_WORKER_INDEX"], child.pid)


        def run(mini_batch):
            if os.environ["GRISTMILL_WORKER_INDEX"] == "0":
                os._exit(1)
            return mini_batch
        """,
        workers=2,
    )
    shift.ready(2)
    shift.engine.submit(Task(Span(0)))
    shift.engine.submit(Task(Span(1)))
    [dead], [spared] = bench.told("child-0"), bench.told("child-1")
    shift.until(lambda: shift.all(WorkerEnded))
    assert int(dead) not in bench.carriers()
    assert int(spared) in bench.carriers()


# The guard


COORDINATOR = """
import sys
from pathlib import Path
from doubles.assignment import Bench, Shift
from gristmill.engine.contract import Span, Task

bench = Bench(Path(sys.argv[1]), sys.argv[2])
engine = bench.engine(workers=2)
engine.start()
shift = Shift(engine)
shift.ready(2)
engine.submit(Task(Span(0)))
engine.submit(Task(Span(1)))
shift.until(lambda: len(bench.told("begun")) == 2)
print(bench.assignment.run_id, bench.assignment.scratch, flush=True)
while True:
    engine.events(1.0)
"""
STUBBORN = TELL + textwrap.dedent("""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


    def run(mini_batch):
        stubborn = "trap '' TERM HUP; while true; do sleep 1; done"
        subprocess.Popen(["sh", "-c", stubborn], start_new_session=True)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(60)
            os._exit(0)
        tell("begun")
        while True:
            time.sleep(60)
""")


def test_nothing_outlives_a_coordinator_that_is_killed(tmp_path: Path) -> None:
    places = [str(Path(__file__).parents[2]), str(Path(__file__).parents[3] / "src")]
    coordinator = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR, str(tmp_path), STUBBORN],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        text=True,
    )
    with coordinator:
        assert coordinator.stdout is not None
        run_id, scratch = coordinator.stdout.readline().split()
        bench = Bench(tmp_path / "same", "")
        bench.engine(run_id=run_id)
        [guard] = guards(bench)
        assert len(bench.carriers()) >= 4
        coordinator.kill()
    wait_for_death(guard)
    assert bench.carriers() == []
    assert not Path(scratch).exists()


def test_a_guard_that_is_killed_is_replaced(open_engine: Open) -> None:
    bench, shift = open_engine("def run(mini_batch):\n    return mini_batch")
    shift.ready()
    [first] = guards(bench)
    os.kill(first, 9)
    wait_for_death(first)
    shift.until(lambda: guards(bench))  # the command line of a process can be seen a moment after its birth
    assert first not in guards(bench)
    shift.serve([Span(0)])
    assert shift.answers() == [0]


def test_what_an_earlier_run_left_is_swept_away_at_the_start(open_engine: Open) -> None:
    with settled(subprocess.Popen(["sleep", "60"], env={RUN_MARK: "earlier-run"})) as left:
        _, shift = open_engine("def run(mini_batch):\n    return mini_batch", earlier_runs=("earlier-run",))
        assert left.wait(DEADLINE_S) == -9
    shift.ready()


@pytest.mark.parametrize(("last_word", "lives_on"), [(CLEAN, True), (b"", False)])
def test_a_guard_looks_for_what_is_left_unless_it_is_told_that_nothing_is(
    tmp_path: Path, last_word: bytes, lives_on: bool
) -> None:
    run_id = f"told-{os.getpid()}-{len(last_word)}"
    left = subprocess.Popen(["sleep", "600"], env={**os.environ, RUN_MARK: run_id})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    try:
        guard, pipe = start_guard(run_id, sys.executable, scratch)
        os.write(pipe, last_word)
        os.close(pipe)
        guard.wait()
        guard.close()
        assert (left.poll() is None, scratch.exists()) == (lives_on, lives_on)
    finally:
        left.kill()
        left.wait()
