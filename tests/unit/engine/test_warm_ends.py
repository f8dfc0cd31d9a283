"""Workers that are not to go on with another job, or die before they can, and what is seen from outside."""

from __future__ import annotations

import os
import signal

import pytest

from doubles.warm import notices
from gristmill.engine import standby as standby_module
from gristmill.engine.contract import (
    Failed,
    Farewell,
    Notice,
    Span,
    StartFailed,
    Task,
    WorkerEnded,
)
from gristmill.engine.roster import roster
from gristmill.engine.standby import is_looked_after, remove_forgotten
from gristmill.engine.sweep import RUN_MARK, marked
from unit.engine.conftest import Warm

# Who does not stay

UNFIT = {
    "has a shutdown()": "def run(mini_batch):\n    return mini_batch\n\ndef shutdown():\n    tell('bye')",
    "keeps a file in the output folder open": """
        def run(mini_batch):
            global FILE
            FILE = open(os.environ["AZUREML_BI_OUTPUT_PATH"] + "/a.txt", "a")
            return mini_batch
        """,
    "init() of score.py writes into the output folder": """
        def init():
            open(os.environ["AZUREML_BI_OUTPUT_PATH"] + "/a.txt", "w").close()

        def run(mini_batch):
            return mini_batch
        """,
    "has changed its current folder": "def run(mini_batch):\n    os.chdir('/')\n    return mini_batch",
    "has redirected its standard output": """
        def run(mini_batch):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return mini_batch
        """,
    "a process that it started still runs": """
        def run(mini_batch):
            subprocess.Popen(["sleep", "60"])
            return mini_batch
        """,
    "a process that it started still runs, far away": """
        def run(mini_batch):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    tell("away")
                    time.sleep(60)
                os._exit(0)
            os.wait()
            wait_for("away")
            return mini_batch
        """,
    "has left many temporary files": """
        import tempfile

        def run(mini_batch):
            folder = tempfile.mkdtemp()
            for number in range(1100):
                open("%s/%d" % (folder, number), "w").close()
            return mini_batch
        """,
    "has made very many folders": """
        def run(mini_batch):
            for number in range(300):
                os.mkdir("%s/%d" % (os.environ["AZUREML_BI_OUTPUT_PATH"], number))
            return mini_batch
        """,
}


@pytest.mark.parametrize("why", UNFIT)
def test_a_worker_that_cannot_be_put_in_order_ends_with_its_job(warm: Warm, why: str) -> None:
    bench = warm(UNFIT[why], files=[b"a"])
    shift = bench.work("first")
    [notice] = notices(shift.events)
    assert notice.startswith("workers are not kept warm: ")
    assert why.partition(",")[0] in notice
    assert bench.idle() == []
    assert marked(RUN_MARK, bench.standby.run_id) == []
    assert len(shift.all(Farewell)) == 1
    assert bench.told("bye") == [""] * ("shutdown" in why)


def test_a_worker_that_was_killed_or_ran_out_of_time_is_not_the_one_that_stays(warm: Warm) -> None:
    bench = warm(
        """
        def init():
            tell("starts", os.getpid())

        def run(mini_batch, context):
            if context.attempt == 1 and context.minibatch_index == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            while context.attempt == 1 and context.minibatch_index == 1:
                time.sleep(60)
            return mini_batch
        """,
        files=[b"a", b"b"],
    )
    shift = bench.begin("first", timeout_s=0.5)
    shift.serve([Span(0, 2)], max_retries=1)
    shift.events += shift.engine.close()
    starts = [int(line) for line in bench.told("starts")]
    assert len(starts) == 3
    assert bench.idle() == starts[2:]


def test_nobody_stays_when_a_job_is_halted(warm: Warm) -> None:
    bench = warm("def run(mini_batch):\n    return mini_batch", files=[b"a"])
    shift = bench.begin("first", workers=2)
    shift.ready(2)
    shift.engine.halt()
    shift.engine.close()
    assert (bench.idle(), marked(RUN_MARK, bench.standby.run_id)) == ([], [])


# Deaths and starts

PLAIN = """
def init():
    tell("starts", os.getpid())

def run(mini_batch, context):
    tell("calls", context.job_name, os.getpid())
    return mini_batch
"""


def test_a_worker_that_is_killed_between_jobs_is_replaced_and_nobody_is_told(warm: Warm) -> None:
    bench = warm(PLAIN)
    bench.work("first", workers=2)
    victim, survivor = bench.idle()
    os.kill(victim, signal.SIGKILL)
    os.waitid(os.P_PID, victim, os.WEXITED | os.WNOWAIT)
    shift = bench.begin("second", workers=2)
    shift.ready(2)
    shift.serve([Span(0, 20)])
    shift.events += shift.engine.close()
    assert [event for event in shift.events if isinstance(event, StartFailed | WorkerEnded | Notice)] == []
    starts = [int(line) for line in bench.told("starts")]
    assert len(starts) == 3
    assert set(bench.idle()) == {survivor, starts[2]}


