"""Models: versions by what is in them, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import (
    RequestError,
    ResourceStateError,
    SpecError,
    UnknownJobError,
    UnknownResourceError,
)
from gristmill.service.workspace import Workspace
from gristmill.spec.overrides import Override, parse_set
from gristmill.storage import contents
from unit.service.assets.options import typed, write


@pytest.fixture
def model(folder: Path) -> Path:
    return write(folder / "net", {"weights.pt": "one", "config/labels.txt": "cat"})


def versions(workspace: Workspace, archived: bool | None = False) -> list[str]:
    return [view.version for view in workspace.models.list("m", archived=archived)]


def test_a_model_is_made_of_options_alone(workspace: Workspace, model: Path) -> None:
    view = workspace.models.create(None, typed(name="m", path="./net", type="custom_model", tags={"a": 1.0}))
    shown = view.to_json()
    assert list(shown)[:4] == ["name", "version", "type", "path"]
    assert (shown["name"], shown["version"], shown["type"]) == ("m", "1", "custom_model")
    assert (Path(shown["path"]) / "weights.pt").read_text() == "one"
    assert Path(shown["path"]).name == "net"
    assert shown["tags"] == {"a": "1.0"}
    assert shown["labels"] == ["latest"]
    assert shown["creation_context"]["created_at"]
    assert view.notices == ()


def test_a_model_is_made_of_a_file(workspace: Workspace, model: Path) -> None:
    write(
        model.parent,
        {"sub/m.yml": "name: x\nversion: 7\npath: ../net\ndescription: d\nstage: Production\nid: y"},
    )
    view = workspace.models.create(Path("sub/m.yml"), typed(name="m"))
    shown = view.to_json()
    assert (shown["name"], shown["version"], shown["description"]) == ("m", "7", "d")
    assert shown["stage"] == "Production"
    assert view.notices == ("sub/m.yml:6:1: id: is read-only and was ignored",)


def test_the_type_is_that_of_the_folder(workspace: Workspace, model: Path) -> None:
    write(model, {"MLmodel": "flavors: {}"})
    assert workspace.models.create(None, typed(name="m", path="net")).details["type"] == "mlflow_model"
    said = workspace.models.create(None, typed(name="m", path="net", type="custom_model"))
    assert (said.version, said.details["type"]) == ("2", "custom_model")
    (model / "MLmodel").unlink()
    wrong = workspace.models.create(None, typed(name="n", path="net", type="mlflow_model"))
    assert wrong.notices == (f"model n: its type is mlflow_model, and there is no file MLmodel in {model}",)


def test_the_same_again_is_the_same_version(workspace: Workspace, model: Path) -> None:
    workspace.models.create(None, typed(name="m", path="net", tags={"a": "1"}, description="first"))
    again = workspace.models.create(None, typed(name="m", path="net", description="second"))
    assert again.version == "1"
    assert again.notices == ("model m has this as version 1 already",)
    assert (again.description, again.tags) == ("second", {"a": "1"})
    assert versions(workspace) == ["1"]


def test_a_change_is_the_next_version(workspace: Workspace, model: Path) -> None:
    first = workspace.models.create(None, typed(name="m", path="net"))
    write(model, {"weights.pt": "two"})
    second = workspace.models.create(None, typed(name="m", path="net"))
    assert (first.version, second.version) == ("1", "2")
    assert (first.path / "weights.pt").read_text() == "one"  # type: ignore[operator]
    assert workspace.models.show("m").version == "2"
    assert versions(workspace) == ["2", "1"]


def test_numbers_count_up_from_the_highest(workspace: Workspace, model: Path) -> None:
    for version in ("10", "beta", "1.10", "2"):
        write(model, {"weights.pt": version})
        workspace.models.create(None, typed(name="m", path="net", version=version))
    write(model, {"weights.pt": "next"})
    assert workspace.models.create(None, typed(name="m", path="net")).version == "11"


def test_a_version_never_changes(workspace: Workspace, model: Path) -> None:
    workspace.models.create(None, typed(name="m", path="net", version="1"))
    assert workspace.models.create(None, typed(name="m", path="net", version="1")).version == "1"
    write(model, {"weights.pt": "two"})
    with pytest.raises(ResourceStateError, match="version 1 of model m is there already"):
        workspace.models.create(None, typed(name="m", path="net", version="1"))
    assert versions(workspace) == ["1"]


@pytest.mark.parametrize("key", ["path", "type", "version", "name"])
def test_what_makes_up_a_version_cannot_be_updated(workspace: Workspace, model: Path, key: str) -> None:
    workspace.models.create(None, typed(name="m", path="net"))
    with pytest.raises(ResourceStateError, match=f"{key} of version 1 of model m cannot be changed"):
        workspace.models.update("m", [parse_set(f"{key}=custom_model")])


def test_what_is_said_can_be_updated(workspace: Workspace, model: Path) -> None:
    workspace.models.create(None, typed(name="m", path="net", tags={"a": "1", "b": "2"}, stage="Dev"))
    gone = Override(path="tags.a", value=None, origin="--remove tags.a")
    view = workspace.models.update("m", [*typed(description="d", tags__c="3"), gone], version="1")
    assert (view.description, view.tags) == ("d", {"b": "2", "c": "3"})
    assert view.details["stage"] == "Dev"
    assert workspace.models.show("m", "1") == view
    with pytest.raises(SpecError, match="colour red: unknown key"):
        workspace.models.update("m", typed(colour="red"))


def test_labels_name_one_version_each(workspace: Workspace, model: Path) -> None:
    workspace.models.create(None, typed(name="m", path="net", labels="champion, tested"))
    write(model, {"weights.pt": "two"})
    workspace.models.create(None, typed(name="m", path="net"))
    assert workspace.models.show("m", label="champion").version == "1"
    workspace.models.update("m", [parse_set("labels=champion")], label="latest")
    assert workspace.models.show("m", label="champion").labels == ("champion", "latest")
    assert workspace.models.show("m", "1").labels == ("tested",)
    with pytest.raises(ResourceStateError, match="always names the version that was made last"):
        workspace.models.update("m", [parse_set("labels=latest")])


def test_archived_versions_are_hidden_and_can_be_used(workspace: Workspace, model: Path) -> None:
    workspace.models.create(None, typed(name="m", path="net"))
    write(model, {"weights.pt": "two"})
    workspace.models.create(None, typed(name="m", path="net"))
    assert workspace.models.archive("m", label="latest") == 1
    assert versions(workspace) == ["1"]
    assert versions(workspace, archived=None) == ["2", "1"]
    assert workspace.models.show("m", "2").is_archived
    assert workspace.models.show("m").version == "1"
    assert workspace.models.archive("m") == 2
    assert workspace.models.list() == []
    with pytest.raises(UnknownResourceError, match="model m is archived: it has no latest version"):
        workspace.models.show("m")
    assert workspace.models.restore("m") == 2
    assert versions(workspace) == ["2", "1"]


def test_a_list_names_each_model_once(workspace: Workspace, model: Path) -> None:
    workspace.models.create(None, typed(name="m", path="net"))
    workspace.models.create(None, typed(name="n", path="net"))
    write(model, {"weights.pt": "two"})
    workspace.models.create(None, typed(name="m", path="net"))
    listed = [view.to_json() for view in workspace.models.list()]
    assert [(one["name"], one["latest version"]) for one in listed] == [("m", "2"), ("n", "1")]
    assert workspace.models.list("nobody") == []


def test_what_is_not_there_is_named_with_what_is(workspace: Workspace, model: Path) -> None:
    workspace.models.create(None, typed(name="hearts", path="net"))
    with pytest.raises(UnknownResourceError, match=r"no model called 'heart' .*; did you mean 'hearts'\?"):
        workspace.models.show("heart")
    with pytest.raises(UnknownResourceError, match="model hearts has no version '3'; its versions: 1"):
        workspace.models.show("hearts", "3")
    with pytest.raises(UnknownResourceError, match="latest is a label: --label latest, in a file @latest"):
        workspace.models.show("hearts", "latest")
    with pytest.raises(UnknownResourceError, match="model hearts has no label 'best'; its versions: 1"):
        workspace.models.show("hearts", label="best")
    with pytest.raises(UnknownResourceError):
        workspace.models.archive("heart")


def test_all_mistakes_are_told_at_once(workspace: Workspace) -> None:
    with pytest.raises(SpecError) as caught:
        workspace.models.create(None, typed(path="./nowhere", type="onnx"))
    assert "the model: name: is missing; give it a name, here or with --name" in caught.value.problems
    assert len(caught.value.problems) == 3


def test_a_model_that_cannot_be_kept_leaves_no_version(workspace: Workspace, model: Path) -> None:
    (model / "odd").symlink_to("nowhere")
    with pytest.raises(RequestError, match="net/odd cannot be kept: it is a link to nothing"):
        workspace.models.create(None, typed(name="m", path="net"))
    assert workspace.models.list() == []


def test_what_takes_a_while_is_told(
    workspace: Workspace, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    workspace.say = told.append
    monkeypatch.setattr(contents, "LARGE_BYTES", 5)
    workspace.models.create(None, typed(name="m", path="net"))
    workspace.models.create(None, typed(name="m", path="net"))
    assert told == [f"{what} {model}: 0.0 GB" for what in ("reading", "copying", "reading")]


def test_a_download_is_the_users_own(workspace: Workspace, model: Path, folder: Path) -> None:
    workspace.models.create(None, typed(name="m", path="net"))
    done = workspace.models.download("m", folder / "got" / "deep", "1")
    assert done.path == folder / "got" / "deep" / "m" / "net"
    assert (done.files, done.size_bytes, done.notices) == (2, 6, ())
    assert (done.path / "config" / "labels.txt").read_text() == "cat"
    (done.path / "weights.pt").write_text("mine")
    (done.path / "extra").write_text("mine")
    again = workspace.models.download("m", folder / "got" / "deep")
    assert (done.path / "weights.pt").read_text() == "one"
    assert again.notices == (f"extra in {done.path} was there before, and is no part of the model",)


def test_a_single_file_is_downloaded_as_one(workspace: Workspace, folder: Path) -> None:
    write(folder, {"model.pkl": "pickle"})
    workspace.models.create(None, typed(name="m", path="model.pkl"))
    done = workspace.models.download("m", folder / "got")
    assert done.path == folder / "got" / "m" / "model.pkl"
    assert done.path.read_text() == "pickle"


def test_a_model_in_a_datastore_of_this_machine_is_kept(workspace: Workspace, folder: Path) -> None:
    write(folder, {"store/nets/a/w": "1", "m.yml": "name: m\npath: azureml://datastores/s/paths/nets/a\n"})
    workspace.datastores.create(None, typed(name="s", type="local", path="store"))
    view = workspace.models.create(Path("m.yml"))
    assert (view.path / "w").read_text() == "1"  # type: ignore[operator]
    assert view.path.name == "a"  # type: ignore[union-attr]
    with pytest.raises(SpecError, match="store/nets/b"):
        workspace.models.create(Path("m.yml"), typed(path="azureml://datastores/s/paths/nets/b"))
    with pytest.raises(SpecError, match="is no place on this machine"):
        workspace.models.create(Path("m.yml"), typed(path="azureml://datastores/s/paths/../../x"))
    with pytest.raises(UnknownResourceError, match="no datastore called 't'"):
        workspace.models.create(Path("m.yml"), typed(path="azureml://datastores/t/paths/x"))


@pytest.mark.parametrize("words", ["outputs/other/paths/x", "outputs/score/paths/../x"])
def test_what_is_no_output_of_a_job_is_refused(workspace: Workspace, words: str) -> None:
    with pytest.raises(SpecError, match="is no output of a job; the form is azureml://jobs/j/outputs/score/"):
        workspace.models.create(None, typed(name="m", path=f"azureml://jobs/j/{words}"))
    with pytest.raises(UnknownJobError, match="j"):
        workspace.models.create(None, typed(name="m", path="azureml://jobs/j/outputs/score"))
