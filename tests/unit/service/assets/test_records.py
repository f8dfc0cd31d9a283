"""Records: what a catalog that is lost is made of again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gristmill.catalog.records import AssetKind
from gristmill.errors import HomeError
from gristmill.service.assets.records import (
    forget_record,
    keep_record,
    kept_record,
    kept_records,
    kept_versions,
)
from gristmill.service.assets.registering import asset_record
from gristmill.service.workspace import Workspace
from gristmill.settings import Home
from unit.service.assets.options import typed, write


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path / "home")


def test_records_come_back_by_name(home: Home) -> None:
    keep_record(home, "w", "endpoint", "e.json", {"a": "é\udcff"})
    keep_record(home, "w", "deployment", "e", {"a": 1}, "blue")
    keep_record(home, "w", "deployment", "e", {"a": 2}, "blue")
    keep_record(home, "v", "model", "m", {}, "1.10")
    found = [(one.workspace, one.kind, one.name, one.version) for one in kept_records(home)]
    assert found == [
        ("v", "model", "m", "1.10"),
        ("w", "deployment", "e", "blue"),
        ("w", "endpoint", "e.json", None),
    ]
    assert kept_record(home, "w", "endpoint", "e.json") == {"schema": 1, "a": "é\udcff"}
    assert kept_record(home, "w", "deployment", "e", "blue") == {"schema": 1, "a": 2}
    assert kept_record(home, "w", "deployment", "e", "green") is None
    assert kept_versions(home, "v", "model", "m") == ["1.10"]


def test_what_was_forgotten_is_gone(home: Home) -> None:
    keep_record(home, "w", "deployment", "e", {}, "blue")
    keep_record(home, "w", "deployment", "e", {}, "green")
    forget_record(home, "w", "deployment", "e", "blue")
    forget_record(home, "w", "deployment", "e", "blue")
    assert [one.version for one in kept_records(home)] == ["green"]
    forget_record(home, "w", "deployment", "e")
    assert list(kept_records(home)) == []
    assert not (home.records / "w" / "deployment" / "e").exists()


@pytest.mark.parametrize("name", ["../../x", "/x", ".", "..", "", "a/b", "x\0", "é"])
def test_a_name_never_leads_out_of_the_records(home: Home, name: str) -> None:
    (home.records / "w" / "compute").mkdir(parents=True)
    (home.records / "x.json").write_text("{}")
    forget_record(home, "w", "compute", name)
    assert kept_record(home, "w", "compute", name) is None
    assert kept_versions(home, "w", "compute", name) == []
    assert (home.records / "x.json").exists()


def test_a_damaged_record_is_passed_over(home: Home) -> None:
    keep_record(home, "w", "compute", "a", {})
    keep_record(home, "w", "compute", "b", {})
    (home.records / "w" / "compute" / "a.json").write_text('{"schema"')
    assert [one.name for one in kept_records(home)] == ["b"]


def test_a_home_that_cannot_be_written_is_named(home: Home) -> None:
    home.path.write_text("a file")
    with pytest.raises(HomeError, match=r"compute a cannot be recorded in .*: Not a directory"):
        keep_record(home, "w", "compute", "a", {})


def test_an_asset_is_made_again_from_its_record(workspace: Workspace, folder: Path) -> None:
    write(folder, {"m/w": "1"})
    workspace.models.create(None, typed(name="m", path="m", labels="best", tags={"a": "b"}))
    workspace.models.archive("m", "1")
    (kept,) = kept_records(workspace.settings.home, kind="model")
    record, labels = asset_record(kept.content)
    row = workspace.models.record("m", "1")
    assert replace(record, modified_at=row.modified_at) == row
    assert (record.kind, record.is_archived, labels) == (AssetKind.MODEL, True, ("best",))


def test_a_record_without_a_row_is_found_by_the_same_command(workspace: Workspace, folder: Path) -> None:
    write(folder, {"m/w": "1"})
    workspace.models.create(None, typed(name="m", path="m"))
    content = kept_record(workspace.settings.home, "default", "model", "m", "1")
    assert content is not None
    for name, orphan in (("n", content), ("o", {**content, "content": "another"})):
        keep_record(workspace.settings.home, "default", "model", name, {**orphan, "name": name}, "4")
        view = workspace.models.create(None, typed(name=name, path="m"))
        assert view.version == ("4" if orphan is content else "5")
