"""What a script logs with MLflow is shown with its job (contract, 1.4)."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from flow.mill import Mill

BY_HAND = """
from urllib.parse import unquote, urlsplit

def init():
    store = Path(unquote(urlsplit(os.environ["MLFLOW_TRACKING_URI"]).path))
    run = store / "0" / "0123abcd"
    for folder in ("params", "metrics"):
        (run / folder).mkdir(parents=True)
    (run / "meta.yaml").write_text("lifecycle_stage: active\\nrun_name: calm-owl\\nstart_time: 5\\n")
    (run / "params" / "threshold").write_text("0.5")
    (run / "metrics" / "rows").write_text("1 10 0\\n2 12 1\\n")
    (run / "metrics" / "loss").write_text("1 nan 0\\n")

def run(mini_batch): return names(mini_batch)
"""

REAL = """
import mlflow

def init():
    mlflow.log_param("threshold", 0.5)

def run(mini_batch):
    mlflow.log_metric("rows", len(mini_batch), step=int(names(mini_batch)[0]))
    return names(mini_batch)
"""


def test_what_was_logged_is_shown_with_the_job_in_words_and_as_json(mill: Mill) -> None:
    mill.inputs(["1", "2"])
    mill.script(BY_HAND)
    mill.deployment()
    assert mill.run().status == 0

    shown = mill.type("job", "show", "j").out.splitlines()
    assert [line for line in shown if line.startswith("mlflow")] == [
        "mlflow        calm-owl: loss nan, rows 12 (threshold=0.5)"
    ]
    assert mill.show()["mlflow_runs"] == [
        {"name": "calm-owl", "params": {"threshold": "0.5"}, "metrics": {"loss": "nan", "rows": 12.0}}
    ]


def test_a_job_that_logged_nothing_shows_nothing_of_mlflow(mill: Mill) -> None:
    mill.inputs(["1"])
    mill.script("def run(mini_batch): return names(mini_batch)\n")
    mill.deployment()
    mill.run()

    assert "mlflow" not in mill.type("job", "show", "j").out
    assert mill.show()["mlflow_runs"] == []


@pytest.fixture
def python_with_mlflow() -> str:
    """Return a Python that has MLflow: the one named in the environment, else ours."""
    named = os.environ.get("TEST_PYTHON_WITH_MLFLOW")
    if named:
        subprocess.run([named, "-c", "import mlflow"], check=True)
        return named
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("mlflow is not installed; TEST_PYTHON_WITH_MLFLOW may name a Python that has it")
    return sys.executable


def test_a_real_mlflow_is_shown_with_the_job(mill: Mill, python_with_mlflow: str) -> None:
    mill.inputs(["1", "2", "3"])
    mill.script(REAL)
    mill.deployment("mini_batch_size: 2")
    assert mill.run("--python", python_with_mlflow, "--timeout", "120").status == 0

    [run] = mill.show()["mlflow_runs"]
    assert (run["params"], run["metrics"]) == ({"threshold": "0.5"}, {"rows": 1.0})
