"""A worker between two jobs, in every Python that is here; and what MLflow makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doubles.warm import WarmBench, notices
from gristmill.engine.contract import Failed
from gristmill.service.tracking import tracked_runs
from worker.interpreters import interpreters

Warm = Callable[..., WarmBench]


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Warm]:
    """Return a function that makes a workshop for a script; everything ends with the test."""
    benches: list[WarmBench] = []

    def warm(script: str) -> WarmBench:
        benches.append(WarmBench(tmp_path, script, files=[b"a", b"b"]))
        return benches[-1]

    yield warm
    for bench in benches:
        bench.close()


@pytest.mark.parametrize("python", interpreters(), ids=lambda path: path.name)
def test_every_python_goes_on_with_another_job(warm: Warm, python: Path) -> None:
    bench = warm(
        """
        import logging

        def run(mini_batch, context):
            print("out", context.job_name, end="")
            logging.warning("log %s", context.job_name)
            with open(os.environ["AZUREML_BI_OUTPUT_PATH"] + "/all.txt", "a") as file:
                file.write(context.job_name)
            open("left", "w").close()
            tell("calls", os.getpid(), os.path.exists("left"))
            return mini_batch
        """
    )
    for name in ("first", "second"):
        shift = bench.work(name, python=python)
        assert (shift.all(Failed), notices(shift.events)) == ([], [])
        assert bench.log(name, "stdout") == f"out {name}" * 2
        assert bench.log(name, "entry_script_log").count(f"log {name}") == 2
    assert len({line.split()[0] for line in bench.told("calls")}) == 1


FLUENT = """
import types

RUNS, EXPERIMENT = [], []
fluent = types.ModuleType("mlflow.tracking.fluent")
fluent._active_experiment_id = None
fluent.active_run = lambda: RUNS[-1] if RUNS else None
fluent.end_run = lambda: (RUNS.pop(), tell("ended"))
sys.modules["mlflow.tracking.fluent"] = fluent
"""
#: What a script does with MLflow, whether its worker stays, and how many runs are ended by us.
TRACKED = {
    "nothing": ("def run(mini_batch): return mini_batch", "", 0),
    "a run begins in run()": ("def run(mini_batch): RUNS.append(1); return mini_batch", "", 2),
    "a run begins in init()": (
        "def init(): RUNS.append(1)\ndef run(mini_batch): return mini_batch",
        "init() of score.py begins a run of MLflow",
        0,
    ),
    "an experiment is set": (
        "def run(mini_batch): fluent._active_experiment_id = '7'; return mini_batch",
        "MLflow is in the middle of an experiment",
        0,
    ),
    "it is of a release that nobody knows": (
        "def run(mini_batch): del fluent.active_run; fluent.active_run = len; return mini_batch",
        "MLflow is in the middle of an experiment",
        0,
    ),
}


@pytest.mark.parametrize("does", TRACKED)
def test_runs_of_mlflow_end_with_their_job_or_the_worker_does(warm: Warm, does: str) -> None:
    script, why, ended = TRACKED[does]
    bench = warm(FLUENT + script)
    shift = bench.work("first")
    assert [why in text for text in notices(shift.events)] == [True] * bool(why)
    assert len(bench.idle()) == (not why)
    assert len(bench.told("ended")) == ended


def test_what_is_logged_with_mlflow_is_in_the_store_of_its_job(warm: Warm) -> None:
    pytest.importorskip("mlflow")
    bench = warm(
        """
        import mlflow

        def run(mini_batch, context):
            mlflow.log_metric(context.job_name, context.minibatch_index)
            tell("calls", os.getpid())
            return mini_batch
        """
    )
    for name in ("first", "second"):
        shift = bench.work(name)
        assert (shift.all(Failed), notices(shift.events)) == ([], [])
        [run] = tracked_runs(bench.folder / name / "mlruns")
        assert run.metrics == {name: 1.0}
    assert len(set(bench.told("calls"))) == 1
