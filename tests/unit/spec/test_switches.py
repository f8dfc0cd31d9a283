"""Switches that stand among the words of a deployment, and mean something."""

from __future__ import annotations

import pytest

from gristmill.spec.overrides import parse_set
from unit.spec.conftest import Load, Refuse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", False),
        ('properties: {include_output_header: "true"}\n', True),
        ("tags: {include_output_header: TRUE}\n", True),
        ("properties: {include_output_header: False}\n", False),
        ("properties: {include_output_header: null}\n", False),
        ("properties: {include_output_header: true}\ntags: {include_output_header: 'True'}\n", True),
        ("description: include_output_header\n", False),
    ],
)
def test_output_header_is_a_word_among_properties_or_tags(loaded: Load, text: str, wanted: bool) -> None:
    assert loaded(text).settings.include_output_header is wanted


def test_output_header_stays_where_it_stands(loaded: Load) -> None:
    deployment = loaded("properties: {include_output_header: True}\ntags: {include_output_header: true}\n")

    assert deployment.properties == {"include_output_header": "True"}
    assert deployment.tags == {"include_output_header": "true"}


def test_option_stands_above_the_files_switch(loaded: Load) -> None:
    text = "properties: {include_output_header: true}\n"

    deployment = loaded(text, parse_set("properties.include_output_header=false"))

    assert deployment.settings.include_output_header is False


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "properties: {include_output_header: yes}\n",
            "d.yml:1:37: properties.include_output_header: must be 'true' or 'false' (got 'yes')",
        ),
        (
            "tags:\n  include_output_header: treu\n",
            "d.yml:2:26: tags.include_output_header: must be 'true' or 'false' (got 'treu');"
            " did you mean 'true'?",
        ),
        (
            "properties: {include_output_header: true}\ntags: {include_output_header: false}\n",
            "d.yml:2:31: tags.include_output_header: contradicts properties.include_output_header at"
            " d.yml:1:14; keep one of them",
        ),
        (
            "tags: {include_output_header: [true]}\n",
            "d.yml:1:31: tags.include_output_header: must be a text (got a list)",
        ),
    ],
)
def test_output_header_that_says_something_else_is_refused(refused: Refuse, text: str, problem: str) -> None:
    assert refused(text) == [problem]
