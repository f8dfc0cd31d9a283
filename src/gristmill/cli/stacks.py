"""``gristmill job stacks``: what the workers of a running job are doing, line by line of the script."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli import show
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.streams import answer

if TYPE_CHECKING:
    from gristmill.service.in_flight import ProcessStacks
    from gristmill.service.jobs import Jobs

_LONGEST_COMMAND = 80


def stacks(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Show the Python stacks of every worker of a running job."""
    found = jobs.stacks(args.job)
    if args.json:
        answer(json.dumps([one.to_json() for one in found], indent=2))
    else:
        answer(*_words(found))
    return ExitStatus.COMPLETED


def _words(found: list[ProcessStacks]) -> list[str]:
    lines: list[str] = []
    for one in found:
        lines += [*([""] if lines else []), _title(one), *map(show.printable, one.text.splitlines())]
    return lines


def _title(one: ProcessStacks) -> str:
    if one.child:
        return f"== a child process of worker {one.worker}: {show.printable(one.child[:_LONGEST_COMMAND])}"
    return f"== {show.in_flight(one.running)}" if one.running else f"== worker {one.worker}: {one.state}"
