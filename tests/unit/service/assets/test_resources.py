"""Datastores, whose secrets are nobody's to see, and computes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gristmill.errors import RequestError, ResourceStateError, SpecError, UnknownResourceError
from gristmill.service.workspace import Workspace
from gristmill.spec.overrides import parse_set
from unit.service.assets.options import typed, write

SECRET = "hunter2=="
BLOB = f"""
name: blob
type: azure_blob
account_name: acc
container_name: box
credentials: {{account_key: "{SECRET}"}}
"""


def holding(folder: Path, word: str) -> list[Path]:
    """Return the files that hold a word."""
    return [path for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def test_secrets_lie_in_one_file_that_only_its_owner_reads(workspace: Workspace, folder: Path) -> None:
    write(folder, {"blob.yml": BLOB})
    view = workspace.datastores.create(Path("blob.yml"))
    home = folder.parent / "home"
    (path,) = holding(home, SECRET)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    shown = view.to_json()
    assert shown["credentials"] == {}
    assert SECRET not in repr(view) + json.dumps(shown)
    assert (shown["account_name"], shown["container_name"]) == ("acc", "box")
    assert shown["id"] == "azureml://datastores/blob"


def test_an_update_keeps_the_secrets_and_a_create_replaces_them(workspace: Workspace, folder: Path) -> None:
    write(folder, {"blob.yml": BLOB})
    home = folder.parent / "home"
    workspace.datastores.create(Path("blob.yml"))
    assert workspace.datastores.update("blob", typed(description="d")).description == "d"
    assert len(holding(home, SECRET)) == 1
    changed = workspace.datastores.update("blob", [parse_set("credentials.account_key=other")])
    assert changed.description == "d"
    assert holding(home, SECRET) == []
    write(folder, {"blob.yml": BLOB.replace("credentials", "# credentials")})
    workspace.datastores.create(Path("blob.yml"))
    assert list((home / "secrets" / "default").iterdir()) == []


def test_deleting_a_datastore_deletes_its_secrets(workspace: Workspace, folder: Path) -> None:
    write(folder, {"blob.yml": BLOB})
    workspace.datastores.create(Path("blob.yml"))
    assert workspace.datastores.delete("blob")
    assert not workspace.datastores.delete("blob")
    assert holding(folder.parent / "home", SECRET) == []


def test_a_wrong_datastore_tells_no_secret_and_keeps_none(workspace: Workspace, folder: Path) -> None:
    write(folder, {"blob.yml": BLOB.replace("container_name", "container_nme")})
    with pytest.raises(SpecError) as caught:
        workspace.datastores.create(Path("blob.yml"))
    assert SECRET not in str(caught.value)
    assert not (folder.parent / "home" / "secrets").exists()


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("azure_file", {"account_name": "a", "file_share_name": "f"}),
        ("azure_data_lake_gen1", {"store_name": "s"}),
        ("azure_data_lake_gen2", {"account_name": "a", "filesystem": "f"}),
        ("azure_blob", {"account_name": "a", "container_name": "c", "protocol": "wasbs"}),
    ],
)
def test_each_kind_shows_the_keys_of_its_file(workspace: Workspace, kind: str, keys: dict[str, str]) -> None:
    shown = workspace.datastores.create(None, typed(name="d", type=kind, **keys)).to_json()
    assert {key: shown[key] for key in keys} == keys
    updated = workspace.datastores.update("d", typed(tags__a="b")).to_json()
    assert {key: updated[key] for key in keys} == keys
    assert updated["tags"] == {"a": "b"}


def test_a_workspace_has_its_own_datastore(workspace: Workspace, folder: Path) -> None:
    (view,) = workspace.datastores.list()
    assert view.name == "workspaceblobstore"
    path = workspace.datastores.reachable_path("workspaceblobstore", "a/b")
    assert path == folder.parent / "home" / "datastores" / "default" / "workspaceblobstore" / "a" / "b"
    with pytest.raises(ResourceStateError, match="datastore workspaceblobstore belongs to every workspace"):
        workspace.datastores.delete("workspaceblobstore")
    workspace.datastores.create(None, typed(name="workspaceblobstore", type="local", path="mine"))
    assert workspace.datastores.reachable_path("workspaceblobstore", "a") == folder / "mine" / "a"
    assert len(workspace.datastores.list()) == 1


def test_what_lies_in_a_cloud_is_not_reached(workspace: Workspace, folder: Path) -> None:
    write(folder, {"blob.yml": BLOB})
    workspace.datastores.create(Path("blob.yml"))
    with pytest.raises(RequestError, match="datastore blob is of type azure_blob"):
        workspace.datastores.reachable_path("blob", "x")
    with pytest.raises(UnknownResourceError, match=r"no datastore called 'blobb'.*; did you mean 'blob'\?"):
        workspace.datastores.reachable_path("blobb", "x")


def test_this_machine_is_always_a_compute(workspace: Workspace) -> None:
    shown = workspace.computes.show("local").to_json()
    assert (shown["type"], shown["provisioning_state"]) == ("local", "Succeeded")
    assert [view.name for view in workspace.computes.list()] == ["local"]
    workspace.computes.update("local", typed(description="my desk"))
    assert workspace.computes.show("local").description == "my desk"
    assert workspace.computes.delete("local")
    assert workspace.computes.show("local").description == "this machine"
    with pytest.raises(ResourceStateError, match="compute local belongs to every workspace, and cannot be"):
        workspace.computes.delete("local")


def test_the_size_of_a_machine_of_the_cloud_is_noticed_once_where_it_is_said(workspace: Workspace) -> None:
    sized = typed(name="cluster", type="amlcompute", size="Standard_DS3")
    notice = "size Standard_DS3: of the cloud; means nothing here, and jobs run on this machine"
    assert workspace.computes.create(None, sized).notices == (notice,)
    assert workspace.computes.create(None, sized).notices == (notice,)
    assert workspace.computes.update("cluster", typed(max_instances=7)).notices == ()
    assert workspace.computes.update("cluster", typed(size="Standard_DS3")).notices == (notice,)


def test_a_compute_of_a_cloud_is_kept_as_it_was_said(workspace: Workspace) -> None:
    options = typed(name="batch-cluster", type="AmlCompute", min_instances="0", max_instances="5", size="D3")
    shown = workspace.computes.create(None, options).to_json()
    assert (shown["type"], shown["min_instances"], shown["max_instances"]) == ("amlcompute", 0, 5)
    assert shown["size"] == "D3"
    again = workspace.computes.create(None, typed(name="batch-cluster", type="amlcompute"))
    assert "size" not in again.to_json()
    assert again.created_at == shown["creation_context"]["created_at"]
    changed = workspace.computes.update("batch-cluster", typed(max_instances=7, tags={"a": "b"}))
    assert changed.details["max_instances"] == 7
    assert [view.name for view in workspace.computes.list()] == ["batch-cluster", "local"]
    with pytest.raises(SpecError, match="must be at least min_instances"):
        workspace.computes.update("batch-cluster", typed(min_instances=9))
    assert workspace.computes.delete("batch-cluster")
    assert not workspace.computes.delete("batch-cluster")


def test_a_name_that_nothing_can_have_deletes_nothing(workspace: Workspace, folder: Path) -> None:
    home = write(folder.parent / "home", {"records/x.json": "{}", "secrets/x.json": "{}"})
    assert not workspace.datastores.delete("../../x")
    assert not workspace.datastores.delete("../x")
    assert not workspace.computes.delete("../../x")
    assert len(list(home.rglob("x.json"))) == 2


def test_a_resource_that_is_not_there_cannot_be_updated(workspace: Workspace) -> None:
    with pytest.raises(UnknownResourceError, match="no compute called 'x' in workspace default"):
        workspace.computes.update("x", typed(description="d"))
