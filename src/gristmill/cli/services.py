"""What commands work with, made as the environment says. Nothing is imported that a command does not need."""

from __future__ import annotations

import os
from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli.streams import Stderr

if TYPE_CHECKING:
    from gristmill.service.jobs import Jobs
    from gristmill.service.workspace import Workspace


def jobs(_: Namespace) -> Jobs:
    """Return the jobs of the home."""
    from gristmill.service.jobs import Jobs  # with all that a run needs
    from gristmill.settings import Home

    return Jobs(Home.from_environment(), Stderr().say)


def workspace(args: Namespace) -> Workspace:
    """Return the workspace that is named, or the one of the environment.

    Raises
    ------
    SpecError
        A variable of the environment, or ``--workspace-name``, has a value that cannot be.
    """
    from gristmill.service.workspace import Workspace
    from gristmill.settings import Settings

    name = getattr(args, "workspace_name", None)
    named = {"GRISTMILL_WORKSPACE": name} if name else {}
    return Workspace(Settings.from_environment({**os.environ, **named}), Stderr().say)


def nothing(_: Namespace) -> None:
    """Return nothing: some commands need no service."""
