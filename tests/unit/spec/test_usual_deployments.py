"""Whole deployment files as people write them for the original: each loads, with what is to be said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gristmill.errors import SpecError
from gristmill.spec.deployment import load
from gristmill.spec.generated import FOLDER, SCRIPT
from gristmill.spec.overrides import Override
from gristmill.spec.values import OutputAction, OutputFormat, deployment_from_json, deployment_to_json

CURRENT = Override(path="gristmill.use_current_python", value=True, origin="--use-current-python")

HEARTS = """
$schema: https://azuremlschemas.azureedge.net/latest/modelBatchDeployment.schema.json
endpoint_name: heart-batch
name: classifier-xgboost
description: Heart disease, from tables of patients
type: model
model: {path: model, type: custom_model}
environment:
  name: batch-xgboost
  image: mcr.example/openmpi4.1.0-ubuntu20.04:latest
  conda_file: environment/conda.yaml
code_configuration:
  code: code
  scoring_script: batch_driver.py
compute: azureml:batch-cluster
resources:
  instance_count: 2
settings:
  max_concurrency_per_instance: 2
  mini_batch_size: 2
  output_action: append_row
  output_file_name: predictions.csv
  retry_settings:
    max_retries: 3
    timeout: 300
  error_threshold: -1
  logging_level: info
