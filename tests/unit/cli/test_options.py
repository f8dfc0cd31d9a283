"""What is typed becomes settings of the deployment, in order, or one calm sentence."""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gristmill.cli.az.job_commands import ALSO_AZ
from gristmill.cli.main import _SERVICES
from gristmill.cli.options import COMMANDS, GROUPS, parse
from gristmill.cli.parser import Parser
from gristmill.cli.start import overrides
from gristmill.errors import SpecError
from gristmill.spec.changes import field_of
from gristmill.spec.overrides import Override
from gristmill.spec.values import ErrorThreshold, OutputFormat, Settings
from unit.cli.doubles import ScriptedJobs

Type = Callable[..., int]


def typed(*words: str) -> list[Override]:
    return overrides(parse(["run", "score.py", "--input", "in", *words]).settings)


@pytest.mark.parametrize(
    ("words", "path", "value", "origin"),
    [
        (["--model", "m.pkl"], "model", "m.pkl", "--model m.pkl"),
        (["--python", "/venv"], "gristmill.python", "/venv", "--python /venv"),
        (["--use-current-python"], "gristmill.use_current_python", True, "--use-current-python"),
        (["--workers", "auto"], "gristmill.workers", "auto", "--workers auto"),
        (["--workers=4"], "gristmill.workers", "4", "--workers 4"),
        (["--mini-batch-size", "5"], "settings.mini_batch_size", "5", "--mini-batch-size 5"),
        (["--mini-batch-s", "5"], "settings.mini_batch_size", "5", "--mini-batch-size 5"),
        (["--mini-batch-bytes", "9MB"], "gristmill.mini_batch_bytes", "9MB", "--mini-batch-bytes 9MB"),
        (["--timeout", "0.5"], "settings.retry_settings.timeout", "0.5", "--timeout 0.5"),
        (["--init-timeout", "9"], "gristmill.init_timeout", "9", "--init-timeout 9"),
        (["--memory-per-worker", "2GB"], "gristmill.memory_per_worker", "2GB", "--memory-per-worker 2GB"),
        (["--max-retries", "0"], "settings.retry_settings.max_retries", "0", "--max-retries 0"),
        (["--error-threshold", "20%"], "settings.error_threshold", "20%", "--error-threshold 20%"),
        (["--error-threshold", "-1"], "settings.error_threshold", "-1", "--error-threshold -1"),
        (["--format", "azure"], "gristmill.output_format", "azure", "--format azure"),
        (["--output-file-name", "p.csv"], "settings.output_file_name", "p.csv", "--output-file-name p.csv"),
        (
            ["--output-action", "summary_only"],
            "settings.output_action",
            "summary_only",
            "--output-action summary_only",
        ),
        (["--no-recursive"], "gristmill.recursive", False, "--no-recursive"),
        (["--include-hidden"], "gristmill.include_hidden", True, "--include-hidden"),
        (["--include", "*.a"], "gristmill.include", ("*.a",), "--include *.a"),
        (["--exclude=*.a"], "gristmill.exclude", ("*.a",), "--exclude *.a"),
        (["--input-list", "list"], "gristmill.input_list", "list", "--input-list list"),
        (["--logging-level", "debug"], "settings.logging_level", "debug", "--logging-level debug"),
    ],
)
def test_option_is_an_override(words: list[str], path: str, value: object, origin: str) -> None:
    assert typed(*words) == [Override(path=path, value=value, origin=origin)]


def test_set_takes_several_settings_and_may_be_repeated() -> None:
    found = typed("--set", "tags.team=forest", "timeout=5", "--set", "a=1.10")

    assert [(one.path, one.value, one.origin, one.text) for one in found] == [
        ("tags.team", "forest", "--set tags.team=forest", "forest"),
        ("timeout", 5, "--set timeout=5", "5"),
        ("a", 1.1, "--set a=1.10", "1.10"),
    ]


def test_settings_keep_the_order_in_which_they_were_typed() -> None:
    found = typed("--set", "gristmill.workers=2", "--workers", "3", "--set", "gristmill.workers=4")

    assert [one.value for one in found] == [2, "3", 4]


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["run", "score.py", "--input", "a", "--input", "b"], "--input"),
        (["run", "score.py", "--input", "a", "--workers=1", "--work", "2"], "--workers"),
        (["run", "score.py", "--input", "a", "--output", "b", "--output-path", "c"], "--output-path"),
        (["run", "score.py", "--input", "a", "--no-recursive", "--no-recursive"], "--no-recursive"),
        (["check", "score.py", "--input", "a", "--input", "a"], "--input"),
        (["new", "score.py", "--model", "a", "--model", "b"], "--model"),
        (["resume", "j", "--strict", "--strict"], "--strict"),
        (["job", "show", "j", "--json", "--json"], "--json"),
    ],
)
def test_an_option_that_is_given_twice_is_refused(
    words: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words)

    assert ended.value.code == 2
    assert f"gristmill: error: {option} is given twice; give it once\n" in capsys.readouterr().err


def test_set_may_be_given_again() -> None:
    assert [one.value for one in typed("--set", "a=1", "--set", "a=2")] == [1, 2]


def test_repeated_patterns_are_one_setting() -> None:
    found = typed("--include", "*.a", "--exclude", "*.c", "--workers", "2", "--include", "*.b")

    assert [(one.path, one.value, one.origin) for one in found] == [
        ("gristmill.exclude", ("*.c",), "--exclude *.c"),
        ("gristmill.workers", "2", "--workers 2"),
        ("gristmill.include", ("*.a", "*.b"), "--include *.a --include *.b"),
    ]


