"""The parser behind the command line: it knows its commands, and says calmly what is wrong.

It must not know which commands and options there are. It imports only the standard library.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from gristmill.cli.exit_status import ExitStatus


class Command(NamedTuple):
    """One thing that can be asked for."""

    words: str
    """What it does; the line in the list of commands."""
    add_options: Callable[[argparse.ArgumentParser], None]
    target: str
    """The function that does it, as ``module:function``."""


class Parser(argparse.ArgumentParser):
    """A parser that knows its commands, and says calmly what is wrong."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: dict[str, Parser] = {}
        self.elsewhere: dict[str, str] = {}
        """Words that are typed as commands, and what is to be typed instead."""
        self._below: Any = None

    def add_commands(self, commands: Mapping[str, Command]) -> None:
        for name, command in commands.items():
            parser = self.add_command(name, command.words)
            parser.set_defaults(target=command.target)
            command.add_options(parser)

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


def check_words(parser: Parser, argv: Sequence[str]) -> None:
    """Answer a command or an option that does not exist with the nearest that does, and refuse an option that
    is given twice: only one of the two would count.
    """
    given: set[argparse.Action] = set()
    for word in argv:
        if word == "--":
            return
        if word.startswith("--") and " " not in word:
            option = word.partition("=")[0]
            known = [name for name in parser._option_string_actions if name.startswith("--")]
            if not any(name.startswith(option) for name in known):
                parser.error(f"there is no option {option}{_meant(option, known)}")
            _check_once(parser, option, given)
        elif parser.commands and not word.startswith("-"):
            if word in parser.elsewhere:
                parser.error(f"there is no command {word!r}; type {parser.elsewhere[word]}")
            if word not in parser.commands:
                parser.error(f"there is no command {word!r}{_meant(word, parser.commands)}")
            parser = parser.commands[word]
    if parser.commands and argv and not any(word.startswith("-") for word in argv):
        parser.error(f"which of its commands? There are {', '.join(parser.commands)}")


def _check_once(parser: Parser, option: str, given: set[argparse.Action]) -> None:
    action = _action_of(parser, option)
    if action is None or getattr(action, "repeatable", False):
        return
    if action in given:
        parser.error(f"{action.option_strings[0]} is given twice; give it once")
    given.add(action)


def _action_of(parser: Parser, option: str) -> argparse.Action | None:
    """Return what an option stands for, which may be cut short where that is clear; argparse says if not."""
    actions = parser._option_string_actions
    if option in actions:
        return actions[option]
    found = {action for name, action in actions.items() if name.startswith(option)}
    return found.pop() if len(found) == 1 else None


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


def seconds_argument(text: str) -> float:
    """Take a time span in seconds, at least one and at most a day."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 1 to 86400 (got {text!r})")
    return seconds
