"""Endpoints: made, changed and removed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gristmill.catalog.records import DeploymentRecord
from gristmill.errors import SpecError, UnknownResourceError
from gristmill.service.assets.records import kept_record, kept_records
from gristmill.service.workspace import Workspace
from gristmill.spec.overrides import Override, parse_set


def named(name: str) -> Override:
    return Override(path="name", value=name, origin=f"--name {name}")


def behind(workspace: Workspace, endpoint: str, *names: str) -> None:
    """Put deployments behind an endpoint."""
    for name in names:
        workspace.catalog.put_deployment(DeploymentRecord(endpoint=endpoint, name=name, document={}))


def test_a_name_alone_makes_an_endpoint(workspace: Workspace) -> None:
    view = workspace.endpoints.create(None, [named("heart")])
    assert view.to_json() == {
        "name": "heart",
        "description": None,
        "tags": {},
        "properties": {},
        "auth_mode": "aad_token",
        "defaults": {"deployment_name": None},
        "provisioning_state": "Succeeded",
        "scoring_uri": None,
        "id": "/workspaces/default/batchEndpoints/heart",
        "creation_context": {
            "created_at": view.record.created_at,
            "last_modified_at": view.record.modified_at,
        },
    }
    assert next(iter(view.to_json())) == "name"
    assert workspace.endpoints.show("heart") == view


def test_what_is_typed_stands_above_the_file(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "e.yml").write_text("name: from-file\ndescription: A\ntags: {version: 1.10}\n")
    view = workspace.endpoints.create(tmp_path / "e.yml", [named("heart"), parse_set("tags.more=yes")])
    assert view.to_json()["tags"] == {"version": "1.10", "more": "yes"}
    assert view.name == "heart"


def test_creating_again_replaces_what_is_said_and_keeps_the_default(workspace: Workspace) -> None:
    first = workspace.endpoints.create(
        None, [named("heart"), parse_set("description=A"), parse_set("tags.a=b")]
    )
    behind(workspace, "heart", "one")
    workspace.endpoints.set_default("heart", "one")
    again = workspace.endpoints.create(None, [named("heart"), parse_set("description=B")]).to_json()
    assert (again["description"], again["tags"]) == ("B", {})
    assert again["defaults"] == {"deployment_name": "one"}
    assert again["creation_context"]["created_at"] == first.record.created_at


def test_an_unknown_endpoint_is_answered_with_the_nearest(workspace: Workspace) -> None:
    workspace.endpoints.create(None, [named("heart")])
    with pytest.raises(UnknownResourceError, match=r"no endpoint called 'hart'; .*did you mean 'heart'"):
        workspace.endpoints.show("hart")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("name: a\n", "name: must have 3 to 32 characters"),
        ("name: heart-\n", "name: must be letters, digits and '-'"),
        ("description: x\n", "name: is missing; give it a name, here or with --name"),
        ("name: heart\ndescripton: x\n", "unknown key; did you mean 'description'?"),
        ("name: heart\nauth_mode: open\n", "auth_mode: must be aad_token, key or aml_token"),
        ("model: m\n", "this is a deployment file, and an endpoint file is wanted here"),
        ("- a\n", "the file must hold keys"),
    ],
)
def test_a_wrong_file_makes_no_endpoint(workspace: Workspace, tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "e.yml").write_text(text)
    with pytest.raises(SpecError, match=what.replace("?", r"\?")):
        workspace.endpoints.create(tmp_path / "e.yml")
    assert workspace.endpoints.list() == []


def test_a_default_has_to_be_there(workspace: Workspace) -> None:
    with pytest.raises(UnknownResourceError, match=r"has no deployment yet.*--set-default"):
        workspace.endpoints.create(None, [named("heart"), parse_set("defaults.deployment_name=one")])
    assert workspace.endpoints.list() == []


def test_an_update_changes_what_it_names(workspace: Workspace) -> None:
    workspace.endpoints.create(None, [named("heart"), parse_set("description=A"), parse_set("tags.a=b")])
    behind(workspace, "heart", "one", "two")
    workspace.endpoints.set_default("heart", "one")
    changes = [parse_set("description=B"), parse_set("tags.c=d")]
    changed = workspace.endpoints.update("heart", changes).to_json()
    assert (changed["description"], changed["tags"]) == ("B", {"a": "b", "c": "d"})
    assert changed["defaults"] == {"deployment_name": "one"}


def test_an_update_takes_tags_away(workspace: Workspace) -> None:
    workspace.endpoints.create(None, [named("heart"), parse_set("tags.a=b"), parse_set("tags.c=d")])
    removed = [Override(path="tags.a", value=None, origin="--remove tags.a")]
    assert workspace.endpoints.update("heart", removed).to_json()["tags"] == {"c": "d"}
    assert workspace.endpoints.update("heart", [parse_set("tags.c=")]).to_json()["tags"] == {"c": ""}


def test_an_update_chooses_the_default_or_none(workspace: Workspace) -> None:
    workspace.endpoints.create(None, [named("heart")])
    behind(workspace, "heart", "one", "two")
    chosen = workspace.endpoints.update("heart", [parse_set("defaults.deployment_name=two")])
    assert chosen.default_deployment == "two"
    none = workspace.endpoints.update("heart", [parse_set("defaults.deployment_name=")])
    assert none.default_deployment is None
    with pytest.raises(
        UnknownResourceError, match=r"no deployment called 'tow' \(it has one, two\); did you mean 'two'"
    ):
        workspace.endpoints.update("heart", [parse_set("defaults.deployment_name=tow")])


def test_an_update_with_a_file_takes_its_name(workspace: Workspace, tmp_path: Path) -> None:
    workspace.endpoints.create(None, [named("heart"), parse_set("tags.a=b")])
    (tmp_path / "e.yml").write_text("name: heart\ndescription: C\n")
    changed = workspace.endpoints.update(None, [], tmp_path / "e.yml").to_json()
    assert (changed["description"], changed["tags"]) == ("C", {})
    with pytest.raises(UnknownResourceError, match="no endpoint called 'other'"):
        workspace.endpoints.update("other", [], tmp_path / "e.yml")


def test_an_update_renames_nothing(workspace: Workspace) -> None:
    workspace.endpoints.create(None, [named("heart")])
    with pytest.raises(SpecError, match="keeps its name; create another one called liver"):
        workspace.endpoints.update("heart", [parse_set("name=liver")])
    with pytest.raises(SpecError, match="which endpoint"):
        workspace.endpoints.update(None, [])


def test_mistakes_in_an_update_name_the_endpoint(workspace: Workspace) -> None:
    workspace.endpoints.create(None, [named("heart")])
    with pytest.raises(SpecError) as caught:
        workspace.endpoints.update("heart", [parse_set("taggs.a=b")])
    assert caught.value.problems == ("--set taggs.a=b: taggs: unknown key; did you mean 'tags'?",)


def test_an_endpoint_goes_with_its_deployments_and_their_records(workspace: Workspace) -> None:
    workspace.endpoints.create(None, [named("heart")])
    behind(workspace, "heart", "one")
    assert workspace.endpoints.delete("heart") is True
    assert workspace.catalog.deployments("heart") == []
    assert list(kept_records(workspace.settings.home)) == []
    assert workspace.endpoints.delete("heart") is False


def test_endpoints_are_listed_the_newest_first(workspace: Workspace) -> None:
    for name in ("aaa", "bbb", "ccc"):
        workspace.endpoints.create(None, [named(name)])
    times = [one.record.created_at for one in workspace.endpoints.list()]
    assert times == sorted(times, reverse=True)
    assert len(times) == 3


def test_a_record_in_the_home_says_what_the_row_says(workspace: Workspace) -> None:
    workspace.endpoints.create(None, [named("heart"), parse_set("description=A")])
    behind(workspace, "heart", "one")
    view = workspace.endpoints.set_default("heart", "one")
    kept = kept_record(workspace.settings.home, "default", "endpoint", "heart")
    assert kept is not None
    assert kept["document"] == view.record.document
    assert kept["created_at"]


def test_workspaces_do_not_see_each_other(workspace: Workspace) -> None:
    workspace.endpoints.create(None, [named("heart")])
    with Workspace(replace(workspace.settings, workspace="other")) as other:
        assert other.endpoints.list() == []
