"""Every mistake in a deployment, with the line that reports it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gristmill.errors import SpecError
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override, parse_set

Refuse = Callable[..., list[str]]

UNREADABLE = [
    ("", "d.yml:1:1: the file is empty; it must hold keys, as in 'name: x'"),
    ("# nothing\n", "d.yml:1:1: the file is empty; it must hold keys, as in 'name: x'"),
    ("- a\n", "d.yml:1:1: the file must hold keys, as in 'name: x' (got a list)"),
    ("hello\n", "d.yml:1:1: the file must hold keys, as in 'name: x' (got one value)"),
    ("name: abc\n\ttags: x\n", "d.yml:2:1: a tab cannot indent in YAML; use spaces"),
    ("a: b: c\n", "d.yml:1:5: the file is not YAML: mapping values are not allowed here"),
    ("a: 1\n---\nb: 2\n", "d.yml:2:1: a second document begins here; the file must hold one"),
    ("a: *x\n", "d.yml:1:4: a value that begins with '*' needs quotes in YAML, as in '*.csv'"),
    ("a: b\x07\n", "d.yml:1:5: the character '\\x07' is not allowed in YAML; remove it"),
    ("a: &x [*x]\n", "d.yml:1:4: the text is too large or nested too deeply"),
]


@pytest.mark.parametrize(("text", "line"), UNREADABLE)
def test_text_that_is_no_deployment_is_refused(refused: Refuse, text: str, line: str) -> None:
    assert refused(text, code=False) == [line]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a: 1\nb: \xff\n", "d.yml:2:4: the file is not UTF-8; save it as UTF-8"),
        ("a: 1".encode("utf-16"), "d.yml:1:1: the file is UTF-16; save it as UTF-8"),
        (
            b"#" * 1_048_577,
            "d.yml: the file is larger than 1 MiB, and no file with keys is; is it the right one?",
        ),
    ],
)
def test_bytes_that_are_no_text_are_refused(folder: Path, data: bytes, line: str) -> None:
    (folder / "d.yml").write_bytes(data)

    with pytest.raises(SpecError) as caught:
        load(Path("d.yml"))

    assert caught.value.problems == (line,)


MISTAKES = [
    # Keys
    ("nam: abc\n", "d.yml:1:1: nam: unknown key; did you mean 'name'?"),
    ("mini_batch_sze: 5\n", "d.yml:1:1: mini_batch_sze: unknown key; did you mean 'mini_batch_size'?"),
    ("settings:\n  mini_batchsize: 5\n",
     "d.yml:2:3: settings.mini_batchsize: unknown key; did you mean 'mini_batch_size'?"),
    ("settings: {max_retries: 1}\n",
     "d.yml:1:12: settings.max_retries: unknown key; did you mean 'settings.retry_settings.max_retries'?"),
    ("workers: 4\n", "d.yml:1:1: workers: unknown key; did you mean 'gristmill.workers'?"),
    ("retry_settings: {timeot: 5}\n",
     "d.yml:1:18: retry_settings.timeot: unknown key; did you mean 'timeout'?"),
    ("retry_settings: {zzz: 5}\n",
     "d.yml:1:18: retry_settings.zzz: unknown key; known here are max_retries, timeout"),
    ("gristmill: {worker: 5}\n", "d.yml:1:13: gristmill.worker: unknown key; did you mean 'workers'?"),
    ("properties: {gristmill.worker: 5}\n",
     "d.yml:1:14: properties.gristmill.worker: unknown key; did you mean 'workers'?"),
    ("name: abc\nname: abd\n", "d.yml:2:1: name: is given twice; it stands at d.yml:1:1 already"),
    ("tags: {a: 1, a: 1}\n", "d.yml:1:14: tags.a: is given twice; it stands at d.yml:1:8 already"),
    ("mini_batch_size: 1\nsettings: {mini_batch_size: 2}\n",
     "d.yml:1:1: mini_batch_size: differs from settings.mini_batch_size at d.yml:2:12; keep one of them"),
    ("properties: {gristmill.workers: 2}\ngristmill: {workers: 3}\n",
     "d.yml:1:14: properties.gristmill.workers: differs from gristmill.workers at d.yml:2:13;"
     " keep one of them"),
    ("? [a]\n: b\n", "d.yml:1:3: a key must be a single word"),
    # Values
    ("name: a\n", "d.yml:1:7: name: must have 3 to 32 characters (got 'a')"),
    ("name: 1abc\n",
     "d.yml:1:7: name: must be letters, digits and '-', begin with a letter and not end with '-'"
     " (got '1abc')"),
    ("endpoint_name: 'abc\n\n  '\n",
     "d.yml:1:16: endpoint_name: must be letters, digits and '-', begin with a letter and not end with '-'"
     " (got 'abc\\n')"),
    ("type: modle\n", "d.yml:1:7: type: must be model or pipeline (got 'modle'); did you mean 'model'?"),
    ("settings: 5\n", "d.yml:1:11: settings: must be a mapping of keys (got '5')"),
    ("settings: 5\nmini_batch_size: 4\n", "d.yml:1:11: settings: must be a mapping of keys (got '5')"),
    ("tags: [a]\n", "d.yml:1:7: tags: must be a mapping of texts (got a list)"),
    ("tags: {a: {b: c}}\n", "d.yml:1:11: tags.a: must be a text (got a mapping)"),
    ("tags: {a: \"x\\0\"}\n", "d.yml:1:11: tags.a: holds a NUL character; remove it"),
    ("tags: {a: !secret x}\n", "d.yml:1:11: tags.a: the tag !secret means nothing here; remove it"),
    ("description: [a]\n", "d.yml:1:14: description: must be a text (got a list)"),
    ("mini_batch_size: ten\n",
     "d.yml:1:18: mini_batch_size: must be a whole number of at least 1 (got 'ten')"),
    ("mini_batch_size: 0\n", "d.yml:1:18: mini_batch_size: must be a whole number of at least 1 (got '0')"),
    ("mini_batch_size: 1.5\n",
     "d.yml:1:18: mini_batch_size: must be a whole number of at least 1 (got '1.5')"),
    ("mini_batch_size: true\n",
     "d.yml:1:18: mini_batch_size: must be a whole number of at least 1 (got 'true')"),
    ("mini_batch_size: 9999999999\n",
     "d.yml:1:18: mini_batch_size: must be at most 2147483647 (got '9999999999')"),
    ("retry_settings: {max_retries: -1}\n",
     "d.yml:1:31: retry_settings.max_retries: must be a whole number of at least 0 (got '-1')"),
    ("retry_settings: {timeout: 0}\n",
     "d.yml:1:27: retry_settings.timeout: must be a number of seconds greater than 0 (got '0')"),
    ("retry_settings: {timeout: .inf}\n",
     "d.yml:1:27: retry_settings.timeout: must be a number of seconds greater than 0 (got '.inf')"),
    ("output_action: apend_row\n",
     "d.yml:1:16: output_action: must be append_row or summary_only (got 'apend_row');"
     " did you mean 'append_row'?"),
    ("logging_level: error\n",
     "d.yml:1:16: logging_level: must be debug, info or warning (got 'error')"),
    ("error_threshold: 0.2\n",
     "d.yml:1:18: error_threshold: must be a number of items, -1 (never), or a share such as 20% (got '0.2');"
     " did you mean '20%'?"),
    ("error_threshold: -2\n",
     "d.yml:1:18: error_threshold: must be a number of items, -1 (never), or a share such as 20% (got '-2')"),
    ("error_threshold: 120%\n",
     "d.yml:1:18: error_threshold: must be a number of items, -1 (never), or a share such as 20%"
     " (got '120%'); a share is at most 100%, and -1 lets the job go on whatever fails"),
    ("output_file_name: a/b?.csv\n",
     "d.yml:1:19: output_file_name: a file name must not hold / ? (got 'a/b?.csv')"),
    ("output_file_name: ..\n", "d.yml:1:19: output_file_name: must be the name of a file (got '..')"),
    ("output_action: summary_only\noutput_file_name: p.csv\n",
     "d.yml:2:19: output_file_name: goes with output_action append_row;"
     " with summary_only there is no such file (got 'p.csv')"),
    ("environment_variables: {'A=B': 1}\n",
     "d.yml:1:24: environment_variables: 'A=B' cannot be the name of an environment variable"),
    ("gristmill: {workers: 0}\n",
     "d.yml:1:22: gristmill.workers: must be a whole number of at least 1, or auto (got '0')"),
    ("gristmill: {output_format: cvs}\n",
     "d.yml:1:28: gristmill.output_format: must be azure, csv, jsonl or parquet (got 'cvs');"
     " did you mean 'csv'?"),
    ("gristmill: {recursive: no}\n",
     "d.yml:1:24: gristmill.recursive: must be true or false (got 'no'); did you mean 'false'?"),
    ("gristmill: {gpus_per_worker: 1.5}\n",
     "d.yml:1:30: gristmill.gpus_per_worker: must be 0 (none), a whole number of GPUs, or the share of one"
     " that each worker takes, such as 0.5 (got '1.5')"),
    ("gristmill: {gpus_per_worker: -1}\n",
     "d.yml:1:30: gristmill.gpus_per_worker: must be 0 (none), a whole number of GPUs, or the share of one"
     " that each worker takes, such as 0.5 (got '-1')"),
    ("gristmill: {gpus_per_worker: 1e-9}\n",
     "d.yml:1:30: gristmill.gpus_per_worker: must be at least 0.001, or 0 for none (got '1e-9')"),
    ("gristmill: {memory_per_worker: 2G}\n",
     "d.yml:1:32: gristmill.memory_per_worker: must be a size such as 2GB or 512MiB, or a number of bytes"
     " (got '2G'); did you mean '2GB'?"),
    ("gristmill: {memory_per_worker: much}\n",
     "d.yml:1:32: gristmill.memory_per_worker: must be a size such as 2GB or 512MiB, or a number of bytes"
     " (got 'much')"),
    ("gristmill: {memory_per_worker: -1GB}\n",
     "d.yml:1:32: gristmill.memory_per_worker: must be a size such as 2GB or 512MiB, or a number of bytes"
     " (got '-1GB')"),
    ("gristmill: {memory_per_worker: 2}\n",
     "d.yml:1:32: gristmill.memory_per_worker: must be at least 32MB, which Python takes for itself"
     " (got '2'); did you mean '2GB'?"),
    ("gristmill: {largest_first: yes}\n",
     "d.yml:1:28: gristmill.largest_first: must be auto, true or false (got 'yes'); did you mean 'true'?"),
    ("gristmill: {mini_batch_bytes: 64}\n",
     "d.yml:1:31: gristmill.mini_batch_bytes: must be at least 1kB (got '64'); did you mean '64MB'?"),
    ("gristmill: {mini_batch_bytes: 64M}\n",
     "d.yml:1:31: gristmill.mini_batch_bytes: must be a size such as 64MB or 512KiB, or a number of bytes"
     " (got '64M'); did you mean '64MB'?"),
    ("gristmill: {mini_batch_bytes: 0}\n",
     "d.yml:1:31: gristmill.mini_batch_bytes: must be at least 1kB (got '0')"),
    # Paths
    ("model: modle\n",
     "d.yml:1:8: model: no such file or folder: HERE/modle (got 'modle'); did you mean 'model'?"),
    ("model: {path: modle}\n",
     "d.yml:1:15: model.path: no such file or folder: HERE/modle (got 'modle'); did you mean 'model'?"),
    ("model: {name: m}\n", "d.yml:1:1: model.path: is missing; give the model's file or folder"),
    ("model: azureml:m:1\n",
     "d.yml:1:8: model: is registered elsewhere (got 'azureml:m:1'); give the model's path,"
     " here or with --model"),
    ("model: https://x/y\n", "d.yml:1:8: model: must be a path on this machine (got 'https://x/y')"),
    ("gristmill: {python: nope/python}\n",
     "d.yml:1:21: gristmill.python: no such file: HERE/nope/python (got 'nope/python');"
     " give the path of a Python interpreter or of its environment"),
    ("gristmill: {python: sh, use_current_python: true}\n",
     "d.yml:1:45: gristmill.use_current_python: says to use the current Python, and 'python' names another;"
     " keep one of them"),
    ("environment: azureml:sk:1\n",
     "d.yml:1:14: environment: is registered elsewhere (got 'azureml:sk:1');"
     " list its packages in a conda_file, or say which Python to use: --python PATH, --use-current-python, or"
     " 'gristmill: {python: PATH}' in the file"),
    ("environment: {conda_file: c.yml}\ngristmill: {use_current_python: false}\n",
     "d.yml:1:27: environment.conda_file: no such file: HERE/c.yml (got 'c.yml'); did you mean"
     " 'd.yml'?"),
    # Pipelines
    ("type: Pipeline\nnam: x\n",
     "d.yml:1:7: type: pipeline deployments are not supported yet; use 'type: model' with a scoring script"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), MISTAKES)
def test_mistake_is_reported_where_it_stands(refused: Refuse, text: str, line: str) -> None:
    assert refused(text) == [line]


CODE_MISTAKES = [
    ("name: abc\n",
     "d.yml:1:1: code_configuration: is missing; name the script,"
     " as in '{code: ., scoring_script: score.py}'; only an MLflow model needs none"),
    ("code_configuration: {code: src}\n",
     "d.yml:1:1: code_configuration.scoring_script: is missing;"
     " give the script's path below the code folder"),
    ("code_configuration: {scoring_script: score.py}\n",
     "d.yml:1:1: code_configuration.code: is missing; give the folder that holds the scoring script"),
    ("code_configuration: {code: scr, scoring_script: score.py}\n",
     "d.yml:1:28: code_configuration.code: no such folder: HERE/scr (got 'scr'); did you mean 'src'?"),
    ("code_configuration: {code: model.pkl, scoring_script: score.py}\n",
     "d.yml:1:28: code_configuration.code: is not a folder: HERE/model.pkl (got 'model.pkl')"),
    ("code_configuration: {code: src, scoring_script: scor.py}\n",
     "d.yml:1:49: code_configuration.scoring_script: no such file in HERE/src (got 'scor.py');"
     " did you mean 'score.py'?"),
    ("code_configuration: {code: src, scoring_script: ../d.yml}\n",
     "d.yml:1:49: code_configuration.scoring_script: must be a path below the code folder (got '../d.yml')"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), CODE_MISTAKES)
def test_mistake_about_the_code_is_reported_where_it_stands(refused: Refuse, text: str, line: str) -> None:
    assert refused(text, code=False) == [line]


OPTION_MISTAKES = [
    (parse_set("settings.mini_batch_size=x"),
     "--set settings.mini_batch_size=x: must be a whole number of at least 1"),
    (parse_set("settings.mini_batchsize=5"),
     "--set settings.mini_batchsize=5: unknown key; did you mean 'mini_batch_size'?"),
    (parse_set("setings.mini_batch_size=5"),
     "--set setings.mini_batch_size=5: setings: unknown key; did you mean 'settings'?"),
    (parse_set("settings..x=5"), "--set settings..x=5: a key is empty; write KEY or KEY.KEY"),
    (parse_set("name.x=5"),
     "--set name.x=5: cannot be set, because 'name' at d.yml:1:1 holds no keys"),
    (Override(path="gristmill.workers", value="many", origin="--workers many"),
     "--workers many: must be a whole number of at least 1, or auto"),
    (Override(path="model", value="nope", origin="--model nope"),
     "--model nope: no such file or folder: HERE/nope"),
    (Override(path="settings.retry_settings.timeout", value=-1.0, origin="--timeout -1"),
     "--timeout -1: must be a number of seconds greater than 0 (got '-1.0')"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "line"), OPTION_MISTAKES)
def test_mistake_in_an_option_is_reported_with_the_option(
    refused: Refuse, option: Override, line: str
) -> None:
    assert refused("name: abc\n", option) == [line]


def test_all_mistakes_are_reported_at_once_in_their_order(refused: Refuse) -> None:
    text = """\
