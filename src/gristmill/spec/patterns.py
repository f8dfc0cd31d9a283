r"""Patterns for paths, with the meaning that they have in a ``.gitignore`` file.

A pattern is matched with paths relative to the input folder, upper and lower case being different:

``*.jpg``       files and folders of that name at any depth; a folder stands for all that is below it;
``/*.jpg``      the same, but only directly in the input folder;
``a/*.jpg``     a pattern with a ``/`` in it counts from the input folder;
``raw/``        folders of that name only;
``a/**/b``      ``**`` stands for any number of folders, none included; ``a/**`` is all that is below ``a``;
``?``, ``[ab]``, ``[!0-9]``  one character; none of these, nor ``*``, stands for a ``/``;
``\*``          the character itself.

Other than in a ``.gitignore`` there are no comments and no ``!`` before a pattern, and spaces count. This
module imports only the standard library, and must not know what the paths are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

FOLDER = ".*/"
"""The expression that matches each folder."""

_ANY_FOLDERS = "(?:.*/)?"
_EVERYTHING = "**"


class PatternError(ValueError):
    """A pattern that has no meaning; the message says why, and does not name it."""


def expression(pattern: str) -> str:
    """Translate a pattern.

    Parameters
    ----------
    pattern
        See above.

    Returns
    -------
    str
        A regular expression for `re.DOTALL`. It matches the whole relative path of a file, or of a folder
        with a final ``/``, when the pattern matches that path or a folder above it.

    Raises
    ------
    PatternError
        The pattern has no meaning.
    """
    _check(pattern)
    is_folder = pattern.endswith("/")
    segments = pattern.rstrip("/").split("/")
    found = ""
    if len(segments) == 1 and segments[0] != _EVERYTHING:
        found = _ANY_FOLDERS
    if not segments[0]:
        del segments[0]
    _check_segments(segments)
    *above, last = segments
    for segment in above:
        found += _ANY_FOLDERS if segment == _EVERYTHING else _segment(segment) + "/"
    if last == _EVERYTHING:
        found += ".*"
    else:
        found += _segment(last)
    if is_folder:
        found += "/.*"
    elif last != _EVERYTHING:
        found += "(?:/.*)?"
    try:
        re.compile(found, re.DOTALL)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"is no pattern: {error}") from error
    return found


def matcher(patterns: Sequence[str], *more: str) -> Callable[[str], re.Match[str] | None]:
    """Join patterns into one test.

    Parameters
    ----------
    patterns
        Each as in `expression`.
    more
        Further regular expressions, such as `FOLDER`.

    Returns
    -------
    Callable
        Takes a relative path; what it returns is true when at least one of them matches the path.

    Raises
    ------
    PatternError
        A pattern has no meaning.
    """
    expressions = [*map(expression, dict.fromkeys(patterns)), *more]
    return re.compile("|".join(f"(?:{one})" for one in expressions), re.DOTALL).fullmatch


def fixed_folder(pattern: str) -> str:
    """Return the folder, with a final ``/``, below which alone a pattern can match; "" where it may be any.

    Parameters
    ----------
    pattern
        One that `expression` takes.
    """
    segments = pattern.lstrip("/").split("/")
    if "/" not in pattern.rstrip("/"):
        return ""  # it matches at any depth
    fixed = []
    for segment in segments[:-1]:
        if set(segment) & set("*?[\\"):
            break
        fixed.append(segment + "/")
    return "".join(fixed)


def _check(pattern: str) -> None:
    if not pattern.strip("/"):
        raise PatternError("is empty; write a pattern such as *.jpg")
    if "\0" in pattern:
        raise PatternError("holds a NUL character; remove it")
    if pattern.startswith("!"):
        raise PatternError("begins with '!', which is not known here; write \\! for a name that begins so")


def _check_segments(segments: list[str]) -> None:
    if "" in segments:
        raise PatternError("holds '//'; write one '/'")
    if "." in segments or ".." in segments:
        raise PatternError("holds '.' or '..'; write the path as it is below the input folder")


def _segment(segment: str) -> str:
    if not segment.strip("*"):
        return "[^/]+"
    return "".join(_parts(segment))


def _parts(segment: str) -> Iterator[str]:
    at = 0
    while at < len(segment):
        character = segment[at]
        at += 1
        if character == "*":
            if not segment.startswith("*", at):
                yield "[^/]*"
        elif character == "?":
            yield "[^/]"
        elif character == "[":
            end = _end_of_set(segment, at)
            yield _set(segment[at:end])
            at = end + 1
        elif character == "\\":
            if at == len(segment):
                raise PatternError("has a '\\' with nothing behind it; write \\\\ for a backslash")
            yield re.escape(segment[at])
            at += 1
        else:
            yield re.escape(character)


def _end_of_set(segment: str, begin: int) -> int:
    at = begin + 1 if segment[begin : begin + 1] in ("!", "^") else begin
    at += 1  # a ']' that comes first is one of the set
    while at < len(segment) and segment[at] != "]":
        at += 2 if segment[at] == "\\" else 1
    if at >= len(segment):
        raise PatternError("has a '[' without its ']'; write \\[ for a bracket")
    return at


def _set(content: str) -> str:
    """Translate what stands between brackets."""
    if "[:" in content:
        raise PatternError("holds a class such as [:alpha:], which is not known here; write ranges: [a-z]")
    negation = "^" if content[0] in "!^" else ""
    members = []
    at = len(negation)
    while at < len(content):
        is_escaped = content[at] == "\\" and at + 1 < len(content)
        is_range = content[at] == "-" and at > len(negation) and at + 1 < len(content)
        at += is_escaped
        members.append("-" if is_range else re.escape(content[at]))
        at += 1
    return f"(?!/)[{negation}{''.join(members)}]"
