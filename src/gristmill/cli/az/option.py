"""An option of ``az ml``, and what becomes of it when it is typed.

An option may set a key of the resource's document: it is then kept as what was typed, in order, and checked
with the file and by the same rules. One that means nothing here is taken, and said so in one line. This
module imports only the standard library.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from gristmill.cli.settings_options import Given

#: The key of options that hold ``KEY=VALUE`` themselves.
ANY_KEY = "*"


class Option(NamedTuple):
    """One option."""

    names: tuple[str, ...]
    """The long form, then the short one and older names."""
    words: str
    takes: str | None = "TEXT"
    """The word for its value; None: it has none."""
    kind: Callable[[str], Any] = str
    key: str = ""
    """The key of the document that it sets; empty: none."""
    is_many: bool = False
    """Whether it takes all words up to the next option, and may come again."""
    is_required: bool = False
    nothing: bool = False
    """Whether it is of the cloud, and means nothing here."""
    refusal: str = ""
    """Why it is refused; empty: it is not."""
    is_ours: bool = False
    """Whether ``az`` has no such option, so that it must never stand in the way of one that it has."""
    is_common: bool = False
    """Whether every verb has it."""

    @property
    def place(self) -> str:
        """What the value is called among the arguments."""
        return self.names[0].lstrip("-").replace("-", "_")


def required(option: Option) -> Option:
    """Return an option without which a command cannot be."""
    return option._replace(is_required=True)


def adder(
    options: Sequence[Option], *, also: Callable[[argparse.ArgumentParser], None] | None = None
) -> Callable[[argparse.ArgumentParser], None]:
    """Return what adds options to the parser of a verb.

    Parameters
    ----------
    options
        The verb's, in the order in which the help shows them.
    also
        Adds what the verb has beside them.

    Returns
    -------
    callable
        It takes the parser.
    """
    return partial(_add, tuple(options), also)


def one_of(*known: str) -> Callable[[str], str]:
    """Return what takes one of a few words, in any case.

    Parameters
    ----------
    known
        The words as they are passed on.

    Returns
    -------
    callable
        It takes what was typed.
    """
    return partial(_one_of, known)


def _one_of(known: tuple[str, ...], text: str) -> str:
    for word in known:
        if word.lower().replace("-", "_") == text.lower().replace("-", "_"):
            return word
    raise argparse.ArgumentTypeError(f"must be one of {', '.join(known)} (got {text!r})")


def whole_number(text: str) -> int:
    """Take a number of things."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number (got {text!r})")
    return int(text)


def number(text: str) -> int:
    """Take a number that may be below zero."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number (got {text!r})") from None


def filled(text: str) -> str:
    """Take a text; an empty one is an unset variable of a shell."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a value, or leave the option out")
    return text


def _add(
    options: Iterable[Option],
    also: Callable[[argparse.ArgumentParser], None] | None,
    parser: argparse.ArgumentParser,
) -> None:
    parser.set_defaults(given=(), ignored=(), is_az=False)
    if also is not None:
        also(parser)
    common = parser.add_argument_group("of every command")
    needed = "".join(f"{one.names[0]} {one.takes} " for one in options if one.is_required)
    parser.usage = f"%(prog)s {'' if also is None else '[JOB] '}{needed}[options]"
    for option in options:
        _add_one(common if option.is_common else parser, option)


def _add_one(parser: argparse._ActionsContainer, option: Option) -> None:
    parser.add_argument(
        *option.names,
        action=_Take,
        option=option,
        dest=option.place,
        default=() if option.is_many else None if option.takes else False,
        nargs=0 if option.takes is None else "+" if option.is_many else None,
        type=option.kind,
        metavar=option.takes,
        required=option.is_required,
        help=argparse.SUPPRESS
        if option.nothing and not option.is_common
        else option.words.replace("%", "%%"),
    )


class _Take(argparse.Action):
    """Takes an option; of two the later counts, as in ``az``, or both where it takes several."""

    repeatable = True

    def __init__(self, option_strings: Sequence[str], dest: str, option: Option, **options: Any) -> None:
        super().__init__(option_strings, dest, **options)
        self.option = option
        self.is_ours = option.is_ours

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        name: str | None = None,
    ) -> None:
        option = self.option
        if option.refusal:
            raise argparse.ArgumentError(self, option.refusal)
        namespace.is_az = True
        if option.nothing:
            namespace.ignored = (*namespace.ignored, option.names[0])
        elif option.takes is None:
            setattr(namespace, self.dest, True)
        elif option.is_many:
            setattr(namespace, self.dest, (*getattr(namespace, self.dest), *values))
        else:
            setattr(namespace, self.dest, values)
        if option.key:
            namespace.given = (*namespace.given, *_given(option, values))


def _given(option: Option, values: Any) -> list[Given]:
    if option.key == ANY_KEY:
        return [Given(None, value, f"{option.names[0]} {value}") for value in values]
    if option.is_many:
        return [Given(option.key, tuple(values), " ".join((option.names[0], *values)))]
    return [Given(option.key, values, f"{option.names[0]} {values}")]
