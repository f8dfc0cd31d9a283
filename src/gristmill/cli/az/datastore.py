"""``gristmill datastore``: datastores: where data lies."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli.az.answer import Answer
from gristmill.cli.az.document import file_of, overrides
from gristmill.cli.exit_status import ExitStatus
from gristmill.errors import SpecError

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace


def create(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Create a datastore, or change one to what is said of it."""
    answer = Answer(args)
    return answer.one(workspace.datastores.create(file_of(args), overrides(args)))


def show(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show a datastore."""
    answer = Answer(args)
    return answer.one(workspace.datastores.show(args.name))


def list_all(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show all datastores."""
    answer = Answer(args)
    return answer.all(workspace.datastores.list(), args.max_results)


def update(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Change a datastore."""
    answer = Answer(args)
    file = file_of(args)
    if args.name is not None:
        return answer.one(workspace.datastores.update(args.name, overrides(args), file=file))
    if file is None:
        raise SpecError("which datastore? Give --name, or a --file that has it")
    return answer.one(workspace.datastores.create(file, overrides(args)))


def delete(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Forget a datastore, never what it holds."""
    answer = Answer(args)
    if workspace.datastores.delete(args.name):
        return answer.nothing()
    return answer.nothing(f"there is no datastore called {args.name}; nothing was deleted")
