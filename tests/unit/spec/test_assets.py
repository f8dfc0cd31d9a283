"""The files beside a deployment: what they may hold, and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gristmill.errors import SpecError
from gristmill.spec.asset_values import (
    Compute,
    DataAsset,
    Datastore,
    Endpoint,
    EnvironmentAsset,
    JobInput,
    JobOutput,
    Location,
    ModelAsset,
)
from gristmill.spec.assets import Values, load_changes, load_endpoint
from gristmill.spec.locations import as_text, location_of
from gristmill.spec.overrides import Override, parse_set
from gristmill.spec.references import Reference
from unit.spec.asset_files import loaded, refused


def test_endpoint(folder: Path) -> None:
    text = """
$schema: https://azuremlschemas.azureedge.net/latest/batchEndpoint.schema.json
name: hearts-batch
description: Scores hearts
auth_mode: AAD_Token
tags: {team: 1.10, since: 2024-01-01}
properties: {a: yes}
defaults: {deployment_name: classifier}
"""
    assert loaded(folder, "endpoint", text) == Endpoint(
        name="hearts-batch",
        description="Scores hearts",
        tags={"team": "1.10", "since": "2024-01-01"},
        properties={"a": "yes"},
        auth_mode="aad_token",
        default_deployment="classifier",
        notices=(),
    )


def test_model(folder: Path) -> None:
    text = "name: hearts_1.x\nversion: 1.10\npath: model/\nstage: Production\nflavors: {python: {a: [1]}}\n"
    assert loaded(folder, "model", text) == ModelAsset(
        name="hearts_1.x",
        version="1.10",
        description=None,
        tags={},
        properties={},
        path=folder / "model",
        type="custom_model",
        stage="Production",
        notices=("f.yml:5:1: flavors: means nothing here and was ignored",),
    )


def test_model_folder_with_an_mlmodel_file_is_an_mlflow_model(folder: Path) -> None:
    (folder / "model" / "MLmodel").write_text("")
    assert loaded(folder, "model", "name: m\npath: model\n").type == "mlflow_model"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image: python:3.11", {"image": "python:3.11"}),
        ("conda_file: conda.yml\nimage: i", {"image": "i", "conda_file": "conda.yml"}),
        (
            "conda_file: {name: x, dependencies: [python=3.10, {pip: [a==1.10]}], n: 1.10}",
            {"conda": {"name": "x", "dependencies": ["python=3.10", {"pip": ["a==1.10"]}], "n": "1.10"}},
        ),
        ("build: {path: src, dockerfile_path: Dockerfile.gpu}",
         {"build_context": "src", "dockerfile": "Dockerfile.gpu"}),
        ("image: i\nos_type: Windows", {"image": "i", "os_type": "windows"}),
    ],
)  # fmt: skip
def test_environment(folder: Path, text: str, expected: dict[str, Any]) -> None:
    (folder / "conda.yml").write_text("dependencies: [pip]\n")
    found = loaded(folder, "environment", f"name: e\nversion: 3\n{text}\n")

    for key in ("conda_file", "build_context"):
        if key in expected:
            expected[key] = folder / expected[key]
    if "conda" in expected:
        expected["conda"] = json.dumps(expected["conda"])
    nothing = dict.fromkeys(("image", "conda_file", "conda", "build_context", "dockerfile"))
    assert found == EnvironmentAsset(
        **{**nothing, "os_type": "linux", **expected},
        name="e",
        version="3",
        description=None,
        tags={},
        properties={},
        notices=(),
    )


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("src/score.py", Location(path=Path("src/score.py"))),
        ("azureml://datastores/store/paths/a/b.csv", Location(datastore="store", below="a/b.csv")),
        ("azureml://datastores/my-store/paths/", Location(datastore="my-store")),
        ("AzureML://datastores/s/paths", Location(datastore="s")),
        ("s3://bucket/a b", Location(address="s3://bucket/a b")),
        ("https://host/container/x?sv=1", Location(address="https://host/container/x?sv=1")),
        ("wasbs://c@host/x", Location(address="wasbs://c@host/x")),
    ],
)
def test_data_lies_here_or_in_a_datastore_or_at_an_address(
    folder: Path, path: str, location: Location
) -> None:
    if location.path is not None:
        location = Location(path=folder / location.path)
    assert loaded(folder, "data", f"name: d\ntype: uri_file\npath: {path}\n") == DataAsset(
        name="d",
        version=None,
        description=None,
        tags={},
        properties={},
        type="uri_file",
        location=location,
        notices=(),
    )


@pytest.mark.parametrize(
    ("text", "account", "container"),
    [
        ("type: azure_blob\naccount_name: a\ncontainer_name: c", "a", "c"),
        ("type: azure_file\naccount_name: a\nfile_share_name: s", "a", "s"),
        ("type: azure_data_lake_gen2\naccount_name: a\nfilesystem: f", "a", "f"),
        ("type: AZURE_DATA_LAKE_GEN1\nstore_name: l", "l", None),
    ],
)
def test_datastore(folder: Path, text: str, account: str, container: str | None) -> None:
    found = loaded(folder, "datastore", f"name: d_1\n{text}\nprotocol: wasbs\n")
    assert isinstance(found, Datastore)
    assert (found.account_name, found.container_name) == (account, container)
    assert (found.protocol, found.endpoint, found.credentials) == ("wasbs", "core.windows.net", None)


def test_compute(folder: Path) -> None:
    text = "name: cpu-cluster\ntype: amlcompute\nsize: STANDARD_DS3_v2\nmax_instances: 4\n"
    text += "idle_time_before_scale_down: 120\ntier: dedicated\nlocation: westeurope\n"
    assert loaded(folder, "compute", text) == Compute(
        name="cpu-cluster",
        description=None,
        tags={},
        type="amlcompute",
        size="STANDARD_DS3_v2",
        min_instances=0,
        max_instances=4,
        idle_time_before_scale_down_s=120.0,
        address=None,
        notices=(
            "f.yml:6:1: tier: means nothing here and was ignored",
            "f.yml:7:1: location: is read-only and was ignored",
        ),
    )


def test_compute_of_ray_has_an_address(folder: Path) -> None:
    found = loaded(folder, "compute", "name: ray\ntype: Ray\naddress: ray://127.0.0.1:10001\n")
    assert (found.type, found.address, found.max_instances) == ("ray", "ray://127.0.0.1:10001", 1)


def test_inputs_and_outputs_of_an_invoke(folder: Path) -> None:
    text = """
