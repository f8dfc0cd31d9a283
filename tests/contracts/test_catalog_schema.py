"""The tables: what the migrations add up to, and how they come about in an old and in a new catalog."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from faults.processes import is_stopped, wait_until
from gristmill.catalog.database import Database
from gristmill.catalog.opening import kind_of, open_catalog
from gristmill.catalog.records import EndpointRecord
from gristmill.catalog.schema import SCHEMA, VERSION_TABLE, Schema
from gristmill.catalog.tables import METADATA
from gristmill.errors import CatalogError
from gristmill.settings import Settings

OPENS = "from gristmill.catalog.opening import open_catalog; from gristmill.settings import Settings; "
OPENS += "open_catalog(Settings.from_environment()).endpoints()"

SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("endpoints", sa.Column("colour", sa.Text, nullable=False, server_default="grey"))
"""


@pytest.fixture
def later(tmp_path: Path) -> Schema:
    """The tables as a release after this one may have them."""
    migrations = tmp_path / "migrations"
    shutil.copytree(SCHEMA.migrations, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    (migrations / "versions" / "0002_later.py").write_text(SECOND)
    return Schema(revisions=(*SCHEMA.revisions, "0002"), migrations=migrations)


def variables(settings: Settings) -> dict[str, str]:
    found = {**os.environ, "GRISTMILL_HOME": str(settings.home.path)}
    if settings.catalog_url:
        found["GRISTMILL_CATALOG"] = settings.catalog_url
    return found


def opening(settings: Settings, **more: str) -> subprocess.Popen[str]:
    """Begin to open the catalog in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", OPENS],
        env={**variables(settings), **more},
        stderr=subprocess.PIPE,
        text=True,
    )


def tables(settings: Settings) -> list[str]:
    """Return the names of the tables that there are, without making any."""
    database = Database(kind_of(settings), lambda database: None)
    try:
        return inspect(database.engine).get_table_names()
    finally:
        database.close()


def test_schema_is_the_sum_of_the_migrations(fresh: Settings) -> None:
    with open_catalog(fresh) as catalog:
        engine = catalog._database.engine
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection,
                opts={
                    "version_table": VERSION_TABLE,
                    "compare_type": True,
                    "compare_server_default": True,
                },
            )
            assert compare_metadata(context, METADATA) == []
        assert len(inspect(engine).get_table_names()) == len(METADATA.tables) + 1


def test_states_are_the_files_of_the_migrations() -> None:
    files = ScriptDirectory(str(SCHEMA.migrations)).walk_revisions()

    assert tuple(reversed([file.revision for file in files])) == SCHEMA.revisions


def test_a_catalog_of_an_older_release_is_brought_up_to_date(fresh: Settings, later: Schema) -> None:
    with open_catalog(fresh) as catalog:
        made = catalog.put_endpoint(EndpointRecord(name="e", document={"a": 1}))
        assert catalog.endpoint("e") == made

    database = Database(kind_of(fresh), later.make_ready)
    rows = database.read(
        lambda connection: connection.execute(text("SELECT name, colour FROM endpoints")).all()
    )
    database.close()

    assert [tuple(row) for row in rows] == [("e", "grey")]


def test_a_catalog_of_a_newer_release_is_refused(fresh: Settings, later: Schema) -> None:
    Database(kind_of(fresh), later.make_ready).close()

    with pytest.raises(CatalogError, match=r"newer release of Gristmill \(its tables are at 0002"):
        open_catalog(fresh)


def test_processes_that_open_a_fresh_catalog_at_once_all_succeed(fresh: Settings) -> None:
    started = [opening(fresh) for _ in range(4)]

    assert [(process.communicate(timeout=60)[1], process.returncode) for process in started] == [("", 0)] * 4


def test_a_kill_while_tables_are_made_leaves_none(fresh: Settings) -> None:
    process = opening(fresh, GRISTMILL_FAULT_POINT="catalog.before_commit")
    wait_until(lambda: is_stopped(process.pid), "the tables are about to be there")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)

    assert tables(fresh) == []
    with open_catalog(fresh) as catalog:
        assert catalog.endpoints() == []


def test_a_kill_while_tables_change_leaves_them_as_they_were(fresh: Settings, later: Schema) -> None:
    with open_catalog(fresh) as catalog:
        made = catalog.put_endpoint(EndpointRecord(name="e", document={}))

    def broken(database: Database) -> None:
        (later.migrations / "versions" / "0002_later.py").write_text(f"{SECOND}    raise OSError('gone')\n")
        later.make_ready(database)

    with pytest.raises(OSError, match="gone"):
        Database(kind_of(fresh), broken)

    with open_catalog(fresh) as catalog:
        assert catalog.endpoints() == [made]
