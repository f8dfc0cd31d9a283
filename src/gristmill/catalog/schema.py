"""The tables at the state that this release knows: made, brought up to date, or refused.

Alembic takes longer to load than everything else here takes to do, so it is loaded only where something is
to be done.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from gristmill.catalog.database import Database
from gristmill.errors import CatalogError

#: The states of the tables, oldest first; each is a file in `migrations/versions`.
REVISIONS = ("0001",)
VERSION_TABLE = "gristmill_schema"


def make_ready(database: Database) -> None:
    """See to it that the tables are those of this release; any number of processes may do so at once.

    Raises
    ------
    CatalogError
        They are of a newer release, or cannot be made.
    """
    if _is_current(database.transaction(_revision, writes=False), database):
        return

    def migrate(connection: Connection) -> None:
        database.kind.lock(connection)
        if not _is_current(_revision(connection), database):  # else another process was quicker
            _upgrade(connection)

    with database.kind.alone(database.engine):
        database.transaction(migrate, writes=True)


def _revision(connection: Connection) -> str | None:
    """Return the state of the tables; None where there are none of ours."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def _is_current(revision: str | None, database: Database) -> bool:
    if revision is not None and revision not in REVISIONS:
        raise CatalogError(
            f"the catalog {database.kind.place} was written by a newer release of Gristmill (its tables are "
            f"at {revision}, this release knows up to {REVISIONS[-1]}); use that release"
        )
    return revision == REVISIONS[-1]


def _upgrade(connection: Connection) -> None:
    """Do all migrations that are missing, within the transaction that is under way."""
    from alembic import command  # takes longer than all the rest, and is needed once
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
