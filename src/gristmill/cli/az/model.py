"""``gristmill model``: models, by name and version."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.cli.az import asset
from gristmill.cli.az.answer import Answer
from gristmill.cli.exit_status import ExitStatus
from gristmill.shown.words import counted, harmless

if TYPE_CHECKING:
    from gristmill.service.assets.artifacts import Artifact
    from gristmill.service.workspace import Workspace


def create(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Create a version, or find the one with the same content."""
    return asset.create(args, workspace.models)


def show(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show a version, or its files as the script sees them."""
    if not args.artifacts:
        return asset.show(args, workspace.models)
    answer = Answer(args)
    found = workspace.models.artifacts(args.name, *asset.which(args))
    if args.query is not None or args.output is not None:
        return answer.value([one.to_json() for one in found])
    return answer.lines(_tree(found))


def list_all(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show all, or all versions of one."""
    return asset.list_all(args, workspace.models)


def update(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Change description and tags."""
    return asset.update(args, workspace.models)


def archive(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Hide a version, or all of them."""
    return asset.archive(args, workspace.models)


def restore(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show a version, or all of them, in lists again."""
    return asset.restore(args, workspace.models)


def download(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Copy a version into a folder of its name."""
    answer = Answer(args)
    folder = Path(args.download_path or ".")
    done = workspace.models.download(args.name, folder, *asset.which(args))
    answer.notice(*done.notices)
    return answer.progress(f"{counted(done.files, 'file')} of {args.name} in {done.path}")


def _tree(found: Sequence[Artifact]) -> list[str]:
    """Return the files as ``init()`` sees them, each folder before what is in it, and the line for each."""
    names = [
        f"{'  ' * one.depth}{one.path.rsplit('/', 1)[-1]}{'/' if one.is_folder else ''}" for one in found
    ]
    width = max(map(len, names), default=0)
    return [f"{harmless(name).ljust(width)}  {one.line}" for name, one in zip(names, found, strict=True)]
