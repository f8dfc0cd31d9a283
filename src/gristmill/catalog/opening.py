"""The door of the catalog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gristmill.catalog.database import Database
from gristmill.catalog.postgresql import PostgresqlServer
from gristmill.catalog.schema import SCHEMA
from gristmill.catalog.sqlite import SqliteFile
from gristmill.catalog.store import Catalog
from gristmill.errors import CatalogError
from gristmill.settings import Home, Settings


def open_catalog(settings: Settings, say: Callable[[str], None] = lambda _: None) -> Catalog:
    """Open the catalog of a home, or the team's; it is made, or brought up to date, where need be.

    Parameters
    ----------
    settings
        Where it is, and whose names are meant.
    say
        Is told when a server is waited for, here and at every later call, and where an earlier catalog of the
        home is gone.

    Returns
    -------
    Catalog
        To be closed; several threads may use it.

    Raises
    ------
    CatalogError
        It cannot be opened, is damaged or of a newer release, or its server is away.
    """
    kind = kind_of(settings)
    made: list[bool] = []
    database = Database(kind, lambda database: made.append(SCHEMA.make_ready(database)), say=say)
    if made[0] and _has_records(settings.home):
        say(
            f"notice: the catalog {kind.place} is new, and {settings.home.records} knows of things that were "
            "in an earlier one; gristmill home repair puts them back"
        )
    return Catalog(database, settings.workspace)


def _has_records(home: Home) -> bool:
    """Say whether there was a catalog before: what was in it is recorded in the home."""
    return next(home.records.rglob("*.json"), None) is not None


def reopen_catalog(settings: Settings, aside: str) -> tuple[Catalog, Path | None]:
    """Open the catalog after a look at all of it; one that is damaged is set aside, and made anew, empty.

    Parameters
    ----------
    settings
        As for `open_catalog`.
    aside
        What the file of a damaged one is called from then on.

    Returns
    -------
    tuple of Catalog and Path
        The catalog, and where the damaged one is; None where it was in order.

    Raises
    ------
    CatalogError
        It cannot be opened, for another reason than damage.
    """
    kind = kind_of(settings)
    try:
        catalog = Catalog(Database(kind, SCHEMA.make_ready), settings.workspace)
        try:
            catalog.check()
            return catalog, None
        except BaseException:
            catalog.close()
            raise
    except CatalogError as error:
        if not error.is_damaged or not isinstance(kind, SqliteFile):
            raise
    damaged = kind.set_aside(aside)
    return open_catalog(settings), damaged


def kind_of(settings: Settings) -> SqliteFile | PostgresqlServer:
    """Return the database that is meant; nothing is opened yet."""
    url = settings.catalog_url
    return SqliteFile(settings.home.catalog) if url is None else PostgresqlServer(url)
