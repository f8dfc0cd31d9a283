"""`docs/deployment-yaml.md` has every key, with the default and the effect that it has in the code."""

from __future__ import annotations

import dataclasses
import re
from enum import Enum
from typing import Any, get_args

import pytest

from docs.pages import read, rows, section, spans
from gristmill.spec import asset_schema
from gristmill.spec.layout import READ_ONLY_KEYS, SETTINGS_KEYS
from gristmill.spec.schema import DeploymentFile
from gristmill.spec.sections import Section
from gristmill.spec.values import Settings

PAGE = "deployment-yaml.md"
TABLES = ("What runs", "settings", "gristmill", "The rest")
SWITCHES = {"properties.include_output_header", "tags.include_output_header"}
# Where each setting of a job is written down in a file.
WRITTEN_AS = {
    "max_retries": "settings.retry_settings.max_retries",
    "timeout_s": "settings.retry_settings.timeout",
    "init_timeout_s": "gristmill.init_timeout",
    "memory_per_worker_bytes": "gristmill.memory_per_worker",
    "workers": "gristmill.workers",
    "include_output_header": "properties.include_output_header",
}
# What stands in place of a default that is no value.
IN_WORDS = {
    "gristmill.workers": "`max_concurrency_per_instance`",
    "gristmill.error_threshold": "`settings.error_threshold`",
    "gristmill.include": "every file",
    "gristmill.limit": "all",
    "gristmill.memory_per_worker": "what the machine has",
    "gristmill.gpus_per_worker": "one each, as far as there are any",
    "gristmill.stop_when.minimum": "100, or the window if that is smaller",
    "gristmill.mlflow.chunk_rows": "100000, of files above 64 MB",
    "gristmill.program_arguments": "empty",
    "gristmill.keep_azureml_packages": "where the code imports `azureml`",
    "gristmill.isolate_failures": "unless `max_retries` is 0",
    "settings.error_threshold": "-1",
}


def keys(model: type[Section], above: str = "") -> dict[str, Any]:
    """Return every key of a schema that holds a value, with its default."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kinds = [k for k in (field.annotation, *get_args(field.annotation)) if isinstance(k, type)]
        below = [kind for kind in kinds if issubclass(kind, Section)]
        path = f"{above}{field.alias or name}"
        if below:
            found |= keys(below[0], f"{path}.")
        if not below or name in ("model", "environment", "stop_when"):
            found[path] = field.usual()
    return found


def documented() -> dict[str, list[str]]:
    """Return the row of every key in the page's tables."""
    return {
        key: row
        for heading in TABLES
        for row in rows(section(PAGE, heading))
        for key in spans(row[0])
        if _is_key(key)
    }


def _is_key(text: str) -> bool:
    return bool(re.fullmatch(r"[$\w]+(\.\w+)*", text))


def test_every_key_of_a_deployment_is_on_the_page() -> None:
    extra = {"$schema", "environment_variables", *READ_ONLY_KEYS, *SWITCHES}

    assert set(documented()) == {*keys(DeploymentFile), *extra}


@pytest.mark.parametrize(
    "key", sorted(key for key in keys(DeploymentFile) if key.startswith(("settings.", "gristmill.")))
)
def test_default_on_the_page_is_that_of_the_code(key: str) -> None:
    default = keys(DeploymentFile)[key]
    value = default.value if isinstance(default, Enum) else default
    empty = "none" if value in (None, (), {}) else f"{value:g}" if isinstance(value, float) else str(value)
    expected = IN_WORDS.get(key, empty.lower() if isinstance(value, bool) else empty)

    assert documented()[key][2].strip("`") == expected.strip("`")


def test_every_setting_of_a_job_has_its_key_and_its_effect() -> None:
    of_section = {name: f"settings.{name}" for name in SETTINGS_KEYS}
    of_block = {
        name: f"gristmill.{name}" for name in keys(DeploymentFile.model_fields["gristmill"].annotation)
    }
    places = {**of_block, **of_section, **WRITTEN_AS}
    table = documented()
    said = {one.name: table[places[one.name]] for one in dataclasses.fields(Settings)}
    results = {name: row[-1] == "yes" or "changes results" in row[-1] for name, row in said.items()}

    assert results == {one.name: one.metadata["affects_result"] for one in dataclasses.fields(Settings)}


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("endpoint", asset_schema.EndpointFile),
        ("model", asset_schema.ModelFile),
        ("environment", asset_schema.EnvironmentFile),
        ("data", asset_schema.DataFile),
    ],
)
def test_row_of_another_file_has_all_of_its_keys(kind: str, model: type[Section]) -> None:
    table = rows(section(PAGE, "The files beside a deployment"))
    row = next(row for row in table if row[0] == kind)
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    words = {"aad_token", "key", "aml_token", "linux", "windows", "uri_folder", "uri_file"}

    assert set(spans(row[1])) == required
    assert set(spans(row[2])) - words == set(keys(model)) - required


@pytest.mark.parametrize(
    "model",
    [
        asset_schema.DatastoreFile,
        asset_schema.CredentialsSection,
        asset_schema.ComputeFile,
        asset_schema.InputSection,
        asset_schema.OutputSection,
    ],
)
def test_every_key_of_the_remaining_files_is_named(model: type[Section]) -> None:
    named = set(spans(section(PAGE, "The files beside a deployment")))

    assert {name for name in model.model_fields if name not in named} == set()


def test_defaults_of_a_bare_script_are_told() -> None:
    text = section(PAGE, "settings")

    assert "`timeout` 600, `error_threshold` `20%`" in text
    assert "`gristmill.workers` `auto`, `gristmill.output_format` `csv`" in " ".join(text.split())


def test_page_says_which_values_need_quotes() -> None:
    assert "`*.jpg` and `!x` need quotes in YAML" in read(PAGE)
