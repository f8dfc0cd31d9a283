"""``gristmill batch-deployment``: what an endpoint runs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.cli.az.answer import Answer
from gristmill.cli.az.asking import sure
from gristmill.cli.az.document import file_of, overrides
from gristmill.cli.exit_status import ExitStatus

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace


def create(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Create a deployment, or change one to what its file says."""
    answer = Answer(args)
    view = workspace.deployments.create(
        Path(args.file),
        overrides(args),
        set_default=args.set_default,
        check_script=not args.skip_script_validation,
    )
    return answer.one(view)


def show(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show a deployment."""
    answer = Answer(args)
    return answer.one(workspace.deployments.show(args.endpoint_name, args.name))


def list_all(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show the deployments of an endpoint."""
    answer = Answer(args)
    return answer.all(workspace.deployments.list(args.endpoint_name))


def update(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Change a deployment."""
    answer = Answer(args)
    view = workspace.deployments.update(args.endpoint_name, args.name, overrides(args), file=file_of(args))
    return answer.one(view)


def delete(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Delete a deployment."""
    answer = Answer(args)
    sure(args, f"delete the deployment {args.name} of the endpoint {args.endpoint_name}")
    if workspace.deployments.delete(args.endpoint_name, args.name):
        return answer.nothing()
    return answer.nothing(
        f"the endpoint {args.endpoint_name} has no deployment called {args.name}; nothing was deleted"
    )


def list_jobs(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show the jobs of a deployment."""
    answer = Answer(args)
    return answer.all(workspace.deployments.jobs(args.endpoint_name, args.name))
