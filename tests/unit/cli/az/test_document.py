"""What was typed for a resource becomes changes of its document, in order."""

from __future__ import annotations

from typing import Any

import pytest

from gristmill.cli.az.document import file_of, overrides
from gristmill.cli.options import parse
from gristmill.errors import SpecError


def typed(*words: str) -> list[tuple[str, Any]]:
    return [(one.path, one.value) for one in overrides(parse(words))]


def test_options_are_keys_in_the_order_in_which_they_were_typed() -> None:
    assert typed(
        *("model", "create", "--set", "name=first", "-n", "m", "--path", "folder", "-v", "3"),
        *("--type", "MLFLOW_MODEL", "--description", "words", "--tags", "a=b", "c=d=e"),
    ) == [
        ("name", "first"),
        ("name", "m"),
        ("path", "folder"),
        ("version", "3"),
        ("type", "mlflow_model"),
        ("description", "words"),
        ("tags", {"a": "b", "c": "d=e"}),
    ]


def test_environment_and_compute_have_keys_of_their_own() -> None:
    assert typed(
        *("environment", "create", "-n", "e", "-b", "folder", "-d", "Dockerfile", "-i", "image"),
        *("-c", "conda.yml", "--os-type", "Linux"),
    ) == [
        ("name", "e"),
        ("build.path", "folder"),
        ("build.dockerfile_path", "Dockerfile"),
        ("image", "image"),
        ("conda_file", "conda.yml"),
        ("os_type", "linux"),
    ]
    assert typed(
        "compute", "create", "-n", "cpu", "--size", "S", "--min-instances", "0", "--tier", "low-priority"
    ) == [
        ("name", "cpu"),
        ("size", "S"),
        ("min_instances", "0"),
        ("tier", "low_priority"),
    ]


def test_set_takes_numbers_texts_and_objects() -> None:
    assert typed(
        "model", "update", "-n", "m", "--set", "a=1", 'b="1"', 'tags={"x": "y z"}', "c=", "--set", "d=true"
    ) == [
        ("a", 1),
        ("b", "1"),
        ("tags", {"x": "y z"}),
        ("c", None),
        ("d", True),
    ]


def test_force_string_leaves_every_value_a_text() -> None:
    assert typed("model", "update", "-n", "m", "--set", "a=1", "tags={}", "--force-string") == [
        ("a", "1"),
        ("tags", "{}"),
    ]


def test_remove_takes_keys_away_after_all_else() -> None:
    assert typed("model", "update", "-n", "m", "--remove", "tags.a", "stage", "--set", "tags.b=c") == [
        ("tags.b", "c"),
        ("tags.a", None),
        ("stage", None),
    ]


def test_where_it_comes_from_is_kept_for_messages() -> None:
    found = overrides(parse(["model", "create", "-nm", "-p", "x", "--set", "a=1", "--tags", "a=b", "c=d"]))

    assert [one.origin for one in found] == ["--name m", "--path x", "--set a=1", "--tags a=b c=d"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "a"], "--set a: takes KEY=VALUE"),
        (["--tags", "a"], "--tags a: takes KEY=VALUE, as in: --tags team=forest"),
        (["--tags", "=b"], "--tags =b: takes KEY=VALUE"),
        (["--set", "tags={"], "--set tags={: begins with { and is no JSON"),
    ],
)
def test_what_is_no_pair_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(SpecError, match=said.replace("{", r"\{")):
        typed("model", "create", "-n", "m", *words)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SpecError) as refused:
        typed("model", "create", "--set", "a", "b", "--tags", "c")

    assert len(refused.value.problems) == 3


def test_a_file_is_a_path_or_none() -> None:
    assert file_of(parse(["model", "create"])) is None
    assert str(file_of(parse(["model", "create", "-f", "m.yml"]))) == "m.yml"
