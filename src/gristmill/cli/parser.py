"""The parser behind the command line: it knows its commands, and says calmly what is wrong.

It must not know which commands and options there are. It imports only the standard library.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from gristmill.cli.exit_status import ExitStatus

_HOURS = {"h": 1.0, "d": 24.0, "w": 7 * 24.0}
_MOST_DIGITS = 4


class Command(NamedTuple):
    """One thing that can be asked for."""

    words: str
    """What it does; the line in the list of commands."""
    add_options: Callable[[argparse.ArgumentParser], None]
    target: str
    """The function that does it, as ``module:function``."""
    service: str = "jobs"
    """What that function is handed beside the options: ``jobs``, ``workspace`` or ``nothing``."""
    is_show: bool = False
    """Whether it shows one thing, so that its exit status says when that is not there."""


class Parser(argparse.ArgumentParser):
    """A parser that knows its commands, and says calmly what is wrong."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: dict[str, Parser] = {}
        self.elsewhere: dict[str, str] = {}
        """Words that are typed as commands, and what is to be typed instead."""
        self.absent: Mapping[str, str] = {}
        """Words of ``az`` that there are not, and what is to be said of each."""
        self._below: Any = None
        self._rest: Callable[[], None] | None = None

    def add_commands(self, commands: Mapping[str, Command]) -> None:
        for name, command in commands.items():
            parser = self.add_command(name, command.words)
            parser.set_defaults(target=command.target, service=command.service, is_show=command.is_show)
            parser._rest = partial(command.add_options, parser)

    def add_group(
        self, name: str, words: str, commands: Mapping[str, Command], absent: Mapping[str, str]
    ) -> None:
        parser = self.add_command(name, words)
        parser.absent = absent
        parser._rest = partial(parser.add_commands, commands)

    def complete(self) -> Parser:
        """Add what this parser knows of: only those that are asked for take the time that it takes."""
        rest, self._rest = self._rest, None
        if rest is not None:
            rest()
        return self

    def parse_known_args(self, *words: Any, **options: Any) -> Any:
        self.complete()
        return super().parse_known_args(*words, **options)

    def add_command(self, name: str, words: str) -> Parser:
        if self._below is None:
            self._below = self.add_subparsers(metavar="COMMAND", required=True, title="commands")
        parser: Parser = self._below.add_parser(
            name, help=words, description=f"{words[0].upper()}{words[1:]}."
        )
        self.commands[name] = parser
        return parser

    def error(self, message: str) -> NoReturn:
        self.exit(ExitStatus.NOTHING_STARTED, f"gristmill: error: {message}\n(more: {self.prog} --help)\n")


class Words(NamedTuple):
    """A command line that was looked through."""

    words: list[str]
    """The words, every option in full."""
    parser: Parser
    """The parser of the command that they ask for."""


def checked_words(parser: Parser, argv: Sequence[str]) -> Words:
    """Answer a command or an option that does not exist with the nearest that does, refuse an option that is
    given twice, since only one of the two would count, and write out those that are cut short.
    """
    given: set[argparse.Action] = set()
    words = list(argv)
    for number, word in enumerate(argv):
        if word == "--":
            break
        if word.startswith("--") and " " not in word.partition("=")[0]:
            words[number] = _in_full(parser, word)
            _check_once(parser, words[number].partition("=")[0], given)
        elif parser.commands and not word.startswith("-"):
            if word in parser.absent:
                parser.error(f"there is no command {word!r}: {parser.absent[word]}")
            if word in parser.elsewhere:
                parser.error(f"there is no command {word!r}; type {parser.elsewhere[word]}")
            if word not in parser.commands:
                parser.error(f"there is no command {word!r}{_meant(word, parser.commands)}")
            parser = parser.commands[word].complete()
    if parser.commands and argv and not any(word.startswith("-") for word in argv):
        parser.error(f"which of its commands? There are {', '.join(parser.commands)}")
    return Words(words, parser)


def _in_full(parser: Parser, word: str) -> str:
    """Return an option with its whole name.

    Any beginning will do that stands for one option of ``az``, whichever of ours begin in the same way: a
    script that was written for it goes on working when we add options.
    """
    option, equals, value = word.partition("=")
    actions = parser._option_string_actions
    if option in actions:
        return word
    found = {name: action for name, action in actions.items() if name.startswith(option)}
    if not found:
        parser.error(f"there is no option {option}{_meant_option(option, actions)}")
    theirs = {name: action for name, action in found.items() if not getattr(action, "is_ours", False)}
    names = list(theirs or found)
    if len(set((theirs or found).values())) > 1:
        parser.error(f"{option} may be one of {', '.join(names)}; write out which")
    return f"{names[0]}{equals}{value}"


def _check_once(parser: Parser, option: str, given: set[argparse.Action]) -> None:
    action = parser._option_string_actions[option]
    if getattr(action, "repeatable", False):
        return
    if action in given:
        parser.error(f"{action.option_strings[0]} is given twice; give it once")
    given.add(action)


def _meant_option(option: str, known: Iterable[str]) -> str:
    """Name the option that was meant, if one is near: without the dashes, which all of them share."""
    names = [name[2:] for name in known if name.startswith("--")]
    near = difflib.get_close_matches(option[2:], names, n=1, cutoff=0.6)
    return f"; did you mean --{near[0]}?" if near else ""


def _meant(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"


def path_argument(text: str) -> Path:
    """Take a path; an empty one is an unset variable of a shell, and must not mean this folder."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a path")
    return Path(text)


def name_argument(text: str) -> str:
    """Take a name; an empty one is an unset variable of a shell."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a name, or leave the option out")
    return text


def days_argument(text: str) -> float:
    """Take a number of days."""
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= 36_500:
        raise argparse.ArgumentTypeError(f"must be a number of days (got {text!r})")
    return days


def age_argument(text: str) -> float:
    """Take an age with its unit, and return its hours."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit()) or unit not in _HOURS or len(number) > _MOST_DIGITS:
        raise argparse.ArgumentTypeError(
            f"must be a number of hours, days or weeks: 12h, 30d, 8w (got {text!r})"
        )
    return int(number) * _HOURS[unit]


def seconds_argument(text: str) -> float:
    """Take a time span in seconds, at least one and at most a day."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 1 to 86400 (got {text!r})")
    return seconds
