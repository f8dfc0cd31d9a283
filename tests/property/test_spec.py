"""What holds for every deployment, and for everything that is none."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.errors import SpecError
from gristmill.spec import assets
from gristmill.spec.deployment import load_deployment, load_document, read_deployment
from gristmill.spec.overrides import Override
from gristmill.spec.schema import DeploymentFile
from gristmill.spec.tree import Mapping, Node, Place, Sequence, plain, tree
from gristmill.spec.values import (
    Deployment,
    ErrorThreshold,
    ModelReference,
    OutputAction,
    OutputFormat,
    Settings,
    deployment_from_json,
    deployment_to_json,
)

texts = st.text(st.characters(exclude_characters="\0"), max_size=20)
paths = st.binary(min_size=1, max_size=12).map(
    lambda raw: Path("/") / raw.replace(b"\0", b"x").decode("utf-8", "surrogateescape")
)
maps = st.dictionaries(texts, texts, max_size=3)
seconds = st.floats(min_value=0.001, max_value=1e9)
thresholds = st.one_of(
    st.builds(ErrorThreshold, items=st.integers(-1, 10**9), fraction=st.none()),
    st.builds(ErrorThreshold, items=st.none(), fraction=st.floats(0, 1), minimum_sample=st.integers(0, 999)),
)
settings = st.builds(
    Settings,
    mini_batch_size=st.integers(1, 10**9),
    output_action=st.sampled_from(OutputAction),
    output_file_name=texts,
    output_format=st.sampled_from(OutputFormat),
    max_retries=st.integers(0, 99),
    timeout_s=seconds,
    init_timeout_s=seconds,
    error_threshold=thresholds,
    logging_level=st.sampled_from(["debug", "info", "warning"]),
    environment_variables=maps,
    workers=st.none() | st.integers(1, 999),
    program_arguments=texts,
    recursive=st.booleans(),
    include_hidden=st.booleans(),
    include=st.lists(texts, max_size=2).map(tuple),
    exclude=st.lists(texts, max_size=2).map(tuple),
    input_list=st.none() | paths,
    include_output_header=st.booleans(),
    shared_header=st.booleans(),
    gpus_per_worker=st.none() | st.floats(0, 99),
)
deployments = st.builds(
    Deployment,
    source=paths,
    is_bare_script=st.booleans(),
    name=st.none() | texts,
    endpoint_name=st.none() | texts,
    description=st.none() | texts,
    tags=maps,
    properties=maps,
    code=paths,
    scoring_script=texts,
    model=st.none()
    | st.builds(ModelReference, path=paths, name=st.none() | texts, version=st.none() | texts, type=texts),
    python=st.none() | paths,
    environment=st.none() | texts,
    settings=settings,
    notices=st.lists(texts, max_size=2).map(tuple),
)


@given(deployments)
def test_deployment_survives_json(deployment: Deployment) -> None:
    text = json.dumps(deployment_to_json(deployment))

    assert deployment_from_json(json.loads(text)) == deployment


known_keys = st.sampled_from(
    [
        *DeploymentFile.model_fields,
        *("mini_batch_size", "retry_settings", "environment_variables", "timeout", "path", "code", "workers"),
        *("scoring_script", "python", "gristmill.workers", "error_threshold", "output_file_name", "id"),
    ]
)
scalars_of_files = st.one_of(
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("a1 .", max_size=6),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["azureml:a:1", "20%", "auto", "append_row", "summary_only", ".", "..", "/", "x" * 300]),
)
garbage = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=2) | st.dictionaries(known_keys | texts, below, max_size=4),
    max_leaves=12,
)


def problems_of(file: Path, *overrides: Override) -> tuple[str, ...]:
    try:
        load_deployment(file, overrides)
    except SpecError as error:
        return error.problems
    return ()


@given(document=st.dictionaries(known_keys, garbage, max_size=6))
def test_garbage_under_known_keys_raises_nothing_but_a_spec_error(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, object]
) -> None:
    file = tmp_path_factory.getbasetemp() / "garbage.json"
    file.write_text(json.dumps(document), encoding="utf-8")

    assert all(line.startswith(str(file)) and line.isprintable() for line in problems_of(file))


@given(path=st.lists(known_keys, min_size=1, max_size=3).map(".".join) | texts, value=garbage)
def test_any_override_raises_nothing_but_a_spec_error(
    tmp_path_factory: pytest.TempPathFactory, path: str, value: object
) -> None:
    file = tmp_path_factory.getbasetemp() / "override.yml"
    file.write_text("code_configuration: {code: ., scoring_script: override.yml}\n", encoding="utf-8")
    option = Override(path=path, value=value, origin="--option")

    for line in problems_of(file, option):  # what an option takes away is missed in the file
        assert line.startswith(("--option: ", str(file)))
        assert line.isprintable()


@given(st.text(st.sampled_from("{}[]:,-&*!|>'\"%@#?\t\n \\a1<~"), max_size=30))
def test_any_text_raises_nothing_but_a_spec_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "text.yml"
    file.write_text(text, encoding="utf-8")

    assert len(problems_of(file)) >= 1


asset_keys = st.sampled_from(
    [
        *("name", "version", "type", "path", "tags", "defaults", "auth_mode", "credentials", "account_name"),
        *("container_name", "inputs", "outputs", "build", "conda_file", "image", "min_instances", "id"),
        *("max_instances", "address", "deployment_name", "account_key", "default", "$schema"),
    ]
)
asset_scalars = scalars | st.sampled_from(
    ["azure_blob", "uri_file", "custom_model", "local", "ray", "azureml://datastores/a/paths/b", "s3://b/c"]
)
asset_garbage = st.recursive(
    asset_scalars,
    lambda below: st.lists(below, max_size=2) | st.dictionaries(asset_keys | texts, below, max_size=4),
    max_leaves=12,
)
LOADERS = [
    assets.load_endpoint,
    assets.load_model,
    assets.load_environment,
    assets.load_data,
    assets.load_datastore,
    assets.load_compute,
    assets.load_invoke,
]


@given(
    document=st.dictionaries(asset_keys, asset_garbage, max_size=6),
    option=st.lists(asset_keys, min_size=1, max_size=2).map(".".join),
    value=asset_garbage,
)
@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_garbage_in_a_file_beside_a_deployment_raises_nothing_but_a_spec_error(
    tmp_path_factory: pytest.TempPathFactory,
    load: Callable[[Path, list[Override]], object],
    document: dict[str, object],
    option: str,
    value: object,
) -> None:
    file = tmp_path_factory.getbasetemp() / "asset.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    with contextlib.suppress(SpecError):
        load(file, [Override(path=option, value=value, origin="--option")])


scalars_of_files = st.one_of(
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("a1 .", max_size=6),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False), st.text(max_size=8)
)
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=5), nested, max_size=4))
def test_a_tree_becomes_plain_values_and_the_same_tree_again(values: dict[str, object]) -> None:
    place = Place(origin="here", folder=Path("/"))
    grown = tree(values, place)
    kept = json.loads(json.dumps(plain(grown)))
    assert _texts(tree(kept, place)) == _texts(grown)


def _texts(node: Node) -> object:
    if isinstance(node, Mapping):
        return {key: _texts(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [_texts(item) for item in node.items]
    return node.text


written = st.fixed_dictionaries(
    {"code_configuration": st.just({"code": ".", "scoring_script": "score.py"})},
    optional={
        "description": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
        "tags": st.dictionaries(st.text("ab", min_size=1, max_size=3), scalars_of_files, max_size=2),
        "mini_batch_size": st.integers(1, 10**6) | st.integers(1, 99).map(str),
        "error_threshold": st.integers(-1, 10**6) | st.integers(0, 100).map(lambda one: f"{one}%"),
        "settings": st.fixed_dictionaries(
            {},
            optional={
                "retry_settings": st.fixed_dictionaries(
                    {}, optional={"max_retries": st.integers(0, 9), "timeout": st.floats(0.5, 1e6)}
                ),
                "environment_variables": st.dictionaries(
                    st.text("AB", min_size=1, max_size=3), scalars_of_files, max_size=2
                ),
                "logging_level": st.sampled_from(["DEBUG", "info", "Warning"]),
            },
        ),
        "gristmill": st.fixed_dictionaries(
            {},
            optional={
                "mini_batch_bytes": st.sampled_from(["64MB", "512KiB", 4096]),
                "workers": st.just("auto"),
            },
        ),
    },
)


@pytest.fixture(scope="module")
def deployment_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployment")
    (folder / "score.py").write_text("def run(mini_batch):\n    return mini_batch\n")
    return folder


@given(values=written)
def test_what_a_catalog_keeps_of_a_deployment_loads_as_the_file_did(
    deployment_folder: Path, values: dict[str, object]
) -> None:
    file = deployment_folder / "deployment.json"
    file.write_text(json.dumps(values), encoding="utf-8")
    loaded = read_deployment(file)
    kept = json.loads(json.dumps(plain(loaded.root)))
    kept["code_configuration"]["code"] = str(deployment_folder)
    again = load_document(kept, file, called="kept").deployment
    assert deployment_to_json(again) == deployment_to_json(loaded.deployment)
