"""``gristmill data``: data assets, by name and version."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli.az import asset
from gristmill.cli.exit_status import ExitStatus

if TYPE_CHECKING:
    from gristmill.service.workspace import Workspace


def create(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Create a version, or find the one with the same content."""
    return asset.create(args, workspace.data)


def show(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show a version."""
    return asset.show(args, workspace.data)


def list_all(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show all, or all versions of one."""
    return asset.list_all(args, workspace.data)


def update(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Change description and tags."""
    return asset.update(args, workspace.data)


def archive(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Hide a version, or all of them."""
    return asset.archive(args, workspace.data)


def restore(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show a version, or all of them, in lists again."""
    return asset.restore(args, workspace.data)
