"""Deployment files that name what is registered, for those who run them and for those who create."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.catalog.records import AssetKind
from gristmill.errors import SpecError, UnknownResourceError
from gristmill.service.endpoints.kept_document import load_kept
from gristmill.service.endpoints.named_input import Input, input_at
from gristmill.service.endpoints.references import load_resolved
from gristmill.service.workspace import Workspace
from gristmill.spec.overrides import Override, parse_set
from gristmill.spec.values import Deployment

FILE = Path("deployment.yml")


def said(path: str, value: object) -> Override:
    return Override(path=path, value=value, origin=f"--{path}")


def registered(workspace: Workspace, text: str = "a model") -> str:
    """Register a version of the model ``m``, and return it."""
    Path("m.bin").write_text(text)
    return workspace.models.create(None, [said("name", "hearts"), said("path", "m.bin")]).version


def loaded(workspace: Workspace, *settings: str) -> Deployment:
    """Load the file as ``run`` does, in a workspace of its own."""
    return load_resolved(FILE, list(map(parse_set, settings)), lambda: Workspace(workspace.settings))


def problems(workspace: Workspace, *settings: str) -> str:
    with pytest.raises(SpecError) as caught:
        loaded(workspace, *settings)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("reference", ["azureml:hearts:1", "azureml:hearts@prod"])
def test_a_model_is_found_by_version_and_label(workspace: Workspace, project: Path, reference: str) -> None:
    registered(workspace)
    registered(workspace, "newer")
    workspace.catalog.set_label(AssetKind.MODEL, "hearts", "prod", "1")
    model = loaded(workspace, f"model={reference}").model
    assert model is not None
    assert (model.name, model.version, model.path.name) == ("hearts", "1", "m.bin")
    assert model.path.read_text() == "a model"


@pytest.mark.parametrize("reference", ["azureml:hearts@latest", "azureml:hearts"])
def test_the_newest_model_needs_no_version(workspace: Workspace, project: Path, reference: str) -> None:
    registered(workspace)
    registered(workspace, "newer")
    model = loaded(workspace, f"model={reference}").model
    assert model is not None
    assert model.path.read_text() == "newer"


def test_the_id_that_show_gives_names_a_model(workspace: Workspace, project: Path) -> None:
    registered(workspace)
    identity = workspace.models.show("hearts").id
    model = loaded(workspace, f"model={identity}").model
    assert model is not None
    assert model.version == "1"


def test_a_model_that_is_not_known_is_answered_with_the_nearest(workspace: Workspace, project: Path) -> None:
    registered(workspace)
    said = problems(workspace, "model=azureml:haerts:1")
    assert "there is no model called 'haerts'" in said
    assert "did you mean 'hearts'" in said
    assert said.endswith("? or give the model's path, here or with --model")
    assert "'3'" in problems(workspace, "model=azureml:hearts:3")


def test_an_archived_version_is_used_where_it_is_named(workspace: Workspace, project: Path) -> None:
    registered(workspace)
    workspace.models.archive("hearts", "1")
    deployment = loaded(workspace, "model=azureml:hearts:1")
    assert any("model hearts:1: is archived" in line for line in deployment.notices)
    assert "archived" in problems(workspace, "model=azureml:hearts@latest")


def test_a_mistake_beside_an_unknown_model_is_told_as_well(workspace: Workspace, project: Path) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(workspace, "model=azureml:m:1", "mini_batch_size=0")
    assert len(caught.value.problems) == 2


def test_an_environment_is_found(workspace: Workspace, project: Path) -> None:
    (project / "conda.yml").write_text("dependencies: [python=3.11, pip, {pip: [pandas]}]\n")
    workspace.environments.create(None, [said("name", "sk"), said("conda_file", "conda.yml")])
    packages = loaded(workspace, "environment=azureml:sk:1").packages
    assert packages is not None
    assert [line.text for line in packages.pip] == ["pandas"]


def test_an_environment_that_is_not_known_is_refused_with_the_ways_out(
    workspace: Workspace, project: Path
) -> None:
    said = problems(workspace, "environment=azureml:AzureML-sklearn-1.5@latest")
    assert "there is no environment called 'AzureML-sklearn-1.5'" in said
    assert "--use-current-python" in said


def test_an_environment_is_not_looked_up_where_a_python_is_named(workspace: Workspace, project: Path) -> None:
    deployment = loaded(workspace, "environment=azureml:no-such:1", "gristmill.use_current_python=true")
    assert deployment.packages is None


def test_a_compute_that_is_registered_is_no_news(workspace: Workspace, project: Path) -> None:
    unknown = loaded(workspace, "compute=azureml:cpu-cluster").notices
    assert any("'cpu-cluster' is not known here" in line for line in unknown)
    workspace.computes.create(None, [said("name", "cpu-cluster"), said("type", "amlcompute")])
    assert loaded(workspace, "compute=azureml:cpu-cluster").notices == ()
    assert loaded(workspace, "compute=cpu-cluster").notices == ()


def test_the_input_of_a_run_may_be_registered_data(workspace: Workspace, project: Path) -> None:
    workspace.data.create(None, [said("name", "patients"), said("path", "data")])
    home = workspace.settings.home
    for text in ("azureml:patients:1", "azureml:patients@latest", workspace.data.show("patients").id):
        assert input_at(home, Path(text)).path == project / "data"
    store = workspace.datastores.reachable_path("workspaceblobstore", "x")
    store.mkdir(parents=True)
    assert input_at(home, Path("azureml://datastores/workspaceblobstore/paths/x")).path == store
    (project / "data" / "b.txt").write_text("b\n")
    assert any("patients:1" in line for line in input_at(home, Path("azureml:patients:1")).notices)
    with pytest.raises(UnknownResourceError, match="no data called 'patient'"):
        input_at(home, Path("azureml:patient:1"))
    with pytest.raises(
        SpecError, match="--input azureml://registries/r/data/d/versions/1: lies in a registry"
    ):
        input_at(home, Path("azureml://registries/r/data/d/versions/1"))


def test_the_path_of_an_input_is_taken_as_it_is(workspace: Workspace, project: Path) -> None:
    for text in ("data", "no/such", "/workspaces/project/data/images", "https://host/x"):
        assert input_at(workspace.settings.home, Path(text)) == Input(path=Path(text))


def test_a_file_that_names_nothing_opens_no_catalog(workspace: Workspace, project: Path) -> None:
    def never() -> Workspace:
        raise AssertionError("nothing is named")

    assert load_resolved(FILE, [], never).name == "first"


def test_a_created_deployment_keeps_the_version_that_was_newest(workspace: Workspace, project: Path) -> None:
    registered(workspace)
    workspace.endpoints.create(None, [said("name", "heart")])
    view = workspace.deployments.create(FILE, [parse_set("model=azureml:hearts@latest")])
    registered(workspace, "newer")
    assert view.to_json()["model"] == "azureml:hearts:1"
    model = load_kept(workspace, view.record).deployment.model
    assert model is not None
    assert model.path.read_text() == "a model"


def test_an_inline_environment_is_registered_and_found_again(workspace: Workspace, project: Path) -> None:
    workspace.endpoints.create(None, [said("name", "heart")])
    (project / "requirements.txt").write_text("pandas==2.2\n")
    (project / "conda.yml").write_text("dependencies: [python=3.11, pip, {pip: [-r requirements.txt]}]\n")
    FILE.write_text(FILE.read_text() + "environment: {conda_file: conda.yml, image: ubuntu}\n")
    view = workspace.deployments.create(FILE)
    for name in ("conda.yml", "requirements.txt"):
        (project / name).unlink()
    assert view.to_json()["environment"] == "azureml:heart-first:1"
    packages = load_kept(workspace, view.record).deployment.packages
    assert packages is not None
    assert [line.text for line in packages.pip] == ["pandas==2.2"]
    assert [line.text for line in packages.conda] == ["python=3.11", "pip"]
