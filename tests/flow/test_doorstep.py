"""What cannot be done is refused before anything starts, in words that name the thing and the remedy (2)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flow.mill import Ended, Mill

GOOD = "code_configuration: {code: code, scoring_script: score.py}\n"

# What is typed, with `{old}` for a Python that is too old → what the message must hold.
REFUSED = {
    "missing input": (["run", "good.yml", "--input", "nowhere"], ["nowhere", "does not exist", "folder"]),
    "empty input": (["run", "good.yml", "--input", "empty"], ["empty", "no files"]),
    "only hidden input": (
        ["run", "good.yml", "--input", "hidden"],
        ["hidden", "no files", "--include-hidden"],
    ),
    "no input": (["run", "good.yml"], ["--input"]),
    "missing deployment": (["run", "nowhere.yml", "--input", "in"], ["nowhere.yml"]),
    "missing script": (["run", "nowhere.py", "--input", "in"], ["nowhere.py"]),
    "folder for a deployment": (["run", "code", "--input", "in"], ["code"]),
    "no YAML": (["run", "broken.yml", "--input", "in"], ["broken.yml:", "not YAML"]),
    "unknown key": (
        ["run", "unknown.yml", "--input", "in"],
        ["unknown.yml:3:3: settings.mini_batch_sise: unknown key", "did you mean 'mini_batch_size'?"],
    ),
    "unknown key on top": (
        ["run", "top.yml", "--input", "in"],
        ["top.yml:2:1: setings: unknown key", "did you mean 'settings'?"],
    ),
    "file name beside summary_only": (
        ["run", "summary.yml", "--input", "in"],
        ["output_file_name", "summary_only"],
    ),
    "character in a file name": (
        ["run", "good.yml", "--input", "in", "--output-file-name", "a:b.csv"],
        ["--output-file-name a:b.csv", "must not hold :"],
    ),
    "no number": (
        ["run", "good.yml", "--input", "in", "--mini-batch-size", "many"],
        ["--mini-batch-size", "many", "whole number"],
    ),
    "zero files": (
        ["run", "good.yml", "--input", "in", "--mini-batch-size", "0"],
        ["--mini-batch-size", "1"],
    ),
    "negative retries": (["run", "good.yml", "--input", "in", "--max-retries", "-1"], ["--max-retries", "0"]),
    "no time": (["run", "good.yml", "--input", "in", "--timeout", "0"], ["--timeout", "greater than 0"]),
    "negative threshold": (
        ["run", "good.yml", "--input", "in", "--error-threshold", "-2"],
        ["--error-threshold", "-1"],
    ),
    "share above all": (
        ["run", "good.yml", "--input", "in", "--error-threshold", "120%"],
        ["--error-threshold", "120%"],
    ),
    "no workers": (["run", "good.yml", "--input", "in", "--workers", "none"], ["--workers", "auto"]),
    "unknown format": (
        ["run", "good.yml", "--input", "in", "--format", "xml"],
        ["--format", "azure", "csv"],
    ),
    "unknown action": (
        ["run", "good.yml", "--input", "in", "--output-action", "append"],
        ["--output-action", "did you mean 'append_row'?"],
    ),
    "unknown option": (
        ["run", "good.yml", "--input", "in", "--mini-batch-sise", "3"],
        ["--mini-batch-sise", "did you mean --mini-batch-size?"],
    ),
    "unknown key in set": (
        ["run", "good.yml", "--input", "in", "--set", "settings.mini_batch_sise=3"],
        ["--set settings.mini_batch_sise=3", "did you mean 'mini_batch_size'?"],
    ),
    "set without a value": (["run", "good.yml", "--input", "in", "--set", "settings"], ["--set", "="]),
    "no Python": (
        ["run", "good.yml", "--input", "in", "--python", "/no/such/python"],
        ["--python", "/no/such/python"],
    ),
    "no interpreter": (["run", "good.yml", "--input", "in", "--python", "good.yml"], ["good.yml"]),
    "missing model": (["run", "good.yml", "--input", "in", "--model", "no-model"], ["--model", "no-model"]),
    "name with a slash": (["run", "good.yml", "--input", "in", "--job-name", "a/b"], ["a/b"]),
    "output below a file": (
        ["run", "good.yml", "--input", "in", "--output-path", "good.yml/out"],
        ["good.yml"],
    ),
    "unknown command": (["rnu", "good.yml", "--input", "in"], ["rnu", "run"]),
}


@pytest.fixture(scope="module")
def doorstep(new_mill: Callable[[], Mill]) -> Mill:
    mill = new_mill()
    mill.inputs(["a", "b"])
    mill.inputs([".secret", "_SUCCESS"], folder="hidden")
    (mill.root / "empty/sub").mkdir(parents=True)
    mill.script("def run(mini_batch):\n    called(mini_batch)\n    return mini_batch\n")
    mill.write("good.yml", GOOD)
    mill.write("broken.yml", f"{GOOD}settings: {{mini_batch_size: 3\n")
    mill.write("unknown.yml", f"{GOOD}settings:\n  mini_batch_sise: 3\n")
    mill.write("top.yml", f"{GOOD}setings: {{}}\n")
    mill.write("summary.yml", f"{GOOD}settings: {{output_action: summary_only, output_file_name: a.csv}}\n")
    return mill


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_mistake_is_refused_with_its_name_and_the_remedy(doorstep: Mill, mistake: str) -> None:
    words, expected = REFUSED[mistake]

    ended = doorstep.type(*words)

    assert ended.status == 2, ended.err
    assert ended.out == ""
    assert [part for part in expected if part not in ended.err] == []
    assert "Traceback" not in ended.err
    assert list((doorstep.home / "jobs").glob("*")) == []


def test_nothing_ran_and_nothing_is_left_of_what_was_refused(doorstep: Mill) -> None:
    assert doorstep.type("run", "good.yml", "--input", "nowhere", "--output-path", "made").status == 2
    assert doorstep.calls() == []
    assert doorstep.jobs() == []
    assert sorted(path.name for path in doorstep.root.iterdir() if path.is_dir()) in (
        ["code", "empty", "hidden", "in"],
        ["code", "empty", "hidden", "home", "in"],
    )


FIVE = """code_configuration: {code: code, scoring_script: missing.py}
setings: {}
settings:
  mini_batch_size: none
  output_action: append
  retry_settings: {max_retries: -1}
