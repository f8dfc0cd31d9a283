"""What the catalog is told of jobs."""

from __future__ import annotations

from dataclasses import replace

from gristmill.run.job_folder import Status
from gristmill.service.queue.index import index
from gristmill.service.workspace import Workspace
from unit.service.home.conftest import MakeJob, home, make_job, workspace

__all__ = ["home", "make_job", "workspace"]


def test_a_job_is_indexed_where_it_belongs_whoever_tells_of_it(
    workspace: Workspace, make_job: MakeJob
) -> None:
    job = make_job("j", workspace="team", status=Status.QUEUED).read()

    for status in (Status.QUEUED, Status.COMPLETED):
        index(workspace.catalog, replace(job, status=status), workspace.settings.home)

    assert workspace.catalog.jobs() == []
    rows = workspace.catalog.in_workspace("team").jobs()
    assert [(row.name, row.status) for row in rows] == [("j", "Completed")]
