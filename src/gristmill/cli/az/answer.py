"""What a verb answers: the resource on stdout, in the form that was asked for, and everything else on stderr.

Stdout is an interface: nothing but the answer stands there, and of a command that failed nothing at all.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from gristmill.cli.az.formats import as_text
from gristmill.cli.az.query import compiled
from gristmill.cli.exit_status import ExitStatus
from gristmill.cli.streams import Stderr, answer_text


class Shown(Protocol):
    """What the service returns for a resource."""

    @property
    def notices(self) -> tuple[str, ...]: ...

    def to_json(self) -> dict[str, Any]:
        """Return the resource, its own name first."""
        ...


class Answer:
    """Where the answer to one command goes."""

    def __init__(self, args: Namespace) -> None:
        """Look at what was asked for, before anything is done.

        Parameters
        ----------
        args
            The options, ``query``, ``output``, ``only_show_errors`` and ``ignored`` among them.

        Raises
        ------
        SpecError
            The query is no JMESPath.
        """
        self._wanted: Callable[[Any], Any] = compiled(args.query)
        self._form: str | None = args.output
        self._is_quiet = bool(args.only_show_errors)
        self._stderr = Stderr()
        if args.ignored:
            names = list(dict.fromkeys(args.ignored))
            self.notice(
                f"{', '.join(names)}: of the cloud; {'means' if len(names) == 1 else 'mean'} nothing here"
            )

    def notice(self, *notices: str) -> None:
        """Tell what the user should know, unless only errors are wanted."""
        if not self._is_quiet:
            self._stderr.say(*(f"notice: {notice}" for notice in notices))

    def one(self, shown: Shown) -> ExitStatus:
        """Show one resource.

        Raises
        ------
        QueryError
            The query expects another kind of thing.
        AnswerLostError
            Stdout does not take it.
        """
        self.notice(*shown.notices)
        return self.value(shown.to_json())

    def all(self, shown: Iterable[Shown], most: int | None = None) -> ExitStatus:
        """Show a list, of which no more than the first are wanted; see `one` for what is raised."""
        views = list(shown)[:most]
        self.notice(*dict.fromkeys(notice for view in views for notice in view.notices))
        return self.value([view.to_json() for view in views])

    def value(self, value: Any) -> ExitStatus:
        """Show values for JSON; see `one` for what is raised."""
        text = as_text(self._wanted(value), self._form or "json", is_terminal=_is_terminal())
        answer_text(text)
        return ExitStatus.COMPLETED

    def lines(self, lines: Iterable[str]) -> ExitStatus:
        """Show what people read; see `one` for what is raised."""
        answer_text("".join(f"{line}\n" for line in lines))
        return ExitStatus.COMPLETED

    def progress(self, *lines: str) -> ExitStatus:
        """Say on stderr what was done, where there is nothing to show."""
        if not self._is_quiet:
            self._stderr.say(*lines)
        return ExitStatus.COMPLETED

    def nothing(self, *notices: str) -> ExitStatus:
        """Say that it is done, where there is nothing to show."""
        self.notice(*notices)
        return ExitStatus.COMPLETED


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
