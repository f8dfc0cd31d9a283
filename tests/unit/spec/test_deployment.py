"""What a deployment file means: defaults, layouts, texts as they stand, notices."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.spec.deployment import load, load_deployment
from gristmill.spec.layout import SETTINGS_KEYS
from gristmill.spec.overrides import Override, parse_set
from gristmill.spec.schema import SettingsSection
from gristmill.spec.values import Deployment, ErrorThreshold, OutputAction, OutputFormat, Settings

Load = Callable[..., Deployment]

FULL = """\
# A deployment as the original's tools write it.
$schema: https://example.org/batchDeployment.schema.json
name: mnist-torch-dpl
endpoint_name: mnist-batch
type: model
description: Digits
tags: {version: 1.10, on: no, since: 2024-01-01, empty: , big: 0x1F}
properties: {include_output_header: true}
model: {name: mnist, version: 3, path: model}
code_configuration: {code: ./src, scoring_script: ./sub/deep.py}
compute: local
resources: {instance_count: 1}
settings:
  max_concurrency_per_instance: 2
  mini_batch_size: "20"
  output_action: Append_Row
  output_file_name: scores.csv
  retry_settings: {max_retries: 0, timeout: 300}
  error_threshold: 10
  logging_level: WARNING
  environment_variables: {A: 1.0, B: true, C: 'x'}