def test_every_set_without_a_value_is_reported_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        typed("--set", "a", "b=1", "--set", "=c")

    assert len(caught.value.problems) == 2


def test_options_reach_the_service_checked(gristmill: Type, jobs: ScriptedJobs, script: str) -> None:
    words = [
        "--workers",
        "3",
        "--error-threshold",
        "5%",
        "--format",
        "azure",
        "--no-recursive",
        "--mini-batch-s",
        "7",
    ]
    names = ["--output", "out", "--job-name", "one", "--overwrite"]

    assert gristmill("run", script, "--input", "in", *words, *names) == 0

    (request,) = jobs.requests
    settings = request.deployment.settings
    assert (settings.workers, settings.mini_batch_size, settings.recursive) == (3, 7, False)
    assert settings.error_threshold == ErrorThreshold(items=None, fraction=0.05)
    assert settings.output_format is OutputFormat.AZURE
    assert (request.input, request.output) == (Path("in"), Path("out"))
    assert (request.name, request.overwrite) == ("one", True)


def test_model_is_relative_to_the_current_folder(
    gristmill: Type, jobs: ScriptedJobs, script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "model.pkl").write_text("1")
    monkeypatch.chdir(tmp_path / "here")

    assert gristmill("run", f"../{script}", "--input", "in", "--model", "model.pkl") == 0

    model = jobs.requests[0].deployment.model
    assert model is not None
    assert model.path == tmp_path / "here" / "model.pkl"


def test_all_wrong_values_are_reported_with_their_options(
    gristmill: Type, jobs: ScriptedJobs, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gristmill("run", script, "--input", "in", "--workers", "none", "--timeout", "-1") == 2

    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[:3] for line in lines] == [
        ["gristmill", "error", "--workers none"],
        ["gristmill", "error", "--timeout -1"],
    ]
    assert jobs.requests == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rum"], "there is no command 'rum'; did you mean run?"),
        (["job", "lst"], "there is no command 'lst'; did you mean list?"),
        (
            ["xyzzy"],
            f"there is no command 'xyzzy'; there are {', '.join([*COMMANDS, *GROUPS])}",
        ),
        (["run", "s.py", "--imput", "x"], "there is no option --imput; did you mean --input?"),
        (["run", "s.py", "--web"], "there is no option --web"),
        (
            ["run", "s.py", "--mini-bach-size=5"],
            "there is no option --mini-bach-size; did you mean --mini-batch-size?",
        ),
        (["run", "s.py"], "the following arguments are required: --input"),
        (
            ["job"],
            "which of its commands? There are show, list, logs, stacks, stream, cancel, download, archive, "
            "restore, delete, prune",
        ),
    ],
)
def test_what_does_not_exist_is_answered_with_the_nearest(
    words: list[str], says: str, gristmill: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gristmill(*words) == 2

    assert capsys.readouterr().err.splitlines()[0] == f"gristmill: error: {says}"


def test_no_command_shows_the_help_and_starts_nothing(
    gristmill: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gristmill() == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("usage: gristmill")


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["job", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    heavy = ["pydantic", "ruamel", "rich", "pathspec", "gristmill.service", "gristmill.spec", "gristmill.run"]
    program = (
        "import sys; from gristmill.cli.main import main; status = main(sys.argv[1:]);"
        f"print([name for name in {heavy} if name in sys.modules], status)"
    )

    said = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.splitlines()[-1] == "[] 0"


def test_run_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    """Named are packages that take long to import, and those of ours that other commands are for."""
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "a.txt").touch()
    (tmp_path / "score.py").write_text("def run(mini_batch):\n    return mini_batch\n")
    heavy = [
        *("asyncio", "concurrent", "email", "http", "logging", "multiprocessing", "sqlite3", "unittest"),
        *("numpy", "pandas", "pyarrow", "pathspec", "pydantic", "rich", "ruamel", "sqlalchemy"),
        *("gristmill.api", "gristmill.service.check", "gristmill.service.replaying"),
    ]
    program = (
        "import sys; from gristmill.cli.main import main; status = main(sys.argv[1:]);"
        f"print([name for name in {heavy} if name in sys.modules], status, len(sys.modules) < 400)"
    )
    job = ["run", "score.py", "--input", "input", "--output-path", "output"]

    said = subprocess.run(
        [sys.executable, "-c", program, *job],
        env={"PYTHONPATH": ":".join(sys.path), "GRISTMILL_HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.splitlines()[-1] == "[] 0 True"


@pytest.mark.parametrize(
    "target",
    [
        *(command.target for command in COMMANDS.values()),
        *(command.target for group in GROUPS.values() for command in group.commands.values()),
        *ALSO_AZ.values(),
        *_SERVICES.values(),
    ],
)
def test_every_command_of_the_table_exists(target: str) -> None:
    module, _, function = target.partition(":")

    assert callable(getattr(__import__(module, fromlist=[function]), function))


def test_help_of_resume_shows_the_settings_that_may_change() -> None:
    parser = Parser(prog="gristmill resume")
    COMMANDS["resume"].add_options(parser)
    actions = [one for one in parser._actions if getattr(one, "path", None) is not None]
    fields = {one.path: field_of(one.path) for one in actions}
    free = {one.name for one in dataclasses.fields(Settings) if not one.metadata["affects_result"]}

    shown = {one.path for one in actions if one.help != argparse.SUPPRESS}

    assert shown == {path for path, name in fields.items() if name in free}
