"""Mistakes in the files beside a deployment: each with its place and the remedy, and never with a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.spec.asset_values import Credentials
from gristmill.spec.deployment import load as load_deployment
from gristmill.spec.overrides import parse_set
from unit.spec.asset_files import LOADERS, loaded, refused

BLOB = "name: d\ntype: azure_blob\naccount_name: a\ncontainer_name: c\n"
MISTAKES = [
    ("endpoint", "{}\n", "f.yml:1:1: name: is missing; give it a name, here or with --name"),
    ("endpoint", "name: a\n", "f.yml:1:7: name: must have 3 to 32 characters (got 'a')"),
    ("endpoint", "name: abc\nauth_mod: key\n", "f.yml:2:1: auth_mod: unknown key; did you mean 'auth_mode'?"),
    ("endpoint", "name: abc\nauth_mode: none\n",
     "f.yml:2:12: auth_mode: must be aad_token, key or aml_token (got 'none')"),
    ("endpoint", "name: abc\ndefaults: {deployment: x}\n",
     "f.yml:2:12: defaults.deployment: unknown key; did you mean 'deployment_name'?"),
    ("endpoint", "name: abc\ntraffic: {a: 100}\n",
     "f.yml:2:1: traffic: unknown key; known here are name, description, tags, properties, auth_mode,"
     " defaults, identity"),
    ("model", "name: m\n", "f.yml:1:1: path: is missing; say where it lies"),
    ("model", "name: m\npath: modle\n",
     "f.yml:2:7: path: no such file or folder: HERE/modle (got 'modle'); did you mean 'model'?"),
    ("model", "name: -m\npath: model\n",
     "f.yml:1:7: name: must be letters, digits, '-', '_' and '.', and begin with a letter or digit"
     " (got '-m')"),
    ("model", "name: m\nversion: latest\npath: model\n",
     "f.yml:2:10: version: is the label of whatever version is the newest (got 'latest'); give a version of"
     " your own"),
    ("model", "name: m\nversion: 1 2\npath: model\n",
     "f.yml:2:10: version: must be letters, digits, '-', '_' and '.', and begin with a letter or digit"
     " (got '1 2')"),
    ("model", "name: m\ntype: mlflow\npath: model\n",
     "f.yml:2:7: type: must be custom_model, mlflow_model or triton_model (got 'mlflow');"
     " did you mean 'mlflow_model'?"),
    ("model", "name: m\npath: azureml://registries/r/models/m/versions/1\n",
     "f.yml:2:7: path: lies in a registry in the cloud (got 'azureml://registries/r/models/m/versions/1'),"
     " which is not reached from here; download it, and give its path or register it under a name of your"
     " own"),
    ("model", "name: m\npath: azureml://jobs/j/outputs/artifacts/m\n",
     "f.yml:2:7: path: is no place on this machine (got 'azureml://jobs/j/outputs/artifacts/m');"
     " download it and give its path here"),
    ("environment", "name: e\nconda_file: conda.json\n",
     "f.yml:2:13: conda_file: no such file: HERE/conda.json (got 'conda.json')"),
    ("environment", "name: e\nconda_file: [a]\n",
     "f.yml:2:13: conda_file: must be the path of a conda file, or its content as a mapping (got a list)"),
    ("environment", "name: e\nbuild: {}\n",
     "f.yml:2:1: build.path: is missing; give the folder of the build context"),
    ("environment", "name: e\nimage: i\nbuild: {path: src}\n",
     "f.yml:3:8: build: says how to build the image, and 'image' says it too; keep one of them"),
    ("environment", "name: e\nos_type: macos\n",
     "f.yml:2:10: os_type: must be linux or windows (got 'macos')"),
    ("data", "name: d\ntype: mltable\npath: src\n",
     "f.yml:2:7: type: tables are not read here: give the folder itself as uri_folder, or one file as"
     " uri_file; a deployment chooses among files with gristmill.include (got 'mltable')"),
    ("data", "name: d\npath: azureml://datastores/x\n",
     "f.yml:2:7: path: is no path of a datastore (got 'azureml://datastores/x'); the form is"
     " azureml://datastores/<name>/paths/<path>"),
    ("data", "name: d\npath: azureml://datastores/x/paths/a/../../b\n",
     "f.yml:2:7: path: a path in a datastore must not go up with '..'"
     " (got 'azureml://datastores/x/paths/a/../../b')"),
    ("datastore", "name: d\ntype: azure_blob\naccount_name: a\n",
     "f.yml:2:7: type: azure_blob needs account_name and container_name; container_name is missing"),
    ("datastore", "name: d\ntype: blob\n",
     "f.yml:2:7: type: must be local, azure_blob, azure_file, azure_data_lake_gen1 or azure_data_lake_gen2"
     " (got 'blob')"),
    ("compute", "name: c-\ntype: local\n",
     "f.yml:1:7: name: must be letters, digits and '-', begin with a letter and not end with '-' (got 'c-')"),
    ("compute", "name: cc\ntype: local\nmin_instances: 3\nmax_instances: 2\n",
     "f.yml:4:16: max_instances: must be at least min_instances, which is 3 (got '2')"),
    ("compute", "name: cc\ntype: local\naddress: x\n",
     "f.yml:3:10: address: belongs to 'type: ray', and the type is local; remove it"),
    ("inputs", "inputs: {a: {default: 0.5}}\n",
     "f.yml:1:23: inputs.a.default: a model is run over files, and takes no single values: give it the values"
     " in 'environment_variables', or in 'gristmill: {program_arguments: …}' (got '0.5')"),
    ("inputs", "inputs: {a: {typ: uri_file}}\n",
     "f.yml:1:14: inputs.a.typ: unknown key; did you mean 'type'?"),
    ("inputs", "inputs: {a: {type: number, default: 3}}\n",
     "f.yml:1:20: inputs.a.type: a model is run over files, and takes no single values: give it the values in"
     " 'environment_variables', or in 'gristmill: {program_arguments: …}' (got 'number')"),
    ("inputs", "inputs: [a]\n", "f.yml:1:9: inputs: must be a mapping of texts (got a list)"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "problem"), MISTAKES)
def test_mistake_is_named_with_its_place_and_the_remedy(
    folder: Path, kind: str, text: str, problem: str
) -> None:
    assert problem in refused(folder, kind, text)


def test_all_mistakes_are_reported_at_once(folder: Path) -> None:
    text = "name: x y\nversion: ''\ntype: table\npath: nowhere\nnmae: 1\nname: z\n"
    places = [line.split(": ")[:2] for line in refused(folder, "data", text)]
    assert places == [
        ["f.yml:1:7", "name"],
        ["f.yml:2:10", "version"],
        ["f.yml:3:7", "type"],
        ["f.yml:4:7", "path"],
        ["f.yml:5:1", "nmae"],
        ["f.yml:6:1", "name"],
    ]


# Secrets

SECRET = "pSsT0secret"


@pytest.mark.parametrize(
    "credentials",
    [
        f"credentials: {SECRET}",
        f"credentials: [{SECRET}]",
        f"credentials: {{account_key: [{SECRET}]}}",
        f"credentials: {{account_key: {{{SECRET}: 1}}}}",
        f"credentials: {{acount_key: {SECRET}}}",
        f"credentials: {{account_key: {SECRET}, account_key: {SECRET}x}}",
        f"credentials: {{account_key: *{SECRET}}}",
        f"credentials: {{account_key: !{SECRET} x}}",
        f"credentials: {{account_key: '{SECRET}",
        f'credentials: {{account_key: "\\{SECRET}"}}',
        f"credentials: {{account_key: @{SECRET}}}",
        f"credentials: {{account_key: '{SECRET}\0'}}",
    ],
)
def test_no_message_shows_a_secret(folder: Path, credentials: str) -> None:
    lines = refused(folder, "datastore", BLOB + credentials + "\n")
    assert lines
    assert SECRET not in "\n".join(lines)


@pytest.mark.parametrize("option", ["credentials.account_key", "credentials.acount_key", "credentials"])
def test_no_message_about_an_option_shows_a_secret(folder: Path, option: str) -> None:
    lines = refused(folder, "datastore", BLOB + "nmae: x\n", parse_set(f"{option}={SECRET}"))
    assert SECRET not in "\n".join(lines)


def test_no_secret_is_in_the_repr_of_a_datastore(folder: Path) -> None:
    names = ("account_key", "sas_token", "client_secret", "certificate", "thumbprint")
    text = "".join(f"  {name}: {SECRET}\n" for name in names)
    found = loaded(folder, "datastore", f"{BLOB}credentials:\n{text}  client_id: me\n")

    assert found.credentials == Credentials(client_id="me", **dict.fromkeys(names, SECRET))
    assert SECRET not in repr(found)
    assert "client_id='me'" in repr(found)


# Files of another kind


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: abc\nauth_mode: key\n", "this is an endpoint file"),
        ("$schema: https://x/latest/batchEndpoint.schema.json\nname: abc\n", "this is an endpoint file"),
        ("$schema: https://x/latest/pipelineJob.schema.json\n", "this is a pipeline job file"),
        ("$schema: https://x/latest/managedOnlineDeployment.schema.json\nname: abc\n",
         "this is an online deployment file"),
        ("name: m\ntype: mlflow_model\npath: model\n", "this is a model file"),
        (BLOB, "this is a datastore file"),
        ("name: c\ntype: amlcompute\nmin_instances: 0\n", "this is a compute file"),
        ("inputs: {a: src}\n", "this is an inputs file"),
    ],
)  # fmt: skip
def test_run_says_what_a_file_is_that_is_no_deployment(folder: Path, text: str, told: str) -> None:
    (folder / "f.yml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_deployment(Path("f.yml"))
    assert caught.value.problems == (
        f"f.yml: {told}, and a deployment is wanted here; run takes a scoring script (.py), too",
    )


def test_deployment_given_as_an_endpoint_is_named(folder: Path) -> None:
    text = "endpoint_name: abc\ncode_configuration: {code: src, scoring_script: score.py}\n"
    assert refused(folder, "endpoint", text) == [
        "f.yml:1:1: this is a deployment file, and an endpoint file is wanted here"
    ]


@pytest.mark.parametrize("kind", [kind for kind in LOADERS if kind != "inputs"])
def test_missing_file_is_named(folder: Path, kind: str) -> None:
    with pytest.raises(SpecError, match=r"nowhere\.yml: the file cannot be read"):
        LOADERS[kind](folder / "nowhere.yml")
