"""What a script finds around it (contract, sections 1 and 1.4)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gristmill.engine.machine import usable_cores
from gristmill.engine.staging import stage_model
from worker.conftest import Serve, Served
from worker.interpreters import interpreters

ASKS = """
    import json
    import tempfile

    HERE = {"cwd": os.getcwd(), "argv": sys.argv, "stdin": sys.stdin.read(), "temp": tempfile.gettempdir()}


    def run(mini_batch):
        tell("facts", json.dumps({**HERE, "env": dict(os.environ)}))
        return mini_batch
"""


def facts(served: Served) -> list[dict[str, object]]:
    return [json.loads(line) for line in served.bench.told("facts")]


def test_every_worker_has_a_temporary_folder_of_its_own_and_works_in_it(serve: Serve) -> None:
    served = serve(ASKS, workers=2, mini_batch_size=1)
    found = facts(served)
    assert {(one["cwd"], one["temp"], one["env"]["TMPDIR"]) for one in found} <= {  # type: ignore[index]
        (str(path),) * 3 for path in (served.bench.assignment.scratch / f"w{n}-{n}" for n in (0, 1))
    }
    assert not served.bench.assignment.scratch.exists()


def test_standard_input_is_empty(serve: Serve) -> None:
    assert facts(serve(ASKS))[0]["stdin"] == ""


def test_program_arguments_follow_the_script_s_name(serve: Serve) -> None:
    served = serve(ASKS, program_arguments="--model 'a b' -v")
    assert facts(served)[0]["argv"] == [str(served.bench.script), "--model", "a b", "-v"]


def test_the_worker_is_told_who_it_is(serve: Serve) -> None:
    served = serve(ASKS, workers=2)
    variables = facts(served)[0]["env"]
    assert isinstance(variables, dict)
    assert variables["GRISTMILL_JOB_NAME"] == "test"
    assert variables["GRISTMILL_WORKER_INDEX"] in ("0", "1")
    assert variables["GRISTMILL_WORKER_COUNT"] == "2"
    assert variables["GRISTMILL_NODE_INDEX"] == "0"
    assert variables["AZUREML_BI_OUTPUT_PATH"] == variables["GRISTMILL_OUTPUT_DIR"]


@pytest.mark.parametrize("workers", [1, 2])
def test_numeric_libraries_are_given_a_fair_share_of_the_cores(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    served = serve(ASKS, workers=workers, variables={"MKL_NUM_THREADS": "7"})
    variables = facts(served)[0]["env"]
    assert isinstance(variables, dict)
    assert variables["OMP_NUM_THREADS"] == str(max(1, usable_cores() // workers))
    assert variables["MKL_NUM_THREADS"] == "7"


def test_the_deployment_s_variables_are_set_and_ours_cannot_be_overridden(serve: Serve) -> None:
    served = serve(
        ASKS, variables={"THRESHOLD": "0.5", "TMPDIR": "/elsewhere", "GRISTMILL_JOB_NAME": "other"}
    )
    variables = facts(served)[0]["env"]
    assert isinstance(variables, dict)
    assert (variables["THRESHOLD"], variables["GRISTMILL_JOB_NAME"]) == ("0.5", "test")
    assert variables["TMPDIR"] != "/elsewhere"


@pytest.mark.parametrize("is_folder", [False, True])
def test_the_model_folder_contains_the_model_and_nothing_else(
    serve: Serve, tmp_path: Path, is_folder: bool
) -> None:
    model = tmp_path / "registered" / "model"
    (model if is_folder else model.parent).mkdir(parents=True)
    (model / "weights.bin" if is_folder else model).write_text("weights")
    served = serve(
        """
        def run(mini_batch):
            folder = os.environ["AZUREML_MODEL_DIR"]
            tell("found", *[os.path.join(os.path.relpath(here, folder), name)
                            for here, _, names in os.walk(folder) for name in names])
            tell("model", os.path.relpath(os.environ["GRISTMILL_MODEL_PATH"], folder))
            return mini_batch
        """,
        model=stage_model(model, tmp_path / "job" / "model"),
        mini_batch_size=20,
    )
    assert served.bench.told("found") == ["model/weights.bin" if is_folder else "./model"]
    assert served.bench.told("model") == ["model"]


def test_what_a_script_writes_to_its_output_folder_is_set_aside_under_its_mini_batch(serve: Serve) -> None:
    served = serve(
        """
        def run(mini_batch, context):
            name = "%d.txt" % context.minibatch_index
            with open(os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], name), "w") as file:
                file.write("rows")
            if context.minibatch_index == 2:
                raise ValueError("no")
            return mini_batch
        """
    )
    aside = served.bench.assignment.staging / "aside" / str(1 << 20)
    assert sorted(str(path.relative_to(aside)) for path in aside.glob("*/*")) == [
        "0-0-1/0.txt", "1-0-1/1.txt", "3-0-1/3.txt"
    ]  # fmt: skip


LOGS = """
    import logging

    from azureml_user.parallel_run import EntryScript

    entry = EntryScript()


    def run(mini_batch):
        for logger in (logging.getLogger(), logging.getLogger("mine"), entry.logger):
            logger.debug("a debug line of %s", logger.name)
            logger.info("an info line of %s", logger.name)
            logger.warning("a warning of %s", logger.name)
        tell("entry", entry.agent_name, entry.log_dir, entry.working_dir, entry.output_dir)
        return mini_batch
"""


@pytest.mark.parametrize(("level", "lines"), [("debug", 9), ("info", 6), ("warning", 3), ("WARNING", 3)])
def test_log_lines_at_the_level_asked_for_are_in_the_worker_s_log(
    serve: Serve, level: str, lines: int
) -> None:
    served = serve(LOGS, logging_level=level, mini_batch_size=20)
    log = served.bench.log("entry_script_log").splitlines()
    assert len([line for line in log if " line of " in line or " a warning of " in line]) == lines
    assert len([line for line in log if "EntryScript" in line]) == lines // 3
    assert served.bench.log("stderr") == ""


@pytest.mark.parametrize("python", interpreters(), ids=lambda path: path.name)
def test_an_entry_script_knows_its_surroundings(serve: Serve, python: Path) -> None:
    served = serve(LOGS, python=python, mini_batch_size=20)
    [[agent, logs, working, output]] = [line.split() for line in served.bench.told("entry")]
    assignment = served.bench.assignment
    assert agent == "process000"
    assert logs == str(assignment.log_path("entry_script_log", 0, "").parent)
    assert working == str(assignment.scratch / "w0-0")
    assert output == str(assignment.staging / "outbox" / str(1 << 20))


def test_an_entry_script_works_outside_a_worker(tmp_path: Path) -> None:
    program = (
        "from azureml_user.parallel_run import EntryScript; e = EntryScript(); e.logger.info('x');"
        "print(e.agent_name, e.log_dir, e.working_dir, e.output_dir)"
    )
    source = Path(__file__).parents[2] / "src"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(source), "PATH": os.environ["PATH"]},
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    agent, _, working, output = ended.stdout.split()
    assert (agent, working, output) == ("process000", str(tmp_path), str(tmp_path))


def test_the_script_finds_no_variable_that_would_make_python_slow(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in facts(serve(ASKS))[0]["env"]  # type: ignore[operator]
