"""Data assets: a reference and a listing, never a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import SpecError, UnknownResourceError
from gristmill.service.assets import data
from gristmill.service.workspace import Workspace
from unit.service.assets.options import typed, write


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_folder_is_listed_and_not_copied(workspace: Workspace, folder: Path) -> None:
    write(folder, {"d/a.csv": "12345", "d/b/c.csv": "1" * 1_000_000, "d/.hidden": "1"})
    view = workspace.data.create(None, typed(name="d", path="./d"))
    shown = view.to_json()
    assert (shown["type"], shown["path"]) == ("uri_folder", str(folder / "d"))
    assert (shown["listing"]["files"], shown["listing"]["size_bytes"]) == (2, 1_000_005)
    assert view.path == folder / "d"
    assert size_of(folder.parent / "home") < 500_000
    assert workspace.data.changes(view) == ()


def test_a_file_is_listed(workspace: Workspace, folder: Path) -> None:
    write(folder, {"a.csv": "12345"})
    shown = workspace.data.create(None, typed(name="d", path="a.csv")).to_json()
    assert (shown["type"], shown["listing"]["files"]) == ("uri_file", 1)


def test_data_that_grew_is_the_next_version_and_the_old_one_says_so(
    workspace: Workspace, folder: Path
) -> None:
    write(folder, {"d/a.csv": "12345"})
    first = workspace.data.create(None, typed(name="d", path="d"))
    assert workspace.data.create(None, typed(name="d", path="d")).version == "1"
    write(folder, {"d/b.csv": "1"})
    assert workspace.data.changes(first) == (
        "data d:1 has changed since it was registered: 2 files of 6 bytes now, 1 of 5 then",
    )
    assert workspace.data.create(None, typed(name="d", path="d")).version == "2"
    (folder / "d" / "b.csv").rename(folder / "d" / "c.csv")
    second = workspace.data.show("d", "2")
    assert workspace.data.changes(second) == (
        "data d:2 has changed since it was registered: other names or sizes",
    )


def test_so_many_files_are_not_listed_again_that_it_would_take_long(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MOST_COMPARED", 2)
    write(folder, {f"d/{number}": "1" for number in range(2)})
    few = workspace.data.create(None, typed(name="d", path="d"))
    write(folder, {f"d/{number}": "1" for number in range(5)})
    assert workspace.data.changes(few) == (
        "data d:1 has changed since it was registered: more than 4 files now, 2 of 2 then",
    )
    many = workspace.data.create(None, typed(name="d", path="d"))
    (folder / "d" / "0").unlink()
    assert workspace.data.changes(many) == ()


def test_the_same_files_elsewhere_are_other_data(workspace: Workspace, folder: Path) -> None:
    write(folder, {"d/a.csv": "1", "e/a.csv": "1"})
    workspace.data.create(None, typed(name="d", path="d"))
    assert workspace.data.create(None, typed(name="d", path="e")).version == "2"


def test_names_that_are_not_utf8_are_listed_and_shown(workspace: Workspace, folder: Path) -> None:
    odd = b"odd\xff"
    (folder / "x").mkdir()
    Path(str(folder / "x") + "/" + odd.decode("utf-8", "surrogateescape")).mkdir()
    path = next((folder / "x").iterdir())
    (path / "f").write_text("1")
    view = workspace.data.create(None, typed(name="d", path=str(path)))
    assert workspace.data.show("d").path == path
    assert view.to_json()["path"] == f"{folder}/x/odd\\xff"
    assert view.to_json()["listing"]["files"] == 1


def test_a_datastore_of_this_machine_is_listed_and_another_is_not(workspace: Workspace, folder: Path) -> None:
    write(folder, {"store/in/a.csv": "123", "blob.yml": BLOB})
    workspace.datastores.create(None, typed(name="s", type="local", path="store"))
    workspace.datastores.create(Path("blob.yml"))
    here = workspace.data.create(None, typed(name="here", path="azureml://datastores/s/paths/in/"))
    assert here.to_json()["path"] == "azureml://datastores/s/paths/in/"
    assert here.details["listing"]["size_bytes"] == 3
    assert here.path == folder / "store" / "in"
    for name, path in (("blob", "azureml://datastores/blob/paths/x"), ("web", "https://host/x?sv=1")):
        there = workspace.data.create(None, typed(name=name, path=path))
        assert there.to_json()["path"] == path
        assert "listing" not in there.details
        assert there.path is None
        assert workspace.data.changes(there) == ()
    with pytest.raises(UnknownResourceError, match="no datastore called 'nobody'"):
        workspace.data.create(None, typed(name="d", path="azureml://datastores/nobody/paths/x"))


def test_data_that_is_not_there_is_refused(workspace: Workspace) -> None:
    with pytest.raises(SpecError, match="no such file or folder"):
        workspace.data.create(None, typed(name="d", path="nowhere"))
    with pytest.raises(SpecError, match="tables are not read here"):
        workspace.data.create(None, typed(name="d", path=".", type="mltable"))


BLOB = "name: blob\ntype: azure_blob\naccount_name: a\ncontainer_name: c\n"
