"""``gristmill env``: the environments that deployments ask for."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING

from gristmill.cli import show as words
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.streams import Stderr, answer
from gristmill.service import environments

if TYPE_CHECKING:
    from gristmill.service.environments import EnvironmentView
    from gristmill.service.jobs import Jobs


def build(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Build the environment of a deployment, unless it is there."""
    say = Stderr().say
    view, was_built = environments.build_environment(args.file, jobs.home, say, offline=args.offline)
    if not was_built:
        say(f"environment {view.name} is there already")
    answer(*([json.dumps(view.to_json(), indent=2)] if args.json else [view.python]))
    return ExitStatus.COMPLETED


def list_environments(args: Namespace, jobs: Jobs) -> ExitStatus:
    """List all environments, the one that was used last first."""
    views = environments.list_environments(jobs.home)
    if args.json:
        answer(json.dumps([view.to_json() for view in views], indent=2))
    elif views:
        answer(*_table(views))
    else:
        Stderr().say("there are no environments yet; a deployment with a conda_file gets one when it is run")
    return ExitStatus.COMPLETED


def show(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Show one environment."""
    view = environments.find_environment(jobs.home, args.env)
    answer(*([json.dumps(view.to_json(), indent=2)] if args.json else _shown(view)))
    return ExitStatus.COMPLETED


def prune(args: Namespace, jobs: Jobs) -> ExitStatus:
    """Remove environments that nobody uses."""
    pruned = environments.prune(jobs.home, args.envs, unused_days=args.unused_days, everything=args.all)
    if args.json:
        answer(json.dumps(pruned.to_json(), indent=2))
        return ExitStatus.COMPLETED
    freed = words.size(sum(view.size_bytes for view in pruned.removed))
    answer(*(f"removed {view.key} {view.name or '(not complete)'}" for view in pruned.removed))
    Stderr().say(
        *(f"kept {view.key} {view.name}: a job uses it, or somebody builds it" for view in pruned.kept),
        f"{len(pruned.removed)} removed, {freed}",
    )
    return ExitStatus.COMPLETED


def _table(views: list[EnvironmentView]) -> list[str]:
    rows = [("KEY", "NAME", "PYTHON", "BUILT WITH", "PACKAGES", "SIZE", "LAST USED")]
    for view in views:
        name, version = (view.name, view.python_version) if view.is_complete else ("(not complete)", "")
        rows.append(
            (
                view.key,
                name,
                version,
                view.builder,
                f"{len(view.packages):,}",
                words.size(view.size_bytes),
                words.moment(view.used_at),
            )
        )
    return words.table(rows, right=(4, 5))


def _shown(view: EnvironmentView) -> list[str]:
    state = "complete" if view.is_complete else "not complete: the next job that wants it builds it anew"
    return words.aligned(
        [
            ("key", view.key),
            ("name", view.name),
            ("state", state),
            ("python", f"{view.python_version} ({view.python})" if view.is_complete else ""),
            ("built with", view.builder),
            ("built", words.moment(view.built_at)),
            ("last used", words.moment(view.used_at)),
            ("size", words.size(view.size_bytes)),
            ("folder", view.folder),
            *_listed("conda", view.conda),
            *_listed("pip", view.pip),
            *_listed("packages", view.packages),
        ]
    )


def _listed(title: str, lines: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(title if number == 0 else "", line) for number, line in enumerate(lines)]
