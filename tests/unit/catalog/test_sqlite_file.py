"""The catalog as a file: what is refused, and how, and what becomes of a file that was exchanged."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event

from gristmill.catalog.opening import open_catalog, reopen_catalog
from gristmill.catalog.records import EndpointRecord
from gristmill.catalog.sqlite import SqliteFile
from gristmill.errors import CatalogError
from gristmill.settings import Home, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=Home(path=tmp_path / "home"))


def endpoint(name: str = "e", **document: object) -> EndpointRecord:
    return EndpointRecord(name=name, document=document)


def test_a_fresh_home_is_made_for_its_owner_only(settings: Settings) -> None:
    with open_catalog(settings) as catalog:
        catalog.put_endpoint(endpoint())

        assert settings.home.path.stat().st_mode & 0o777 == 0o700
        modes = {path.name: path.stat().st_mode & 0o777 for path in settings.home.path.iterdir()}
        assert modes.keys() >= {"catalog.db", "catalog.db-wal", "catalog.lock"}
        assert set(modes.values()) == {0o600}


def test_a_new_catalog_beside_records_of_an_earlier_one_says_how_these_come_back(settings: Settings) -> None:
    said: list[str] = []
    open_catalog(settings, said.append).close()
    assert said == []
    record = settings.home.records / "default" / "model" / "m" / "1.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    open_catalog(settings, said.append).close()
    assert said == []

    for path in settings.home.path.glob("catalog.db*"):
        path.unlink()
    open_catalog(settings, said.append).close()
    open_catalog(settings, said.append).close()

    assert len(said) == 1
    assert "gristmill home repair puts them back" in said[0]


@pytest.mark.parametrize("name", ["a b", "a?b=c", "a%20b", "a#b", "ü", "\udcff", ":memory:"])
def test_a_home_may_have_any_name(tmp_path: Path, name: str) -> None:
    home = Home(path=tmp_path / name)

    with open_catalog(Settings(home=home)) as catalog:
        catalog.put_endpoint(endpoint())

    assert home.catalog.stat().st_size > 0


def test_opening_a_catalog_that_is_up_to_date_loads_no_alembic(settings: Settings) -> None:
    open_catalog(settings).close()

    program = "import sys; from gristmill.catalog.opening import open_catalog, reopen_catalog; "
    program += (
        "from gristmill.settings import Settings; open_catalog(Settings.from_environment()).endpoints(); "
    )
    program += "sys.exit('alembic' in sys.modules or 'psycopg' in sys.modules)"
    variables = {**os.environ, "GRISTMILL_HOME": str(settings.home.path)}

    assert subprocess.run([sys.executable, "-c", program], env=variables, check=False).returncode == 0


def test_records_alone_load_no_database() -> None:
    program = "import sys, gristmill.catalog.records; sys.exit('sqlalchemy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_file_keeps_a_write_ahead_log(settings: Settings) -> None:
    with open_catalog(settings) as catalog:

        def asked(pragma: str) -> object:
            return catalog._database.read(
                lambda connection: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
            )

        assert asked("journal_mode") == "wal"
        assert (asked("synchronous"), asked("foreign_keys"), asked("busy_timeout")) == (1, 1, 30_000)


def test_a_file_that_is_no_database_is_left_as_it_is(settings: Settings) -> None:
    data = b"no database, but a text that is long enough\n" * 100
    settings.home.path.mkdir()
    settings.home.catalog.write_bytes(data)

    with pytest.raises(CatalogError) as refused:
        open_catalog(settings)

    said = f"the catalog {settings.home.catalog} cannot be used: file is not a database; "
    assert str(refused.value) == f"{said}gristmill home repair makes it anew"
    assert settings.home.catalog.read_bytes() == data


def test_a_damaged_file_names_its_repair(settings: Settings) -> None:
    with open_catalog(settings) as catalog:
        for number in range(200):
            catalog.put_endpoint(endpoint(f"e{number}", text="x" * 500))
    with settings.home.catalog.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (settings.home.catalog.stat().st_size - 4096))

    with (
        pytest.raises(CatalogError, match="gristmill home repair makes it anew"),
        open_catalog(settings) as it,
    ):
        it.endpoints()


def test_a_file_in_the_place_of_the_home_is_named(settings: Settings) -> None:
    settings.home.path.write_text("")

    with pytest.raises(CatalogError, match=r"cannot be opened: .*; give yourself access, or set"):
        open_catalog(settings)


def test_a_full_disk_changes_nothing(settings: Settings) -> None:
    with open_catalog(settings) as catalog:
        made = catalog.put_endpoint(endpoint())
        catalog.close()

        def fill(connection: sqlite3.Connection, record: object) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")  # as if there were no room for more

        event.listen(catalog._database.engine, "connect", fill)
        with pytest.raises(CatalogError, match="database or disk is full; make room there"):
            catalog.put_endpoint(endpoint("large", text="x" * 100_000))

        assert catalog.endpoints() == [made]


def test_another_that_writes_for_long_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gristmill.catalog.sqlite.BUSY_S", 0.01)
    with open_catalog(settings) as catalog:
        other = sqlite3.connect(settings.home.catalog, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(CatalogError, match="database is locked; another process"):
            catalog.put_endpoint(endpoint())
        assert catalog.endpoints() == []

        other.execute("ROLLBACK")
        other.close()
        assert catalog.put_endpoint(endpoint()).name == "e"


def test_a_file_that_was_removed_is_made_anew_by_who_has_it_open(settings: Settings) -> None:
    with open_catalog(settings) as catalog:
        catalog.put_endpoint(endpoint("old"))
        settings.home.catalog.unlink()

        assert catalog.endpoints() == []
        catalog.put_endpoint(endpoint("new"))

    with open_catalog(settings) as catalog:
        assert [record.name for record in catalog.endpoints()] == ["new"]


def test_a_file_that_was_set_aside_is_followed_by_who_has_it_open(settings: Settings) -> None:
    with open_catalog(settings) as catalog, open_catalog(settings) as other:
        catalog.put_endpoint(endpoint("first"))
        file = other._database.kind
        assert isinstance(file, SqliteFile)
        aside = file.set_aside("aside.db")

        other.put_endpoint(endpoint("second"))

        assert [record.name for record in catalog.endpoints()] == ["second"]
    assert aside is not None
    kept = sqlite3.connect(aside)
    assert kept.execute("SELECT name FROM endpoints").fetchall() == [("first",)]
    kept.close()


def damage(settings: Settings) -> bytes:
    with open_catalog(settings) as catalog:
        catalog.put_endpoint(endpoint("lost"))
    with settings.home.catalog.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (settings.home.catalog.stat().st_size - 4096))
    return settings.home.catalog.read_bytes()


def test_a_damaged_catalog_is_set_aside_and_made_anew(settings: Settings) -> None:
    data = damage(settings)

    catalog, aside = reopen_catalog(settings, "aside.db")
    with catalog:
        assert catalog.endpoints() == []

    assert aside == settings.home.path / "aside.db"
    assert aside.read_bytes() == data


def test_a_catalog_in_order_stays_where_it_is(settings: Settings) -> None:
    with open_catalog(settings) as catalog:
        catalog.put_endpoint(endpoint())

    again, aside = reopen_catalog(settings, "aside.db")
    with again:
        assert [record.name for record in again.endpoints()] == ["e"]
    assert aside is None


def test_of_two_that_find_it_damaged_one_sets_it_aside(settings: Settings) -> None:
    damage(settings)
    slower = SqliteFile(settings.home.catalog)
    slower.engine().dispose()

    catalog, _ = reopen_catalog(settings, "aside.db")
    with catalog:
        catalog.put_endpoint(endpoint("new"))

        assert slower.set_aside("aside-2.db") is None
        assert [record.name for record in catalog.endpoints()] == ["new"]


def test_a_catalog_that_is_only_in_use_is_not_set_aside(settings: Settings) -> None:
    settings.home.path.write_text("")

    with pytest.raises(CatalogError, match="cannot be opened"):
        reopen_catalog(settings, "aside.db")
