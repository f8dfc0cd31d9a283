"""``gristmill model``: models, by name and version."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.cli.az import asset
from gristmill.cli.az.answer import Answer
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.show import size
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
    """Return the files as ``init()`` sees them, each folder before what is in it, with size and line."""
    names = [f"{'  ' * one.depth}{_name(one)}{'/' if one.is_folder else ''}" for one in found]
    sizes = [size(one.size_bytes) for one in found]
    width, most = max(map(len, names), default=0), max(map(len, sizes), default=0)
    rows = zip(names, sizes, found, strict=True)
    return [f"{name.ljust(width)}  {how_large.rjust(most)}  {one.line}" for name, how_large, one in rows]


def _name(artifact: Artifact) -> str:
    """Return its own name on one line."""
    return harmless(artifact.path.rsplit("/", 1)[-1]).replace("\n", "\\n").replace("\t", "\\t")
