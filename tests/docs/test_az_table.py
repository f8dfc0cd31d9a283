"""The table of `az ml` in `coming-from-azure-ml.md` and the parser say the same of every verb and option."""

from __future__ import annotations

import argparse
import re

import pytest

from docs.pages import rows, section, spans
from gristmill.cli.az.options import COMMON
from gristmill.cli.options import GROUPS

PAGE = "coming-from-azure-ml.md"
OURS = {"env", "home"}  # groups that `az ml` does not have
OPTION = re.compile(r"--?[a-z][a-z-]*")
# The five cells of a row: verbs, and of their options the same, better, without effect, not there.
TABLE = [row for row in rows(section(PAGE, "az ml, verb by verb")) if len(row) == 5]
ROWS = {verb: row for row in TABLE for verb in spans(row[0])}
VERBS = {
    f"{name} {verb}": command
    for name, group in GROUPS.items()
    if name not in OURS
    for verb, command in group.commands.items()
}


def parsed(verb: str) -> dict[str, argparse.Action]:
    """Return the options of a verb, but for those that every verb has."""
    parser = argparse.ArgumentParser(add_help=False)
    VERBS[verb].add_options(parser)
    common = {name for option in COMMON for name in option.names}
    return {
        name: action for action in parser._actions for name in action.option_strings if name not in common
    }


def refused(action: argparse.Action) -> bool:
    option = getattr(action, "option", None)
    return bool(option and option.refusal)


def said(cell: str) -> set[str]:
    return {name for span in spans(cell) for name in OPTION.findall(span)}


def test_every_verb_stands_in_one_row() -> None:
    verbs = [verb for row in TABLE for verb in spans(row[0])]

    assert VERBS.keys() - set(verbs) == set()
    assert len(verbs) == len(set(verbs)) > 50


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_verb_is_there_and_no_other(verb: str) -> None:
    _, same, better, without_effect, missing = ROWS[verb]
    options = parsed(verb)
    taken = {name for name, action in options.items() if not refused(action)}

    assert said(same) | said(better) | said(without_effect) == taken
    assert said(missing) & taken == set()


@pytest.mark.parametrize("verb", sorted(ROWS.keys() - VERBS.keys()))
def test_verb_that_is_not_there_is_said_to_be_missing(verb: str) -> None:
    _, same, better, without_effect, missing = ROWS[verb]

    assert (same, better, without_effect) == ("", "", "")
    assert missing


def test_options_of_every_verb_are_there() -> None:
    listed = rows(section(PAGE, "Options of every verb"))

    assert {name for row in listed for name in said(row[0])} == {
        *(name for option in COMMON for name in option.names),
        *("--help", "-h"),
    }
