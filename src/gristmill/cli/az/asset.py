"""The verbs that models, environments and data assets have in common: all of these have versions."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gristmill.cli.az.answer import Answer, Shown
from gristmill.cli.az.document import file_of, overrides
from gristmill.cli.exit_status import ExitStatus
from gristmill.errors import SpecError
from gristmill.spec.overrides import Override


class Assets(Protocol):
    """What the service can do with one kind of thing that has versions."""

    def create(self, file: Path | None, overrides: Sequence[Override]) -> Shown: ...

    def show(self, name: str, version: str | None = None, label: str | None = None) -> Shown: ...

    def list(self, name: str | None = None, *, archived: bool | None = False) -> Sequence[Shown]: ...

    def update(
        self,
        name: str,
        overrides: Sequence[Override],
        version: str | None = None,
        label: str | None = None,
    ) -> Shown: ...

    def archive(self, name: str, version: str | None = None, label: str | None = None) -> object: ...

    def restore(self, name: str, version: str | None = None, label: str | None = None) -> object: ...


def create(args: Namespace, assets: Assets) -> ExitStatus:
    """Create a version, or find the one with the same content."""
    answer = Answer(args)
    return answer.one(assets.create(file_of(args), overrides(args)))


def show(args: Namespace, assets: Assets) -> ExitStatus:
    """Show a version."""
    answer = Answer(args)
    return answer.one(assets.show(args.name, *which(args)))


def list_all(args: Namespace, assets: Assets) -> ExitStatus:
    """Show all of a kind, or all versions of one."""
    answer = Answer(args)
    archived = True if args.archived_only else None if args.include_archived else False
    views = assets.list(args.name, archived=archived)
    return answer.all(views, args.max_results)


def update(args: Namespace, assets: Assets) -> ExitStatus:
    """Change what is said about a version."""
    answer = Answer(args)
    return answer.one(assets.update(args.name, overrides(args), *which(args)))


def archive(args: Namespace, assets: Assets) -> ExitStatus:
    """Hide a version, or all of them."""
    answer = Answer(args)
    assets.archive(args.name, *which(args))
    return answer.nothing()


def restore(args: Namespace, assets: Assets) -> ExitStatus:
    """Show a version, or all of them, in lists again."""
    answer = Answer(args)
    assets.restore(args.name, *which(args))
    return answer.nothing()


def which(args: Namespace) -> tuple[str | None, str | None]:
    """Return the version and the label that were typed.

    Raises
    ------
    SpecError
        Both were.
    """
    if args.version is not None and args.label is not None:
        raise SpecError("--version and --label contradict each other; give one of them")
    return args.version, args.label
