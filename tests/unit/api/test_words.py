"""Messages of the service in the words of Python, and the two doors' names for one thing."""

from __future__ import annotations

import inspect

import pytest

import gristmill
from gristmill.api.settings import PLACES
from gristmill.api.words import _IN_PYTHON, _OF_RESUME, _OF_TUNE, in_python
from gristmill.cli.options import COMMANDS
from gristmill.cli.parser import Parser

NOT_ARGUMENTS = {"--detach", "--help", "--json", "--strict", "--output"}


def run_options() -> dict[str, str | None]:
    """Return the options of ``gristmill run``, and where in a deployment each of them belongs."""
    parser = Parser(prog="gristmill run")
    COMMANDS["run"].add_options(parser)
    actions = {name: action for action in parser._actions for name in action.option_strings}
    return {name: getattr(action, "path", None) for name, action in actions.items() if name[:2] == "--"}


def test_every_option_of_the_command_has_its_word() -> None:
    assert set(run_options()) - NOT_ARGUMENTS == set(_IN_PYTHON)


def test_arguments_stand_for_the_same_settings_as_the_options() -> None:
    options = run_options()
    assert {name: options[f"--{name.replace('_', '-')}"] for name in PLACES} == PLACES


def test_options_of_resume_alone_are_its_arguments() -> None:
    parser = Parser(prog="gristmill resume")
    COMMANDS["resume"].add_options(parser)
    own = set(parser._option_string_actions) - set(run_options()) - {"-h"}

    assert own == set(_OF_RESUME)
    named = {word.partition("=")[0] for word in _OF_RESUME.values()}
    assert named <= set(inspect.signature(gristmill.resume).parameters)


def test_options_of_tune_alone_are_its_arguments() -> None:
    parser = Parser(prog="gristmill tune")
    COMMANDS["tune"].add_options(parser)
    own = set(parser._option_string_actions) - set(run_options()) - {"-h"}

    assert own == set(_OF_TUNE)
    named = {word.partition("=")[0] for word in _OF_TUNE.values()}
    assert named <= set(inspect.signature(gristmill.tune).parameters)


def test_words_for_arguments_are_arguments_of_run() -> None:
    named = {word.partition("=")[0] for word in _IN_PYTHON.values()}
    assert named - set(inspect.signature(gristmill.run).parameters) == set()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "choose another with --output-path, or --overwrite to",
            "choose another with output=, or overwrite=True to",
        ),
        ("1 of 64 cores in use: --workers auto", "1 of 64 cores in use: workers='auto'"),
        ("one that does with --python PATH", "one that does with python=PATH"),
        ("let --format csv unite them", "let format='csv' unite them"),
        ("--job-name a b: a job's name has", "name=a b: a job's name has"),
        ("--set settings.mini_batch_size=20", "settings={'settings.mini_batch_size': 20}"),
        ("--frobnicate is your script's own", "--frobnicate is your script's own"),
        ("/data/x--model/y is not there", "/data/x--model/y is not there"),
        ("a -- b", "a -- b"),
        ("gristmill job list names those that are", "gristmill.jobs() names those that are"),
        ("resume. gristmill verify a.b-1 checks it", "resume. gristmill.job('a.b-1').verify() checks it"),
        ("(gristmill job show j); choose", "(gristmill.job('j')); choose"),
        ("it was cut off: gristmill resume j.", "it was cut off: gristmill.resume('j')."),
        ("with gristmill resume j --force, or", "with gristmill.resume('j', force=True), or"),
        ("gristmill resume a.b --force --new", "gristmill.resume('a.b', force=True, new=True)"),
        ("all the same with --force", "all the same with force=True"),
    ],
)
def test_options_are_said_as_arguments(typed: str, said: str) -> None:
    assert in_python(typed) == said
