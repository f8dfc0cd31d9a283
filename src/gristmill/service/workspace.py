"""A workspace: everything that has a name in one home and its catalog, and the verbs for each kind of it.

Every door makes one and closes it in the end. What a verb does not need is not imported: the catalog is
opened when the first row is wanted, and a room when its property is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING

from gristmill.settings import Settings

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog
    from gristmill.service.assets.computes import Computes
    from gristmill.service.assets.data import RegisteredData
    from gristmill.service.assets.datastores import Datastores
    from gristmill.service.assets.environments import RegisteredEnvironments
    from gristmill.service.assets.models import Models
    from gristmill.service.endpoints.deployments import Deployments
    from gristmill.service.endpoints.endpoints import Endpoints
    from gristmill.service.home.retention import Retention
    from gristmill.service.jobs import Jobs
    from gristmill.service.queue.submitting import Queue


class Workspace:
    """The verbs, kind by kind, over one home and one catalog."""

    def __init__(self, settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
        """Take the settings as they are; nothing is opened yet.

        Parameters
        ----------
        settings
            Where the home and the catalog are, and which workspace is meant.
        say
            Is told what takes a while.
        """
        self.settings = settings
        self.say = say

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the catalog, if it was opened; safe to repeat."""
        catalog = self.__dict__.pop("catalog", None)
        if catalog is not None:
            catalog.close()
        for room in self.__dict__.keys() - {"settings", "say"}:
            del self.__dict__[room]  # they know the catalog that is closed

    @property
    def is_open(self) -> bool:
        """Whether the catalog has been opened."""
        return "catalog" in self.__dict__

    @cached_property
    def catalog(self) -> Catalog:
        """The rows.

        Raises
        ------
        CatalogError
            The database cannot be opened, or a newer release has made it.
        """
        from gristmill.catalog.opening import open_catalog

        return open_catalog(self.settings, self.say)

    @cached_property
    def jobs(self) -> Jobs:
        """What runs and has run."""
        from gristmill.service.jobs import Jobs

        return Jobs(self.settings.home, self.say)

    @cached_property
    def queue(self) -> Queue:
        """What takes jobs that run in their turn."""
        from gristmill.service.queue.submitting import Queue

        return Queue(self.settings, lambda: self.catalog)

    @cached_property
    def endpoints(self) -> Endpoints:
        """Stable names that are invoked."""
        from gristmill.service.endpoints.endpoints import Endpoints

        return Endpoints(self)

    @cached_property
    def deployments(self) -> Deployments:
        """What stands behind an endpoint."""
        from gristmill.service.endpoints.deployments import Deployments

        return Deployments(self)

    @cached_property
    def retention(self) -> Retention:
        """What is kept of jobs that have ended."""
        from gristmill.service.home.retention import Retention

        return Retention(self.settings, lambda: self.catalog)

    @cached_property
    def models(self) -> Models:
        """Files and folders that scripts load, in versions."""
        from gristmill.service.assets.models import Models

        return Models(self.catalog, self.settings, self.say)

    @cached_property
    def environments(self) -> RegisteredEnvironments:
        """What deployments run in, in versions."""
        from gristmill.service.assets.environments import RegisteredEnvironments

        return RegisteredEnvironments(self.catalog, self.settings)

    @cached_property
    def data(self) -> RegisteredData:
        """References to what is scored, in versions."""
        from gristmill.service.assets.data import RegisteredData

        return RegisteredData(self.catalog, self.settings)

    @cached_property
    def datastores(self) -> Datastores:
        """Names that paths begin with."""
        from gristmill.service.assets.datastores import Datastores

        return Datastores(self.catalog, self.settings)

    @cached_property
    def computes(self) -> Computes:
        """Where jobs may run."""
        from gristmill.service.assets.computes import Computes

        return Computes(self.catalog, self.settings)
