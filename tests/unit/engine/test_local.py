"""What only an engine with real processes can show: recalls, full pipes, deaths and starts."""

from __future__ import annotations

import os
import re
import zlib
from hashlib import sha256
from pathlib import Path

import pytest

from doubles.assignment import DEADLINE_S, Bench
from gristmill.engine.contract import (
    Failed,
    NotStarted,
    Ready,
    Reason,
    Scored,
    Span,
    StartFailed,
    Task,
    WorkerEnded,
)
from gristmill.errors import JobError
from unit.engine.conftest import Open

# Queueing


def test_what_waits_behind_a_giant_is_taken_back_and_runs_elsewhere_once(open_engine: Open) -> None:
    bench, shift = open_engine(
        """
        def run(mini_batch, context):
            tell("calls", context.minibatch_index, os.environ["GRISTMILL_WORKER_INDEX"])
            if context.minibatch_index == 0:
                wait_for("release")
            return mini_batch
        """,
        workers=2,
    )
    shift.ready(2)
    shift.engine.submit(Task(Span(0, 10)))
    shift.until(lambda: shift.all(NotStarted))
    assert shift.all(NotStarted) == [NotStarted(Span(1, 9), 1)]
    shift.serve([Span(1, 9)])
    assert shift.all(Failed) == []
    (bench.seen / "release").touch()
    shift.until(lambda: 0 in [event.span.first for event in shift.all(Scored)])
    calls = [line.split() for line in bench.told("calls")]
    assert sorted(int(batch) for batch, _ in calls) == list(range(10))
    assert len({worker for batch, worker in calls if batch != "0"}) == 1
    assert calls[0][0] == "0"
    assert calls[0][1] not in {worker for batch, worker in calls[1:]}


def test_a_worker_whose_queue_was_taken_back_is_handed_work_again(open_engine: Open) -> None:
    bench, shift = open_engine(
        """
        def run(mini_batch, context):
            tell("calls", context.minibatch_index)
            if context.minibatch_index in (0, 5):
                wait_for("release-%d" % context.minibatch_index)
            return mini_batch
        """
    )
    shift.ready()
    shift.engine.submit(Task(Span(0, 10)))
    shift.until(lambda: shift.all(NotStarted))
    (bench.seen / "release-0").touch()
    shift.until(lambda: shift.engine.room())
    shift.engine.submit(Task(Span(1, 9)))
    shift.until(lambda: len(shift.all(NotStarted)) == 2)
    assert shift.all(NotStarted) == [NotStarted(Span(1, 9), 1), NotStarted(Span(6, 4), 1)]
    (bench.seen / "release-5").touch()
    shift.until(lambda: sum(event.span.batches for event in shift.all(Scored)) == 6)
    shift.serve([Span(6, 4)])
    assert [int(batch) for batch in bench.told("calls")] == list(range(10))


def test_a_full_pipe_does_not_stop_deadlines(open_engine: Open) -> None:
    bench, shift = open_engine(
        """
        def run(mini_batch, context):
            tell("calls", context.minibatch_index)
            while context.minibatch_index == 0:
                time.sleep(60)
            return mini_batch
        """,
        timeout_s=0.5,
    )
    shift.ready()
    shift.engine.submit(Task(Span(0)))
    shift.until(lambda: bench.told("calls"))
    for _ in range(8000):  # 200 kB of frames, and a pipe holds 64
        shift.engine.submit(Task(Span(1)))
    shift.until(lambda: shift.all(WorkerEnded))
    assert [(failed.span, failed.reason) for failed in shift.all(Failed)] == [(Span(0), Reason.TIMEOUT)]
    assert len(shift.answers()) == 8001
    assert bench.told("calls") == ["0"]


def test_a_timeout_says_the_limit(open_engine: Open) -> None:
    _, shift = open_engine("def run(mini_batch):\n    time.sleep(60)", timeout_s=0.25)
    shift.serve([Span(0)])
    [failed] = shift.all(Failed)
    assert failed.message.startswith("run() did not return within 0.25 s (timeout)")
    assert 0.25 < failed.seconds < DEADLINE_S


def test_an_error_whose_text_takes_for_ever_times_out_like_run_itself(open_engine: Open) -> None:
    _, shift = open_engine(
        """
        class Endless(Exception):
            def __str__(self):
                while True:
                    time.sleep(60)


        def run(mini_batch, context):
            if context.minibatch_index == 1:
                raise Endless
            return mini_batch
        """,
        timeout_s=0.25,
    )
    shift.ready()
    shift.engine.submit(Task(Span(0, 3)))
    shift.until(lambda: shift.all(WorkerEnded))
    assert [scored.span for scored in shift.all(Scored)] == [Span(0)]
    assert [(failed.span, failed.reason) for failed in shift.all(Failed)] == [(Span(1), Reason.TIMEOUT)]
    assert shift.all(NotStarted) == [NotStarted(Span(2), 1)]


# Deaths


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("os._exit(3)", "the worker ended with status 3 (os._exit, or an exit in native code)"),
        ("os.kill(os.getpid(), signal.SIGKILL)",
         "the worker was killed by signal 9 (SIGKILL; if nobody sent it, "
         "the machine or its container ran out of memory)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)",
         "the worker was killed by signal 11 (SIGSEGV: a crash in native code)"),
    ],
)  # fmt: skip
def test_a_death_is_told_in_words(open_engine: Open, act: str, words: str) -> None:
    _, shift = open_engine(f"def run(mini_batch):\n    {act}")
    shift.serve([Span(0)])
    [failed] = shift.all(Failed)
    assert (failed.reason, failed.message) == (Reason.WORKER_DIED, words)


