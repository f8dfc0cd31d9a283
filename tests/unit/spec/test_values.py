"""The values of a deployment on their way to JSON and back."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.spec.deployment import load
from gristmill.spec.values import Settings, affecting_results, deployment_from_json, deployment_to_json


def test_settings_that_affect_results_are_these(folder: Path) -> None:
    settings = load(folder / "src" / "score.py").settings

    assert affecting_results(settings) == {
        "mini_batch_size": 10,
        "output_action": "append_row",
        "output_file_name": "predictions.csv",
        "output_format": "csv",
        "environment_variables": {},
        "program_arguments": "",
        "recursive": True,
        "include_hidden": False,
        "include": [],
        "exclude": [],
        "input_list": None,
        "include_output_header": False,
        "limit": None,
        "provenance": [],
        "shared_header": False,
        "mini_batch_bytes": None,
        "split_rows": None,
        "split_bytes": None,
        "split_header": True,
    }


def test_every_setting_says_whether_it_affects_results() -> None:
    assert {type(one.metadata["affects_result"]) for one in fields(Settings)} == {bool}


def test_other_number_of_workers_leaves_the_results_alone(folder: Path) -> None:
    settings = load(folder / "src" / "score.py").settings

    assert affecting_results(replace(settings, workers=7)) == affecting_results(settings)


def test_unknown_schema_is_refused(folder: Path) -> None:
    data = deployment_to_json(load(folder / "src" / "score.py"))

    with pytest.raises(SpecError, match="has schema 99, and this Gristmill reads schema 1"):
        deployment_from_json({**data, "schema": 99})


def test_record_of_an_older_version_has_no_selection(folder: Path) -> None:
    deployment = load(folder / "src" / "score.py")
    data = deployment_to_json(deployment)
    for name in ("include", "exclude", "input_list"):
        del data["settings"][name]

    assert deployment_from_json(data) == deployment


@pytest.mark.parametrize(
    "name",
    [
        "include_output_header",
        "shared_header",
        "gpus_per_worker",
        "memory_per_worker_bytes",
        "mini_batch_bytes",
        "largest_first",
    ],
)
def test_record_of_an_older_version_leaves_the_switch_off(folder: Path, name: str) -> None:
    deployment = load(folder / "src" / "score.py")
    data = deployment_to_json(deployment)
    del data["settings"][name]

    assert deployment_from_json(data) == deployment


def test_record_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(SpecError, match="has schema None"):
        deployment_from_json([])  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", [{"settings": None}, {"code": 5}, {"extra": 1}, {"model": {"path": "x"}}])
def test_damaged_record_is_refused(folder: Path, damage: dict[str, object]) -> None:
    data = deployment_to_json(load(folder / "src" / "score.py"))

    with pytest.raises(SpecError, match="the recorded deployment is damaged"):
        deployment_from_json({**data, **damage})


def test_values_need_only_the_standard_library() -> None:
    program = (
        "import sys, gristmill.spec.values\n"
        "sys.exit(any(name.split('.')[0] in ('pydantic', 'ruamel') for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
