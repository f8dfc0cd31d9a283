"""Telling the catalog how jobs stand, beside the work: nobody waits for it, and it may be away a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from gristmill.errors import CatalogError, GristmillError
from gristmill.run.job_folder import JobFolder
from gristmill.service.queue.index import index
from gristmill.service.queue.waiting import Waiting
from gristmill.settings import Settings

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog

_AGAIN_AFTER_S = 10.0


class Indexing:
    """Tells the catalog, in a thread; a job that has ended is taken out of the line once it is told."""

    def __init__(self, settings: Settings, log: Callable[[str], None]) -> None:
        """Begin.

        Parameters
        ----------
        settings
            Of which home and catalog.
        log
            Is told what goes wrong.
        """
        self._settings = settings
        self._log = log
        self._waiting = Waiting(settings.home)
        self._told: SimpleQueue[str | None] = SimpleQueue()
        self._pending: dict[str, None] = {}
        self._catalog: Catalog | None = None
        self._is_away = False
        self._thread = threading.Thread(target=self._work, name="indexing", daemon=True)
        self._thread.start()

    def tell(self, name: str) -> None:
        """Let the catalog know how a job stands, as soon as may be."""
        self._told.put(name)

    def close(self, wait_s: float) -> None:
        """End, once everything is told, but wait for that no longer than so many seconds."""
        self._told.put(None)
        self._thread.join(wait_s)

    def _work(self) -> None:
        while True:
            try:
                name = self._told.get(timeout=_AGAIN_AFTER_S if self._pending else None)
            except Empty:
                name = ""
            if name:
                self._pending[name] = None
            for one in list(self._pending):
                if not self._is_told(one):
                    break  # the others would fare no better
                del self._pending[one]
            if name is None:
                break
        if self._catalog is not None:
            self._catalog.close()

    def _is_told(self, name: str) -> bool:
        """Tell the catalog of a job; say whether that is done with."""
        try:
            job = JobFolder(self._settings.home.jobs / name).read()
        except GristmillError:
            self._waiting.remove(name)  # it is gone, or cannot be read: nobody can run it
            return True
        try:
            index(self._opened(), job, self._settings.home)
        except CatalogError as error:
            if not self._is_away:
                self._log(f"the catalog is not told how jobs stand until it is there again: {error}")
            self._is_away = True
            return False
        except GristmillError as error:
            self._log(f"the catalog does not take job {name}: {error}")
        self._is_away = False
        if job.status.is_final:
            self._waiting.remove(name)
        return True

    def _opened(self) -> Catalog:
        if self._catalog is None:
            from gristmill.catalog.opening import open_catalog  # with the database, which takes a while

            self._catalog = open_catalog(self._settings)
        return self._catalog
