"""Jobs with an MLflow model and no script: bad files, bad models, the environment, and the script."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from flow.mill import Ended, Mill
from flow.mlflow_models import column_model, mlflow, quiet

FILES = {
    "a.csv": "length,width\n1,2\n3.5,4\n",
    "b.csv": "length,width\n1,2\nlong,4\n",
    "below/a.csv": "width,length,id\n2,1,7\n",
    "c.txt": "no table",
    "d.csv": "length,with\n1,2\n",
    "e.jsonl": '{"length": 8, "width": 1}\n',
    "f.parquet": "no table either",
    "g.CSV": "length,width\n10,20\n",
}
ROWS = "0,3.0,a.csv\n1,7.5,a.csv\n0,3.0,below/a.csv\n0,9.0,e.jsonl\n0,30.0,g.CSV\n"
REASONS = {
    "b.csv": "column 'length', row 2: expected double, found 'long'",
    "c.txt": "file type '.txt' is not supported; supported are .csv, .parquet",
    "d.csv": "the model's signature has the column 'width' (double), which is missing; found is 'with'",
    "f.parquet": "it cannot be read: ",
}
TIMEOUT = "settings: {retry_settings: {timeout: 100}}\n"


@dataclass(frozen=True, kw_only=True)
class Scored:
    mill: Mill
    ended: Ended


@pytest.fixture(scope="module")
def scored(new_mill: Callable[[], Mill]) -> Scored:
    """One mini-batch of good and bad files, scored without a script."""
    mlflow()
    mill = new_mill()
    with quiet():
        column_model(mill.root / "hearts")
    mill.inputs(FILES)
    mill.write("deployment.yml", f"model: hearts\n{TIMEOUT}")
    return Scored(mill=mill, ended=mill.run("--use-current-python"))


def test_one_bad_file_fails_alone_with_what_is_wrong_with_it(scored: Scored) -> None:
    said = {line["input"]: line["message"] for line in scored.mill.failures()}

    assert scored.ended.counts == (8, 4, 4, 0), scored.ended.err
    assert scored.mill.bytes().decode() == ROWS
    assert sorted(said) == sorted(REASONS)
    assert all(said[name].startswith(f"FileError: {name}: {what}") for name, what in REASONS.items())
    assert scored.mill.type("verify", "j").status == 0


def test_it_takes_few_calls_to_find_them(scored: Scored) -> None:
    report = scored.mill.home / "jobs/j/logs/sys/job_report/processed_mini-batches.csv"
    tries = report.read_text().splitlines()[1:]

    parts = 4  # a; below/a; e; g: what lies between the bad ones
    assert len(tries) == 1 + 2 * len(REASONS) + parts


def test_columns_that_the_signature_does_not_know_are_told_in_the_log(scored: Scored) -> None:
    (log,) = scored.mill.home.glob("jobs/j/logs/user/stdout/*/*.txt")

    told = "columns that the model's signature does not know are left out: id"
    assert log.read_text().splitlines().count(told) == 1


def test_script_that_is_written_out_gives_the_same_bytes(scored: Scored) -> None:
    mill = scored.mill

    written = mill.type("model", "scoring-script", "hearts", "--output", "mine")
    again = mill.type("model", "scoring-script", "hearts", "--output", "mine")
    ran = mill.run(
        "--use-current-python", "--job-name", "k", "--output-path", "out-2", of="mine/deployment.yml"
    )

    assert written.out.splitlines()[0] == "mine/deployment.yml"
    assert {path.name for path in (mill.root / "mine/code").iterdir()} == {
        "mlflow_columns.py",
        "mlflow_images.py",
        "mlflow_inputs.py",
        "mlflow_score.py",
        "parallel_run_step.settings.json",
    }
    assert (again.status, "exists already; choose another --output" in again.err) == (2, True)
    assert ran.counts == (8, 4, 4, 0), ran.err
    assert (mill.root / "out-2/predictions.csv").read_text() == ROWS
    assert "conda_file: ../hearts/conda.yaml" in (mill.root / "mine/deployment.yml").read_text()


def test_check_tries_the_model_out(scored: Scored) -> None:
    ended = scored.mill.type(
        "check", "deployment.yml", "--input", "in/a.csv", "--use-current-python", "--json"
    )

    assert ended.status == 0, ended.err
    assert ended.view["preview"]["rows"] == ["0,3.0,a.csv", "1,7.5,a.csv"]
    assert ended.view["preview"]["columns"] == ["row", "prediction", "file"]
    assert ended.view["findings"] == []


@pytest.mark.slow
def test_a_bad_file_can_be_run_again_on_the_terminal(scored: Scored) -> None:
    ended = scored.mill.type("replay", "j", "b.csv")

    assert ended.status == 1
    assert REASONS["b.csv"] in ended.out + ended.err


def test_with_rows_as_items_one_bad_row_costs_one_row(scored: Scored) -> None:
    mill = scored.mill
    mill.inputs(
        {"long.csv": "length,width\n" + "".join(f"{n},{'x' if n == 3 else 1}\n" for n in range(7))}, "rows"
    )
    mill.write("split.yml", f"model: hearts\ngristmill: {{split_rows: 3}}\n{TIMEOUT}")
    words = ["--input", "rows", "--output-path", "split", "--job-name", "split"]

    ended = mill.type("run", "split.yml", *words, "--use-current-python", "--json")

    assert ended.counts == (7, 6, 1, 0), ended.err
    rows = [f"{n},{n + 1}.0,long.csv\n" for n in range(7) if n != 3]
    assert (mill.root / "split/predictions.csv").read_text() == "".join(rows)
    (failure,) = map(json.loads, (mill.root / "split/failures.jsonl").read_text().splitlines())
    assert (failure["file"], failure["first_row"]) == ("long.csv", 3)
    assert "long.csv: column 'width', row 4: expected double, found 'x'" in failure["message"]


# Models that cannot be used


def described(mill: Mill, flavors: str, **files: str) -> Mill:
    """Make a folder that says that it is an MLflow model."""
    mill.inputs({"a.csv": "length,width\n1,2\n"})
    mill.write("odd/MLmodel", f"flavors: {flavors}\nsignature: {{inputs: '[]'}}\n")
    for name, text in files.items():
        mill.write(f"odd/{name.replace('_', '.')}", text)
    mill.write("deployment.yml", f"model: odd\n{TIMEOUT}")
    return mill


def test_model_without_python_function_is_refused_before_anything_runs(mill: Mill) -> None:
    described(mill, "{keras: {}, spark: {}}")

    ran = mill.run()
    checked = mill.type("check", "deployment.yml", "--json")
    written = mill.type("model", "scoring-script", "odd")

    for ended in (ran, written):
        assert ended.status == 2
        assert "odd/MLmodel: the model has the flavors keras, spark and not python_function" in ended.err
    assert not (mill.home / "jobs/j").exists()
    assert checked.status == 1
    assert [one["code"] for one in checked.view["findings"]] == ["no-python-function"]


@pytest.mark.parametrize("file", ["conda_yaml", "python-env_yaml", "requirements_txt"])
def test_environment_is_that_of_the_model_and_says_what_it_lacks(mill: Mill, file: str) -> None:
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    texts = {
        "conda_yaml": f"dependencies: [python={python}, pip]\n",
        "python-env_yaml": f"python: '{python}'\ndependencies: ['-r requirements.txt']\n",
        "requirements_txt": "# nothing\n",
    }
    texts.setdefault("requirements_txt", "")
    described(mill, f"{{python_function: {{python_version: '{python}'}}}}", **{file: texts[file]})
    mill.write("odd/requirements.txt", "# nothing\n")
    if file == "python-env_yaml":
        (mill.root / "odd/python-env.yaml").rename(mill.root / "odd/python_env.yaml")
    mill.variables = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}

    built = mill.type("env", "build", "odd")
    ended = mill.run()

    assert built.status == 0, built.err
    assert ended.status == 1
    message = ended.view["message"]
    assert "the package mlflow-skinny is not in " in message
    assert f"{mill.home}/environments/" in message


def test_model_that_does_not_load_says_what_it_was_made_with(mill: Mill) -> None:
    mlflow()
    with quiet():
        column_model(mill.root / "hearts")
    (mill.root / "hearts/python_model.pkl").write_bytes(b"\x80\x04cno_such_module\nThing\n.")
    (mill.root / "hearts/requirements.txt").write_text("cloudpickle==0.1\n")
    mill.inputs({"a.csv": FILES["a.csv"]})
    mill.write("deployment.yml", f"model: hearts\n{TIMEOUT}")

    ended = mill.run("--use-current-python")

    assert ended.status == 1
    message = ended.view["message"]
    assert "the model cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'" in message
    assert "it was made with cloudpickle 0.1, and this Python (" in message


def test_folder_of_a_model_is_enough(scored: Scored) -> None:
    mill = scored.mill

    words = [
        "--input",
        "in",
        "--include",
        "a.csv",
        "--job-name",
        "bare",
        "--output-path",
        "bare",
        "--workers",
        "1",
    ]
    pieces = ["--set", "gristmill.mlflow.chunk_rows=1"]
    ended = mill.type("run", "hearts", *words, *pieces, "--use-current-python", "--json")

    assert ended.counts == (2, 2, 0, 0), ended.err
    rows = (mill.root / "bare/predictions.csv").read_text()
    assert rows == "row,prediction,file\n" + "".join(ROWS.splitlines(keepends=True)[:3])
    job = json.loads((mill.home / "jobs/bare/job.json").read_text())
    assert job["deployment"]["settings"]["environment_variables"] == {"GRISTMILL_MLFLOW_CHUNK_ROWS": "1"}
