"""``gristmill home`` and ``gristmill job prune``: what a home holds, and making room in it."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from datetime import timedelta
from typing import TYPE_CHECKING

from gristmill.cli.az.asking import sure
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.show import moment, size, table
from gristmill.cli.streams import Stderr, answer

if TYPE_CHECKING:
    from gristmill.service.home.retention import Pruned
    from gristmill.service.home.space import Space
    from gristmill.service.workspace import Workspace


def home(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Show what takes the space, or put the home in order."""
    if args.what == "repair":
        return _repair(args, workspace)
    from gristmill.service.home.space import space_of

    space = space_of(workspace.settings.home)
    answer(*([json.dumps(space.to_json(), indent=2)] if args.json else _space(space)))
    return ExitStatus.COMPLETED


def prune(args: Namespace, workspace: Workspace) -> ExitStatus:
    """Remove the jobs that ended long ago; somebody at a terminal is asked, a script is not."""
    age = timedelta(hours=args.older_than)
    if not args.dry_run and not args.yes and sys.stdin is not None and sys.stdin.isatty():
        meant = workspace.retention.prune(age, keep_outputs=args.keep_outputs, is_dry=True)
        if meant.removed:
            sure(args, f"remove {_jobs(meant)}, {size(meant.freed_bytes)}")
    pruned = workspace.retention.prune(age, keep_outputs=args.keep_outputs, is_dry=args.dry_run)
    if args.json:
        answer(json.dumps(pruned.to_json(), indent=2))
    else:
        answer(*_pruned(pruned))
        would = "would be " if pruned.is_dry else ""
        Stderr().say(f"{_jobs(pruned)} {would}removed, {size(pruned.freed_bytes)} {would}freed")
    return ExitStatus.COMPLETED


def _jobs(pruned: Pruned) -> str:
    count = len(pruned.removed)
    return f"{count} {'job' if count == 1 else 'jobs'}"


def _repair(args: Namespace, workspace: Workspace) -> ExitStatus:
    from gristmill.service.home.repair import repair

    repaired = repair(workspace.settings)
    if args.json:
        answer(json.dumps(repaired.to_json(), indent=2))
    else:
        answer(*(repaired.done or (() if repaired.problem else ("nothing had to be done",))))
        Stderr().say(*(f"notice: {notice}" for notice in repaired.notices))
    if repaired.problem is not None:
        Stderr().say(f"gristmill: error: {repaired.problem}")
        return ExitStatus.JOB_FAILED
    return ExitStatus.COMPLETED


def _pruned(pruned: Pruned) -> list[str]:
    deed = "would remove" if pruned.is_dry else "removed"
    return [
        f"{deed} {one.name}, ended {moment(one.ended_at)}, {size(one.freed_bytes)}"
        + (f"; its output is kept in {one.kept}" if one.kept is not None else "")
        for one in pruned.removed
    ]


def _space(space: Space) -> list[str]:
    rows = [("WHAT", "SIZE", "HOW MANY", "TO MAKE ROOM")]
    rows += [
        (share.what, size(share.size_bytes), f"{share.count:,}" if share.count else "", share.remedy)
        for share in space.shares
        if share.size_bytes
    ]
    rows.append(("all", size(space.total_bytes), "", f"{size(space.free_bytes)} are free on its disk"))
    lines = [f"{space.home}:", *table(rows, right=(1, 2))]
    if space.largest_jobs:
        lines += ["", "the largest jobs, with outputs that are in the home:"]
        lines += table([(job.name, size(job.size_bytes)) for job in space.largest_jobs], right=(1,))
    return lines
