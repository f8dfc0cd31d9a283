"""A PostgreSQL server that goes away and comes back, or does not, or never was what was asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from contracts.postgresql_server import PostgresqlServer, server
from gristmill.catalog.database import Database
from gristmill.catalog.opening import open_catalog
from gristmill.catalog.postgresql import PostgresqlServer as Kind
from gristmill.catalog.records import EndpointRecord, JobRecord
from gristmill.catalog.schema import SCHEMA
from gristmill.catalog.store import Catalog
from gristmill.errors import CatalogError
from gristmill.settings import Home, Settings


@pytest.fixture(scope="module")
def running() -> Iterator[PostgresqlServer]:
    """A server of this file's own: it is stopped now and then."""
    with server() as started:
        yield started


@pytest.fixture
def up(running: PostgresqlServer) -> Iterator[PostgresqlServer]:
    yield running
    running.start_again()


def opened(
    url: str,
    patience_s: float = 30.0,
    pause: Callable[[float], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Catalog:
    return Catalog(Database(Kind(url), SCHEMA.make_ready, patience_s, pause, say), "default")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_calls_while_the_server_is_away_wait_and_succeed(up: PostgresqlServer, mode: str) -> None:
    pauses: list[float] = []

    def starts_meanwhile(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            up.start()

    said: list[str] = []
    with opened(up.url("away"), pause=starts_meanwhile, say=said.append) as catalog:
        catalog.put_endpoint(EndpointRecord(name=mode, document={}))
        up.stop(mode)

        assert catalog.endpoint(mode) is not None
        assert catalog.put_endpoint(EndpointRecord(name=f"{mode}-2", document={})).name == f"{mode}-2"

    assert said == [f"the catalog postgresql://tester@{up.folder}/away is away; it is waited for"]
    assert len(pauses) >= 3
    assert pauses == sorted(pauses)


def test_a_catalog_is_opened_as_soon_as_its_server_is_there(up: PostgresqlServer) -> None:
    url = up.url("late")
    up.stop()

    with opened(url, pause=lambda _: up.start_again()) as catalog:
        assert catalog.endpoints() == []


def test_a_server_that_stays_away_is_named_without_the_password(up: PostgresqlServer) -> None:
    url = up.url("stays")
    with opened(url, patience_s=0) as catalog:
        up.stop()

        with pytest.raises(CatalogError) as refused:
            catalog.endpoints()

    said = str(refused.value)
    assert f"the catalog postgresql://tester@{up.folder}/stays cannot be used: " in said
    assert "secret" not in said


def test_what_breaks_in_the_middle_is_done_again_from_its_beginning(up: PostgresqlServer) -> None:
    broken: list[str] = []

    def break_once(connection: Connection, *statement: object) -> None:
        if str(statement[1]).startswith("INSERT INTO jobs") and not broken:
            broken.append("now")
            up.stop()
            up.start()

    with opened(up.url("middle")) as catalog:
        event.listen(catalog._database.engine, "before_cursor_execute", break_once)
        catalog.add_job(JobRecord(name="j", home="h", status="Queued", idempotency_key="k"))

        assert broken == ["now"]
        assert [job.name for job in catalog.jobs()] == ["j"]


def test_a_job_that_was_entered_though_the_answer_was_lost_is_entered_once(up: PostgresqlServer) -> None:
    lost: list[str] = []

    def lose_once(connection: Connection) -> None:
        if not lost:
            lost.append("now")
            connection.connection.driver_connection.commit()  # type: ignore[union-attr]
            up.stop()
            up.start()

    with opened(up.url("lost")) as catalog:
        event.listen(catalog._database.engine, "commit", lose_once)
        added = catalog.add_job(JobRecord(name="j", home="h", status="Queued", idempotency_key="k"))

        assert lost == ["now"]
        assert catalog.jobs() == [added]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.replace("/away", "/nowhere"), 'database "nowhere" does not exist'),
        (lambda url: url.replace("tester", "nobody"), 'role "nobody" does not exist'),
        (lambda url: f"{url}&colour=red", 'invalid connection option "colour"'),
    ],
    ids=["database", "role", "option"],
)
def test_what_waiting_does_not_help_is_refused_at_once(
    up: PostgresqlServer, change: Callable[[str], str], said: str
) -> None:
    def never(seconds: float) -> None:
        raise AssertionError("it was waited for")

    with pytest.raises(CatalogError, match=said):
        opened(change(up.url("away")), pause=never)


def test_a_database_with_tables_of_others_is_left_as_it_is(up: PostgresqlServer) -> None:
    database = Database(Kind(up.url("others")), lambda database: None)
    database.write(lambda connection: connection.execute(text("CREATE TABLE jobs (mine TEXT)")))

    with pytest.raises(CatalogError, match="give Gristmill a database, or a schema, of its own"):
        opened(up.url("others"))

    chosen = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert database.read(lambda connection: connection.execute(chosen).scalars().all()) == ["jobs"]
    database.close()


def test_a_schema_of_its_own_is_used(up: PostgresqlServer) -> None:
    database = Database(Kind(up.url("shared")), lambda database: None)
    database.write(lambda connection: connection.execute(text("CREATE SCHEMA mill")))
    database.close()

    with opened(f"{up.url('shared')}&options=-csearch_path%3Dmill") as catalog:
        assert catalog.endpoints() == []
        chosen = text("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename = 'jobs'")
        found = catalog._database.read(lambda connection: connection.execute(chosen).scalars().all())
    assert found == ["mill"]


def test_a_url_that_is_none_is_refused_without_being_repeated(tmp_path: Path) -> None:
    url = "postgresql://me:secret@host:port/x"

    with pytest.raises(CatalogError, match="GRISTMILL_CATALOG is no URL of a database") as refused:
        open_catalog(Settings(home=Home(path=tmp_path), catalog_url=url))

    assert "secret" not in str(refused.value)


def test_without_psycopg_its_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(CatalogError, match=r"pip install 'gristmill\[postgres\]'"):
        open_catalog(Settings(home=Home(path=tmp_path), catalog_url="postgresql://me@127.0.0.1/x"))