def test_a_worker_that_does_not_answer_is_replaced_and_nobody_is_told(
    warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby_module, "TAKE_LIMIT_S", 0.2)
    bench = warm(PLAIN, files=[b"a"])
    bench.work("first")
    [victim] = bench.idle()
    os.kill(victim, signal.SIGSTOP)
    shift = bench.work("second")
    assert [event for event in shift.events if isinstance(event, StartFailed | WorkerEnded | Notice)] == []
    assert [int(line.split()[1]) == victim for line in bench.told("calls")] == [True, False]


def test_a_worker_that_dies_in_the_second_job_is_a_worker_that_died(warm: Warm) -> None:
    bench = warm(
        """
        def run(mini_batch, context):
            if context.job_name == "second":
                os.kill(os.getpid(), signal.SIGSEGV)
            return mini_batch
        """,
        files=[b"a"],
    )
    bench.work("first")
    shift = bench.work("second")
    [failed] = shift.all(Failed)
    assert "SIGSEGV" in failed.message
    assert len(shift.all(WorkerEnded)) == 1


def test_a_worker_that_still_loads_when_a_job_ends_goes_on_with_the_next(warm: Warm) -> None:
    bench = warm(
        """
        def init():
            tell("starts", os.environ["GRISTMILL_WORKER_INDEX"])
            if os.environ["GRISTMILL_WORKER_INDEX"] == "1":
                wait_for("release")

        def run(mini_batch, context):
            tell("calls", context.job_name, os.environ["GRISTMILL_WORKER_INDEX"])
            return mini_batch
        """,
    )
    shift = bench.begin("first", workers=2)
    shift.serve([Span(0, 20)])
    shift.until(lambda: len(bench.told("starts")) == 2)
    shift.engine.close()
    assert len(bench.idle()) == 2
    (bench.bench.seen / "release").touch()
    shift = bench.begin("second", workers=2)
    shift.ready(2)
    shift.serve([Span(0, 20)])
    shift.engine.close()
    assert bench.told("calls").count("first 1") == 0
    assert bench.told("calls").count("second 1") > 0
    assert sorted(bench.told("starts")) == ["0", "1"]


def test_a_worker_that_comes_to_fail_between_jobs_fails_before_the_eyes_of_the_next(warm: Warm) -> None:
    bench = warm(
        """
        def init():
            wait_for("release")
            raise RuntimeError("no weights")

        def run(mini_batch):
            return mini_batch
        """
    )
    bench.begin("first").engine.close()
    assert len(bench.idle()) == 1
    (bench.bench.seen / "release").touch()
    shift = bench.begin("second")
    shift.until(lambda: shift.all(StartFailed))
    [failed] = shift.all(StartFailed)
    assert "no weights" in failed.message
    assert "RuntimeError" in bench.log("second", "error")


def test_a_job_with_less_work_takes_some_and_the_others_wait_on(warm: Warm) -> None:
    bench = warm(PLAIN)
    bench.work("first", workers=2)
    shift = bench.begin("second", workers=2, seats=1)
    shift.serve([Span(0, 20)])
    assert shift.engine.load().workers == 1
    shift.engine.close()
    assert len(bench.idle()) == 2
    assert len(bench.told("starts")) == 2


# Seen from outside


def test_the_workers_of_the_job_that_runs_are_seen_by_others(warm: Warm) -> None:
    bench = warm(
        """
        def run(mini_batch, context):
            if context.job_name == "second":
                tell("there")
                wait_for("release")
            return mini_batch
        """,
        files=[b"a"],
    )
    bench.work("first")
    shift = bench.begin("second")
    shift.ready()
    shift.engine.submit(Task(Span(0)))
    shift.until(lambda: bench.told("there"))
    plan = bench.bench.assignment.plan
    [present] = roster(os.getpid(), plan)
    assert (present.worker, present.state, present.span) == (0, "running", Span(0))
    assert present.code == bench.standby.code
    assert roster(os.getpid(), bench.folder) == []
    (bench.bench.seen / "release").touch()


def test_somebody_looks_after_it_until_its_end_and_nothing_is_left(warm: Warm) -> None:
    bench = warm(
        """
        import atexit

        def init():
            atexit.register(tell, "ended")

        def run(mini_batch):
            return mini_batch
        """,
        files=[b"a"],
    )
    folder, run_id = bench.standby.folder.parent, bench.standby.run_id
    bench.work("first")
    remove_forgotten(folder)
    assert is_looked_after(folder, run_id)
    assert len(bench.idle()) == 1
    bench.standby.end()
    assert bench.told("ended") == [""]
    assert not is_looked_after(folder, run_id)
    assert list(folder.iterdir()) == []
    assert not bench.assignments["first"].scratch.exists()
    assert marked(RUN_MARK, run_id) == []


def test_a_guard_that_was_killed_between_jobs_is_replaced(warm: Warm) -> None:
    bench = warm(PLAIN, files=[b"a"])
    bench.work("first")
    guard = bench.standby._guarding._guard
    assert guard is not None
    os.kill(guard.id, signal.SIGKILL)
    os.waitid(os.P_PID, guard.id, os.WEXITED | os.WNOWAIT)
    bench.standby.look()
    assert bench.standby._guarding._guard is not guard
    assert len(bench.idle()) == 1
