"""Transactions: work that is done whole or not at all, and again where the server was away for a moment."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from gristmill.catalog.postgresql import PostgresqlServer
from gristmill.catalog.sqlite import WRITES, SqliteFile
from gristmill.errors import RequestError

Result = TypeVar("Result")

#: How long a server that is away is waited for.
PATIENCE_S = 10.0
_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
#: Two that insert the same at once: one is refused, looks again, and finds what the other has made.
_CONFLICTS = 100
_LONGEST_CONFLICT_S = 0.02


class Database:
    """Where the tables are, and how a transaction is made there."""

    def __init__(
        self,
        kind: SqliteFile | PostgresqlServer,
        make_ready: Callable[[Database], object],
        patience_s: float = PATIENCE_S,
        pause: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Connect, and see to the tables.

        Parameters
        ----------
        kind
            The database.
        make_ready
            Sees to the tables; called again when another file has taken the place of ours.
        patience_s
            How long a server that is away is waited for.
        pause
            Waits so many seconds before it is tried again.
        say
            Is told that a server is waited for.

        Raises
        ------
        CatalogError
            It cannot be opened.
        """
        self.kind = kind
        self._make_ready = make_ready
        self._patience_s = patience_s
        self._pause = pause
        self._say = say
        self._following = threading.Lock()
        self.engine = self._opened()

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Do something that only reads, and sees one state of everything.

        Raises
        ------
        CatalogError
            The database cannot be used.
        """
        self._follow()
        return self.transaction(work, writes=False)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Do something that writes, whole or not at all; it may be called several times until it is done.

        Raises
        ------
        CatalogError
            The database cannot be used.
        """
        self._follow()
        return self.transaction(work, writes=True)

    def transaction(self, work: Callable[[Connection], Result], *, writes: bool) -> Result:
        """Do something in a transaction, whatever tables there are."""
        deadline: float | None = None
        pause_s, conflicts = _PAUSE_S, 0
        while True:
            try:
                with self.engine.connect() as connection:
                    connection.execution_options(**{WRITES: writes})
                    with connection.begin():
                        return work(connection)
            except IntegrityError as error:
                conflicts += 1
                if conflicts > _CONFLICTS:
                    raise self.kind.explained(error) from error
                self._pause(random.uniform(0, _LONGEST_CONFLICT_S))
            except DBAPIError as error:
                now = time.monotonic()
                if not self.kind.is_away(error) or (deadline is not None and now > deadline):
                    raise self.kind.explained(error) from error
                if deadline is None:
                    deadline = now + self._patience_s
                    self._say(f"the catalog {self.kind.place} is away; it is waited for")
                self._pause(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            except UnicodeEncodeError as error:
                raise RequestError("a name is not UTF-8; nothing can have it") from error

    def check(self) -> None:
        """Look at the whole database.

        Raises
        ------
        CatalogError
            It is damaged.
        """
        self.read(self.kind.check)

    def close(self) -> None:
        """Let go of all connections; it opens again at the next use."""
        self.engine.dispose()

    def _follow(self) -> None:
        """Open the file anew where another one stands in its place: the old one is nobody's any more."""
        with self._following:
            if self.kind.was_replaced():
                self.engine.dispose()
                self.engine = self._opened()

    def _opened(self) -> Engine:
        self.engine = self.kind.engine()
        try:
            self._make_ready(self)
        except BaseException:
            self.engine.dispose()
            raise
        return self.engine
