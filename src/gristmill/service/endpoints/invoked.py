"""The jobs that endpoints were invoked for, those of endpoints that were deleted since included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gristmill.errors import RequestError
from gristmill.service.job_resource import JobResource, find_job
from gristmill.storage.identity import identity_of

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace


def jobs_of(workspace: Workspace, endpoint: str, deployment: str | None = None) -> list[JobResource]:
    """Return the jobs of an endpoint, or of one of its deployments.

    Parameters
    ----------
    workspace
        Whose jobs they are.
    endpoint, deployment
        Who was invoked; an archived job is left out.

    Returns
    -------
    list of JobResource
        The newest first; those of this home whose folder is there.
    """
    return list(_found(workspace, endpoint, deployment))


def _found(workspace: Workspace, endpoint: str, deployment: str | None) -> Iterator[JobResource]:
    home = workspace.settings.home
    for row in workspace.catalog.jobs(endpoint=endpoint, deployment=deployment, home=identity_of(home)):
        try:
            found = find_job(home, row.name)
        except RequestError:
            continue  # somebody has removed its folder: what the index says of it is nothing
        if found.job.revision is not None:  # else somebody has only run the file that names the endpoint
            yield found