nam: abc
model: modle
environment: azureml:sk:1
settings:
  mini_batch_size: ten
  mini_batch_size: 5
gristmill: {recursive: no}
code_configuration: {code: src, scoring_script: scor.py}
"""
    lines = refused(text, parse_set("settings.error_threshold=x"), code=False)

    assert [line.split(": ")[:2] for line in lines] == [
        ["d.yml:1:1", "nam"],
        ["d.yml:2:8", "model"],
        ["d.yml:3:14", "environment"],
        ["d.yml:5:20", "settings.mini_batch_size"],
        ["d.yml:6:3", "settings.mini_batch_size"],
        ["d.yml:7:24", "gristmill.recursive"],
        ["d.yml:8:49", "code_configuration.scoring_script"],
        [
            "--set settings.error_threshold=x",
            "must be a number of items, -1 (never), or a share such as 20%",
        ],
    ]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("e.yml", "e.yml: no such deployment file"),
        ("src/scor.py", "src/scor.py: no such scoring script; did you mean 'score.py'?"),
        ("src", "src: is a folder; give the deployment or script itself"),
        (
            "model.pkl",
            "model.pkl: takes a deployment (.yml, .yaml or .json), a scoring script (.py) or the folder of an"
            " MLflow model",
        ),
    ],
)
@pytest.mark.usefixtures("folder")
def test_path_that_is_neither_deployment_nor_script_is_refused(path: str, line: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(Path(path))

    assert caught.value.problems == (line,)
