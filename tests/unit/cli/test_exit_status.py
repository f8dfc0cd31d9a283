"""How a command ends: its exit status, and what stands on stdout and stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gristmill.cli.exit_status import ExitStatus, of_error
from gristmill.errors import (
    GristmillError,
    InputError,
    JobLockedError,
    JournalError,
    SpecError,
    StorageError,
    UnknownJobError,
)
from gristmill.service.jobs import JobView
from unit.cli.doubles import COMPLETED, FAILED, ScriptedJob, ScriptedJobs, progress, proof

Type = Callable[..., int]
WITH_FAILED_ITEMS = replace(COMPLETED, succeeded=1793, failed=4)
CANCELED = replace(FAILED, status="Canceled")


@pytest.mark.parametrize(
    ("view", "options", "status"),
    [
        (COMPLETED, [], 0),
        (COMPLETED, ["--strict"], 0),
        (WITH_FAILED_ITEMS, [], 0),
        (WITH_FAILED_ITEMS, ["--strict"], 4),
        (FAILED, [], 1),
        (FAILED, ["--strict"], 1),
        (CANCELED, [], 3),
        (CANCELED, ["--strict"], 3),
        (replace(FAILED, status="Running"), [], 1),
    ],
)
def test_exit_status_says_how_the_job_ended(
    view: JobView, options: list[str], status: int, gristmill: Type, jobs: ScriptedJobs, script: str
) -> None:
    jobs.running.view = view

    assert gristmill("run", script, "--input", "in", *options) == status
    assert gristmill("resume", "digits", *options) == status


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SpecError("a"), 2),
        (InputError("a"), 2),
        (UnknownJobError("a"), 2),
        (JobLockedError("a"), 2),
        (JournalError("a"), 1),
        (StorageError("a"), 1),
        (GristmillError("a"), 1),
    ],
)
def test_error_says_whether_something_was_started(
    error: GristmillError, status: int, gristmill: Type, jobs: ScriptedJobs, script: str
) -> None:
    jobs.refusal = error

    assert of_error(error) == status
    assert gristmill("run", script, "--input", "in") == status


def test_every_line_of_an_error_is_marked(gristmill: Type, capsys: pytest.CaptureFixture[str]) -> None:
    assert gristmill("resume", "digit") == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "gristmill: error: there is no job 'digit'",
        "gristmill: error: home: /home/ada/.gristmill",
    ]


def test_job_that_breaks_off_names_its_folder_and_the_command_that_goes_on(
    gristmill: Type, jobs: ScriptedJobs, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs.running.error = StorageError("the disk is full")

    assert gristmill("run", script, "--input", "in") == 1
    assert capsys.readouterr().err.splitlines()[-3:] == [
        "gristmill: error: the disk is full",
        "job folder  /home/ada/.gristmill/jobs/digits",
        "go on with  gristmill resume digits",
    ]


def test_stdout_of_a_run_is_empty(
    gristmill: Type, jobs: ScriptedJobs, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs.running.progress = (progress(50), progress(100))

    assert gristmill("run", script, "--input", "in") == 0
    assert capsys.readouterr().out == ""


def test_stdout_of_a_run_with_json_is_the_view(
    gristmill: Type, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gristmill("run", script, "--input", "in", "--json") == 0
    assert capsys.readouterr().out == json.dumps(COMPLETED.to_json(), indent=2) + "\n"


def test_notices_are_shown_once_each(
    gristmill: Type, jobs: ScriptedJobs, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs.running.notices = ("one", "two")
    jobs.running.progress = (progress(1, notices=["two", "three"]), progress(2, notices=["three"]))

    gristmill("run", script, "--input", "in")

    shown = [line for line in capsys.readouterr().err.splitlines() if line.startswith("notice: ")]
    assert shown == ["notice: one", "notice: two", "notice: three"]


def test_interrupt_before_the_start_is_no_traceback(
    gristmill: Type, jobs: ScriptedJobs, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs.refusal = KeyboardInterrupt()

    assert gristmill("run", script, "--input", "in") == ExitStatus.CANCELED
    assert capsys.readouterr().err == "gristmill: interrupted\n"


def test_error_that_is_not_ours_is_shown_as_the_bug_that_it_is(
    gristmill: Type, jobs: ScriptedJobs, script: str
) -> None:
    jobs.refusal = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        gristmill("run", script, "--input", "in")


def test_another_system_gets_one_sentence(
    gristmill: Type, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")

    assert gristmill("--help") == 2
    assert capsys.readouterr().err == "gristmill runs on Linux, WSL2 and containers included; this is win32\n"


@pytest.mark.parametrize(("ok", "status"), [(True, 0), (False, 1)])
def test_verify_ends_with_what_it_found(ok: bool, status: int, gristmill: Type, jobs: ScriptedJobs) -> None:
    jobs.verification = proof(*([] if ok else ["item 3 is twice"]))

    assert gristmill("verify", "digits") == status


def test_cancel_waits_a_minute_and_shows_the_status(
    gristmill: Type, jobs: ScriptedJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs.running.view = CANCELED

    assert gristmill("job", "cancel", "digits") == 0
    assert jobs.asked == [("digits", 60.0)]
    assert capsys.readouterr().out == f"job digits: {CANCELED.summary}\n"


def test_cancel_that_is_not_through_says_so(
    gristmill: Type, jobs: ScriptedJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs.running.view = replace(CANCELED, status="CancelRequested", ended_at="")

    assert gristmill("job", "cancel", "digits") == 1
    assert "look again: gristmill job show digits" in capsys.readouterr().err


def test_reader_of_stdout_that_has_left_is_no_error() -> None:
    program = "from gristmill.cli.streams import answer\nanswer('a' * 200_000)\nanswer('b')"
    reading, writing = os.pipe()
    os.close(reading)

    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path)},
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )

    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_module_is_the_command(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "gristmill", "--version"],
        env={"PYTHONPATH": ":".join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout.startswith("gristmill ")


def test_scripted_job_is_followed_to_its_end(gristmill: Type, jobs: ScriptedJobs, script: str) -> None:
    steps: list[int] = []
    jobs.running = ScriptedJob(
        view=COMPLETED, progress=(progress(1), progress(2)), at_step=lambda: steps.append(1)
    )

    gristmill("run", script, "--input", "in")

    assert len(steps) == 2
