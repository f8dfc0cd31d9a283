"""Invoke: what is asked for becomes a job that waits, or is refused before there is one; no runner begins."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from gristmill.errors import (
    InputError,
    OutputError,
    RequestError,
    ResourceStateError,
    SpecError,
    UnknownResourceError,
)
from gristmill.run.job_folder import Job, Origin, Status
from gristmill.service.endpoints.invoking import InvokeRequest
from gristmill.service.request import RunRequest
from gristmill.service.workspace import Workspace
from gristmill.spec.deployment import load_deployment
from gristmill.spec.overrides import Override, parse_set

FILE = Path("deployment.yml")


@pytest.fixture(autouse=True)
def deployed(workspace: Workspace, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gristmill.service.queue.submitting.wake", lambda home: None)
    workspace.endpoints.create(None, [Override(path="name", value="heart", origin="--name heart")])
    workspace.deployments.create(FILE, set_default=True)


def invoked(workspace: Workspace, *settings: str, **asked: Any) -> Job:
    overrides = list(map(parse_set, settings))
    if "file" not in asked and not any(one.path.startswith("inputs") for one in overrides):
        asked = {"input": "data", **asked}
    return workspace.endpoints.invoke(InvokeRequest(endpoint="heart", overrides=overrides, **asked)).job


def refused(workspace: Workspace, kind: type[Exception], what: str, *settings: str, **asked: Any) -> None:
    with pytest.raises(kind, match=what):
        invoked(workspace, *settings, **asked)
    assert workspace.jobs.list() == []


def test_a_job_keeps_the_deployment_as_it_was(workspace: Workspace, project: Path) -> None:
    job = invoked(workspace, experiment_name="night", job_name="j-1", priority=3)
    workspace.deployments.update("heart", "first", [parse_set("mini_batch_size=9")])
    workspace.endpoints.delete("heart")
    (kept,) = [one for one in workspace.jobs.list() if one.name == "j-1"]
    assert kept.status == "Queued"
    deployment = job.deployment
    assert (deployment.endpoint_name, deployment.name, job.revision) == ("heart", "first", 1)
    assert (deployment.model and deployment.model.version) == "1"
    assert deployment.settings.mini_batch_size == 5
    assert (job.experiment_name, job.priority, job.origin) == ("night", 3, Origin.INVOKE)
    assert job.input == project / "data"
    assert job.output.relative_to(workspace.settings.home.jobs) == Path("j-1/named-outputs/score")


def test_settings_stand_above_the_deployment_for_this_job_alone(workspace: Workspace) -> None:
    settings = (
        *("mini_batch_size=2", "retry_settings.max_retries=1", "settings.retry_settings.timeout=7"),
        *("error_threshold=4", "logging_level=debug", "output_file_name=o.csv"),
        *("max_concurrency_per_instance=2", "gristmill.shared_header=true", "instance_count=1"),
    )
    found = invoked(workspace, *settings).deployment.settings
    assert (found.mini_batch_size, found.max_retries, found.timeout_s) == (2, 1, 7.0)
    assert (found.error_threshold.items, found.logging_level, found.workers) == (4, "debug", 2)
    assert (found.output_file_name, found.shared_header) == ("o.csv", True)
    assert found.environment_variables == {"V": "1.10"}
    assert invoked(workspace).deployment.settings.mini_batch_size == 5


@pytest.mark.parametrize("setting", ["model=azureml:m:1", "name=other", "code_configuration.code=src"])
def test_what_belongs_to_the_deployment_is_not_set_for_one_job(workspace: Workspace, setting: str) -> None:
    refused(workspace, SpecError, "belongs to the deployment, not to one job of it", setting)


def test_a_wrong_setting_is_answered_as_in_a_file(workspace: Workspace) -> None:
    refused(workspace, SpecError, "--set mini_batch_siez=1: unknown key; did you mean", "mini_batch_siez=1")
    refused(workspace, SpecError, "must be a whole number of at least 1", "mini_batch_size=0")


def test_a_deployment_may_be_named(workspace: Workspace) -> None:
    workspace.deployments.create(FILE, [parse_set("name=second"), parse_set("mini_batch_size=8")])
    assert invoked(workspace).deployment.name == "first"
    assert invoked(workspace, deployment="second").deployment.settings.mini_batch_size == 8


def test_an_endpoint_without_a_default_says_what_to_do(workspace: Workspace) -> None:
    workspace.endpoints.set_default("heart", None)
    said = (
        r"endpoint 'heart' has no default deployment; name one or set it \(it has first\): --deployment-name"
    )
    refused(workspace, ResourceStateError, said)
    workspace.deployments.delete("heart", "first")
    refused(workspace, ResourceStateError, "it has none yet")


def test_unknown_names_are_answered_with_the_nearest(workspace: Workspace) -> None:
    refused(
        workspace,
        UnknownResourceError,
        r"no deployment called 'frist' .*did you mean 'first'",
        deployment="frist",
    )
    with pytest.raises(UnknownResourceError, match=r"no endpoint called 'hart'; .*did you mean 'heart'"):
        workspace.endpoints.invoke(InvokeRequest(endpoint="hart", input="data"))


def test_the_same_key_is_the_same_job(workspace: Workspace, project: Path) -> None:
    first = invoked(workspace, idempotency_key="k")
    shutil.rmtree(project / "data")
    workspace.endpoints.delete("heart")
    again = workspace.endpoints.invoke(InvokeRequest(endpoint="heart", input="data", idempotency_key="k"))
    assert again.job.name == first.name
    assert again.notices[-1] == (
        f"the idempotency key 'k' has job {first.name} already, of heart/first; nothing was made"
    )
    assert len(workspace.jobs.list()) == 1


def test_an_input_file_names_input_and_output(workspace: Workspace, project: Path) -> None:
    (project / "in.yml").write_text(
        "inputs: {x: {type: uri_folder, path: data}}\noutputs: {score: {path: out}}\n"
    )
    job = invoked(workspace, file=Path("in.yml"))
    assert (job.input, job.output) == (project / "data", project / "out")


def test_options_stand_above_the_input_file(workspace: Workspace, project: Path) -> None:
    (project / "in.yml").write_text("inputs: {x: nowhere}\noutputs: {score: {path: out}}\n")
    job = invoked(workspace, file=Path("in.yml"), input="data", output="elsewhere")
    assert (job.input, job.output) == (project / "data", project / "elsewhere")


def test_set_may_say_all_of_an_input(workspace: Workspace, project: Path) -> None:
    job = invoked(workspace, "inputs.heart.type=uri_folder", "inputs.heart.path=data")
    assert job.input == project / "data"


def test_an_output_file_names_the_predictions(workspace: Workspace, project: Path) -> None:
    (project / "in.yml").write_text(
        "inputs: {x: data}\noutputs: {score: {type: uri_file, path: out/p.txt}}\n"
    )
    job = invoked(workspace, file=Path("in.yml"))
    assert job.target == project / "out" / "p.txt"


def test_a_file_given_as_a_folder_is_a_file(workspace: Workspace, project: Path) -> None:
    assert invoked(workspace, input="data/a.txt", input_type="uri_folder").input == project / "data" / "a.txt"
    assert invoked(workspace, input=f"file://{project}/data").input == project / "data"


def test_registered_data_is_an_input(workspace: Workspace, project: Path) -> None:
    options = {"name": "patients", "path": "data", "type": "uri_folder"}
    said = [Override(path=key, value=value, origin=f"--{key}") for key, value in options.items()]
    identity = workspace.data.create(None, said).id
    for text in ("azureml:patients:1", "azureml:patients@latest", "azureml:patients", identity):
        assert invoked(workspace, input=text).input == project / "data"
    (project / "data" / "b.txt").write_text("b\n")
    job = workspace.endpoints.invoke(InvokeRequest(endpoint="heart", input="azureml:patients:1"))
    assert any("patients:1" in line for line in job.notices)
    with pytest.raises(UnknownResourceError, match=r"no data called 'patient'.*did you mean 'patients'"):
        invoked(workspace, input="azureml:patient:1")


def test_registered_data_that_is_gone_is_named(workspace: Workspace, project: Path) -> None:
    options = {"name": "patients", "path": "data"}
    said = [Override(path=key, value=value, origin=f"--{key}") for key, value in options.items()]
    workspace.data.create(None, said)
    shutil.rmtree(project / "data")
    refused(workspace, InputError, "nothing is there any more; put it back", input="azureml:patients:1")


def test_a_local_datastore_holds_input_and_output(workspace: Workspace, project: Path) -> None:
    identity = workspace.datastores.show("workspaceblobstore").id
    folder = workspace.datastores.reachable_path("workspaceblobstore", "heart")
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("a\n")
    out = "azureml://datastores/workspaceblobstore/paths/scored"
    job = invoked(workspace, input=f"{identity}/paths/heart", output=out)
    assert job.input == folder
    assert job.output == folder.parent / "scored"


@pytest.mark.parametrize(
    ("asked", "kind", "what"),
    [
        ({"input": "dta"}, SpecError, "--input dta: no such file or folder: .*did you mean 'data'"),
        ({"input": "data", "input_type": "uri_file"}, InputError, "is a folder, and its type is uri_file"),
        ({"input": "data", "input_type": "mltable"}, SpecError, "tables are not read here: .*uri_folder"),
        ({"input": "3", "input_type": "number"}, SpecError, "takes no single values: .*program_arguments"),
        ({"input": "https://h/x"}, InputError, "https://h/x is in a storage that is not read from here yet"),
        ({"input": "s3://b/x"}, InputError, "mount it or copy it"),
        ({"input": "file://host/x"}, SpecError, "names a file of another machine"),
        ({"input": "azureml://registries/r/data/d/versions/1"}, SpecError, "registry in the cloud"),
        ({"input": "azureml://datastores/d"}, SpecError, "is no path of a datastore"),
        ({"input": "azureml:"}, SpecError, "names no input; the forms are azureml:<name>:<version>"),
        ({"input": "azureml:d:1:2"}, SpecError, "names no input; the forms are azureml:<name>:<version>"),
        ({"input": "azureml://datastores/d/paths/x"}, UnknownResourceError, "no datastore called"),
        ({"input": None}, SpecError, "there is no input to go on with; give one: --input PATH"),
        ({"input": None, "input_type": "uri_file"}, SpecError, "--input-type says of what type"),
        ({"output": "s3://b/x"}, OutputError, "choose a folder here with --output-path"),
        ({"job_name": "a b"}, SpecError, "--job-name a b: a job's name has letters"),
    ],
)
def test_what_cannot_be_scored_makes_no_job(
    workspace: Workspace, asked: dict[str, Any], kind: type[RequestError], what: str
) -> None:
    refused(workspace, kind, what, **asked)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("inputs: {a: data, b: data}\n", "takes one input, and there are 2: a, b; keep one"),
        ("inputs: {}\n", "there is no input"),
        ("inputs: {a: {type: uri_folder}}\n", "inputs.a: has no path"),
        ("inputs: {a: {path: data, typ: x}}\n", "unknown key; did you mean 'type'"),
        ("inputs: {a: data}\noutputs: {s: o, t: p}\n", "takes one output, and there are 2: s, t"),
        ("name: heart\nauth_mode: key\n", "this is an endpoint file, and an inputs file is wanted here"),
        ("inputs: [\n", "in.yml:"),
    ],
)
def test_a_wrong_input_file_makes_no_job(workspace: Workspace, project: Path, text: str, what: str) -> None:
    (project / "in.yml").write_text(text)
    refused(workspace, SpecError, what, file=Path("in.yml"))


def test_a_datastore_in_the_cloud_is_refused_with_the_ways_out(workspace: Workspace) -> None:
    options = {"name": "blobs", "type": "azure_blob", "account_name": "a", "container_name": "c"}
    said = [Override(path=key, value=value, origin=f"--{key}") for key, value in options.items()]
    workspace.datastores.create(None, said)
    refused(
        workspace,
        RequestError,
        "datastore blobs is of type azure_blob",
        input="azureml://datastores/blobs/paths/x",
    )


def test_jobs_are_listed_by_endpoint_and_deployment(workspace: Workspace) -> None:
    workspace.deployments.create(FILE, [parse_set("name=second")])
    names = [invoked(workspace).name, invoked(workspace, deployment="second").name]
    assert {one.job.name for one in workspace.endpoints.jobs("heart")} == set(names)
    assert [one.job.name for one in workspace.deployments.jobs("heart", "second")] == names[1:]
    workspace.endpoints.delete("heart")
    assert len(workspace.endpoints.jobs("heart")) == 2
    with pytest.raises(UnknownResourceError, match="no endpoint called 'hart'"):
        workspace.endpoints.jobs("hart")


def test_a_run_of_a_file_that_names_an_endpoint_is_no_job_of_it(workspace: Workspace, project: Path) -> None:
    deployment = load_deployment(FILE)
    workspace.queue.submit(RunRequest(deployment=deployment, input=project / "data"), Origin.DETACH)
    name = invoked(workspace).name
    assert [one.job.name for one in workspace.endpoints.jobs("heart")] == [name]


def test_deleting_while_a_job_waits_leaves_it_what_it_needs(workspace: Workspace) -> None:
    job = invoked(workspace, job_name="waits")
    assert workspace.deployments.delete("heart", "first") is True
    folder = workspace.settings.home.jobs / job.name
    assert (folder / "code" / "score.py").is_file()
    assert job.status is Status.QUEUED
    assert job.deployment.model is not None
    assert job.deployment.model.path.is_file()


def test_what_was_told_at_creation_is_not_told_with_every_job(workspace: Workspace) -> None:
    view = workspace.deployments.create(FILE, [parse_set("compute=azureml:cpu"), parse_set("description=$X")])
    assert any("'cpu' is not known here" in line for line in view.notices)
    quiet = workspace.endpoints.invoke(InvokeRequest(endpoint="heart", input="data"))
    assert quiet.notices == ()
    workspace.models.archive("heart-first", "1")
    told = workspace.endpoints.invoke(InvokeRequest(endpoint="heart", input="data"))
    assert told.notices == ("model heart-first:1: is archived; it is used all the same",)
    typed = [parse_set("resources.shm_size=2g")]
    told = workspace.endpoints.invoke(InvokeRequest(endpoint="heart", input="data", overrides=typed))
    assert any(line.startswith("--set resources.shm_size=2g") for line in told.notices)
