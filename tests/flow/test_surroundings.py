"""The Python that runs a script, and what the script finds around it (1.4, environment in 2)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flow.mill import Mill
from worker.interpreters import interpreters

TOLD = """
import json, sys

def init():
    model = os.environ.get("AZUREML_MODEL_DIR")
    tree = sorted(
        (os.path.relpath(os.path.join(here, name), model), os.path.islink(here))
        for here, folders, files in os.walk(model) for name in files
    ) if model else None
    noted("told", json.dumps({
        "version": list(sys.version_info[:2]), "executable": sys.executable, "prefix": sys.prefix,
        "variables": dict(os.environ), "tree": tree, "top": os.listdir(model) if model else None,
        "weights": open(os.environ["GRISTMILL_MODEL_PATH"]).read()
                   if os.path.isfile(os.environ.get("GRISTMILL_MODEL_PATH", "")) else None,
        "cwd": os.getcwd(), "argv": sys.argv, "path_entries": [os.path.basename(p) for p in sys.path],
        "ours": [name for name in sys.modules if name.split(".")[0] == "gristmill"],
    }))

def run(mini_batch):
    assert all(type(path) is str and os.path.isabs(path) and os.path.isfile(path) for path in mini_batch)
    return names(mini_batch)
"""


def told(mill: Mill, *words: str, more: str = "", settings: str = "", **variables: str) -> dict[str, Any]:
    """Run a job over one file; return what its only worker found."""
    mill.inputs(["a"])
    mill.script(TOLD)
    mill.deployment(settings, more)
    ended = mill.run(*words, **variables)
    assert ended.status == 0, ended.err
    (line,) = mill.lines("told")
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


# ------------------------------------------------------------------------------------ the interpreter


def others() -> list[Path]:
    return [python for python in interpreters() if python != Path(sys.executable)]


@pytest.mark.parametrize("python", others(), ids=lambda python: python.name)
def test_script_runs_in_the_python_that_was_asked_for(mill: Mill, python: Path) -> None:
    found = told(mill, "--python", str(python))

    version = subprocess.run(
        [python, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=True
    ).stdout
    assert " ".join(map(str, found["version"])) == version.strip()
    assert found["ours"] == []
    assert mill.bytes() == b"a\n"


def test_script_runs_in_our_python_where_nothing_else_is_said(mill: Mill) -> None:
    assert told(mill)["executable"] == sys.executable


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment without packages."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_script_runs_in_the_active_environment(mill: Mill, environment: Path, variable: str) -> None:
    assert told(mill, **{variable: str(environment)})["prefix"] == str(environment)


def test_python_may_be_the_folder_of_an_environment(mill: Mill, environment: Path) -> None:
    assert told(mill, "--python", str(environment))["prefix"] == str(environment)


def test_python_that_was_asked_for_is_above_the_active_one(mill: Mill, environment: Path) -> None:
    found = told(mill, "--python", sys.executable, VIRTUAL_ENV=str(environment))
    assert found["prefix"] == sys.prefix


def test_a_resumed_job_keeps_its_python(mill: Mill, environment: Path) -> None:
    mill.inputs(["a"])
    mill.script(TOLD.replace("def init():", "def init():\n    assert (HERE / 'go').exists()"))
    mill.deployment()
    assert mill.run(VIRTUAL_ENV=str(environment)).status == 1
    (mill.root / "go").touch()

    assert mill.type("resume", "j").status == 0
    assert json.loads(mill.lines("told")[0])["prefix"] == str(environment)


# ------------------------------------------------------------------------------------ variables and folders


@pytest.fixture(scope="module")
def found(new_mill: Callable[[], Mill]) -> tuple[Mill, dict[str, Any]]:
    mill = new_mill()
    numbers = "A_NUMBER: 3, A_SHARE: 0.10, A_SWITCH: true, A_WORD: no, A_REFERENCE: $HOME, OMP_NUM_THREADS: 7"
    more = 'gristmill: {program_arguments: "--beams 4 \\"two words\\""}'
    found = told(mill, settings=f"environment_variables: {{{numbers}}}", more=more, FROM_OUTSIDE="kept")
    return mill, found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("A_NUMBER", "3"), ("A_SHARE", "0.10"), ("A_SWITCH", "true"), ("A_WORD", "no")),
        *(("A_REFERENCE", "$HOME"), ("OMP_NUM_THREADS", "7"), ("FROM_OUTSIDE", "kept")),
        *(("GRISTMILL_JOB_NAME", "j"), ("GRISTMILL_WORKER_INDEX", "0"), ("GRISTMILL_WORKER_COUNT", "1")),
        ("GRISTMILL_NODE_INDEX", "0"),
    ],
)
def test_a_variable_is_the_text_that_stands_in_the_file(
    found: tuple[Mill, dict[str, Any]], name: str, value: str
) -> None:
    assert found[1]["variables"].get(name) == value


def test_working_folder_and_temporary_folder_are_one_and_private(found: tuple[Mill, dict[str, Any]]) -> None:
    cwd = found[1]["cwd"]
    assert os.path.realpath(found[1]["variables"]["TMPDIR"]) == os.path.realpath(cwd)
    assert cwd != str(found[0].root)
    assert not os.path.exists(cwd)


def test_arguments_of_the_script_are_those_of_the_deployment(found: tuple[Mill, dict[str, Any]]) -> None:
    assert os.path.basename(found[1]["argv"][0]) == "score.py"
    assert found[1]["argv"][1:] == ["--beams", "4", "two words"]


def test_a_job_without_a_model_has_no_model_folder(found: tuple[Mill, dict[str, Any]]) -> None:
    assert "AZUREML_MODEL_DIR" not in found[1]["variables"]


def test_workers_share_the_cores_unless_the_user_says_otherwise(mill: Mill) -> None:
    cores = len(os.sched_getaffinity(0))
    assert int(told(mill)["variables"]["OMP_NUM_THREADS"]) in range(1, cores + 1)


def test_variables_on_top_of_an_older_layout_are_honoured(mill: Mill) -> None:
    found = told(mill, more="environment_variables: {ON_TOP: yes}")
    assert found["variables"]["ON_TOP"] == "yes"


# ------------------------------------------------------------------------------------ the model


def test_a_folder_model_is_the_only_entry_of_the_model_folder(mill: Mill) -> None:
    for name in ("model/weights.bin", "model/.config", "model/sub/labels.txt"):
        mill.write(name, "x")

    found = told(mill, "--model", "model")

    assert found["top"] == ["model"]
    assert found["tree"] == [
        [f"model/{name}", False] for name in (".config", "sub/labels.txt", "weights.bin")
    ]
    assert found["variables"]["GRISTMILL_MODEL_PATH"] == found["variables"]["AZUREML_MODEL_DIR"] + "/model"


def test_a_file_model_is_the_only_entry_of_the_model_folder(mill: Mill) -> None:
    mill.write("trained/net.pkl", "weights")

    found = told(mill, more="model: {path: trained/net.pkl}")

    assert found["top"] == ["net.pkl"]
    assert found["tree"] == [["net.pkl", False]]
    assert found["weights"] == "weights"


def test_a_linked_folder_in_a_model_is_a_real_folder_for_the_script(mill: Mill) -> None:
    mill.write("elsewhere/deep.bin", "x")
    mill.write("model/weights.bin", "x")
    (mill.root / "model/linked").symlink_to(mill.root / "elsewhere")

    found = told(mill, more="model: ./model")

    assert found["tree"] == [["model/linked/deep.bin", False], ["model/weights.bin", False]]


def test_a_model_with_a_link_to_nothing_is_refused_by_name(mill: Mill) -> None:
    mill.write("model/weights.bin", "x")
    (mill.root / "model/gone").symlink_to("nowhere")
    mill.inputs(["a"])
    mill.script("def run(mini_batch): return mini_batch\n")
    mill.deployment()

    ended = mill.run("--model", "model")

    assert ended.status == 2
    assert "holds gone, a link that leads nowhere; remove it" in ended.err
    assert mill.jobs() == []


def test_a_model_with_a_loop_of_links_is_laid_out_without_it(mill: Mill) -> None:
    mill.write("model/deep/weights.bin", "x")
    (mill.root / "model/deep/loop").symlink_to("..")

    found = told(mill, more="model: ./model")

    assert found["tree"] == [["model/deep/weights.bin", False]]


@pytest.mark.parametrize("words", [["--model", "pipe"], ["--set", "gristmill.program_arguments=--a 'b c"]])
def test_pipes_and_open_quotes_are_refused(mill: Mill, words: list[str]) -> None:
    os.mkfifo(mill.root / "pipe")
    mill.inputs(["a"])
    mill.script("def run(mini_batch): return mini_batch\n")
    mill.deployment()

    ended = mill.run(*words)

    assert ended.status == 2
    assert any(what in ended.err for what in ("is neither a file nor a folder", "close each quote"))


def test_a_completed_job_keeps_no_copy_of_the_model(mill: Mill) -> None:
    mill.write("model/weights.bin", "x")
    mill.inputs(["a"])
    mill.script("def run(mini_batch): return os.listdir(os.environ['GRISTMILL_MODEL_PATH'])\n")
    mill.deployment()

    assert mill.run("--model", "model").status == 0
    assert mill.bytes() == b"weights.bin\n"
    assert not (mill.home / "jobs/j/model").exists()
    assert mill.lines("model/weights.bin") == ["x"]


def test_a_model_that_the_script_changes_is_told(mill: Mill) -> None:
    mill.write("model/weights.bin", "x")
    mill.inputs(["a"])
    mill.script(
        """
def run(mini_batch):
    with open(os.path.join(os.environ["GRISTMILL_MODEL_PATH"], "weights.bin"), "a") as file:
        file.write("y")
    return mini_batch
"""
    )
    mill.deployment()

    ended = mill.run("--model", "model")

    assert "the model was changed while the job ran: weights.bin has changed" in ended.err


def test_folders_of_the_staged_model_are_read_only(mill: Mill) -> None:
    mill.write("model/sub/weights.bin", "x")
    mill.inputs(["a"])
    mill.script(
        """
def init():
    for here, folders, files in os.walk(os.environ["AZUREML_MODEL_DIR"]):
        noted("modes", oct(os.stat(here).st_mode & 0o222))

def run(mini_batch): return mini_batch
"""
    )
    mill.deployment()

    assert mill.run("--model", "model").status == 0
    assert mill.lines("modes") == ["0o0"] * 3
