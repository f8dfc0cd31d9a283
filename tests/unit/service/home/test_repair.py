"""A home that is put in order: what was lost comes back, what was left goes, what is used stays."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from gristmill.catalog.opening import open_catalog
from gristmill.catalog.records import AssetKind, DeploymentRecord, EndpointRecord, JobRecord
from gristmill.errors import CatalogError
from gristmill.run.job_folder import Status
from gristmill.service.assets.records import keep_record
from gristmill.service.home.leftovers import YOUNG_S
from gristmill.service.home.repair import Repaired, repair
from gristmill.service.workspace import Workspace
from gristmill.settings import Home, Settings
from gristmill.spec.overrides import Override
from gristmill.storage.contents import Contents
from gristmill.storage.holding import held
from gristmill.storage.identity import identity_of
from unit.service.home.conftest import MakeJob

NOTHING = Repaired(done=(), notices=(), problem=None)


def aged(path: Path) -> None:
    then = time.time() - YOUNG_S - 60
    os.utime(path, (then, then))


def repaired(workspace: Workspace) -> Repaired:
    """Repair, and see to it that a second time there is nothing to do."""
    workspace.close()
    first = repair(workspace.settings)
    assert repair(workspace.settings).done == ()
    return first


def override(**values: object) -> list[Override]:
    return [Override(path=key, value=value, origin=f"--{key}") for key, value in values.items()]


def filled(workspace: Workspace, tmp_path: Path) -> dict[str, object]:
    """Make something of each kind, and return what the catalog holds of it all."""
    (tmp_path / "model.txt").write_text("weights")
    for text in ("one", "two"):
        (tmp_path / "model.txt").write_text(text)
        workspace.models.create(None, override(name="m", path=str(tmp_path / "model.txt")))
    workspace.data.create(None, override(name="d", path=str(tmp_path), type="uri_folder"))
    workspace.environments.create(None, override(name="env", image="python:3.12"))
    workspace.computes.create(None, override(name="here", type="local"))
    workspace.catalog.set_label(AssetKind.MODEL, "m", "best", "1")
    workspace.models.update("m", override(description="first"), version="1")
    workspace.environments.archive("env", version="1")
    code = {"code": put(workspace.settings.home, "code")}
    for record in (
        EndpointRecord(name="e", document={"description": "x"}),
        DeploymentRecord(endpoint="e", name="a", document={}, contents=code, revision=3),
    ):
        keep(workspace, record)
        workspace.catalog.put_back(record)
    return held_by(workspace)


def keep(workspace: Workspace, record: EndpointRecord | DeploymentRecord) -> None:
    home = workspace.settings.home
    if isinstance(record, EndpointRecord):
        keep_record(home, "default", "endpoint", record.name, asdict(record))
    else:
        keep_record(home, "default", "deployment", record.endpoint, asdict(record), version=record.name)


def held_by(workspace: Workspace) -> dict[str, object]:
    catalog = workspace.catalog
    return {
        "endpoints": catalog.endpoints(),
        "deployments": catalog.deployments(),
        "assets": {
            kind: [
                (one.name, one.version, one.document, one.content, one.is_archived, one.created_at[:16])
                for one in catalog.assets(kind, archived=None)
            ]
            for kind in AssetKind
        },
        "labels": catalog.labels(AssetKind.MODEL, "m"),
        "computes": [view.to_json()["name"] for view in workspace.computes.list()],
        "jobs": sorted(job.name for job in catalog.jobs(archived=None)),
    }


def lose(home: Home) -> None:
    for path in home.path.glob("catalog.*"):
        path.unlink()


def ruin(home: Home) -> None:
    lose(home)
    home.catalog.write_bytes(b"\xff" * 10_000)


def test_a_home_in_order_is_left_as_it_is(workspace: Workspace, make_job: MakeJob, tmp_path: Path) -> None:
    filled(workspace, tmp_path)
    make_job("j")
    repaired(workspace)
    before = held_by(workspace)

    assert repaired(workspace) == NOTHING
    assert held_by(workspace) == before


@pytest.mark.parametrize("harm", [lose, ruin])
def test_a_catalog_that_was_lost_is_made_anew(
    workspace: Workspace, make_job: MakeJob, tmp_path: Path, harm: object
) -> None:
    make_job("j")
    make_job("archived", is_archived=True)
    filled(workspace, tmp_path)
    repaired(workspace)
    before = held_by(workspace)
    workspace.close()
    harm(workspace.settings.home)  # type: ignore[operator]

    did = repaired(workspace)

    assert held_by(workspace) == before
    assert "the catalog was" in did.done[0]
    assert "1 endpoint, 1 deployment, 2 models, 1 environment, 1 data asset, 1 compute" in did.done[1]
    assert did.done[2] == "entered 2 jobs in the catalog"
    assert (did.notices, did.problem) == ((), None)


def test_a_damaged_file_is_kept(workspace: Workspace) -> None:
    home = workspace.settings.home
    home.path.mkdir()
    ruin(home)

    (said,) = repaired(workspace).done

    (kept,) = home.path.glob("catalog.damaged-*.db")
    assert said == f"the catalog was damaged, and is made anew; the old file is kept as {kept}"
    assert kept.read_bytes() == b"\xff" * 10_000


def test_a_catalog_of_a_newer_release_stays_and_so_does_what_it_may_name(workspace: Workspace) -> None:
    home = workspace.settings.home
    with open_catalog(workspace.settings) as catalog:
        catalog._database.write(
            lambda connection: connection.exec_driver_sql("UPDATE gristmill_schema SET version_num = '9999'")
        )
    key = put(home, "model")
    (home.jobs / "half").mkdir(parents=True)

    did = repair(workspace.settings)

    assert did.done == ("removed the job folder half, which was never finished, or not removed to its end",)
    assert did.problem is not None
    assert "newer release" in did.problem
    assert Contents(home.contents).has(key)
    with pytest.raises(CatalogError):
        open_catalog(workspace.settings)


def test_a_damaged_record_is_named_and_passed_over(workspace: Workspace) -> None:
    home = workspace.settings.home
    keep_record(home, "default", "endpoint", "e", {"name": "e", "document": {}})
    keep_record(home, "default", "endpoint", "bad", {"colour": "red"})
    keep_record(home, "default", "deployment", "gone", {"endpoint": "gone", "name": "d", "document": {}}, "d")

    did = repaired(workspace)

    assert "put back into the catalog: 1 endpoint" in did.done
    assert len(did.notices) == 1
    assert did.notices[0].startswith("the record of endpoint bad is damaged, and was passed over")


def test_records_that_were_lost_are_written_again(workspace: Workspace, tmp_path: Path) -> None:
    home = workspace.settings.home
    before = filled(workspace, tmp_path)
    shutil.rmtree(home.records)

    did = repaired(workspace)

    assert did.done == (f"wrote 7 records that were missing in {home.records}",)
    lose(home)
    repaired(workspace)
    assert held_by(workspace) == before


def test_rows_of_jobs_follow_their_folders(workspace: Workspace, make_job: MakeJob) -> None:
    home = identity_of(workspace.settings.home)
    make_job("here")
    for name, place in (("here", home), ("gone", home), ("moved", "/old/home")):
        workspace.catalog.add_job(JobRecord(name=name, home=place, status="Running"))

    did = repaired(workspace)

    assert did.done == ("took 2 jobs out of it whose folders are not here",)
    assert [(job.name, job.status) for job in workspace.catalog.jobs()] == [("here", "Completed")]


def test_jobs_are_entered_in_the_workspace_that_they_are_of(workspace: Workspace, make_job: MakeJob) -> None:
    make_job("ours")
    make_job("theirs", workspace="team")

    repaired(workspace)

    assert [job.name for job in workspace.catalog.jobs()] == ["ours"]
    assert [job.name for job in workspace.catalog.in_workspace("team").jobs()] == ["theirs"]


def test_half_made_jobs_go_and_held_ones_stay(workspace: Workspace, make_job: MakeJob) -> None:
    home = workspace.settings.home
    for name in ("left", "made"):
        (home.jobs / name).mkdir(parents=True)
    make_job("unaccepted", status=Status.NOT_STARTED)
    accepted = make_job("being-accepted", status=Status.NOT_STARTED)
    removed = make_job("removed")
    (removed.path / "job.json").rename(removed.path / "removed-job.json")
    descriptors = [held(home.jobs / "made"), held(accepted.path)]

    did = repair(workspace.settings)
    for descriptor in descriptors:
        os.close(descriptor)

    assert sorted(path.name for path in home.jobs.iterdir()) == ["being-accepted", "made"]
    assert len([said for said in did.done if said.startswith("removed ")]) == 3
    assert "removed job unaccepted, which was never accepted" in did.done


def test_a_journal_without_a_job_is_not_thrown_away(workspace: Workspace, make_job: MakeJob) -> None:
    folder = make_job("j")
    (folder.path / "job.json").unlink()

    did = repaired(workspace)

    assert did.notices == (
        f"the job folder {folder.path} has a journal and no job.json; it is left as it is",
    )
    assert folder.journal.exists()


def put(home: Home, text: str) -> str:
    """Put a content that nothing names, long ago."""
    source = home.path.parent / f"{text}.txt"
    source.write_text(text)
    key = Contents(home.contents).put(source)
    aged(home.contents / key[:2] / key)
    return key


def test_contents_that_nothing_names_go(workspace: Workspace, make_job: MakeJob, tmp_path: Path) -> None:
    home = workspace.settings.home
    keys = {text: put(home, text) for text in ("unused", "young", "of-a-row", "of-a-record", "of-a-job")}
    os.utime(home.contents / keys["young"][:2] / keys["young"])
    workspace.catalog.put_endpoint(EndpointRecord(name="e", document={}))
    workspace.catalog.put_deployment(
        DeploymentRecord(endpoint="e", name="d", document={}, contents={"code": keys["of-a-row"]})
    )
    keep_record(home, "other", "model", "m", {"contents": keys["of-a-record"]}, "1")
    make_job("j", tags={"content": keys["of-a-job"]})

    did = repaired(workspace)

    kept = {text for text, key in keys.items() if Contents(home.contents).has(key)}
    assert kept == {"young", "of-a-row", "of-a-record", "of-a-job"}
    assert any(said.startswith("removed 1 content that nothing refers to") for said in did.done)


def test_a_content_that_somebody_has_changed_goes_too(workspace: Workspace) -> None:
    home = workspace.settings.home
    key = put(home, "changed")
    (home.contents / key[:2] / key / "more").write_text("1")
    aged(home.contents / key[:2] / key)

    repaired(workspace)

    assert not Contents(home.contents).has(key)


def test_files_that_are_gone_or_changed_are_named_with_what_they_belong_to(
    workspace: Workspace, tmp_path: Path
) -> None:
    home = workspace.settings.home
    views = []
    for name in ("whole", "gone", "changed"):
        (tmp_path / name).write_text(name)
        views.append(workspace.models.create(None, override(name=name, path=str(tmp_path / name))))
    _, gone, changed = views
    assert gone.path is not None
    assert changed.path is not None
    gone.path.parent.rename(tmp_path / "away")
    changed.path.chmod(0o600)
    changed.path.write_text("CHANGED")

    did = repaired(workspace)

    said = sorted(did.notices)
    assert len(said) == 2
    assert said[0].startswith("model changed:1: the files were changed by somebody, and are kept in ")
    assert said[1] == f"model gone:1: the files are gone from {home.contents}; create it again"
    assert sorted(repaired(workspace).notices) == [
        f"model changed:1: the files are gone from {home.contents}; create it again",
        f"model gone:1: the files are gone from {home.contents}; create it again",
    ]
    for name in ("gone", "changed"):
        again = workspace.models.create(None, override(name=name, path=str(tmp_path / name)))
        assert again.version == "1"
        assert again.path is not None
        assert again.path.read_text() == name
    assert repaired(workspace).notices == ()


def test_while_a_job_is_made_contents_stay(workspace: Workspace) -> None:
    home = workspace.settings.home
    key = put(home, "unused")
    (home.jobs / "made").mkdir(parents=True)
    descriptor = held(home.jobs / "made")

    repair(workspace.settings)
    os.close(descriptor)

    assert Contents(home.contents).has(key)


def test_temporary_files_go_when_they_are_old(workspace: Workspace, make_job: MakeJob) -> None:
    home = workspace.settings.home
    folder = make_job("j")
    keep_record(home, "default", "endpoint", "e", {"name": "e", "document": {}})
    left = [
        folder.path / ".job.json.123-0a1b2c3d.tmp",
        home.records / "default" / "endpoint" / ".e.json.9-00000000.tmp",
    ]
    young = folder.path / ".job.json.124-0a1b2c3d.tmp"
    other = folder.path / ".mine.tmp"
    for path in (*left, young, other):
        path.touch()
    for path in (*left, other):
        aged(path)

    did = repaired(workspace)

    assert "removed 2 temporary files that never got their names" in did.done
    assert [path.exists() for path in (*left, young, other)] == [False, False, True, True]


def test_half_made_contents_go(workspace: Workspace) -> None:
    home = workspace.settings.home
    (home.contents / "incoming" / "0123").mkdir(parents=True)

    assert "removed 1 half-made content" in repaired(workspace).done


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert repair(Settings(home=Home(path=tmp_path / "none"))) == NOTHING
    assert list(tmp_path.iterdir()) == []
