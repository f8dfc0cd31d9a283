"""The catalog of one workspace: all rows behind one name."""

from __future__ import annotations

from types import TracebackType

from gristmill.catalog.asset_rows import AssetRows
from gristmill.catalog.endpoint_rows import EndpointRows
from gristmill.catalog.job_rows import JobRows
from gristmill.catalog.kept_rows import KeptRows
from gristmill.catalog.resource_rows import ResourceRows


class Catalog(EndpointRows, AssetRows, ResourceRows, JobRows, KeptRows):
    """Endpoints, deployments, assets, datastores, computes, and an index of jobs.

    Every call is a transaction of its own: done whole or not at all, also where the process is killed. Any
    number of processes and threads may use it. Each call may raise `CatalogError`, where the database cannot
    be used; a server that is away is waited for first.
    """

    @property
    def place(self) -> str:
        """Where it is, in words, without a password."""
        return self._database.kind.place

    def in_workspace(self, workspace: str) -> Catalog:
        """Return the same catalog as another workspace sees it; closing one closes both."""
        return Catalog(self._database, workspace)

    def check(self) -> None:
        """Look at the whole database, and raise `CatalogError` where it is damaged."""
        self._database.check()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