inputs:
  images: {type: uri_folder, path: azureml://datastores/d/paths/imgs}
  one: {type: URI_FILE, default: src/score.py}
  short: src
outputs:
  score: {type: uri_file, path: out/new.csv, mode: rw_mount}
  rest: {}
"""
    found = loaded(folder, "inputs", text)

    assert found.inputs == {
        "images": JobInput(type="uri_folder", location=Location(datastore="d", below="imgs")),
        "one": JobInput(type="uri_file", location=Location(path=folder / "src" / "score.py")),
        "short": JobInput(type="uri_folder", location=Location(path=folder / "src")),
    }
    assert found.outputs == {
        "score": JobOutput(
            type="uri_file", location=Location(path=folder / "out" / "new.csv"), mode="rw_mount"
        ),
        "rest": JobOutput(type="uri_folder", location=None, mode=None),
    }


def test_options_stand_above_the_file_and_may_give_what_is_missing(folder: Path) -> None:
    name = Override(path="name", value="given", origin="--name given")
    found = loaded(folder, "endpoint", "description: x\n", name, parse_set("tags.team=forest"))
    assert (found.name, found.description, found.tags) == ("given", "x", {"team": "forest"})


@pytest.mark.parametrize("key", ["id", "provisioning_state", "scoring_uri", "creation_context"])
def test_read_only_keys_are_noticed(folder: Path, key: str) -> None:
    assert loaded(folder, "endpoint", f"name: abc\n{key}: {{a: 1}}\n").notices == (
        f"f.yml:2:1: {key}: is read-only and was ignored",
    )


def test_options_alone_make_an_endpoint() -> None:
    nothing = Values(called="--name")
    endpoint = load_endpoint(nothing, [Override(path="name", value="heart", origin="--name heart")])
    assert (endpoint.name, endpoint.auth_mode, endpoint.default_deployment) == ("heart", "aad_token", None)


def test_kept_values_are_checked_like_a_file() -> None:
    with pytest.raises(SpecError) as caught:
        load_endpoint(Values(called="the endpoint heart", values={"name": "heart", "tag": "x"}))
    assert caught.value.problems == ("the endpoint heart: tag: unknown key; did you mean 'tags'?",)


def test_an_input_may_be_data_that_is_registered(folder: Path) -> None:
    file = loaded(folder, "inputs", "inputs: {a: {path: azureml:heart@latest}}\n")
    assert file.inputs["a"].location == Location(asset=Reference(name="heart", label="latest"))


def test_an_input_may_be_the_address_of_a_file_here(folder: Path) -> None:
    (folder / "a b").mkdir()
    file = loaded(folder, "inputs", f"inputs: {{a: 'file://{folder}/a%20b'}}\n")
    assert file.inputs["a"].location == Location(path=folder / "a b")


def test_a_file_of_another_machine_is_no_input(folder: Path) -> None:
    (problem,) = refused(folder, "inputs", "inputs: {a: 'file://host/data'}\n")
    assert "names a file of another machine (got 'file://host/data')" in problem


def test_data_that_is_a_file_is_a_uri_file(folder: Path) -> None:
    assert loaded(folder, "data", "name: d\npath: src/score.py\n").type == "uri_file"
    said = loaded(folder, "data", "name: d\ntype: uri_folder\npath: src/score.py\n")
    assert said.type == "uri_file"
    assert said.notices == (f"data d: {folder}/src/score.py is a file and was taken as a uri_file",)
    with pytest.raises(SpecError, match="src is a folder; write 'type: uri_folder'"):
        loaded(folder, "data", "name: d\ntype: uri_file\npath: src\n")


def test_a_local_datastore_is_a_folder(folder: Path) -> None:
    store = loaded(folder, "datastore", "name: d\ntype: local\npath: not/yet\n")
    assert (store.type, store.path) == ("local", folder / "not" / "yet")
    with pytest.raises(SpecError, match="local needs path; path is missing"):
        loaded(folder, "datastore", "name: d\ntype: local\n")
    blob = "name: d\ntype: azure_blob\naccount_name: a\ncontainer_name: c\npath: x\n"
    with pytest.raises(SpecError, match="azure_blob has no path of its own"):
        loaded(folder, "datastore", blob)


@pytest.mark.parametrize("text", ["labels: [a, b.1, a]", "labels: 'a, b.1 ,a,'"])
def test_labels_are_names(folder: Path, text: str) -> None:
    assert loaded(folder, "model", f"name: m\npath: model\n{text}\n").labels == ("a", "b.1")


def test_what_is_said_anew_of_a_version() -> None:
    before = Values(called="m", values={"tags": {"a": "1", "b": "2"}, "description": "old"})
    gone = Override(path="tags.a", value=None, origin="--remove tags.a")
    changes = load_changes(before, [gone, parse_set("tags.c=1.10"), parse_set("stage=Dev")], "model")
    assert changes.said == {
        "description": "old",
        "tags": {"b": "2", "c": "1.10"},
        "properties": {},
        "stage": "Dev",
    }
    with pytest.raises(SpecError, match="stage=Dev: unknown key"):
        load_changes(before, [parse_set("stage=Dev")], "data")


@pytest.mark.parametrize(
    "location",
    [
        Location(path=Path("/a b/é")),
        Location(datastore="d", below="a/b.csv"),
        Location(datastore="d"),
        Location(address="https://host/x?sv=1"),
        Location(asset=Reference(name="n", version="1")),
    ],
)
def test_a_location_is_one_text_and_back(location: Location) -> None:
    assert location_of(as_text(location)) == location


def test_a_model_that_is_a_link_to_nothing_is_told_so(folder: Path) -> None:
    (folder / "net").symlink_to("nowhere")
    with pytest.raises(SpecError, match=r"no such file or folder: .*net .*; it is a link to nothing"):
        loaded(folder, "model", "name: m\npath: net\n")
