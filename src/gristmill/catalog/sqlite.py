"""The catalog as a SQLite file in the home: how it is connected to, and what its errors mean.

Write-ahead logging lets readers and one writer work at once. Writers begin with ``BEGIN IMMEDIATE``: one that
begins as a reader and writes later would be refused, without waiting, when another has written meanwhile.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from gristmill.errors import CatalogError, in_words

#: How long one process waits for another that writes.
BUSY_S = 30.0
WRITES = "gristmill_writes"
_WAL_TRIES = 300
_BETWEEN_TRIES_S = 0.05
_REMEDIES = {
    sqlite3.SQLITE_NOTADB: "gristmill home repair makes it anew",
    sqlite3.SQLITE_CORRUPT: "gristmill home repair makes it anew",
    sqlite3.SQLITE_FULL: "make room there",
    sqlite3.SQLITE_READONLY: "give yourself access, or set GRISTMILL_HOME to a folder that you can write",
    sqlite3.SQLITE_CANTOPEN: "give yourself access, or set GRISTMILL_HOME to a folder that you can write",
    sqlite3.SQLITE_BUSY: "another process has been writing to it for long; try again",
}
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


class SqliteFile:
    """A catalog in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: tuple[int, int] | None = None
        self.place = str(path)

    def engine(self) -> Engine:
        """Return an engine for the file, which need not exist.

        Raises
        ------
        CatalogError
            The file cannot be made.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._identity = self._found()
        except OSError as error:
            raise CatalogError(self._not_opened(error)) from error
        engine = create_engine(
            URL.create("sqlite+pysqlite", database=str(self._path)),
            connect_args={"timeout": BUSY_S, "isolation_level": None},
        )
        event.listen(engine, "connect", _connected)
        event.listen(engine, "begin", _begun)
        return engine

    def was_replaced(self) -> bool:
        """Say whether another file stands there now, or none."""
        return self._found() != self._identity

    @contextlib.contextmanager
    def alone(self, engine: Engine) -> Iterator[None]:
        """Keep other processes from making tables meanwhile, and turn write-ahead logging on."""
        with self._locked():
            self._remove_log_of_another()
            try:
                _log_ahead(engine)
            except sqlite3.Error as error:
                raise self._explained(error) from error
            yield

    def set_aside(self, name: str) -> Path | None:
        """Give the file that was opened another name, so that the next who opens it begins with an empty one.

        Returns
        -------
        Path or None
            Where it is now; None where another has done so already. Who has it open notices at the next call.

        Raises
        ------
        CatalogError
            It cannot be renamed.
        """
        aside = self._path.with_name(name)
        with self._locked():
            if self.was_replaced():
                return None
            try:
                os.rename(self._path, aside)
            except OSError as error:
                raise CatalogError(self._not_opened(error)) from error
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{self._path}-wal", f"{aside}-wal")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self._path}-shm")
        return aside

    def lock(self, connection: Connection) -> None:
        """Nothing more: whoever writes to a file writes alone."""

    def is_away(self, error: DBAPIError) -> bool:
        """Say whether waiting may help: SQLite itself has waited already."""
        return False

    def check(self, connection: Connection) -> None:
        """Read all of the file.

        Raises
        ------
        CatalogError
            It is damaged.
        """
        found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if found != "ok":
            remedy = _REMEDIES[sqlite3.SQLITE_CORRUPT]
            raise CatalogError(f"the catalog {self.place} is damaged: {found}; {remedy}", is_damaged=True)

    def explained(self, error: DBAPIError) -> CatalogError:
        """Say what an error means, and what to do."""
        return self._explained(error.orig)

    def _explained(self, error: BaseException | None) -> CatalogError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what SQLite adds to it
        remedy = _REMEDIES.get(code, "look at the file and its folder")
        return CatalogError(
            f"the catalog {self.place} cannot be used: {error}; {remedy}", is_damaged=code in _DAMAGED
        )

    def _not_opened(self, error: OSError) -> str:
        remedy = _REMEDIES[sqlite3.SQLITE_CANTOPEN]
        return f"the catalog {self.place} cannot be opened: {in_words(error)}; {remedy}"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Be the only one who makes or sets aside the file; the kernel lets go when a process ends."""
        try:
            lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CatalogError(self._not_opened(error)) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _remove_log_of_another(self) -> None:
        """Remove what is beside a file that is still empty: it belongs to one that was removed or set aside,
        and may be in use by a process that has not noticed.
        """
        if not os.path.getsize(self._path):
            for beside in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{self._path}{beside}")

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _connected(connection: Any, record: Any) -> None:
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begun(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _log_ahead(engine: Engine) -> None:
    """Turn write-ahead logging on; while another process reads the file that is refused without waiting."""
    connection = engine.raw_connection()
    try:
        for number in range(_WAL_TRIES):
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or number == _WAL_TRIES - 1:
                    raise
            time.sleep(_BETWEEN_TRIES_S)
    finally:
        connection.close()
