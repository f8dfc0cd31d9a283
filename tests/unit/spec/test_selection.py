"""The keys that choose among the inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override
from unit.spec.conftest import Load, Refuse


def test_patterns_may_be_a_list(loaded: Load) -> None:
    settings = loaded("gristmill: {include: ['*.jpg', 2024/], exclude: [raw/, \"?\"]}\n").settings

    assert (settings.include, settings.exclude) == (("*.jpg", "2024/"), ("raw/", "?"))


def test_key_without_a_value_means_no_pattern(loaded: Load) -> None:
    settings = loaded("gristmill: {include: , exclude: []}\n").settings

    assert (settings.include, settings.exclude) == ((), ())


def test_option_stands_above_the_patterns_of_the_file(loaded: Load) -> None:
    option = Override(path="gristmill.include", value=("*.a", "*.b"), origin="--include *.a --include *.b")

    assert loaded("gristmill: {include: '*.jpg'}\n", option).settings.include == ("*.a", "*.b")


def test_list_of_inputs_is_relative_to_the_file(loaded: Load, folder: Path) -> None:
    (folder / "list.txt").write_text("a")

    assert loaded("gristmill: {input_list: list.txt}\n").settings.input_list == folder / "list.txt"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("include: ['*.a', 'b[']", "gristmill.include: the pattern has a '[' without its ']'; write \\[ for "
         "a bracket (got 'b[')"),
        ("exclude: '!a'", "gristmill.exclude: the pattern begins with '!', which is not known here; write "
         "\\! for a name that begins so (got '!a')"),
        ("exclude: ''", "gristmill.exclude: the pattern is empty; write a pattern such as *.jpg (got '')"),
        ("include: {a: b}", "gristmill.include: must be a list of patterns such as '*.jpg' (got a mapping)"),
        ("include: [[a]]", "gristmill.include: must be a list of patterns such as '*.jpg' (got a list)"),
        ("input_list: none.txt", "gristmill.input_list: no such file: HERE/none.txt (got 'none.txt')"),
        ("input_list: src", "gristmill.input_list: is no file: HERE/src (got 'src'); give a text file with "
         "one path a line"),
    ],
)  # fmt: skip
def test_mistake_is_named(refused: Refuse, line: str, what: str) -> None:
    (problem,) = refused(f"gristmill: {{{line}}}\n")

    assert problem.partition(": ")[2] == what


def test_bad_pattern_of_an_option_is_told_with_the_option(folder: Path) -> None:
    option = Override(path="gristmill.exclude", value=("a", "b["), origin="--exclude a --exclude b[")

    with pytest.raises(SpecError, match=r"--exclude a --exclude b\[: the pattern has a '\['"):
        load(folder / "src" / "score.py", [option])
