"""A catalog that is made anew of the files of a home, in either database."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from contracts.postgresql_server import PostgresqlServer
from gristmill.catalog.opening import open_catalog
from gristmill.catalog.records import AssetKind, EndpointRecord, JobRecord
from gristmill.service.assets.records import keep_record
from gristmill.service.home.repair import repair
from gristmill.settings import Home, Settings
from gristmill.storage.identity import identity_of


def test_what_a_home_keeps_is_put_into_a_fresh_catalog(fresh: Settings) -> None:
    fresh.home.path.mkdir()
    record = EndpointRecord(
        name="e", document={"a": [1]}, created_at="2020-01-01T00:00:00.000Z", modified_at="2021"
    )
    keep_record(fresh.home, "team", "endpoint", "e", asdict(record))

    first, second = repair(fresh), repair(fresh)

    assert first.done[-1] == "put back into the catalog: 1 endpoint"
    assert second.done == ()
    with open_catalog(replace(fresh, workspace="team")) as catalog:
        assert catalog.endpoints() == [record]


def test_a_catalog_that_is_new_beside_a_home_that_is_not_says_how_it_is_filled(fresh: Settings) -> None:
    fresh.home.path.mkdir()
    keep_record(fresh.home, "team", "endpoint", "e", asdict(EndpointRecord(name="e", document={})))
    said: list[str] = []

    open_catalog(fresh, said.append).close()
    open_catalog(fresh, said.append).close()

    assert len(said) == 1
    assert said[0].endswith("in an earlier one; gristmill home repair puts them back")


def test_of_a_shared_catalog_nothing_of_other_homes_is_taken_out(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    settings = Settings(home=Home(path=tmp_path), catalog_url=postgresql.url("shared-by-homes"))
    with open_catalog(settings) as catalog:
        catalog.add_job(JobRecord(name="theirs", home="/their/home", status="Running"))
        catalog.add_job(JobRecord(name="same-path", home=str(tmp_path), status="Running"))
        catalog.add_job(JobRecord(name="ours", home=identity_of(settings.home), status="Running"))
        catalog.add_asset(AssetKind.MODEL, "m", "1", {}, "x")

        assert repair(settings).done == ("took 1 job out of it whose folders are not here",)

        assert sorted(job.name for job in catalog.jobs()) == ["same-path", "theirs"]
    assert not (tmp_path / "records" / "default").exists()
