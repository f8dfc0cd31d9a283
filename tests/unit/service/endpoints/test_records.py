"""Records in the home: there before the row, and what they were where there can be no row."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gristmill.errors import CatalogError
from gristmill.service.assets.records import kept_record, kept_records
from gristmill.service.workspace import Workspace
from gristmill.spec.overrides import Override, parse_set

FILE = Path("deployment.yml")
NAMED = Override(path="name", value="heart", origin="--name heart")


class AwayError(CatalogError):
    """The database has just gone."""


def away(*_: object) -> None:
    raise AwayError("the catalog is away")


def without_time(kept: Mapping[str, Any] | None) -> dict[str, Any]:
    """A row has its own time of change."""
    return {key: value for key, value in (kept or {}).items() if key != "modified_at"}


def test_without_a_row_there_is_no_record(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace.catalog, "put_endpoint", away)
    with pytest.raises(AwayError):
        workspace.endpoints.create(None, [NAMED])
    assert list(kept_records(workspace.settings.home)) == []


def test_a_change_that_fails_leaves_the_record_as_it_was(
    workspace: Workspace, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.endpoints.create(None, [NAMED])
    workspace.deployments.create(FILE)
    home = workspace.settings.home
    before = without_time(kept_record(home, "default", "deployment", "heart", "first"))
    monkeypatch.setattr(workspace.catalog, "put_deployment", away)
    with pytest.raises(AwayError):
        workspace.deployments.update("heart", "first", [parse_set("mini_batch_size=9")])
    with pytest.raises(AwayError):
        workspace.deployments.create(FILE, [parse_set("name=second")])
    after = without_time(kept_record(home, "default", "deployment", "heart", "first"))
    assert after == before != {}
    assert kept_record(home, "default", "deployment", "heart", "second") is None


def test_record_and_row_agree_when_several_write_at_once(workspace: Workspace, project: Path) -> None:
    workspace.endpoints.create(None, [NAMED])
    workspace.deployments.create(FILE)

    def update(number: int) -> None:
        with Workspace(workspace.settings) as own:
            own.deployments.update("heart", "first", [parse_set(f"mini_batch_size={number}")])
            own.endpoints.update("heart", [parse_set(f"tags.t{number % 2}={number}")])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(update, range(11, 19)))

    row = workspace.catalog.deployment("heart", "first")
    above = workspace.catalog.endpoint("heart")
    assert row is not None
    assert above is not None
    kept = kept_record(workspace.settings.home, "default", "deployment", "heart", "first")
    assert without_time(kept) == {"schema": 1, **without_time(asdict(row))}
    assert row.revision == 9
    kept = kept_record(workspace.settings.home, "default", "endpoint", "heart")
    assert without_time(kept) == {"schema": 1, **without_time(asdict(above))}


def test_creating_again_after_a_kill_makes_the_row(workspace: Workspace, project: Path) -> None:
    workspace.endpoints.create(None, [NAMED])
    first = workspace.deployments.create(FILE)
    workspace.catalog.delete_deployment("heart", "first")  # as if it had never come to the row
    again = workspace.deployments.create(FILE)
    assert (again.revision, again.record.contents) == (1, first.record.contents)
