"""Jobs of endpoints: real models of the catalog, with what was there when a job was asked for."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from flow.mill import Mill, until
from flow.mlflow_models import column_model, mlflow, quiet
from gristmill.run.job_folder import Job
from gristmill.service.endpoints.invoking import InvokeRequest
from gristmill.service.job_resource import find_job
from gristmill.service.workspace import Workspace
from gristmill.settings import Home, Settings
from gristmill.spec.overrides import Override, parse_set

CLASSIFIER = """
import pickle

def init():
    global model
    folder = Path(os.environ["AZUREML_MODEL_DIR"])
    model = pickle.loads((folder / "model.pkl").read_bytes())

def run(mini_batch):
    rows = [[float(one) for one in Path(path).read_text().split()] for path in mini_batch]
    return [f"{name} {found}" for name, found in zip(names(mini_batch), model.predict(rows))]
"""
HELD = """
def run(mini_batch):
    called(mini_batch)
    held_until("go")
    return [f"{name} VERSION" for name in names(mini_batch)]
"""
WHERE = """
import sys

def run(mini_batch):
    return [str(sys.prefix != sys.base_prefix) for _ in mini_batch]
"""


class Team:
    """A workspace over the test's own home, its deployments beside it."""

    def __init__(self, mill: Mill, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MILL", str(mill.root))
        monkeypatch.chdir(mill.root)
        self.mill = mill
        self.settings = Settings(home=Home(path=home))
        with Workspace(self.settings) as workspace:
            workspace.endpoints.create(None, [Override(path="name", value="heart", origin="--name")])

    def deploy(self, text: str, *settings: str) -> tuple[str, ...]:
        file = self.mill.write("deployment.yml", f"name: first\nendpoint_name: heart\n{text}")
        with Workspace(self.settings) as workspace:
            overrides = list(map(parse_set, settings))
            return workspace.deployments.create(file, overrides, set_default=True).notices

    def invoke(self, *settings: str) -> str:
        request = InvokeRequest(
            endpoint="heart", input=str(self.mill.root / "in"), overrides=list(map(parse_set, settings))
        )
        with Workspace(self.settings) as workspace:
            return workspace.endpoints.invoke(request).job.name

    def ended(self, name: str) -> Job:
        until(lambda: find_job(self.settings.home, name).status.is_final, f"the end of {name}")
        return find_job(self.settings.home, name).job


@pytest.fixture
def team(mill: Mill, gristmill_home: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    return Team(mill, gristmill_home, monkeypatch)


def registered(team: Team, kind: str, **said: str) -> None:
    overrides = [Override(path=key, value=value, origin=f"--{key}") for key, value in said.items()]
    with Workspace(team.settings) as workspace:
        getattr(workspace, kind).create(None, overrides)


def test_a_registered_model_scores_when_all_of_its_files_are_gone(team: Team) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    rows = [[value, value / 2] for value in range(20)]
    fitted = linear.LogisticRegression().fit(rows, [int(value > 9) for value in range(20)])
    (team.mill.root / "model.pkl").write_bytes(pickle.dumps(fitted))
    inputs = {f"{value:02}.txt": f"{value} {value / 2}" for value in range(0, 20, 3)}
    team.mill.inputs(inputs)
    team.mill.script(CLASSIFIER)
    registered(team, "models", name="hearts", path="model.pkl")
    text = "model: azureml:hearts@latest\ncode_configuration: {code: code, scoring_script: score.py}\n"
    team.deploy(text, "gristmill.use_current_python=true", "mini_batch_size=3")

    run = team.mill.run(GRISTMILL_HOME=str(team.settings.home.path))
    assert run.status == 0, run.err
    shutil.rmtree(team.mill.root / "code")
    for name in ("model.pkl", "deployment.yml"):
        (team.mill.root / name).unlink()
    job = team.ended(team.invoke())

    expected = [f"{name} {int(float(text.split()[0]) > 9)}\n" for name, text in sorted(inputs.items())]
    assert job.message == ""
    assert job.target.read_text() == "".join(expected)
    assert job.target.read_bytes() == (team.mill.root / "out" / "predictions.csv").read_bytes()
    assert (job.deployment.model and job.deployment.model.version) == "1"


def test_a_job_that_waits_keeps_its_revision_whatever_is_changed_or_deleted(team: Team) -> None:
    team.mill.inputs(["a"])
    text = "code_configuration: {code: code, scoring_script: score.py}\n"
    names = []
    for version in ("one", "two"):
        team.mill.script(HELD.replace("VERSION", version))
        team.deploy(text)
        names.append(team.invoke(f"tags.asked={version}"))
    until(lambda: (team.mill.root / "calls").exists(), "the first job")
    with Workspace(team.settings) as workspace:
        assert workspace.endpoints.delete("heart") is True
    (team.mill.root / "go").touch()

    jobs = [team.ended(name) for name in names]

    assert [job.target.read_text() for job in jobs] == ["a one\n", "a two\n"]
    assert [job.revision for job in jobs] == [1, 2]
    with Workspace(team.settings) as workspace:
        assert {one.job.name for one in workspace.endpoints.jobs("heart")} == set(names)


def test_an_mlflow_model_of_the_catalog_needs_no_script(team: Team) -> None:
    mlflow()
    with quiet():
        column_model(team.mill.root / "hearts")
    team.mill.inputs({"a.csv": "length,width\n1,2\n3.5,4\n"})
    registered(team, "models", name="hearts", path="hearts", type="mlflow_model")
    shutil.rmtree(team.mill.root / "hearts")
    team.deploy(
        "model: azureml:hearts:1\n", "gristmill.use_current_python=true", "retry_settings.timeout=100"
    )

    job = team.ended(team.invoke())

    assert job.message == ""
    assert job.target.read_text() == "0,3.0,a.csv\n1,7.5,a.csv\n"


def test_an_environment_of_the_catalog_is_built_for_the_job(team: Team) -> None:
    team.mill.inputs(["a"])
    team.mill.script(WHERE)
    team.mill.write("conda.yml", "dependencies: ['python>=3.8']\n")
    registered(team, "environments", name="plain", conda_file="conda.yml")
    (team.mill.root / "conda.yml").unlink()
    code = "code_configuration: {code: code, scoring_script: score.py}\n"
    team.deploy(f"environment: azureml:plain@latest\n{code}")

    job = team.ended(team.invoke())

    assert job.message == ""
    assert job.target.read_text() == "True\n"
    assert job.deployment.packages is not None
    assert job.deployment.packages.name == "plain"
