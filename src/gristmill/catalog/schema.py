"""The tables at the state that this release knows: made, brought up to date, or refused.

Alembic takes longer to load than everything else here takes to do, so it is loaded only where something is
to be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from gristmill.catalog.database import Database
from gristmill.errors import CatalogError
from gristmill.faults import reach

VERSION_TABLE = "gristmill_schema"


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The states that the tables have been in, up to the one that a release knows."""

    revisions: tuple[str, ...]
    """Oldest first."""
    migrations: Path
    """Alembic's folder: how each state is made of the one before it."""

    def make_ready(self, database: Database) -> bool:
        """See to it that the tables are those of this release; any number of processes may do so at once.

        Returns
        -------
        bool
            Whether there were none before, and this made them.

        Raises
        ------
        CatalogError
            They are of a newer release, or cannot be made.
        """
        if self._is_current(database.transaction(_revision, writes=False), database):
            return False

        def migrate(connection: Connection) -> bool:
            database.kind.lock(connection)
            revision = _revision(connection)
            if not self._is_current(revision, database):  # else another process was quicker
                _upgrade(connection, self.migrations)
            return revision is None

        with database.kind.alone(database.engine):
            return database.transaction(migrate, writes=True)

    def _is_current(self, revision: str | None, database: Database) -> bool:
        newest = self.revisions[-1]
        if revision is not None and revision not in self.revisions:
            raise CatalogError(
                f"the catalog {database.kind.place} was written by a newer release of Gristmill (its tables "
                f"are at {revision}, this release knows up to {newest}); use that release"
            )
        return revision == newest


#: Of this release; each state is a file in `migrations/versions`.
SCHEMA = Schema(revisions=("0001",), migrations=Path(__file__).with_name("migrations"))


def _revision(connection: Connection) -> str | None:
    """Return the state of the tables; None where there are none of ours."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def _upgrade(connection: Connection, migrations: Path) -> None:
    """Do all migrations that are missing, within the transaction that is under way."""
    from alembic import command  # takes longer than all the rest, and is needed once
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    reach("catalog.before_commit")