"""


def test_five_mistakes_are_told_at_once_with_their_lines_and_no_others(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def run(mini_batch): return mini_batch\n")
    mill.write("five.yml", FIVE)

    ended = mill.type("run", "five.yml", "--input", "in")

    told = [line for line in ended.err.splitlines() if "five.yml:" in line]
    assert ended.status == 2
    assert [line.split("five.yml:")[1].split(":")[0] for line in told] == ["1", "2", "4", "5", "6"]
    assert [
        word in line
        for word, line in zip(
            [
                "code_configuration.scoring_script",
                "setings",
                "settings.mini_batch_size",
                "settings.output_action",
                "settings.retry_settings.max_retries",
            ],
            told,
            strict=True,
        )
    ] == [True] * 5


def test_a_job_name_that_is_taken_is_refused_and_the_job_is_left_alone(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def run(mini_batch):\n    called(mini_batch)\n    return names(mini_batch)\n")
    mill.deployment()
    first = mill.run()

    second = mill.run("--output-path", "elsewhere")

    assert (first.status, second.status) == (0, 2)
    assert second.out == ""
    assert "--job-name" in second.err
    assert mill.show() == first.view
    assert mill.calls() == ["a"]
    assert not (mill.root / "elsewhere").exists()
    assert mill.jobs() == ["j"]


def old_pythons() -> list[Path]:
    """Return interpreters of this machine that are older than the worker can use, of those that run."""
    found = []
    for minor in (6, 7):
        for path in sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}")):
            if subprocess.run([path, "-c", ""], check=False).returncode == 0:
                found.append(path)
    return found


@pytest.mark.parametrize("python", old_pythons(), ids=lambda path: path.name)
def test_a_python_that_is_too_old_is_refused_with_its_version(mill: Mill, python: Path) -> None:
    mill.inputs(["a"])
    mill.script("def run(mini_batch): return mini_batch\n")
    mill.deployment()

    ended: Ended = mill.run("--python", str(python))

    assert ended.status == 2
    assert ended.out == ""
    assert f"Python {python.name.removeprefix('python')}" in ended.err
    assert "3.8 or newer" in ended.err
    assert mill.jobs() == []
    assert mill.output() == []


# What a newcomer types → what the one line of the answer must hold.
NEWCOMERS = {
    "an address": ("run good.yml --input https://a.b/c", "https://a.b/c: URLs are not read yet; mount it or"),
    "a bucket": ("run good.yml --input s3://a/b", "the input s3://a/b: URLs are not read yet"),
    "a data asset": (
        "run good.yml --input azureml:data:1",
        "there is no data called 'data' in workspace default",
    ),
    "a misspelt input": ("run good.yml --input hiden", "or one file; did you mean 'hidden'?"),
    "a pattern": ("run good.yml --input in/*.jpg", "in quotes: --input in --include '*.jpg'"),
    "the setting once": ("run good.yml --input in --workers 0", "error: --workers 0: must be a whole number"),
    "a share above all": (
        "run good.yml --input in --error-threshold 150%",
        "a share is at most 100%, and -1",
    ),
    "a unit": ("run good.yml --input in --timeout 30s", "greater than 0; did you mean '30'?"),
    "minutes": ("run good.yml --input in --timeout 1.5min", "greater than 0; did you mean '90'?"),
    "two Pythons": (
        "run good.yml --input in --python good --use-current-python",
        "--python and --use-current-python contradict each other; give one of them",
    ),
    "an alias": ("run alias.yml --input in", "alias.yml:2:22: a value that begins with '*' needs quotes"),
    "an environment": (
        "run image.yml --input in",
        "image.yml:3:15: environment.conda_file: no such file",
    ),
    "version": ("version", "there is no command 'version'; type gristmill --version"),
    "logs": ("logs j", "there is no command 'logs'; type gristmill job logs"),
    "list": ("list", "there is no command 'list'; type gristmill job list"),
    "status": ("status j", "there is no command 'status'; type gristmill job show"),
    "a bare job": ("job", "which of its commands? There are show, list, logs, stacks, stream, cancel"),
    "no folder in /proc": (
        "run good.yml --input in --output-path /proc/x",
        "used: No such file or directory; choose",
    ),
}


@pytest.mark.parametrize("mistake", NEWCOMERS)
def test_what_newcomers_type_is_answered_with_what_helps(doorstep: Mill, mistake: str) -> None:
    typed, expected = NEWCOMERS[mistake]
    doorstep.write("alias.yml", f"{GOOD}gristmill: {{include: *.csv}}\n")
    doorstep.write("image.yml", f"{GOOD}environment:\n  conda_file: gone.yaml\n")

    ended = doorstep.type(*typed.split())

    assert ended.status == 2, ended.err
    assert expected in ended.err
    assert list((doorstep.home / "jobs").glob("*")) == []


def test_misspelt_job_is_answered_with_the_nearest(doorstep: Mill) -> None:
    folder = doorstep.home / "jobs" / "digits"
    folder.mkdir(parents=True)
    try:
        ended = doorstep.type("resume", "digts")
    finally:
        folder.rmdir()

    assert ended.status == 2
    assert "names those that are; did you mean 'digits'?" in ended.err


def test_predictions_under_another_kind_of_name_are_told_to_be_text(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def init(): pass\ndef run(mini_batch): return mini_batch\n")
    mill.deployment()

    ended = mill.run("--output-file-name", "p.Parquet", "--input", "in/../in")

    assert (
        "notice: --output-file-name p.Parquet: 'p.Parquet' will hold CSV text, whatever its name" in ended.err
    )
    assert ended.view["input"] == str(mill.root / "in")