def test_finished_mini_batches_survive_the_death_of_their_worker(open_engine: Open) -> None:
    bench, shift = open_engine(
        """
        def run(mini_batch, context):
            tell("calls", context.minibatch_index)
            if context.minibatch_index == 9:
                os.kill(os.getpid(), signal.SIGKILL)
            return mini_batch
        """
    )
    shift.ready()
    shift.engine.submit(Task(Span(0, 20)))
    shift.until(lambda: shift.all(WorkerEnded))
    rows = [row for scored in shift.all(Scored) for row in bench.rows(scored)]
    assert rows == [str(bench.input / f"{number:03d}.txt") for number in range(9)]
    assert [failed.span for failed in shift.all(Failed)] == [Span(9)]
    assert shift.all(NotStarted) == [NotStarted(Span(10, 10), 1)]
    assert bench.told("calls") == [str(number) for number in range(10)]


def test_a_worker_is_replaced_after_a_death_and_not_after_an_exception(open_engine: Open) -> None:
    bench, shift = open_engine(
        """
        def run(mini_batch, context):
            tell("calls", os.getpid())
            if context.minibatch_index == 0:
                raise ValueError("no")
            if context.minibatch_index == 1:
                os._exit(1)
            return mini_batch
        """
    )
    shift.serve([Span(0), Span(1), Span(2)])
    first, second, third = bench.told("calls")
    assert first == second != third


def test_a_worker_that_dies_while_idle_is_replaced_at_no_one_s_cost(open_engine: Open) -> None:
    bench, shift = open_engine("def run(mini_batch):\n    tell('calls', os.getpid())\n    return mini_batch")
    shift.serve([Span(0)])
    os.kill(int(bench.told("calls")[0]), 9)
    shift.ready(2)
    shift.serve([Span(1)])
    assert shift.all(Failed) == []
    assert len(shift.all(WorkerEnded)) == 1
    assert shift.answers() == [0, 1]


# Starts


def test_a_start_that_takes_too_long_is_killed_and_told(open_engine: Open) -> None:
    _, shift = open_engine(
        "def init():\n    time.sleep(60)\n\ndef run(mini_batch):\n    return mini_batch", init_timeout_s=0.3
    )
    shift.until(lambda: shift.all(StartFailed))
    assert (
        "did not finish loading and init() within 0.3 s and was killed" in shift.all(StartFailed)[0].message
    )


def test_a_start_that_failed_is_told_though_a_thread_of_the_script_lives_on(open_engine: Open) -> None:
    _, shift = open_engine(
        """
        def init():
            threading.Thread(target=time.sleep, args=(60,)).start()
            raise RuntimeError("no weights")


        def run(mini_batch):
            return mini_batch
        """
    )
    shift.until(lambda: shift.all(StartFailed))
    assert "no weights" in shift.all(StartFailed)[0].message


def test_a_death_in_init_is_told_as_one(open_engine: Open) -> None:
    _, shift = open_engine("def init():\n    os._exit(9)\n\ndef run(mini_batch):\n    return mini_batch")
    shift.until(lambda: shift.all(StartFailed))
    assert shift.all(StartFailed)[0].message == (
        "the worker ended with status 9 (os._exit, or an exit in native code) while it loaded the script or "
        "in init()"
    )


def test_closing_while_a_worker_loads_is_no_failure(open_engine: Open) -> None:
    bench, shift = open_engine(
        "def init():\n    tell('init')\n    time.sleep(60)\n\ndef run(mini_batch):\n    return mini_batch"
    )
    shift.until(lambda: bench.told("init"))
    assert list(shift.engine.close()) == []


def test_an_interpreter_that_vanished_fails_the_start_in_words(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "")
    engine = bench.engine()
    gone = bench.assignment.interpreter.__class__(
        path=tmp_path / "gone", version=(3, 11, 0), cache_tag="", chosen="a test"
    )
    engine = bench.engine(interpreter=gone)
    with pytest.raises(JobError, match=r"the workers cannot be started: .*No such file"):
        engine.start()
    assert bench.carriers() == []


def test_rows_and_crc_are_those_of_the_part(open_engine: Open) -> None:
    bench, shift = open_engine("def run(mini_batch):\n    return [os.path.basename(mini_batch[0])]")
    shift.serve([Span(0, 20)])
    shift.engine.sync()
    scored = shift.all(Scored)
    data = [bench.assignment.part_path(one.part).read_bytes()[one.offset :][: one.length] for one in scored]
    assert b"".join(data) == b"".join(b"%03d.txt\n" % number for number in range(20))
    assert [zlib.crc32(one) for one in data] == [one.crc for one in scored]


def test_ready_names_the_modules_of_the_code_folder_with_their_digest(open_engine: Open) -> None:
    bench, shift = open_engine("def run(mini_batch):\n    return mini_batch")
    shift.ready()
    [ready] = shift.all(Ready)
    assert ready.modules == (("score.py", sha256(bench.script.read_bytes()).hexdigest()),)
    assert re.fullmatch(r"\d+\.\d+\.\d+", ready.python)
    assert 0 <= ready.init_s < DEADLINE_S
