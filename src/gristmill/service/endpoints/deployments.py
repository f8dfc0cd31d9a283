"""The verbs for deployments: create, show, update, delete, list."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.catalog.records import DeploymentRecord, EndpointRecord
from gristmill.errors import ResourceStateError, SpecError, UnknownResourceError
from gristmill.service.endpoints.records import remove_deployment
from gristmill.service.endpoints.views import CODE, DeploymentView, default_of
from gristmill.spec.problems import did_you_mean
from gristmill.storage.contents import Contents

if TYPE_CHECKING:
    from gristmill.service.job_resource import JobResource
    from gristmill.service.workspace import Workspace
    from gristmill.spec.overrides import Override


class Deployments:
    """The deployments of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        """Take the workspace that they belong to."""
        self._workspace = workspace
        self._contents = Contents(workspace.settings.home.contents)

    def create(
        self,
        file: Path,
        overrides: Sequence[Override] = (),
        *,
        set_default: bool = False,
        check_script: bool = True,
    ) -> DeploymentView:
        """Make a deployment, or a new revision of it; jobs that were invoked before keep what they have.

        Its code is copied, and a model and an environment that stand in the file are registered. The same
        again changes nothing.

        Parameters
        ----------
        file
            A deployment file.
        overrides
            Settings that stand above those of the file.
        set_default
            Whether its endpoint's invocations go to it from now on.
        check_script
            Whether a script that is sure to fail is refused.

        Raises
        ------
        SpecError
            Something in the file, an override or the script is wrong: one line for each mistake.
        UnknownResourceError
            There is no such endpoint.
        RequestError
            Something of its code or its model cannot be read.
        HomeError
            The disk is full; nothing of it is left.
        CatalogError
            The catalog cannot be used.
        """
        from gristmill.service.endpoints.revising import created  # with all that a deployment file needs

        record, notices = created(self._workspace, file, overrides, check_script=check_script)
        if set_default:
            self._workspace.endpoints.set_default(record.endpoint, record.name)
        return self._view(record, notices=notices)

    def show(self, endpoint: str, name: str) -> DeploymentView:
        """Return a deployment.

        Raises
        ------
        UnknownResourceError
            There is no such endpoint, or it has no deployment of that name.
        """
        return self._view(self.record(endpoint, name))

    def update(
        self, endpoint: str | None, name: str | None, overrides: Sequence[Override], file: Path | None = None
    ) -> DeploymentView:
        """Change some settings of a deployment; the jobs that were invoked before keep what they have.

        Parameters
        ----------
        endpoint, name
            The deployment; None: as the file says.
        overrides
            What changes; a path behind ``--set`` is relative to the current folder.
        file
            A deployment file that takes the place of all that was said before.

        Raises
        ------
        UnknownResourceError
            There is no such deployment.
        SpecError
            Something is wrong with what changes: one line for each mistake.
        """
        from gristmill.service.endpoints.revising import replaced, updated  # as in `create`

        if file is not None:
            record, notices = replaced(self._workspace, file, overrides, endpoint=endpoint, name=name)
            return self._view(record, notices=notices)
        if name is None or endpoint is None:
            raise SpecError(
                "which deployment is to be changed? give --name and --endpoint-name, or a file that has both"
            )
        record, notices = updated(self._workspace, self.record(endpoint, name), overrides)
        return self._view(record, notices=notices)

    def delete(self, endpoint: str, name: str) -> bool:
        """Remove a deployment, never its jobs; say whether it was there.

        Raises
        ------
        ResourceStateError
            It is the default of its endpoint, and there are others.
        """
        catalog = self._workspace.catalog
        above = catalog.endpoint(endpoint)
        if above is not None and default_of(above) == name:
            others = sorted(one.name for one in catalog.deployments(endpoint) if one.name != name)
            if others:
                raise ResourceStateError(
                    f"deployment {name} is the default of endpoint {endpoint}, which has others: "
                    f"{', '.join(others)}; make one of them the default first: gristmill batch-endpoint "
                    f"update --name {endpoint} --set defaults.deployment_name={others[0]}"
                )
            self._workspace.endpoints.set_default(endpoint, None)
        return remove_deployment(self._workspace, endpoint, name)

    def list(self, endpoint: str) -> builtins.list[DeploymentView]:
        """Return the deployments of an endpoint, the newest first.

        Raises
        ------
        UnknownResourceError
            There is no such endpoint.
        """
        above = self._workspace.endpoints.record(endpoint)
        return [self._view(one, above=above) for one in self._workspace.catalog.deployments(endpoint)]

    def jobs(self, endpoint: str, name: str) -> builtins.list[JobResource]:
        """Return the jobs of a deployment, the newest first.

        Raises
        ------
        UnknownResourceError
            There is no such deployment, and no job that it had.
        """
        from gristmill.service.endpoints.invoked import jobs_of

        found = jobs_of(self._workspace, endpoint, name)
        if not found:
            self.record(endpoint, name)
        return found

    def record(self, endpoint: str, name: str) -> DeploymentRecord:
        """Return the row of a deployment.

        Raises
        ------
        UnknownResourceError
            There is no such endpoint, or it has no deployment of that name; the message has the nearest.
        """
        found = self._workspace.catalog.deployment(endpoint, name)
        if found is not None:
            return found
        self._workspace.endpoints.record(endpoint)
        known = [one.name for one in self._workspace.catalog.deployments(endpoint)]
        named = f"it has {', '.join(sorted(known))}" if known else "it has none yet"
        raise UnknownResourceError(
            f"endpoint {endpoint} has no deployment called {name!r} ({named}){did_you_mean(name, known)}"
        )

    def _view(
        self,
        record: DeploymentRecord,
        *,
        above: EndpointRecord | None = None,
        notices: tuple[str, ...] = (),
    ) -> DeploymentView:
        above = above or self._workspace.catalog.endpoint(record.endpoint)
        code = self._contents.find(record.contents[CODE]) if CODE in record.contents else None
        return DeploymentView(
            record=record,
            workspace=self._workspace.settings.workspace,
            code=str(code) if code is not None else None,
            is_default=above is not None and default_of(above) == record.name,
            notices=notices,
        )