"""

FLAT = """
$schema: https://azuremlschemas.azureedge.net/latest/batchDeployment.schema.json
name: mnist-torch
endpoint_name: mnist-batch
model: {name: mnist, version: "2", path: ./model/}
code_configuration: {code: ./code/, scoring_script: batch_driver.py}
environment: azureml:torch-cpu@latest
compute: azureml:cpu-cluster
resources: {instance_count: 1}
max_concurrency_per_instance: 4
mini_batch_size: "10"
output_action: Append_Row
output_file_name: scores.csv
retry_settings: {max_retries: 2, timeout: 30}
error_threshold: 5
logging_level: DEBUG
"""

ALONE = " are asked for, and this machine is one; the job runs on it alone"
# The text, what is to be seen of the settings, and the notices without their places.
USUAL: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "nested": (
        HEARTS,
        {"workers": 2, "mini_batch_size": 2, "timeout_s": 300.0, "output_format": OutputFormat.AZURE},
        [
            "environment: 'batch-xgboost, image mcr.example/openmpi4.1.0-ubuntu20.04:latest, conda file"
            " environment/conda.yaml' is not built here; the current Python runs the script",
            "compute: 'batch-cluster' is not known here; the job runs on this machine",
            f"resources.instance_count: 2 nodes{ALONE}",
        ],
    ),
    "flat": (
        FLAT,
        {"workers": 4, "mini_batch_size": 10, "max_retries": 2, "logging_level": "debug"},
        [
            "environment: 'azureml:torch-cpu@latest' is not built here; the current Python runs the script",
            "compute: 'cpu-cluster' is not known here; the job runs on this machine",
        ],
    ),
    "the least that there can be": (
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n",
        {"workers": 1, "mini_batch_size": 10, "max_retries": 3, "timeout_s": 30.0},
        [],
    ),
    "both layouts at once": (
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n"
        "mini_batch_size: 7\nsettings: {max_concurrency_per_instance: 3, retry_settings: {timeout: 60}}\n"
        "retry_settings: {max_retries: 1}\nenvironment_variables: {A: 1}\n",
        {
            "workers": 3,
            "mini_batch_size": 7,
            "max_retries": 1,
            "timeout_s": 60.0,
            "environment_variables": {"A": "1"},
        },
        [],
    ),
    "own outputs": (
        "name: parquet-writer\nmodel: model\n"
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n"
        "settings: {output_action: summary_only, mini_batch_size: 1, error_threshold: 0}\n",
        {"output_action": OutputAction.SUMMARY_ONLY},
        [],
    ),
    "switches in properties": (
        "model: {path: model/weights.bin}\n"
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n"
        'properties: {include_output_header: "true", gristmill.workers: auto, gristmill.init_timeout: 900}\n'
        "tags: {owner: team, release: 2024.10, reviewed: no, on: 2024-05-01}\n",
        {"include_output_header": True, "workers": None, "init_timeout_s": 900.0},
        [],
    ),
    "nothing given for many keys": (
        "name: empty-keys\ndescription:\ntags:\nproperties: {}\nmodel:\nenvironment: null\nresources: ~\n"
        "settings: {retry_settings: null, environment_variables: , error_threshold: }\n"
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n",
        {"max_retries": 3, "environment_variables": {}},
        [],
    ),
    "as the original shows it": (
        "id: azureml:/subscriptions/0/x\nprovisioning_state: Succeeded\nlocation: westeurope\n"
        "creation_context: {created_at: 2024-01-01T10:00:00Z}\nname: shown\nendpoint_name: shown-too\n"
        "model: {path: model, stage: Production, flavors: {python_function: {loader_module: x}}}\n"
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n",
        {},
        [
            "id: is read-only and was ignored",
            "provisioning_state: is read-only and was ignored",
            "location: is read-only and was ignored",
            "creation_context: is read-only and was ignored",
        ],
    ),
    "resources of a cluster": (
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n"
        "resources: {instance_count: '3', instance_type: STANDARD_NC6s_v3, shm_size: 8g,"
        " docker_args: [--ipc=host], properties: {singularity: {x: 1}}}\n",
        {},
        [
            f"resources.instance_count: 3 nodes{ALONE}",
            "resources.instance_type: means nothing on this machine and was ignored",
            "resources.shm_size: means nothing on this machine and was ignored",
            "resources.docker_args: means nothing on this machine and was ignored",
            "resources.properties: means nothing on this machine and was ignored",
        ],
    ),
    "nodes in the settings": (
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n"
        "settings: {instance_count: 2}\ncompute: local\n",
        {},
        [f"settings.instance_count: 2 nodes{ALONE}"],
    ),
    "an environment of a registry": (
        "environment: azureml://registries/azureml/environments/sklearn-1.5/labels/latest\n"
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n",
        {},
        [
            "environment: 'azureml://registries/azureml/environments/sklearn-1.5/labels/latest' is not built"
            " here; the current Python runs the script"
        ],
    ),
    "an environment with all that it may say": (
        "environment:\n  name: served\n  version: 1.10\n"
        "  build: {path: docker, dockerfile_path: Dockerfile}\n"
        "  os_type: linux\n  description: d\n  tags: {a: 1}\n"
        "  inference_config: {scoring_route: {port: 5001, path: /score}}\n"
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n",
        {},
        ["environment: 'served:1.10, built in docker' is not built here; the current Python runs the script"],
    ),
    "packages in the file": (
        "environment:\n  conda_file:\n    channels: [conda-forge]\n    dependencies: [python=3.10, pip]\n"
        "  image: base:1\ncode_configuration: {code: code, scoring_script: batch_driver.py}\n",
        {},
        [
            "environment: 'image base:1, conda packages in the deployment' is not built here; the current"
            " Python runs the script"
        ],
    ),
    "variables of a shell": (
        "model: model\nenvironment_variables: {DATA: $HOME/x, PRICE: 5$, N: 010, T: True}\n"
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n",
        {"environment_variables": {"DATA": "$HOME/x", "PRICE": "5$", "N": "010", "T": "True"}},
        ["environment_variables.DATA: '$HOME/x' is taken as it stands; variables are not expanded"],
    ),
    "an MLflow model with a script": (
        "model: {name: hearts, path: mlflow, type: mlflow_model}\n"
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n"
        "settings: {output_file_name: p.csv}\n",
        {"output_file_name": "p.csv"},
        [],
    ),
    "an MLflow model with a script, and a key for those without": (
        "model: mlflow\ncode_configuration: {code: code, scoring_script: batch_driver.py}\n"
        "gristmill: {mlflow: {chunk_rows: 10}}\n",
        {"environment_variables": {}, "isolate_failures": None},
        [
            "gristmill.mlflow: is for MLflow models without a script, and this deployment has a script; it"
            " was ignored"
        ],
    ),
    "JSON": (
        '{"name": "as-json", "model": "model",'
        ' "settings": {"mini_batch_size": 4, "logging_level": "WARNING"},'
        '"code_configuration": {"code": "code", "scoring_script": "batch_driver.py"}, "compute": "LOCAL"}\n',
        {"mini_batch_size": 4, "logging_level": "warning"},
        [],
    ),
    "another $schema than its own": (
        "$schema: https://azuremlschemas.azureedge.net/latest/batchEndpoint.schema.json\n"
        "code_configuration: {code: code, scoring_script: batch_driver.py}\n",
        {},
        [],
    ),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for file in ("code/batch_driver.py", "model/weights.bin", "mlflow/MLmodel"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("def run(mini_batch): return mini_batch\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("text", "settings", "notices"), USUAL.values(), ids=USUAL)
def test_usual_deployment_loads_with_these_notices(
    project: Path, text: str, settings: dict[str, Any], notices: list[str]
) -> None:
    (project / "deployment.yml").write_text(text)

    deployment = load(Path("deployment.yml"), [CURRENT] if "environment:" in text else [])

    assert {name: getattr(deployment.settings, name) for name in settings} == settings
    assert [notice.split(": ", 1)[1] for notice in deployment.notices] == notices
    assert (deployment.code, deployment.scoring_script) == (project / "code", "batch_driver.py")


def test_texts_of_a_usual_deployment_are_those_that_stand_in_the_file(project: Path) -> None:
    (project / "d.yml").write_text(USUAL["switches in properties"][0])
    assert load(Path("d.yml")).tags == {
        "owner": "team",
        "release": "2024.10",
        "reviewed": "no",
        "on": "2024-05-01",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "model: {path: model, type: mlflow_model}\ncode_configuration: null\n",
            "d.yml:1:1: model: is no MLflow model: there is no file MLmodel in it (got a mapping); give the"
            " folder with it",
        ),
        (
            "model: azureml://registries/r/models/m/versions/4\n"
            "code_configuration: {code: code, scoring_script: batch_driver.py}\n",
            "d.yml:1:8: model: lies in a registry in the cloud (got"
            " 'azureml://registries/r/models/m/versions/4'), which is not reached from here; download it, and"
            " give its path or register it under a name of your own",
        ),
        (
            "model: azureml:m@latest\ncode_configuration: {code: code, scoring_script: batch_driver.py}\n",
            "d.yml:1:8: model: is registered elsewhere (got 'azureml:m@latest'); give the model's"
            " path, here or with --model",
        ),
    ],
)
def test_usual_deployment_that_cannot_run_yet_is_refused_in_one_sentence(
    project: Path, text: str, problem: str
) -> None:
    (project / "d.yml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load(Path("d.yml"))
    assert caught.value.problems == (problem,)


# The text, and the settings that its script gets beside the usual ones.
WITHOUT_SCRIPT = {
    "by its type": ("model: {path: mlflow, type: mlflow_model}\ncompute: azureml:cpu-cluster\n", {}),
    "by its folder": ("model: mlflow\ncode_configuration: null\n", {}),
    "with pieces": (
        "model: mlflow\ngristmill: {mlflow: {chunk_rows: 500}}\n",
        {"GRISTMILL_MLFLOW_CHUNK_ROWS": "500"},
    ),
    "with pieces, in Azure's form": (
        "model: mlflow\nproperties: {gristmill.mlflow.chunk_rows: '500'}\nenvironment_variables: {A: 1}\n",
        {"GRISTMILL_MLFLOW_CHUNK_ROWS": "500", "A": "1"},
    ),
}


@pytest.mark.parametrize(("text", "variables"), WITHOUT_SCRIPT.values(), ids=WITHOUT_SCRIPT)
def test_mlflow_model_without_a_script_gets_ours(project: Path, text: str, variables: dict[str, str]) -> None:
    (project / "d.yml").write_text(text)

    deployment = load(Path("d.yml"))

    assert deployment.is_generated
    assert not deployment.is_bare_script
    assert (deployment.code, deployment.scoring_script) == (FOLDER, SCRIPT)
    assert (FOLDER / SCRIPT).is_file()
    assert deployment.settings.environment_variables == variables
    assert deployment.settings.isolate_failures is True
    assert deployment_from_json(deployment_to_json(deployment)) == deployment


def test_folder_of_an_mlflow_model_alone_has_the_defaults_of_a_newcomer(project: Path) -> None:
    deployment = load(Path("mlflow"))

    assert deployment.is_generated
    assert deployment.is_bare_script
    assert deployment.model is not None
    assert deployment.model.path == project / "mlflow"
    assert deployment.called == "mlflow"
    assert deployment.settings.output_format is OutputFormat.CSV
    assert (deployment.settings.workers, deployment.settings.timeout_s) == (None, 600.0)


def test_who_forbids_isolation_has_none(project: Path) -> None:
    (project / "d.yml").write_text("model: mlflow\ngristmill: {isolate_failures: false}\n")

    assert load(Path("d.yml")).settings.isolate_failures is False
