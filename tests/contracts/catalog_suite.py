"""What every catalog must do, whatever database it is in."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from gristmill.catalog.records import (
    AssetKind,
    AssetRecord,
    DeploymentRecord,
    EndpointRecord,
    JobRecord,
    ResourceKind,
    ResourceRecord,
)
from gristmill.catalog.store import Catalog
from gristmill.errors import KeyTakenError, RequestError, ResourceStateError, UnknownResourceError

MODEL = AssetKind.MODEL
NUMBERS = itertools.count()


def endpoint(name: str, created_at: str = "") -> EndpointRecord:
    return EndpointRecord(name=name, document={"description": name}, created_at=created_at)


def deployment(name: str, endpoint: str = "e") -> DeploymentRecord:
    return DeploymentRecord(endpoint=endpoint, name=name, document={"model": "m"}, contents={"code": "key"})


def default_of(catalog: Catalog, name: str = "e") -> object:
    found = catalog.endpoint(name)
    assert found is not None
    return found.document["defaults"]["deployment_name"]


class CatalogSuite:
    """A subclass gives `catalog`, each time a workspace in which there is nothing."""

    @pytest.fixture
    def home(self) -> str:
        """A home of which there are no jobs yet."""
        return f"/home/{next(NUMBERS)}"

    # ------------------------------------------------------------------------------------- endpoints

    def test_endpoint_comes_back_as_it_was_put(self, catalog: Catalog) -> None:
        document = {"z": 1, "a": {"b": [None, True, "ü\udcff\0"]}}
        put = catalog.put_endpoint(EndpointRecord(name="e", document=document))

        assert catalog.endpoint("e") == put
        assert put.document == document
        assert list(put.document) == ["z", "a"]
        assert put.created_at == put.modified_at != ""

    def test_what_is_not_there_is_none(self, catalog: Catalog) -> None:
        assert catalog.endpoint("e") is None
        assert catalog.deployment("e", "d") is None
        assert catalog.asset(MODEL, "m", "1") is None
        assert catalog.latest(MODEL, "m") is None
        assert catalog.labelled(MODEL, "m", "best") is None
        assert catalog.resource(ResourceKind.COMPUTE, "c") is None
        assert catalog.job("j") is None
        assert catalog.job_by_key("k") is None

    def test_endpoint_that_is_put_again_keeps_the_time_of_its_making(self, catalog: Catalog) -> None:
        catalog.put_endpoint(endpoint("e", created_at="2020-01-01T00:00:00.000Z"))

        again = catalog.put_endpoint(EndpointRecord(name="e", document={"description": "new"}))

        assert again.created_at == "2020-01-01T00:00:00.000Z"
        assert again.modified_at > again.created_at
        assert catalog.endpoints() == [again]

    def test_endpoints_are_listed_newest_first(self, catalog: Catalog) -> None:
        for name, year in (("middle", 2021), ("new", 2022), ("old", 2020)):
            catalog.put_endpoint(endpoint(name, created_at=f"{year}-01-01T00:00:00.000Z"))

        assert [record.name for record in catalog.endpoints()] == ["new", "middle", "old"]

    def test_deleting_an_endpoint_takes_its_deployments_along(self, catalog: Catalog) -> None:
        for name in ("e", "other"):
            catalog.put_endpoint(endpoint(name))
            catalog.put_deployment(deployment("d", name))

        assert catalog.delete_endpoint("e") is True
        assert catalog.delete_endpoint("e") is False
        assert [record.endpoint for record in catalog.deployments()] == ["other"]

    # ----------------------------------------------------------------------------------- deployments

    def test_deployment_counts_its_revisions(self, catalog: Catalog) -> None:
        catalog.put_endpoint(endpoint("e"))

        revisions = [catalog.put_deployment(deployment("d")).revision for _ in range(3)]

        assert revisions == [1, 2, 3]
        found = catalog.deployment("e", "d")
        assert found is not None
        assert (found.revision, found.contents) == (3, {"code": "key"})
        assert catalog.deployments("e") == [found]

    def test_deployment_needs_its_endpoint(self, catalog: Catalog) -> None:
        with pytest.raises(UnknownResourceError, match="no endpoint called e"):
            catalog.put_deployment(deployment("d"))

    def test_default_is_a_deployment_that_is_there(self, catalog: Catalog) -> None:
        catalog.put_endpoint(endpoint("e"))
        catalog.put_deployment(deployment("d"))

        assert catalog.set_default("e", "d").document["description"] == "e"
        assert default_of(catalog) == "d"
        with pytest.raises(UnknownResourceError, match="no deployment called x"):
            catalog.set_default("e", "x")
        with pytest.raises(UnknownResourceError, match="no endpoint called x"):
            catalog.set_default("x", None)
        assert default_of(catalog) == "d"
        catalog.set_default("e", None)
        assert default_of(catalog) is None

    def test_a_deployment_that_is_deleted_is_no_default_any_more(self, catalog: Catalog) -> None:
        catalog.put_endpoint(endpoint("e"))
        for name in ("d", "kept"):
            catalog.put_deployment(deployment(name))
        catalog.set_default("e", "d")

        assert catalog.delete_deployment("e", "d") is True
        assert catalog.delete_deployment("e", "d") is False
        assert default_of(catalog) is None
        assert [record.name for record in catalog.deployments("e")] == ["kept"]

    # ---------------------------------------------------------------------------------------- assets

    def test_a_version_that_is_added_again_is_the_same_version(self, catalog: Catalog) -> None:
        made, was_new = catalog.add_asset(MODEL, "m", "1", {"description": "first"}, "a")
        again, is_new = catalog.add_asset(MODEL, "m", "1", {"description": "second"}, "a")

        assert (was_new, is_new) == (True, False)
        assert made == again == catalog.asset(MODEL, "m", "1")

    def test_a_version_never_changes_its_content(self, catalog: Catalog) -> None:
        made, _ = catalog.add_asset(MODEL, "m", "1", {}, "a")

        with pytest.raises(ResourceStateError, match="holds something else"):
            catalog.add_asset(MODEL, "m", "1", {}, "b")

        assert catalog.assets(MODEL) == [made]

    def test_latest_is_the_version_that_was_made_last(self, catalog: Catalog) -> None:
        for version in ("5", "2", "blue"):
            catalog.add_asset(MODEL, "m", version, {}, version)

        def latest() -> str | None:
            found = catalog.labelled(MODEL, "m", "latest")
            assert found == catalog.latest(MODEL, "m")
            return None if found is None else found.version

        assert latest() == "blue"
        catalog.archive_asset(MODEL, "m", "blue", True)
        assert latest() == "2"
        assert catalog.archive_asset(MODEL, "m", None, True) == 3
        assert latest() is None
        catalog.archive_asset(MODEL, "m", None, False)
        assert latest() == "blue"

    def test_assets_are_listed_newest_first(self, catalog: Catalog) -> None:
        for name, version in (("m", "9"), ("n", "1"), ("m", "1")):
            catalog.add_asset(MODEL, name, version, {}, version)
        catalog.add_asset(AssetKind.DATA, "m", "1", {}, "x")
        catalog.archive_asset(MODEL, "m", "9", True)

        def listed(name: str | None, archived: bool | None) -> list[tuple[str, str]]:
            return [(found.name, found.version) for found in catalog.assets(MODEL, name, archived)]

        assert listed(None, False) == [("m", "1"), ("n", "1")]
        assert listed("m", None) == [("m", "1"), ("m", "9")]
        assert listed(None, True) == [("m", "9")]
        assert listed("nobody", None) == []

    def test_what_is_said_of_a_version_can_change(self, catalog: Catalog) -> None:
        made, _ = catalog.add_asset(MODEL, "m", "1", {"description": "first"}, "a")

        changed = catalog.update_asset(MODEL, "m", "1", {"description": "second"})

        assert changed == catalog.asset(MODEL, "m", "1")
        assert (changed.content, changed.created_at) == (made.content, made.created_at)
        with pytest.raises(UnknownResourceError, match="version 2 of the model called m"):
            catalog.update_asset(MODEL, "m", "2", {})
        with pytest.raises(UnknownResourceError, match="no model called n"):
            catalog.archive_asset(MODEL, "n", None, True)

    def test_a_label_names_one_version(self, catalog: Catalog) -> None:
        for version in ("1", "2"):
            catalog.add_asset(MODEL, "m", version, {}, version)

        catalog.set_label(MODEL, "m", "best", "1")
        catalog.set_label(MODEL, "m", "best", "2")
        catalog.set_label(MODEL, "m", "first", "1")

        found = catalog.labelled(MODEL, "m", "best")
        assert found is not None
        assert found.version == "2"
        assert catalog.labels(MODEL, "m") == {"best": "2", "first": "1"}
        with pytest.raises(UnknownResourceError):
            catalog.set_label(MODEL, "m", "best", "3")
        with pytest.raises(ResourceStateError, match="the label latest"):
            catalog.set_label(MODEL, "m", "latest", "1")

    # ------------------------------------------------------------------------------------- resources

    def test_resources_of_one_name_and_two_kinds_are_two(self, catalog: Catalog) -> None:
        for kind in ResourceKind:
            catalog.put_resource(ResourceRecord(kind=kind, name="x", document={"type": kind.value}))

        assert catalog.delete_resource(ResourceKind.COMPUTE, "x") is True
        assert catalog.delete_resource(ResourceKind.COMPUTE, "x") is False
        found = catalog.resource(ResourceKind.DATASTORE, "x")
        assert found is not None
        assert found.document == {"type": "datastore"}
        assert catalog.resources(ResourceKind.DATASTORE) == [found]
        assert catalog.resources(ResourceKind.COMPUTE) == []

    # ------------------------------------------------------------------------------------------ jobs

    def test_a_job_comes_back_as_it_was_added(self, catalog: Catalog, home: str) -> None:
        job = JobRecord(name="j", home=home, status="Queued", endpoint="e", summary={"total": 3})

        added = catalog.add_job(job)

        assert added.created_at != ""
        assert catalog.job("j") == added

    def test_a_second_job_of_a_name_is_refused(self, catalog: Catalog, home: str) -> None:
        catalog.add_job(JobRecord(name="j", home=home, status="Queued", created_at="first"))

        with pytest.raises(ResourceStateError, match="a job called j in the catalog"):
            catalog.add_job(JobRecord(name="j", home=home, status="Queued", created_at="second"))

    def test_the_same_job_again_is_no_second_job(self, catalog: Catalog, home: str) -> None:
        job = JobRecord(name="j", home=home, status="Queued", created_at="t", idempotency_key="k")
        catalog.index_jobs([job])

        assert catalog.add_job(job) == job
        with pytest.raises(KeyTakenError):
            catalog.add_job(replace(job, created_at="later"))
        with pytest.raises(ResourceStateError, match="a job called j in the catalog"):
            catalog.add_job(replace(job, home=f"{home}/other", idempotency_key=None))

    def test_a_key_that_is_taken_names_its_job(self, catalog: Catalog, home: str) -> None:
        catalog.add_job(JobRecord(name="first", home=home, status="Queued", idempotency_key="k"))

        with pytest.raises(KeyTakenError) as refused:
            catalog.add_job(JobRecord(name="second", home=home, status="Queued", idempotency_key="k"))

        assert refused.value.job == "first"
        assert catalog.job("second") is None
        found = catalog.job_by_key("k")
        assert found is not None
        assert found.name == "first"
        assert catalog.forget_jobs(home, ["first", "nobody"]) == 1
        catalog.add_job(JobRecord(name="second", home=home, status="Queued", idempotency_key="k"))

    def test_state_of_a_job_changes_by_what_is_said(self, catalog: Catalog, home: str) -> None:
        catalog.add_job(JobRecord(name="j", home=home, status="Queued", summary={"a": 1}))

        assert catalog.put_job_state("j", status="Running", started_at="t1", starts=1) is True
        assert catalog.put_job_state("j") is True
        assert catalog.put_job_state("nobody", status="Running") is False
        assert catalog.put_job_state("j", ended_at="t2", summary={"b": 2}) is True

        found = catalog.job("j")
        assert found is not None
        assert (found.status, found.started_at, found.ended_at) == ("Running", "t1", "t2")
        assert (found.starts, found.summary) == (1, {"b": 2})

    def test_jobs_are_listed_newest_first_and_chosen(self, catalog: Catalog, home: str) -> None:
        for number, (status, above) in enumerate((("Queued", "e"), ("Failed", "e"), ("Queued", None))):
            catalog.add_job(
                JobRecord(
                    name=f"j{number}",
                    home=home,
                    status=status,
                    endpoint=above,
                    deployment=above and "d",
                    created_at=f"2020-01-0{number + 1}",
                )
            )
        catalog.archive_job("j1", True)

        def listed(**chosen: object) -> list[str]:
            return [job.name for job in catalog.jobs(**chosen)]  # type: ignore[arg-type]

        assert listed() == ["j2", "j0"]
        assert listed(archived=None) == ["j2", "j1", "j0"]
        assert listed(archived=True) == ["j1"]
        assert listed(endpoint="e", archived=None) == ["j1", "j0"]
        assert listed(deployment="d") == ["j0"]
        assert listed(home="/elsewhere") == []
        assert catalog.archive_job("j1", False) is True
        assert catalog.archive_job("nobody", True) is False

    def test_jobs_found_by_their_folders_are_entered_once(self, catalog: Catalog, home: str) -> None:
        catalog.add_job(JobRecord(name="a", home=home, status="Running", idempotency_key="k"))
        found = [
            JobRecord(name="a", home=home, status="Completed", created_at="t"),
            JobRecord(name="b", home=home, status="Completed", created_at="t", idempotency_key="k"),
        ]

        assert catalog.index_jobs(found) == 1
        assert catalog.index_jobs(found) == 0
        assert catalog.index_jobs([]) == 0
        assert {(job.name, job.status, job.idempotency_key) for job in catalog.jobs()} == {
            ("a", "Running", "k"),
            ("b", "Completed", None),
        }

    # ------------------------------------------------------------------------------------ workspaces

    def test_workspaces_know_nothing_of_each_other(self, catalog: Catalog, home: str) -> None:
        other = catalog.in_workspace(f"{catalog.workspace}-other")
        for each in (catalog, other):
            each.put_endpoint(endpoint("e"))
            each.put_deployment(deployment("d"))
            each.add_asset(MODEL, "m", "1", {}, each.workspace)
            each.set_label(MODEL, "m", "best", "1")
            each.put_resource(ResourceRecord(kind=ResourceKind.COMPUTE, name="c", document={}))
            each.add_job(JobRecord(name="j", home=home, status="Queued", idempotency_key="k"))

        other.delete_endpoint("e")
        other.archive_asset(MODEL, "m", None, True)
        other.delete_resource(ResourceKind.COMPUTE, "c")
        assert other.forget_jobs(f"{home}/other", ["j"]) == 0

        assert [record.name for record in catalog.deployments()] == ["d"]
        assert [record.content for record in catalog.assets(MODEL)] == [catalog.workspace]
        assert [record.name for record in catalog.resources(ResourceKind.COMPUTE)] == ["c"]
        assert [record.name for record in catalog.jobs()] == ["j"]
        assert other.endpoints() == []

    def test_what_was_lost_is_put_back_as_it_was(self, catalog: Catalog) -> None:
        times = {"created_at": "2020-01-01T00:00:00.000Z", "modified_at": "2021-01-01T00:00:00.000Z"}
        document = {"description": "x"}
        above = EndpointRecord(name="e", document=document, **times)
        below = DeploymentRecord(
            endpoint="e", name="d", document=document, contents={"code": "k"}, revision=7, **times
        )
        version = AssetRecord(
            kind=MODEL, name="m", version="4", document=document, content="a", is_archived=True, **times
        )
        store = ResourceRecord(kind=ResourceKind.DATASTORE, name="s", document=document, **times)

        assert catalog.put_back(below) is False
        assert [catalog.put_back(record) for record in (above, below, version, store)] == [True] * 4
        assert [catalog.put_back(record) for record in (above, below, version, store)] == [False] * 4

        assert catalog.endpoint("e") == above
        assert catalog.deployment("e", "d") == below
        assert catalog.asset(MODEL, "m", "4") == version
        assert catalog.resource(ResourceKind.DATASTORE, "s") == store

    def test_jobs_of_a_home_are_forgotten_in_every_workspace(self, catalog: Catalog, home: str) -> None:
        other = catalog.in_workspace(f"{catalog.workspace}-other")
        catalog.add_job(JobRecord(name="a", home=home, status="Queued"))
        other.add_job(JobRecord(name="b", home=home, status="Queued"))
        other.add_job(JobRecord(name="a", home=f"{home}/other", status="Queued"))

        many = [f"nobody-{number}" for number in range(1200)]
        assert catalog.forget_jobs(home, ["a", *many, "b"]) == 2
        assert catalog.forget_jobs(home, []) == 0
        assert [job.home for job in other.jobs()] == [f"{home}/other"]
        assert {catalog.workspace, other.workspace} & set(catalog.workspaces()) == {other.workspace}

    def test_a_name_that_is_not_utf8_is_refused(self, catalog: Catalog) -> None:
        with pytest.raises(RequestError, match="not UTF-8"):
            catalog.endpoint("\udcff")
