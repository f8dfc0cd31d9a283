"""Deployments: made, changed and removed; what is kept of them loads again without their files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gristmill.errors import HomeError, ResourceStateError, SpecError, UnknownResourceError
from gristmill.service.assets.records import kept_record, kept_records
from gristmill.service.endpoints.kept_document import load_kept
from gristmill.service.endpoints.views import DeploymentView
from gristmill.service.workspace import Workspace
from gristmill.spec.overrides import Override, parse_set

FILE = Path("deployment.yml")
ONLINE = "from inference_schema.schema_decorators import input_schema\n\n\ndef run(data):\n    return data\n"


@pytest.fixture(autouse=True)
def endpoint(workspace: Workspace, project: Path) -> None:
    workspace.endpoints.create(None, [Override(path="name", value="heart", origin="--name heart")])


def created(workspace: Workspace, *settings: str, set_default: bool = False) -> DeploymentView:
    return workspace.deployments.create(FILE, list(map(parse_set, settings)), set_default=set_default)


def test_a_deployment_is_shown_in_the_keys_of_its_file(workspace: Workspace) -> None:
    shown = created(workspace).to_json()
    assert next(iter(shown)) == "name"
    assert {key: shown[key] for key in ("name", "endpoint_name", "type", "description", "tags", "model")} == {
        "name": "first",
        "endpoint_name": "heart",
        "type": "model",
        "description": "Scores hearts",
        "tags": {"team": "a"},
        "model": "azureml:heart-first:1",
    }
    assert shown["mini_batch_size"] == shown["settings"]["mini_batch_size"] == 5
    assert shown["retry_settings"] == {"max_retries": 3, "timeout": 30}
    assert shown["output_file_name"] == "predictions.csv"
    assert shown["environment_variables"] == {"V": "1.10"}
    assert shown["code_configuration"]["scoring_script"] == "score.py"
    assert shown["gristmill"]["revision"] == 1
    assert shown["provisioning_state"] == "Succeeded"


@pytest.mark.parametrize("key", ["settings.instance_count", "resources.instance_count"])
def test_the_nodes_are_the_same_wherever_they_are_said(workspace: Workspace, key: str) -> None:
    shown = created(workspace, f"{key}=3").to_json()
    assert shown["resources"]["instance_count"] == shown["settings"]["instance_count"] == 3


def test_a_deployment_loads_again_when_all_of_its_files_are_gone(workspace: Workspace, project: Path) -> None:
    before = load_kept(workspace, created(workspace).record).deployment
    for path in (project / "src", project / "data"):
        shutil.rmtree(path)
    for path in (FILE, project / "model.bin"):
        path.unlink()
    after = load_kept(workspace, workspace.deployments.record("heart", "first")).deployment
    assert after == before
    assert (after.code / after.scoring_script).read_text().startswith("def run")
    assert after.model is not None
    assert after.model.path.read_text() == "a model"
    assert (after.model.name, after.model.version) == ("heart-first", "1")
    assert after.settings.environment_variables == {"V": "1.10"}


def test_editing_a_script_changes_no_deployment(workspace: Workspace, project: Path) -> None:
    view = created(workspace)
    (project / "src" / "score.py").write_text("raise SystemExit\n")
    assert view.code is not None
    assert (Path(view.code) / "score.py").read_text().startswith("def run")


def test_the_same_again_is_the_same_revision(workspace: Workspace) -> None:
    first = created(workspace)
    again = created(workspace)
    assert again.record == first.record
    assert again.notices == ("nothing has changed in revision 1",)


def test_another_script_is_the_next_revision(workspace: Workspace, project: Path) -> None:
    first = created(workspace)
    (project / "src" / "score.py").write_text("def run(mini_batch):\n    return [1 for _ in mini_batch]\n")
    second = created(workspace)
    assert (first.revision, second.revision) == (1, 2)
    assert first.record.contents["code"] != second.record.contents["code"]
    assert second.record.created_at == first.record.created_at


def test_another_model_is_the_next_version_of_it(workspace: Workspace, project: Path) -> None:
    created(workspace)
    (project / "model.bin").write_text("a better model")
    assert created(workspace).to_json()["model"] == "azureml:heart-first:2"


def test_an_inline_model_is_registered_under_its_name_and_version(workspace: Workspace) -> None:
    view = created(workspace, "model.name=hearts", "model.version=2024-01", "model.tags.a=b")
    assert view.to_json()["model"] == "azureml:hearts:2024-01"
    assert workspace.models.show("hearts").tags == {"a": "b"}


def test_a_given_version_that_holds_something_else_is_refused(workspace: Workspace, project: Path) -> None:
    created(workspace, "model.name=hearts", "model.version=7")
    (project / "model.bin").write_text("another")
    with pytest.raises(ResourceStateError, match="version 7 of model hearts"):
        created(workspace, "model.name=hearts", "model.version=7")
    assert workspace.deployments.show("heart", "first").revision == 1


def test_what_amlignore_leaves_out_is_not_kept(workspace: Workspace, project: Path) -> None:
    (project / "src" / ".amlignore").write_text("*.csv\n")
    (project / "src" / "notes.csv").write_text("x\n")
    code = created(workspace).code
    assert code is not None
    assert sorted(path.name for path in Path(code).iterdir()) == [".amlignore", "score.py"]


def test_a_script_for_online_endpoints_is_refused(workspace: Workspace, project: Path) -> None:
    (project / "src" / "score.py").write_text(ONLINE)
    with pytest.raises(SpecError, match="online endpoint"):
        created(workspace)
    assert workspace.deployments.list("heart") == []
    unchecked = workspace.deployments.create(FILE, check_script=False)
    assert unchecked.revision == 1


def test_a_script_that_only_looks_wrong_is_told(workspace: Workspace, project: Path) -> None:
    (project / "src" / "score.py").write_text("def run(data):\n    return [str(one) for one in data]\n")
    assert any("'data'" in line for line in created(workspace).notices)


def test_both_names_are_asked_for_at_once(workspace: Workspace, project: Path) -> None:
    text = FILE.read_text().replace("name: first\nendpoint_name: heart\n", "")
    FILE.write_text(text)
    with pytest.raises(SpecError) as caught:
        created(workspace)
    assert [line.rpartition("deployment.yml: ")[2] for line in caught.value.problems] == [
        "name: is missing; give it, here or with --name",
        "endpoint_name: is missing; give it, here or with --endpoint-name",
    ]
    named = [parse_set("name=first"), parse_set("endpoint_name=heart")]
    assert workspace.deployments.create(FILE, named).name == "first"


def test_a_deployment_needs_its_endpoint(workspace: Workspace) -> None:
    with pytest.raises(UnknownResourceError, match=r"no endpoint called 'hearts'; .*did you mean 'heart'"):
        created(workspace, "endpoint_name=hearts")
    assert workspace.models.list() == []


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("settings.mini_batch_siez=3", "unknown key; did you mean 'mini_batch_size'"),
        ("name=a", "must have 3 to 32 characters"),
        ("name=-first", "must be letters, digits and '-'"),
        ("type=pipeline", "pipeline deployments are not supported yet"),
        ("model=azureml://registries/r/models/m/versions/1", "lies in a registry in the cloud"),
        ("code_configuration.scoring_script=scor.py", "no such file in .*; did you mean 'score.py'"),
        ("output_action=summary_only output_file_name=x.csv", "must be append_row or summary_only"),
    ],
)
def test_a_wrong_setting_makes_no_deployment(workspace: Workspace, setting: str, what: str) -> None:
    with pytest.raises(SpecError, match=what):
        created(workspace, setting)
    assert workspace.deployments.list("heart") == []


def test_a_file_of_another_kind_is_named(workspace: Workspace, project: Path) -> None:
    (project / "e.yml").write_text("name: heart\nauth_mode: key\n")
    with pytest.raises(SpecError, match="this is an endpoint file"):
        workspace.deployments.create(Path("e.yml"))


def test_the_default_is_set_on_demand_only(workspace: Workspace) -> None:
    assert created(workspace).is_default is False
    assert workspace.endpoints.show("heart").default_deployment is None
    assert created(workspace, set_default=True).is_default is True
    assert workspace.endpoints.show("heart").default_deployment == "first"


def test_the_default_cannot_be_deleted_while_there_are_others(workspace: Workspace) -> None:
    created(workspace, set_default=True)
    created(workspace, "name=second")
    with pytest.raises(ResourceStateError, match="others: second; make one of them the default first"):
        workspace.deployments.delete("heart", "first")
    assert workspace.deployments.delete("heart", "second") is True
    assert workspace.deployments.delete("heart", "first") is True
    assert workspace.endpoints.show("heart").default_deployment is None
    assert list(kept_records(workspace.settings.home, kind="deployment")) == []


def test_deleting_what_is_not_there_is_no_error(workspace: Workspace) -> None:
    assert workspace.deployments.delete("heart", "first") is False
    assert workspace.deployments.delete("no-such", "first") is False


def test_an_update_changes_what_it_names(workspace: Workspace, project: Path) -> None:
    before = created(workspace)
    shutil.rmtree(project / "src")
    changed = workspace.deployments.update("heart", "first", [parse_set("mini_batch_size=7")])
    assert changed.to_json()["mini_batch_size"] == 7
    assert changed.to_json()["model"] == "azureml:heart-first:1"
    assert changed.record.contents == before.record.contents
    assert changed.to_json()["gristmill"]["source"] == str(project / "deployment.yml")
    assert changed.revision == 2


def test_an_update_takes_variables_and_settings_away(workspace: Workspace) -> None:
    created(workspace)
    gone = ("environment_variables.V", "settings.mini_batch_size", "tags.team")
    removed = [Override(path=key, value=None, origin=f"--remove {key}") for key in gone]
    shown = workspace.deployments.update("heart", "first", removed).to_json()
    assert (shown["environment_variables"], shown["mini_batch_size"], shown["tags"]) == ({}, 10, {})


def test_an_update_may_bring_other_code(workspace: Workspace, project: Path) -> None:
    before = created(workspace)
    (project / "new").mkdir()
    (project / "new" / "score.py").write_text("def run(mini_batch):\n    return []\n")
    changed = workspace.deployments.update("heart", "first", [parse_set("code_configuration.code=new")])
    assert changed.record.contents["code"] != before.record.contents["code"]


def test_an_update_may_name_another_model(workspace: Workspace, project: Path) -> None:
    created(workspace)
    other = Override(path="path", value=project / "src" / "score.py", origin="--path")
    workspace.models.create(None, [Override(path="name", value="other", origin="--name"), other])
    changed = workspace.deployments.update("heart", "first", [parse_set("model=azureml:other@latest")])
    assert changed.to_json()["model"] == "azureml:other:1"


def test_an_update_with_a_file_takes_its_names(workspace: Workspace, project: Path) -> None:
    created(workspace)
    FILE.write_text(FILE.read_text().replace("mini_batch_size: 5", "mini_batch_size: 6"))
    assert workspace.deployments.update(None, None, [], FILE).to_json()["mini_batch_size"] == 6
    with pytest.raises(UnknownResourceError, match=r"no deployment called 'other' \(it has first\)"):
        workspace.deployments.update("heart", "other", [], FILE)


def test_mistakes_in_an_update_change_nothing(workspace: Workspace) -> None:
    created(workspace)
    for settings, what in (
        ("mini_batch_size=0", "--set mini_batch_size=0: must be a whole number of at least 1"),
        ("mini_batch_siez=1", "unknown key; did you mean 'mini_batch_size'"),
        ("name=other", "--set name=other: a deployment keeps its name"),
    ):
        with pytest.raises(SpecError, match=what):
            workspace.deployments.update("heart", "first", [parse_set(settings)])
    with pytest.raises(SpecError, match="which deployment"):
        workspace.deployments.update("heart", None, [])
    assert workspace.deployments.show("heart", "first").revision == 1


def test_an_unknown_deployment_is_answered_with_the_nearest(workspace: Workspace) -> None:
    created(workspace)
    with pytest.raises(UnknownResourceError, match=r"no deployment called 'frist' .*did you mean 'first'"):
        workspace.deployments.show("heart", "frist")
    with pytest.raises(UnknownResourceError, match="no endpoint called 'hart'"):
        workspace.deployments.show("hart", "first")
    with pytest.raises(UnknownResourceError, match="no endpoint called 'hart'"):
        workspace.deployments.list("hart")


def test_deployments_are_listed_with_the_default(workspace: Workspace) -> None:
    created(workspace, set_default=True)
    created(workspace, "name=second")
    assert {one.name: one.is_default for one in workspace.deployments.list("heart")} == {
        "first": True,
        "second": False,
    }


def test_where_the_code_came_from_is_recorded(workspace: Workspace, project: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(project)]
    subprocess.run([*git, "init", "-q", "-b", "trunk"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    said = created(workspace).to_json()["gristmill"]["git"]
    assert (said["branch"], said["is_dirty"]) == ("trunk", False)
    changed = workspace.deployments.update("heart", "first", [parse_set("description=x")])
    assert changed.to_json()["gristmill"]["git"] == said


def test_a_record_in_the_home_says_what_the_row_says(workspace: Workspace) -> None:
    created(workspace)
    record = created(workspace, "description=x").record
    kept = kept_record(workspace.settings.home, "default", "deployment", "heart", "first")
    assert kept is not None
    assert kept["document"] == record.document
    assert kept["contents"] == record.contents
    assert kept["revision"] == record.revision == 2


def test_a_list_of_inputs_is_kept_with_the_deployment(workspace: Workspace, project: Path) -> None:
    (project / "list.txt").write_text("data/a.txt\n")
    view = created(workspace, "gristmill.input_list=list.txt")
    (project / "list.txt").unlink()
    listed = load_kept(workspace, view.record).deployment.settings.input_list
    assert listed is not None
    assert listed.read_text() == "data/a.txt\n"


def test_a_deployment_whose_code_lies_in_another_home_is_shown_all_the_same(workspace: Workspace) -> None:
    created(workspace)
    shutil.rmtree(workspace.settings.home.contents, onerror=_made_writable)
    assert workspace.deployments.show("heart", "first").code is None
    with pytest.raises(HomeError, match="create what it belongs to again"):
        load_kept(workspace, workspace.deployments.record("heart", "first"))


def _made_writable(remove: Callable[..., object], path: str, _: object) -> None:
    os.chmod(os.path.dirname(path), 0o700)
    remove(path)


def test_what_cannot_be_registered_is_named_with_its_key(workspace: Workspace) -> None:
    with pytest.raises(SpecError, match="the deployment's model: name: must be letters, digits"):
        created(workspace, "model.name=my model")
    assert workspace.deployments.list("heart") == []
