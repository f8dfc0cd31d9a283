"""The catalog in a PostgreSQL database, for a team: how it is connected to, and what its errors mean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from gristmill.errors import CatalogError

#: Whoever makes tables holds this lock of the database; the number is ours by chance.
_LOCK = 7_218_564_903_112
_CONNECT_S = 5
#: Refusals that pass: the server starts or stops, or has no connection left just now.
_PASSING = (
    "starting up",
    "shutting down",
    "in recovery mode",
    "too many clients",
    "remaining connection slots",
)
#: What the server refuses, and a host that there is not.
_FINAL = ("FATAL", "[Errno -2]", "[Errno -5]")
#: The same as SQLSTATE, with a deadlock and a conflict of transactions.
_PASSING_STATES = frozenset({"57P01", "57P02", "57P03", "53300", "40001", "40P01"})
_TABLE_EXISTS = "42P07"


class PostgresqlServer:
    """A catalog in a database of a server."""

    def __init__(self, url: str) -> None:
        """Take the database that a URL names.

        Raises
        ------
        CatalogError
            The URL cannot be read; the message does not repeat it, since it may hold a password.
        """
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError) as error:
            raise CatalogError(
                "GRISTMILL_CATALOG is no URL of a database: write postgresql://user@host:5432/name, with "
                "special characters of a password as %XX"
            ) from error
        self._url = parsed.set(drivername="postgresql+psycopg")
        host = parsed.host or parsed.query.get("host") or "the local socket"
        user = f"{parsed.username}@" if parsed.username else ""
        port = f":{parsed.port}" if parsed.port else ""
        self.place = f"postgresql://{user}{host}{port}/{parsed.database or ''}"

    def engine(self) -> Engine:
        """Return an engine; nothing is connected to yet.

        Raises
        ------
        CatalogError
            There is no psycopg.
        """
        try:
            return create_engine(
                self._url,
                # Statements are not prepared: poolers between us and the server do not keep them.
                connect_args={"connect_timeout": _CONNECT_S, "prepare_threshold": None},
            )
        except ImportError as error:
            raise CatalogError(
                "a catalog in PostgreSQL needs psycopg beside gristmill: pip install 'gristmill[postgres]'"
            ) from error

    def was_replaced(self) -> bool:
        """A server is always the same."""
        return False

    @contextlib.contextmanager
    def alone(self, engine: Engine) -> Iterator[None]:
        """Nothing yet: `lock` does it, within the transaction."""
        yield

    def lock(self, connection: Connection) -> None:
        """Keep other processes from making tables until this transaction ends."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})

    def is_away(self, error: DBAPIError) -> bool:
        """Say whether the server is away, or refuses for now, so that waiting may help."""
        state = getattr(error.orig, "sqlstate", None)
        if state is not None:
            return error.connection_invalidated or state in _PASSING_STATES
        if not isinstance(error, (OperationalError, InterfaceError)):
            return False
        said = str(error.orig)
        is_final = any(words in said for words in _FINAL)
        return not is_final or any(words in said for words in _PASSING)

    def check(self, connection: Connection) -> None:
        """The server looks after its files."""

    def explained(self, error: DBAPIError) -> CatalogError:
        """Say what an error means, and what to do."""
        said = " ".join(str(error.orig).split())
        remedy = "see to the server, or to GRISTMILL_CATALOG"
        if getattr(error.orig, "sqlstate", None) == _TABLE_EXISTS:
            remedy = "give Gristmill a database, or a schema, of its own"
        return CatalogError(f"the catalog {self.place} cannot be used: {said}; {remedy}")
