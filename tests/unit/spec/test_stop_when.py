"""`gristmill.stop_when` and `gristmill.canary`: what is taken, and every mistake by its name and place."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.spec.deployment import load
from gristmill.spec.overrides import parse_set
from gristmill.spec.stop_rules import FailureClass, StopRule
from gristmill.spec.values import Deployment, deployment_from_json, deployment_to_json

FIVE = StopRule(failures=FailureClass.MEMORY, count=5, fraction=None, window=None, minimum=100)
SHARE = StopRule(failures=None, count=None, fraction=0.3, window=500, minimum=50)


def loaded(folder: Path, text: str, *sets: str) -> Deployment:
    (folder / "score.py").write_text("def run(mini_batch): return mini_batch\n")
    file = folder / "d.yml"
    file.write_text(f"code_configuration: {{code: ., scoring_script: score.py}}\n{text}\n")
    return load(file, [parse_set(one) for one in sets])


def refusal(folder: Path, text: str, *sets: str) -> str:
    with pytest.raises(SpecError) as error:
        loaded(folder, text, *sets)
    return str(error.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (f"gristmill:\n  stop_when:\n  - {FIVE}\n  - {SHARE}", (FIVE, SHARE)),
        ("gristmill: {stop_when: {class: MEMORY, count: 5}}", (FIVE,)),
        ("gristmill: {stop_when: '[{class: memory, count: 5}]'}", (FIVE,)),
        ("properties: {gristmill.stop_when: '{\"class\": \"memory\", \"count\": 5}'}", (FIVE,)),
        ("gristmill: {stop_when: []}", ()),
        ("gristmill: {stop_when: }", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_rules_may_be_written_as_a_list_alone_or_as_a_text(
    tmp_path: Path, text: str, rules: tuple[StopRule, ...]
) -> None:
    assert loaded(tmp_path, text).settings.stop_when == rules


def test_a_share_counts_from_a_hundred_items_on_or_a_whole_window(tmp_path: Path) -> None:
    text = "gristmill: {stop_when: [{fraction: 5%}, {fraction: 5%, window: 30}, {fraction: 5%, window: 300}]}"
    assert [one.minimum for one in loaded(tmp_path, text).settings.stop_when] == [100, 30, 100]


def test_set_replaces_the_rules_of_the_file_and_takes_them_away(tmp_path: Path) -> None:
    text = "gristmill: {stop_when: {count: 1}}"
    given = "gristmill.stop_when=[{class: memory, count: 5}]"
    assert loaded(tmp_path, text, given).settings.stop_when == (FIVE,)
    assert loaded(tmp_path, text, "gristmill.stop_when=").settings.stop_when == ()


def test_rules_and_canary_survive_the_way_into_the_job(tmp_path: Path) -> None:
    deployment = loaded(tmp_path, f"gristmill: {{canary: 50, stop_when: [{FIVE}, {SHARE}]}}")
    again = deployment_from_json(deployment_to_json(deployment))
    assert (again.settings.stop_when, again.settings.canary) == ((FIVE, SHARE), 50)
    assert again == deployment


def test_a_rule_is_shown_as_it_may_be_written(tmp_path: Path) -> None:
    for one in (FIVE, SHARE):
        assert loaded(tmp_path, f"gristmill: {{stop_when: [{one}]}}").settings.stop_when == (one,)


@pytest.mark.parametrize("given", ["20%", "'20%'"])
def test_the_error_threshold_may_be_a_share_everywhere(tmp_path: Path, given: str) -> None:
    in_file = loaded(tmp_path, f"settings: {{error_threshold: {given}}}")
    by_option = loaded(tmp_path, "", f"settings.error_threshold={given}")
    assert in_file.settings.error_threshold.fraction == 0.2
    assert by_option.settings.error_threshold.fraction == 0.2


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("5", "d.yml:2:24: gristmill.stop_when: must be a list of rules such as [{class: memory, count: 5}]"),
        ("[5]", "d.yml:2:25: gristmill.stop_when: must be a rule such as '{class: memory, count: 5}'"),
        ("[{class: memory}]", "d.yml:2:25: gristmill.stop_when: needs one of 'count' and 'fraction'"),
        ("{}", "d.yml:2:24: gristmill.stop_when: needs one of 'count' and 'fraction'"),
        ("[{count: 1}, {count: 1, fraction: 5%}]", "d.yml:2:37: gristmill.stop_when: needs one of 'count'"),
        ("[{count: 0}]", "d.yml:2:33: gristmill.stop_when.count: must be a whole number of at least 1"),
        ("[{class: disk, count: 1}]", "d.yml:2:33: gristmill.stop_when.class: must be data, script, time,"),
        ("[{class: memry, count: 1}]", "did you mean 'memory'?"),
        ("[{class: 3, count: 1}]", "d.yml:2:33: gristmill.stop_when.class: must be data, script, time,"),
        ("[{fraction: 0.3}]", "d.yml:2:36: gristmill.stop_when.fraction: must be a share such as 30%"),
        ("[{fraction: 0%}]", "d.yml:2:36: gristmill.stop_when.fraction: must be a share such as 30%"),
        ("[{fraction: 101%}]", "d.yml:2:36: gristmill.stop_when.fraction: must be a share such as 30%"),
        (
            "[{count: 1, window: 99999}]",
            "d.yml:2:44: gristmill.stop_when.window: must be at most 10000 items",
        ),
        (
            "[{count: 9, window: 5}]",
            "d.yml:2:25: gristmill.stop_when: can never hold: of 5 items no 9 can fail",
        ),
        ("[{count: 1, minimum: 5}]", "d.yml:2:25: gristmill.stop_when: has a 'minimum', which goes with"),
        ("[{fraction: 5%, window: 9, minimum: 10}]", "can never hold: 'minimum' is larger than 'window'"),
        ("[{coumt: 1}]", "d.yml:2:26: gristmill.stop_when.coumt: unknown key; did you mean 'count'?"),
        ("{coumt: 1}", "d.yml:2:25: gristmill.stop_when.coumt: unknown key; did you mean 'count'?"),
        ("'[{count: 1}'", "d.yml:2:24: gristmill.stop_when: must be a list of rules"),
        ("'[{count: 0}]'", "d.yml:2:24: gristmill.stop_when: must be a whole number of at least 1"),
        (str([{"count": 1}] * 21).replace("'", ""), "must be at most 20 rules (got 21)"),
    ],
)
def test_every_mistake_in_a_rule_is_named_where_it_stands(tmp_path: Path, rules: str, words: str) -> None:
    assert words in refusal(tmp_path, f"gristmill: {{stop_when: {rules}}}")


def test_mistakes_in_two_rules_are_told_together(tmp_path: Path) -> None:
    told = refusal(tmp_path, "gristmill:\n  stop_when:\n  - {count: x}\n  - {fraction: y}")
    assert "d.yml:4:13: gristmill.stop_when.count" in told
    assert "d.yml:5:16: gristmill.stop_when.fraction" in told


def test_a_mistake_behind_set_names_the_option(tmp_path: Path) -> None:
    told = refusal(tmp_path, "", "gristmill.stop_when=[{count: none}]")
    assert told.startswith("--set gristmill.stop_when=[{count: none}]: ")
    assert "must be a whole number of at least 1" in told


@pytest.mark.parametrize("given", ["0", "-1", "2.5", "many"])
def test_a_canary_is_a_number_of_items(tmp_path: Path, given: str) -> None:
    told = refusal(tmp_path, f"gristmill: {{canary: {given}}}")
    assert "d.yml:2:21: gristmill.canary: must be a whole number of at least 1" in told
