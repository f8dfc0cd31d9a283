"""``gristmill compute``: computes: names for machines."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli.az.answer import Answer
from gristmill.cli.az.asking import sure
from gristmill.cli.az.document import file_of, overrides
from gristmill.cli.exit_status import ExitStatus

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace


def create(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Create a compute, or change one to what is said of it."""
    answer = Answer(args)
    return answer.one(workspace.computes.create(file_of(args), overrides(args)))


def show(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show a compute."""
    answer = Answer(args)
    return answer.one(workspace.computes.show(args.name))


def list_all(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show all computes."""
    answer = Answer(args)
    views = workspace.computes.list()
    if args.type is not None:
        views = [view for view in views if view.to_json().get("type") == args.type]
    return answer.all(views, args.max_results)


def update(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Change a compute."""
    answer = Answer(args)
    return answer.one(workspace.computes.update(args.name, overrides(args)))


def delete(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Forget a compute."""
    answer = Answer(args)
    sure(args, f"delete the compute {args.name}")
    if workspace.computes.delete(args.name):
        return answer.nothing()
    return answer.nothing(f"there is no compute called {args.name}; nothing was deleted")
