"""A worker shows its stacks on a signal, on every Python, and a script is in nobody's way with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gristmill_worker
from doubles.assignment import Bench, Shift
from gristmill.engine.contract import Failed, Scored, Span, Task
from gristmill.engine.kernel import takes_signal
from gristmill.engine.stack_request import StackRequest, wait_for
from gristmill.engine.stacks import Stacks
from gristmill_worker.stacks import SIGNAL
from unit.engine.conftest import Open, open_engine
from worker.interpreters import interpreters

__all__ = ["open_engine"]

HOLDS = """
    def helper():
        tell("pid", os.getpid())
        wait_for("go")


    def run(mini_batch):
        helper()
        return mini_batch
"""


TAKES = """
    def ours():
        for number in map(int, os.listdir("/proc/self/fd")):
            try:
                if "/scratch/s0-" in os.readlink("/proc/self/fd/%d" % number):
                    return number
            except OSError:
                continue


    def run(mini_batch):
        if not os.path.exists(os.path.join(SEEN, "pid")):
            global theirs
            theirs = open(os.path.join(SEEN, "theirs.txt"), "w")
            TAKEN
        tell("pid", os.getpid())
        wait_for("go")
        return mini_batch
"""
SOURCES = Path(gristmill_worker.__path__[0]).parent


def asked(process: int, answers: Path | None, spy: Path | None = None) -> Stacks:
    [stacks] = wait_for([StackRequest(process, answers, spy, time.monotonic())])
    return stacks


def started(opened: tuple[Bench, Shift]) -> tuple[Bench, Shift, int]:
    """Hand a mini-batch to the worker, and wait until the script tells its process."""
    bench, shift = opened
    shift.ready()
    shift.engine.submit(Task(Span(0)))
    shift.until(lambda: bench.told("pid"))
    return bench, shift, int(bench.told("pid")[0])


def let_go(bench: Bench, shift: Shift) -> None:
    (bench.seen / "go").touch()
    shift.until(lambda: shift.all(Scored) or shift.all(Failed))


@pytest.mark.parametrize("python", interpreters(), ids=lambda path: path.name)
def test_stack_is_shown_and_the_script_goes_on(open_engine: Open, python: Path) -> None:
    bench, shift, process = started(open_engine(HOLDS, python=python))

    stacks = asked(process, bench.assignment.scratch / "s0-0")
    let_go(bench, shift)

    assert stacks.source == "faulthandler"
    assert stacks.main is not None
    functions = [frame.function for frame in stacks.main.frames]
    assert functions[:3] == ["run", "helper", "wait_for"]
    assert len(shift.all(Scored)) == 1


@pytest.mark.parametrize(
    "taken",
    [
        "signal.signal(signal.SIGRTMIN + 21, lambda *_: tell('theirs'))",
        "signal.signal(signal.SIGRTMIN + 21, signal.SIG_DFL)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN + 21])",
        "os.dup2(theirs.fileno(), ours())",
        "os.close(ours())",
    ],
)
def test_script_that_took_our_means_away_is_not_disturbed(open_engine: Open, taken: str) -> None:
    bench, shift, process = started(open_engine(TAKES.replace("TAKEN", taken)))

    stacks = asked(process, bench.assignment.scratch / "s0-0")
    let_go(bench, shift)

    assert (stacks.source, stacks.threads) == ("kernel", ())
    assert len(shift.all(Scored)) == 1
    assert bench.told("theirs.txt") == []
    assert bench.told("theirs") == ([""] if "lambda" in taken else [])


def test_process_that_is_no_worker_is_never_sent_the_signal(tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    answers.write_text("1\n")
    with answers.open("a") as file, subprocess.Popen(["sleep", "600"], stdout=file) as child:
        stacks = asked(child.pid, answers)
        lives = child.poll() is None
        child.kill()

    assert (stacks.source, lives) == ("kernel", True)
    assert stacks.kernel.startswith(("state S (sleeping)", "state R (running)"))


def test_own_handler_of_a_process_is_seen() -> None:
    assert takes_signal(os.getpid(), signal.SIGINT)
    assert not takes_signal(os.getpid(), SIGNAL)


@pytest.mark.parametrize("tracer", [None, 1])
def test_worker_starts_whether_it_may_be_traced_or_not(tmp_path: Path, tracer: int | None) -> None:
    answers = tmp_path / "answers"
    program = (
        "import os, signal; from gristmill_worker.stacks import SIGNAL, show_when_asked; "
        f"show_when_asked({str(answers)!r}, {tracer!r}); os.kill(os.getpid(), SIGNAL)"
    )
    subprocess.run(
        [sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": str(SOURCES)}
    )

    number, *lines = answers.read_text().splitlines()
    assert int(number) >= 200
    assert lines[0].startswith("Current thread")
