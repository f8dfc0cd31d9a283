"""What was typed for a resource, as changes of its document, in order."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from gristmill.cli.settings_options import Given
from gristmill.errors import SpecError
from gristmill.spec.overrides import Override, parse_set


def overrides(args: Namespace) -> list[Override]:
    """Return what was typed over the document of a resource.

    Parameters
    ----------
    args
        The options of a verb.

    Returns
    -------
    list of Override
        In the order in which they were typed, those of ``--remove`` last.

    Raises
    ------
    SpecError
        What stands behind ``--set`` or ``--tags`` is not KEY=VALUE; one line for each.
    """
    found: list[Override] = []
    problems: list[str] = []
    is_text = bool(getattr(args, "force_string", False))
    for given in args.given:
        try:
            found.append(_override(given, is_text=is_text))
        except SpecError as error:
            problems.extend(error.problems)
    if problems:
        raise SpecError(*problems)
    removed = [
        Override(path=key, value=None, origin=f"--remove {key}") for key in getattr(args, "remove", ())
    ]
    return [*found, *removed]


def file_of(args: Namespace) -> Path | None:
    """Return the file that was named, if one was."""
    return Path(args.file) if args.file is not None else None


def pairs(words: tuple[str, ...], option: str) -> dict[str, str]:
    """Return the keys and values of an option that takes ``KEY=VALUE``.

    Raises
    ------
    SpecError
        A word has no ``=``, or no key before it.
    """
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise SpecError(f"{option} {word}: takes KEY=VALUE, as in: {option} team=forest")
        found[key] = value
    return found


def json_mapping(text: str, origin: str) -> dict[str, Any]:
    """Return what a text in JSON says that begins with a brace.

    Raises
    ------
    SpecError
        It is no JSON.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SpecError(f"{origin}: begins with {{ and is no JSON: {error}") from error
    assert isinstance(value, dict), "JSON that begins with a brace"
    return value


def _override(given: Given, *, is_text: bool) -> Override:
    if isinstance(given.value, tuple):
        option = given.origin.partition(" ")[0]
        return Override(path=str(given.path), value=pairs(given.value, option), origin=given.origin)
    if given.path is not None:
        return Override(path=given.path, value=given.value, origin=given.origin)
    override = parse_set(str(given.value))
    text = str(given.value).partition("=")[2]
    if is_text:
        return Override(path=override.path, value=text, origin=override.origin)
    if text.startswith("{"):
        return Override(path=override.path, value=json_mapping(text, override.origin), origin=override.origin)
    return override
