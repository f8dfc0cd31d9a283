"""The verbs for endpoints: create, show, update, delete, list."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.catalog.records import EndpointRecord
from gristmill.errors import SpecError, UnknownResourceError
from gristmill.service.endpoints.records import put_default, put_endpoint, remove_endpoint
from gristmill.service.endpoints.views import EndpointView
from gristmill.spec.asset_values import Endpoint
from gristmill.spec.assets import Source, Values, load_endpoint
from gristmill.spec.overrides import Override
from gristmill.spec.problems import did_you_mean

if TYPE_CHECKING:
    from gristmill.service.endpoints.invoking import InvokeRequest
    from gristmill.service.job_resource import JobResource
    from gristmill.service.workspace import Workspace


class Endpoints:
    """The endpoints of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        """Take the workspace that they belong to."""
        self._workspace = workspace

    def create(self, file: Path | None = None, overrides: Sequence[Override] = ()) -> EndpointView:
        """Make an endpoint, or replace what is said of it; its deployments stay, and so does its default.

        Parameters
        ----------
        file
            An endpoint file; None: the overrides say everything, and a name is enough.
        overrides
            Settings that stand above those of the file.

        Raises
        ------
        SpecError
            Something in the file or an override is wrong: one line for each mistake.
        UnknownResourceError
            The file names a default deployment that the endpoint does not have.
        CatalogError
            The catalog cannot be used.
        """
        source: Source = Values(called="the endpoint") if file is None else file
        return self._put(load_endpoint(source, overrides), keeps_default=True)

    def show(self, name: str) -> EndpointView:
        """Return an endpoint.

        Raises
        ------
        UnknownResourceError
            There is none of that name.
        """
        return self._view(self.record(name))

    def update(
        self, name: str | None, overrides: Sequence[Override], file: Path | None = None
    ) -> EndpointView:
        """Change some of what is said of an endpoint.

        Parameters
        ----------
        name
            The endpoint; None: as the file says.
        overrides
            What changes; ``defaults.deployment_name`` chooses the default deployment.
        file
            An endpoint file that takes the place of all that was said before.

        Raises
        ------
        UnknownResourceError
            There is no such endpoint, or it has no such deployment.
        SpecError
            Something is wrong with what changes: one line for each mistake.
        """
        if file is not None:
            named = [] if name is None else [Override(path="name", value=name, origin=f"--name {name}")]
            endpoint = load_endpoint(file, [*overrides, *named])
            self.record(endpoint.name)
            return self._put(endpoint, keeps_default=True)
        if name is None:
            raise SpecError("which endpoint is to be changed? give --name, or a file that has it")
        kept = Values(called=f"the endpoint {name}", values={"name": name, **self.record(name).document})
        endpoint = load_endpoint(kept, overrides)
        if endpoint.name != name:
            raise SpecError(f"an endpoint keeps its name; create another one called {endpoint.name}")
        return self._put(endpoint, keeps_default=False)

    def delete(self, name: str) -> bool:
        """Remove an endpoint with its deployments, never its jobs; say whether it was there."""
        return remove_endpoint(self._workspace, name)

    def list(self) -> builtins.list[EndpointView]:
        """Return all endpoints, the newest first."""
        return [self._view(one) for one in self._workspace.catalog.endpoints()]

    def invoke(self, request: InvokeRequest) -> JobResource:
        """Make a job of a deployment, and let it wait for its turn; see `invoking.invoke`."""
        from gristmill.service.endpoints.invoking import invoke  # with all that a job needs

        return invoke(self._workspace, request)

    def jobs(self, name: str) -> builtins.list[JobResource]:
        """Return the jobs of an endpoint, the newest first.

        Raises
        ------
        UnknownResourceError
            There is none of that name, and no job that it had.
        """
        from gristmill.service.endpoints.invoked import jobs_of

        found = jobs_of(self._workspace, name)
        if not found:
            self.record(name)
        return found

    def record(self, name: str) -> EndpointRecord:
        """Return the row of an endpoint.

        Raises
        ------
        UnknownResourceError
            There is none of that name; the message has the nearest one that is there.
        """
        found = self._workspace.catalog.endpoint(name)
        if found is None:
            known = [one.name for one in self._workspace.catalog.endpoints()]
            raise UnknownResourceError(
                f"there is no endpoint called {name!r}; gristmill batch-endpoint list names those that are, "
                f"gristmill batch-endpoint create --name {name} makes it{did_you_mean(name, known)}"
            )
        return found

    def set_default(self, endpoint: str, deployment: str | None) -> EndpointView:
        """Let invocations go to a deployment, or to none unless one is named.

        Raises
        ------
        UnknownResourceError
            There is no such endpoint, or it has no such deployment.
        """
        record = self.record(endpoint)
        self._check_default(endpoint, deployment)
        return self._view(put_default(self._workspace, record, deployment))

    def _put(self, endpoint: Endpoint, *, keeps_default: bool) -> EndpointView:
        """Make a row; of a default that is not named the old one may stay."""
        self._check_default(endpoint.name, endpoint.default_deployment)
        record = EndpointRecord(
            name=endpoint.name,
            document={
                "description": endpoint.description,
                "tags": dict(endpoint.tags),
                "properties": dict(endpoint.properties),
                "auth_mode": endpoint.auth_mode,
                "defaults": {"deployment_name": endpoint.default_deployment},
            },
        )
        row = put_endpoint(self._workspace, record, keeps_default=keeps_default)
        return self._view(row, endpoint.notices)

    def _check_default(self, endpoint: str, deployment: str | None) -> None:
        catalog = self._workspace.catalog
        if deployment is None or catalog.deployment(endpoint, deployment) is not None:
            return
        known = [one.name for one in catalog.deployments(endpoint)]
        if not known:
            raise UnknownResourceError(
                f"endpoint {endpoint} has no deployment yet, and {deployment!r} cannot be its default; "
                "create it first: gristmill batch-deployment create --set-default makes it the default"
            )
        raise UnknownResourceError(
            f"endpoint {endpoint} has no deployment called {deployment!r} (it has "
            f"{', '.join(sorted(known))}){did_you_mean(deployment, known)}"
        )

    def _view(self, record: EndpointRecord, notices: tuple[str, ...] = ()) -> EndpointView:
        return EndpointView(record=record, workspace=self._workspace.settings.workspace, notices=notices)