"""


def test_full_file_becomes_values(loaded: Load, folder: Path) -> None:
    deployment = loaded(FULL, code=False)

    assert (deployment.source, deployment.is_bare_script) == (folder / "d.yml", False)
    assert (deployment.name, deployment.endpoint_name) == ("mnist-torch-dpl", "mnist-batch")
    assert deployment.tags == {
        "version": "1.10", "on": "no", "since": "2024-01-01", "empty": "", "big": "0x1F"
    }  # fmt: skip
    assert deployment.properties == {"include_output_header": "true"}
    assert (deployment.code, deployment.scoring_script) == (folder / "src", "sub/deep.py")
    assert deployment.model is not None
    assert (deployment.model.path, deployment.model.version) == (folder / "model", "3")
    assert deployment.model.type == "custom_model"
    assert deployment.settings == Settings(
        mini_batch_size=20,
        output_action=OutputAction.APPEND_ROW,
        output_file_name="scores.csv",
        output_format=OutputFormat.AZURE,
        max_retries=0,
        timeout_s=300.0,
        init_timeout_s=600.0,
        error_threshold=ErrorThreshold(items=10, fraction=None),
        logging_level="warning",
        environment_variables={"A": "1.0", "B": "true", "C": "x"},
        workers=2,
        program_arguments="",
        include_output_header=True,
    )
    assert deployment.notices == ()


def test_file_without_settings_keeps_the_originals_defaults(loaded: Load) -> None:
    deployment = loaded("")

    assert deployment.settings == Settings(
        mini_batch_size=10,
        output_action=OutputAction.APPEND_ROW,
        output_file_name="predictions.csv",
        output_format=OutputFormat.AZURE,
        max_retries=3,
        timeout_s=30.0,
        init_timeout_s=600.0,
        error_threshold=ErrorThreshold(items=-1, fraction=None),
        logging_level="info",
        environment_variables={},
        workers=1,
        program_arguments="",
    )
    assert (deployment.name, deployment.model, deployment.python) == (None, None, None)


def test_a_share_that_was_asked_for_counts_at_the_end_of_a_small_job_too(folder: Path) -> None:
    share = Override(path="settings.error_threshold", value="20%", origin="--error-threshold 20%")
    deployment = load(Path("src/score.py"), [share])

    assert deployment.settings.error_threshold == ErrorThreshold(items=None, fraction=0.2, judged_at_end=True)


def test_bare_script_has_a_newcomers_defaults(folder: Path) -> None:
    deployment = load(Path("src/score.py"))

    assert (deployment.is_bare_script, deployment.source) == (True, folder / "src" / "score.py")
    assert (deployment.code, deployment.scoring_script) == (folder / "src", "score.py")
    assert deployment.settings == Settings(
        mini_batch_size=10,
        output_action=OutputAction.APPEND_ROW,
        output_file_name="predictions.csv",
        output_format=OutputFormat.CSV,
        max_retries=3,
        timeout_s=600.0,
        init_timeout_s=600.0,
        error_threshold=ErrorThreshold(items=None, fraction=0.2, judged_at_end=False),
        logging_level="info",
        environment_variables={},
        workers=None,
        program_arguments="",
    )


def test_flat_layout_means_the_same_as_the_nested_one(loaded: Load) -> None:
    keys = "mini_batch_size: 7\nretry_settings: {timeout: 9}\noutput_action: summary_only\n"
    nested = "settings:\n" + "".join(f"  {line}\n" for line in keys.splitlines())

    assert loaded(keys).settings == loaded(nested).settings
    assert loaded(keys).settings.mini_batch_size == 7


def test_flat_layout_moves_every_key_of_settings() -> None:
    assert SettingsSection.model_fields.keys() == SETTINGS_KEYS


def test_variables_at_the_top_and_in_settings_are_joined(loaded: Load) -> None:
    deployment = loaded("environment_variables: {A: 1}\nsettings: {environment_variables: {B: 2}}\n")

    assert deployment.settings.environment_variables == {"A": "1", "B": "2"}


def test_empty_sections_count_as_absent(loaded: Load) -> None:
    deployment = loaded("settings:\ntags:\nmodel: ~\ngristmill:\nresources:\ndescription:\n")

    assert deployment.settings.mini_batch_size == 10
    assert (deployment.tags, deployment.model, deployment.description) == ({}, None, None)


def test_file_may_be_json(folder: Path) -> None:
    text = '{\n\t"name": "abc", "code_configuration": {"code": "src", "scoring_script": "score.py"}}'
    (folder / "d.json").write_text(text)

    assert load(Path("d.json")).name == "abc"


def test_byte_order_mark_is_passed_over(folder: Path) -> None:
    text = "name: abc\ncode_configuration: {code: src, scoring_script: score.py}\n"
    (folder / "d.yml").write_bytes(b"\xef\xbb\xbf" + text.encode())

    assert load(Path("d.yml")).name == "abc"


def test_merge_keys_and_anchors_are_followed(loaded: Load) -> None:
    text = "properties: &p {a: 1, b: 2}\ntags:\n  <<: *p\n  b: 3\n"

    assert loaded(text).tags == {"a": "1", "b": "3"}


def test_paths_are_relative_to_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "d.yml").write_text(
        "model: model.pkl\ncode_configuration: {code: src, scoring_script: score.py}\n"
    )
    monkeypatch.chdir(folder / "src")

    deployment = load_deployment(Path("../d.yml"))

    assert deployment.source == folder / "d.yml"
    assert deployment.model is not None
    assert deployment.model.path == folder / "model.pkl"


def test_model_folder_with_an_mlmodel_file_is_an_mlflow_model(loaded: Load, folder: Path) -> None:
    (folder / "model" / "MLmodel").write_text("")

    model = loaded("model: model/\n").model

    assert model is not None
    assert model.type == "mlflow_model"


EXTENSIONS = [
    ("workers: auto", "workers", None),
    ("workers: 3", "workers", 3),
    ("output_format: CSV", "output_format", OutputFormat.CSV),
    ("init_timeout: 1.5", "init_timeout_s", 1.5),
    ("keep_warm_s: 600", "keep_warm_s", 600.0),
    ("keep_warm_s: 0", "keep_warm_s", 0.0),
    ("program_arguments: --a b", "program_arguments", "--a b"),
    ("recursive: false", "recursive", False),
    ("include_hidden: true", "include_hidden", True),
    ("include: a b/*.jpg", "include", ("a b/*.jpg",)),
    ("exclude: 5", "exclude", ("5",)),
    ("shared_header: TRUE", "shared_header", True),
    ("gpus_per_worker: 0", "gpus_per_worker", 0.0),
    ("gpus_per_worker: 2", "gpus_per_worker", 2.0),
    ("gpus_per_worker: .5", "gpus_per_worker", 0.5),
    ("memory_per_worker: 2GB", "memory_per_worker_bytes", 2_000_000_000),
    ("memory_per_worker: 1.5 gib", "memory_per_worker_bytes", 3 << 29),
    ("memory_per_worker: 512MiB", "memory_per_worker_bytes", 512 << 20),
    ("memory_per_worker: 64000kB", "memory_per_worker_bytes", 64_000_000),
    ("memory_per_worker: 100000000", "memory_per_worker_bytes", 100_000_000),
    ("memory_per_worker: 100000000B", "memory_per_worker_bytes", 100_000_000),
    ("largest_first: true", "largest_first", True),
    ("largest_first: FALSE", "largest_first", False),
    ("largest_first: Auto", "largest_first", None),
    ("mini_batch_bytes: 64MB", "mini_batch_bytes", 64_000_000),
    ("mini_batch_bytes: 4KiB", "mini_batch_bytes", 4096),
    ("error_threshold: 5", "error_threshold", ErrorThreshold(items=5, fraction=None)),
    ("error_threshold: 2.5 %", "error_threshold", ErrorThreshold(items=None, fraction=0.025)),
]


@pytest.mark.parametrize(("line", "field", "value"), EXTENSIONS)
def test_extension_stands_in_its_block(loaded: Load, line: str, field: str, value: object) -> None:
    assert getattr(loaded(f"gristmill: {{{line}}}\n").settings, field) == value


@pytest.mark.parametrize(("line", "field", "value"), EXTENSIONS)
def test_extension_stands_in_properties(loaded: Load, line: str, field: str, value: object) -> None:
    key, text = line.split(": ")
    deployment = loaded(f'properties: {{gristmill.{key}: "{text}", other: 1}}\n')

    assert getattr(deployment.settings, field) == value
    assert deployment.properties == {"other": "1"}


def test_extension_stands_above_the_originals_setting(loaded: Load) -> None:
    text = "settings: {error_threshold: 3, max_concurrency_per_instance: 2}\n"
    deployment = loaded(text + "gristmill: {error_threshold: 5%, workers: 8}\n")

    assert deployment.settings.error_threshold == ErrorThreshold(items=None, fraction=0.05)
    assert deployment.settings.workers == 8


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("gristmill: {mini_batch_bytes: 64MB}\n", None),
        ("gristmill: {mini_batch_bytes: 64MB}\nsettings: {mini_batch_size: 7}\n", 7),
        ("gristmill: {mini_batch_bytes: 64MB}\nmini_batch_size: 10\n", 10),
        ("settings: {retry_settings: {timeout: 5}}\n", 10),
    ],
)
def test_number_of_files_is_a_bound_beside_bytes_only_where_it_is_given(
    loaded: Load, text: str, files: int | None
) -> None:
    assert loaded(text).settings.mini_batch_size == files


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ("azureml:sk:1", "azureml:sk:1"),
        ("{name: sk, version: 2}", "sk:2"),
        ("{image: img/x, conda_file: ./c.yaml}", "image img/x, conda file ./c.yaml"),
        ("{conda_file: {dependencies: [pip]}}", "conda packages in the deployment"),
        ("{name: a, build: {path: b}}", "a, built in b"),
    ],
)
def test_environment_is_kept_as_words_when_a_python_is_named(
    loaded: Load, environment: str, words: str
) -> None:
    deployment = loaded(f"environment: {environment}\ngristmill: {{use_current_python: true}}\n")

    assert (deployment.environment, deployment.python) == (words, None)
    assert deployment.notices == (
        f"d.yml:1:1: environment: {words!r} is not built here; the current Python runs the script",
    )


def test_python_may_be_a_file_an_environment_or_a_command(loaded: Load, folder: Path) -> None:
    (folder / "env" / "bin").mkdir(parents=True)
    (folder / "env" / "bin" / "python").write_text("")
    option = Override(path="gristmill.python", value="env", origin="--python env")

    assert loaded(f"gristmill: {{python: '{sys.executable}'}}\n").python == Path(sys.executable)
    assert loaded("environment: azureml:x:1\n", option).python == folder / "env" / "bin" / "python"
    found = loaded("gristmill: {python: sh}\n").python
    assert found is not None
    assert found.is_absolute()


NOTICES = [
    ("id: 1\n", "d.yml:1:1: id: is read-only and was ignored"),
    ("compute: azureml:gpu\n", "d.yml:1:1: compute: 'gpu' is not known here; the job runs on this machine"),
    (
        "resources: {instance_count: 4}\n",
        "d.yml:1:13: resources.instance_count: 4 nodes are asked for, and this machine is one;"
        " the job runs on it alone",
    ),
    (
        "instance_count: 2\n",
        "d.yml:1:1: instance_count: 2 nodes are asked for, and this machine is one; the job runs on it alone",
    ),
    (
        "resources: {shm_size: 2g}\n",
        "d.yml:1:13: resources.shm_size: means nothing on this machine and was ignored",
    ),
    (
        "environment_variables: {A: $HOME/x}\n",
        "d.yml:1:28: environment_variables.A: '$HOME/x' is taken as it stands; variables are not expanded",
    ),
]


@pytest.mark.parametrize(("text", "notice"), NOTICES)
def test_what_means_nothing_here_is_noticed(loaded: Load, text: str, notice: str) -> None:
    assert loaded(text).notices == (notice,)


@pytest.mark.parametrize(
    "text", ["compute: local\n", "compute: azureml:local\n", "environment_variables: {A: 5$}\n"]
)
def test_what_is_usual_is_not_noticed(loaded: Load, text: str) -> None:
    assert loaded(text).notices == ()


def test_option_wins_over_the_file_in_either_layout(loaded: Load) -> None:
    option = Override(path="settings.mini_batch_size", value=5, origin="--mini-batch-size 5")

    assert loaded("mini_batch_size: 9\n", option).settings.mini_batch_size == 5
    assert loaded("settings: {mini_batch_size: 9}\n", option).settings.mini_batch_size == 5
    assert loaded("", option).settings.mini_batch_size == 5


def test_option_mends_a_mistake_in_the_file(loaded: Load) -> None:
    assert loaded("mini_batch_size: many\n", parse_set("mini_batch_size=3")).settings.mini_batch_size == 3


def test_option_wins_over_the_extension_for_the_same_thing(loaded: Load) -> None:
    text = "gristmill: {workers: 4, error_threshold: 5%}\n"
    deployment = loaded(
        text, parse_set("settings.max_concurrency_per_instance=2"), parse_set("settings.error_threshold=7")
    )

    assert deployment.settings.workers == 2
    assert deployment.settings.error_threshold == ErrorThreshold(items=7, fraction=None)


def test_later_option_wins(loaded: Load) -> None:
    options = parse_set("settings.mini_batch_size=1"), parse_set("mini_batch_size=2")

    assert loaded("", *options).settings.mini_batch_size == 2


def test_null_option_brings_the_default_back(loaded: Load) -> None:
    assert (
        loaded("mini_batch_size: 3\n", parse_set("settings.mini_batch_size=")).settings.mini_batch_size == 10
    )


def test_option_keeps_the_text_of_a_number(loaded: Load) -> None:
    options = parse_set("tags.v=1.10"), parse_set("environment_variables.a.b=0x10")
    deployment = loaded("", *options)

    assert (deployment.tags, deployment.settings.environment_variables) == ({"v": "1.10"}, {"a.b": "0x10"})


def test_model_option_replaces_the_files_model(loaded: Load, folder: Path) -> None:
    option = Override(path="model", value="model.pkl", origin="--model model.pkl")

    model = loaded("model: {name: a, version: 1, path: azureml://x}\n", option).model

    assert model is not None
    assert (model.path, model.name) == (folder / "model.pkl", None)


def test_key_of_a_model_written_as_a_path_can_be_set(loaded: Load, folder: Path) -> None:
    model = loaded("model: model\n", parse_set("model.name=m")).model

    assert model is not None
    assert (model.path, model.name) == (folder / "model", "m")


def test_path_of_a_plain_option_is_relative_to_the_current_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "src" / "other.pkl").write_text("")
    monkeypatch.chdir(folder / "src")
    option = Override(path="model", value="other.pkl", origin="--model other.pkl")

    assert load(folder / "src" / "score.py", [option]).model is not None


def test_path_after_set_is_relative_to_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")

    deployment = load(folder / "src" / "score.py", [parse_set("model.path=../model")])

    assert deployment.model is not None
    assert deployment.model.path == folder / "model"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("-1", -1), ("1.5", 1.5), ("true", True), ("no", "no"), ("null", None), ("", None),
        ("'5'", "5"), ('"5"', "5"), ('"a\\nb"', "a\nb"), ("a: b # c", "a: b # c"), ("010", 10),
        ("x=y", "x=y"), ('"', '"'),
    ],
)  # fmt: skip
def test_value_after_set_is_a_yaml_scalar(text: str, value: object) -> None:
    override = parse_set(f"a.b={text}")

    assert (override.path, override.value, override.origin) == ("a.b", value, f"--set a.b={text}")


@pytest.mark.parametrize("text", ["a.b", "=5", " =5", ""])
def test_set_without_a_key_and_a_value_is_refused(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_set(text)

    assert caught.value.problems == (
        f"--set {text}: takes KEY=VALUE, as in: --set settings.mini_batch_size=20",
    )
