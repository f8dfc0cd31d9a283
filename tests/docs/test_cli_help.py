"""The README and the command line know the same commands and options."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from gristmill.cli.options import COMMANDS, JOB_COMMANDS, parse

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
BASH_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = [
    line.split("||")[0]
    for block in BASH_BLOCK.findall(README)
    for line in block.splitlines()
    if line.startswith("gristmill ")
]


def options(command: str) -> set[str]:
    """List the long options of ``gristmill run`` and its like."""
    parser = argparse.ArgumentParser(add_help=False)
    COMMANDS[command].add_options(parser)
    return {name for action in parser._actions for name in action.option_strings}


@pytest.mark.parametrize("line", TYPED)
def test_every_command_of_the_readme_can_be_typed(line: str) -> None:
    assert parse(shlex.split(line)[1:]).target


@pytest.mark.parametrize(
    "name",
    [*COMMANDS, *(f"job {name}" for name in JOB_COMMANDS), "model scoring-script"],
)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"`(gristmill )?{name}\b", README)


@pytest.mark.parametrize("name", sorted(options("run") - {"--output"}))
def test_every_option_of_run_is_in_the_readme(name: str) -> None:
    assert name in re.findall(r"--[a-z-]+", README)


def test_every_option_of_the_readme_exists() -> None:
    known = {*options("run"), *options("resume"), *options("rerun"), *options("verify"), "--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) - known == set()


def test_readme_is_one_page() -> None:
    assert len(TYPED) == 5
    assert len(README.splitlines()) < 150
