"""What holds for every example: a page, a deployment that Azure accepts, a line in the list of examples."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from flow.clone import BASH_BLOCK
from flow.mill import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/deployment.yml"))

# The keys that the YAML reference of Azure Machine Learning's batch deployments lists, level by level.
AZURE_KEYS = {
    "": {
        *("$schema", "name", "endpoint_name", "type", "description", "tags", "properties", "model"),
        *("code_configuration", "environment", "compute", "resources", "settings"),
    },
    "model": {"name", "version", "type", "path", "description", "tags", "properties", "stage", "flavors"},
    "code_configuration": {"code", "scoring_script"},
    "environment": {"name", "version", "image", "conda_file", "build", "description", "tags", "os_type"},
    "resources": {"instance_count", "instance_type", "properties", "shm_size", "docker_args"},
    "settings": {
        *("max_concurrency_per_instance", "mini_batch_size", "output_action", "output_file_name"),
        *("retry_settings", "error_threshold", "logging_level", "environment_variables"),
    },
}


def deployment(example: str) -> dict[str, Any]:
    read = YAML(typ="safe").load(EXAMPLES / example / "deployment.yml")
    assert isinstance(read, dict)
    return read


def test_examples_are_those_that_are_promised() -> None:
    assert NAMES == [
        "custom-outputs-parquet",
        "digits-by-batch",
        "digits-by-file",
        "endpoint",
        "filetypes",
        "mlflow-tabular",
        "reviews-by-row",
        "two-pythons",
    ]


@pytest.mark.parametrize("example", NAMES)
def test_deployment_uses_only_keys_that_azure_knows(example: str) -> None:
    said = deployment(example)

    assert set(said) <= AZURE_KEYS[""]
    for level in [name for name, value in said.items() if name in AZURE_KEYS and isinstance(value, dict)]:
        assert set(said[level]) <= AZURE_KEYS[level], level


@pytest.mark.parametrize("example", NAMES)
def test_deployment_says_what_azure_needs(example: str) -> None:
    said = deployment(example)

    assert said["$schema"].endswith("/modelBatchDeployment.schema.json")
    assert {"name", "endpoint_name", "compute"} <= set(said)
    assert all(isinstance(value, str) for value in said.get("properties", {}).values())
    model = said.get("model", {})
    if (
        isinstance(model, dict) and model.get("type") == "mlflow_model"
    ):  # brings its environment along, and needs no code
        assert not {"code_configuration", "environment"} & set(said)
        return
    assert "environment" in said
    code = said["code_configuration"]
    assert (EXAMPLES / example / code["code"] / code["scoring_script"]).is_file()


@pytest.mark.parametrize("example", NAMES)
def test_page_has_commands_and_names_every_file(example: str) -> None:
    page = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")

    assert BASH_BLOCK.findall(page)
    assert set(re.findall(r"\]\(([\w-]+\.(?:py|yml))\)", page)) == {
        path.name for path in (EXAMPLES / example).iterdir() if path.suffix in (".py", ".yml")
    }


def test_list_of_examples_names_each_of_them_once() -> None:
    listed = re.findall(r"\]\(([\w-]+)/README\.md\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))

    assert sorted(listed) == NAMES
