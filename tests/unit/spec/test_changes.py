"""What may be said of the settings of a job that goes on."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.spec.changes import changed_settings, differences_of, field_of
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override, parse_set
from gristmill.spec.schema import Extensions, Retries, SettingsSection
from gristmill.spec.values import ErrorThreshold, Settings, affecting_results

FIXED = {
    "gristmill.include": "gristmill.include='*.x'",
    "gristmill.exclude": "gristmill.exclude='*.x'",
    "gristmill.include_hidden": "gristmill.include_hidden=true",
    "gristmill.mini_batch_bytes": "gristmill.mini_batch_bytes=5MB",
    "gristmill.limit": "gristmill.limit=3",
    "gristmill.output_format": "gristmill.output_format=azure",
    "gristmill.recursive": "gristmill.recursive=false",
    "gristmill.shared_header": "gristmill.shared_header=true",
    "mini_batch_size": "settings.mini_batch_size=5",
    "output_action": "settings.output_action=summary_only",
    "output_file_name": "settings.output_file_name=rows.csv",
    "header": "properties.include_output_header=true",
}
ROWS = {
    "variable": "settings.environment_variables.A=1",
    "arguments": "gristmill.program_arguments='--beta 2'",
}
FREE = {
    "settings.retry_settings.timeout=5": ("timeout_s", 5.0),
    "settings.retry_settings.max_retries=7": ("max_retries", 7),
    "gristmill.init_timeout=8": ("init_timeout_s", 8.0),
    "settings.error_threshold=4": ("error_threshold", ErrorThreshold(items=4, fraction=None)),
    "gristmill.error_threshold=50%": ("error_threshold", ErrorThreshold(items=None, fraction=0.5)),
    "settings.logging_level=debug": ("logging_level", "debug"),
    "gristmill.workers=3": ("workers", 3),
    "settings.max_concurrency_per_instance=2": ("workers", 2),
    "max_concurrency_per_instance=2": ("workers", 2),
    "gristmill.isolate_failures=false": ("isolate_failures", False),
    "gristmill.largest_first=false": ("largest_first", False),
    "gristmill.gpus_per_worker=0": ("gpus_per_worker", 0.0),
}


@pytest.fixture
def settings(folder: Path) -> Settings:
    return load(folder / "src" / "score.py").settings


@pytest.mark.parametrize("word", FREE)
def test_setting_without_an_effect_on_results_changes_alone(settings: Settings, word: str) -> None:
    name, value = FREE[word]

    assert changed_settings(settings, [parse_set(word)]) == replace(settings, **{name: value})


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("word", FIXED.values(), ids=FIXED)
def test_what_shapes_plan_or_output_never_changes(settings: Settings, word: str, forced: bool) -> None:
    with pytest.raises(SpecError, match=r"^--set .*: cannot change within a job: it says what the plan is"):
        changed_settings(settings, [parse_set(word)], may_change_rows=forced)


@pytest.mark.parametrize("word", ROWS.values(), ids=ROWS)
def test_what_may_change_rows_has_to_be_forced(settings: Settings, word: str) -> None:
    with pytest.raises(SpecError, match=r"may change results, which would not fit .* with --force"):
        changed_settings(settings, [parse_set(word)])

    assert changed_settings(settings, [parse_set(word)], may_change_rows=True) != settings


def test_one_variable_is_added_to_the_others(settings: Settings) -> None:
    settings = replace(settings, environment_variables={"A": "1", "B": "2"})

    changed = changed_settings(
        settings, [parse_set("settings.environment_variables.B=3")], may_change_rows=True
    )

    assert changed.environment_variables == {"A": "1", "B": "3"}


def test_value_that_the_job_has_already_is_no_change(settings: Settings) -> None:
    words = ["settings.mini_batch_size=10", "gristmill.output_format=csv", "gristmill.recursive=true"]

    assert changed_settings(settings, [parse_set(word) for word in words]) == settings


@pytest.mark.parametrize("word", ["model=m.pkl", "name=other", "gristmill.python=python3", "compute=big"])
def test_what_the_job_was_made_from_is_no_setting(settings: Settings, word: str) -> None:
    with pytest.raises(SpecError, match="cannot change within a job: "):
        changed_settings(settings, [parse_set(word)])


def test_every_mistake_is_said_at_once(settings: Settings) -> None:
    words = ["setings.timeout=3", "gristmill.workers=0", "settings.mini_batch_sise=1"]

    with pytest.raises(SpecError) as error:
        changed_settings(settings, [parse_set(word) for word in words])

    found = [line.partition(": ")[0] for line in error.value.problems]
    assert sorted(found) == sorted(f"--set {word}" for word in words)


def test_later_of_two_wins(settings: Settings) -> None:
    words = ["gristmill.workers=3", "settings.max_concurrency_per_instance=5"]

    assert changed_settings(settings, [parse_set(word) for word in words]).workers == 5


def test_mapping_of_settings_is_several(settings: Settings) -> None:
    given = Override(
        path="settings.retry_settings", value={"timeout": 4, "max_retries": 1}, origin="settings="
    )

    changed = changed_settings(settings, [given])

    assert (changed.timeout_s, changed.max_retries) == (4.0, 1)
    assert changed == replace(settings, timeout_s=4.0, max_retries=1)


def test_every_setting_of_a_job_has_a_key() -> None:
    keys = [
        *(f"settings.{name}" for name in SettingsSection.model_fields),
        *(f"settings.retry_settings.{name}" for name in Retries.model_fields),
        *(f"gristmill.{name}" for name in Extensions.model_fields),
        "properties.include_output_header",
    ]

    assert {field_of(key) for key in keys} - {None} == {one.name for one in fields(Settings)}


def test_every_setting_says_whether_it_is_fixed() -> None:
    marks = {one.name: one.metadata for one in fields(Settings)}

    assert {type(mark["is_fixed"]) for mark in marks.values()} == {bool}
    assert all(mark["affects_result"] for mark in marks.values() if mark["is_fixed"])


def test_differences_name_the_setting_and_keep_secrets(settings: Settings) -> None:
    other = replace(settings, mini_batch_size=20, environment_variables={"TOKEN": "secret"})

    assert differences_of(affecting_results(settings), affecting_results(other)) == {
        "environment_variables": "TOKEN",
        "mini_batch_size": "10 → 20",
    }
