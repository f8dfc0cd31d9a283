"""A script that is measured, call by call, in workers of every Python."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doubles.assignment import TELL, Bench
from gristmill.engine.launch import Assignment
from gristmill.engine.trial import Call, Failure, Started, Trial
from worker.interpreters import interpreters

every_python = pytest.mark.parametrize("python", interpreters(), ids=lambda path: path.name)
SCRIPT = """
import time

def init():
    global ballast
    ballast = bytearray(40_000_000)

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def run(mini_batch):
    what = [path.rsplit("/", 1)[-1] for path in mini_batch]
    if "raise" in what:
        raise ValueError("this one")
    if "die" in what:
        os._exit(7)
    if "hang" in what:
        wait_for("never")
    if "child" in what:
        child = os.fork()
        if not child:
            burn(0.2)
            os._exit(0)
        os.waitpid(child, 0)
    if "burn" in what:
        burn(0.2)
    if "large" in what:
        more = bytearray(60_000_000)
        more[::4096] = b"x" * len(more[::4096])
    if "file" in what:
        with open(os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], "own"), "x") as file:
            file.write("own")
    return mini_batch[:1] if "short" in what else mini_batch
"""
LIMIT_S = 30.0
Measure = Callable[..., list[Call | Failure]]


def assignment(folder: Path, **settings: object) -> Assignment:
    bench = Bench(folder, TELL + SCRIPT)
    engine = bench.engine(**settings)  # type: ignore[arg-type]
    assert engine is not None
    bench.assignment.scratch.mkdir()
    return bench.assignment


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """One worker that has started; each test leaves one that is alive."""
    one = Trial(assignment(tmp_path_factory.mktemp("trial")))
    (started,) = one.start(1, LIMIT_S)
    assert isinstance(started, Started)
    yield one
    one.close()


def call(trial: Trial, *calls: list[str], limit_s: float = LIMIT_S) -> list[Call | Failure]:
    return trial.call(list(calls), limit_s, time.monotonic() + LIMIT_S)


def returned(trial: Trial, *names: str) -> Call:
    (told,) = call(trial, list(names))
    assert isinstance(told, Call), told
    return told


@every_python
def test_calls_are_measured_in_every_python(python: Path, tmp_path: Path) -> None:
    trial = Trial(assignment(tmp_path, python=python))
    (started,) = trial.start(1, LIMIT_S)
    told = call(trial, ["a", "burn"], ["b"])
    trial.close()

    assert isinstance(started, Started)
    assert started.held_bytes > 40_000_000
    assert [(one.names, getattr(one, "results", None)) for one in told] == [(("a", "burn"), 2), (("b",), 1)]
    assert getattr(told[0], "cpu_s", 0) >= 0.2
    assert getattr(told[1], "cpu_s", 1) < 0.2
    assert trial.workers == 0


def test_processor_time_of_child_processes_counts(trial: Trial) -> None:
    assert returned(trial, "child").cpu_s >= 0.19


def test_peak_of_memory_is_that_of_the_call(trial: Trial) -> None:
    small, large, again = returned(trial, "a"), returned(trial, "large"), returned(trial, "a")

    assert large.peak_bytes > small.peak_bytes + 50_000_000
    assert again.peak_bytes < large.peak_bytes - 50_000_000


def test_fewer_results_than_files_are_told(trial: Trial) -> None:
    assert returned(trial, "short", "b", "c").results == 1


def test_own_files_are_gone_before_the_next_call(trial: Trial) -> None:
    first, again = returned(trial, "file"), returned(trial, "file")

    assert first.written_bytes == again.written_bytes > 3


def test_call_that_raises_is_told_and_the_next_one_follows(trial: Trial) -> None:
    failed, good = call(trial, ["raise", "b"], ["c"])

    assert isinstance(failed, Failure)
    assert isinstance(good, Call)
    assert (failed.names, failed.kind) == (("raise", "b"), "exception")
    assert "ValueError: this one" in failed.message
    assert "score.py" in failed.detail
    assert trial.workers == 1


def test_worker_that_dies_tells_of_which_files_and_others_start_in_its_place(trial: Trial) -> None:
    good, died = call(trial, ["a"], ["die", "b"], ["never begun"])

    assert isinstance(good, Call)
    assert isinstance(died, Failure)
    assert (died.names, died.kind) == (("die", "b"), "died")
    assert "ended with status 7" in died.message
    assert trial.workers == 0
    (again,) = trial.start(1, LIMIT_S)
    assert isinstance(again, Started)
    assert returned(trial, "a").results == 1


def test_call_that_hangs_is_ended_at_its_limit_and_tells_where_it_stood(trial: Trial) -> None:
    (late,) = call(trial, ["hang"], limit_s=0.2)

    assert isinstance(late, Failure)
    assert (late.names, late.kind) == (("hang",), "timeout")
    assert "in wait_for" in late.detail
    assert [type(one) for one in trial.start(1, LIMIT_S)] == [Started]


def test_several_workers_are_measured_side_by_side(trial: Trial) -> None:
    trial.start(3, LIMIT_S)

    told = trial.call_all([[["a"], ["b"]], [["c"]], [["d"]]], LIMIT_S, time.monotonic() + LIMIT_S)

    assert trial.workers == 3
    assert sorted(one.names for one in told) == [("a",), ("b",), ("c",), ("d",)]
    assert len({one.worker for one in told if isinstance(one, Call)}) == 3


def test_start_that_fails_leaves_no_worker(tmp_path: Path) -> None:
    given = assignment(tmp_path)
    given.script.write_text("def run(mini_batch):\n    pass\n\nraise OSError('no model')\n")
    trial = Trial(given)

    (failed,) = trial.start(1, LIMIT_S)

    assert isinstance(failed, Failure)
    assert (failed.names, failed.kind) == ((), "exception")
    assert "no model" in failed.message
    assert trial.workers == 0
