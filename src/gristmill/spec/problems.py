"""A remark on a document as one line: where it stands, what is to be said, and what may have been meant.

Mistakes and notices are both remarks. This module must not know which there are; those that find them do.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from gristmill.spec.tree import Place


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake, or one thing that should be noticed."""

    place: Place
    path: str
    """The key, as its author wrote it; empty for the document as a whole."""
    what: str
    """What is to be said."""

    def __str__(self) -> str:
        origin, path, what = self.place.origin, self.path, self.what
        if origin.startswith("--"):  # what was typed says already which setting it is, and its value
            typed = origin.removeprefix("--set ")
            path = "" if typed == origin or typed.partition("=")[0] == path else path
            what = _GOT.sub(lambda found: "" if found[1] in origin else found[0], what)
        return ": ".join(_one_line(part) for part in (origin, path, what) if part)


_GOT = re.compile(r" \(got '([^']*)'\)")


def lines(problems: Iterable[Problem]) -> tuple[str, ...]:
    """Write one line for each, in the order in which they stand in the file; options come last."""
    ordered = sorted(problems, key=lambda problem: problem.place.order)
    return tuple(dict.fromkeys(str(problem) for problem in ordered))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """End a message with the known word that is nearest, if one is near.

    Parameters
    ----------
    word
        What was written.
    known
        What could have been written.

    Returns
    -------
    str
        ``; did you mean 'settings'?``, or nothing.
    """
    near = nearest(word, known)
    return "" if near is None else f"; did you mean {near!r}?"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Give the known word that is nearest, in any case; None when none is near."""
    by_form = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), by_form, n=1, cutoff=0.6)
    return by_form[near[0]] if near else None


def _one_line(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
