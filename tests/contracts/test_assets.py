"""Assets over either database, and two homes over one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.postgresql_server import PostgresqlServer
from gristmill.errors import HomeError
from gristmill.service.workspace import Workspace
from gristmill.settings import Home, Settings
from gristmill.storage.incoming import remove_tree
from unit.service.assets.options import typed, write


def test_assets_are_what_they_were_made(fresh: Settings, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"odd\xff")
    write(odd, {"w": "1"})
    write(tmp_path, {"conda.yml": "dependencies: [python=3.11]\n"})
    with Workspace(fresh) as workspace:
        model = workspace.models.create(None, typed(name="m", path=str(odd), labels="best", tags={"a": "é"}))
        data = workspace.data.create(None, typed(name="d", path=str(odd)))
        workspace.environments.create(None, typed(name="e", conda_file=str(tmp_path / "conda.yml")))
        workspace.computes.create(None, typed(name="c1", type="ray", address="ray://x:1"))
        workspace.datastores.create(None, typed(name="s", type="local", path=str(odd)))
    with Workspace(fresh) as workspace:
        assert workspace.models.show("m", label="best") == model
        assert (workspace.models.show("m").path / "w").read_text() == "1"  # type: ignore[operator]
        assert workspace.data.show("d") == data
        assert workspace.data.changes(data) == ()
        assert workspace.environments.show("e").details["conda_file"] == {"dependencies": ["python=3.11"]}
        assert workspace.computes.show("c1").details["address"] == "ray://x:1"
        assert workspace.datastores.reachable_path("s", "w").read_text() == "1"
        assert workspace.models.create(None, typed(name="m", path=str(odd))).version == "1"
    with Workspace(replace(fresh, workspace="other")) as workspace:
        assert workspace.models.list(archived=None) == []
        assert workspace.models.create(None, typed(name="m", path=str(odd))).version == "1"
    remove_tree(fresh.home.path)


def test_two_homes_over_one_catalog_share_names_and_no_files(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    url = postgresql.url("two_homes")
    homes = [Settings(home=Home(path=tmp_path / name), catalog_url=url) for name in ("a", "b")]
    with Workspace(homes[0]) as one, Workspace(homes[1]) as other:
        write(tmp_path, {"1/net/w": "1", "2/net/w": "2"})
        assert one.models.create(None, typed(name="m", path=str(tmp_path / "1" / "net"))).version == "1"
        assert other.models.create(None, typed(name="m", path=str(tmp_path / "2" / "net"))).version == "2"
        assert one.models.show("m", "2").path is None
        with pytest.raises(HomeError, match="it was made in another home; create what it belongs to again"):
            one.models.artifacts("m", "2")
        assert one.models.create(None, typed(name="m", path=str(tmp_path / "2" / "net"))).version == "2"
        assert len(one.models.artifacts("m", "2")) == 2
    for settings in homes:
        remove_tree(settings.home.path)
