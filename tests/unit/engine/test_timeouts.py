"""What is over its time is lost from that moment on, and its stack is had before it is killed."""

from __future__ import annotations

import pytest

from gristmill.engine.contract import Failed, Reason, Scored, Span, StartFailed, Task, WorkerEnded
from unit.engine.conftest import Open


@pytest.fixture(autouse=True)
def _without_py_spy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRISTMILL_PY_SPY", "")


def test_result_that_comes_because_the_stack_was_asked_for_does_not_count(open_engine: Open) -> None:
    _, shift = open_engine(
        """
        import ctypes

        def run(mini_batch):
            ctypes.CDLL(None).sleep(600)  # the signal cuts it short
            tell("returned")
            return mini_batch
        """,
        timeout_s=0.3,
    )
    shift.serve([Span(0)])

    assert shift.all(Scored) == []
    [failed] = shift.all(Failed)
    assert (failed.span, failed.reason, failed.activity) == (Span(0), Reason.TIMEOUT, "waiting")
    assert "in run\n    ctypes.CDLL(None).sleep(600)" in failed.traceback


def test_what_was_finished_before_counts_though_it_was_not_reported(open_engine: Open) -> None:
    _, shift = open_engine(
        """
        def run(mini_batch, context):
            while context.minibatch_index == 5:
                time.sleep(60)
            return mini_batch
        """,
        timeout_s=0.3,
    )
    shift.ready()
    shift.engine.submit(Task(Span(0, 6)))
    shift.until(lambda: shift.all(WorkerEnded))

    assert [failed.span for failed in shift.all(Failed)] == [Span(5)]
    assert shift.answers() == [0, 1, 2, 3, 4, 5]
    assert sum(scored.span.batches for scored in shift.all(Scored)) == 5


def test_worker_that_is_stopped_is_killed_all_the_same_and_said_to_be(open_engine: Open) -> None:
    _, shift = open_engine("def run(mini_batch):\n    os.kill(os.getpid(), signal.SIGSTOP)", timeout_s=0.3)
    shift.serve([Span(0)])

    [failed] = shift.all(Failed)
    assert failed.message.endswith("and was waiting; its worker was killed")
    assert "no Python stack could be had" in failed.traceback
    assert "state T (stopped by a signal)" in failed.traceback


def test_others_go_on_while_a_stack_is_awaited(open_engine: Open) -> None:
    _, shift = open_engine(
        """
        def run(mini_batch, context):
            if context.minibatch_index == 0:
                os.kill(os.getpid(), signal.SIGSTOP)
            tell("others")
            return mini_batch
        """,
        timeout_s=0.3,
        workers=2,
    )
    shift.ready(2)
    shift.engine.submit(Task(Span(0)))
    shift.serve([Span(number) for number in range(1, 20)])
    shift.until(lambda: shift.all(Failed))

    assert [failed.span for failed in shift.all(Failed)] == [Span(0)]
    assert sum(scored.span.batches for scored in shift.all(Scored)) == 19


def test_start_that_takes_too_long_has_its_stack(open_engine: Open) -> None:
    bench, shift = open_engine(
        "def init():\n    while True: pass\n\ndef run(mini_batch):\n    return mini_batch", init_timeout_s=0.5
    )
    shift.until(lambda: shift.all(StartFailed))

    [failure] = shift.all(StartFailed)
    assert "within 0.5 s and was killed while it was computing (score.py:" in failure.message
    assert "in init\n    while True: pass" in failure.traceback
    assert failure.traceback in bench.log("error")
