"""Ctrl-C and SIGTERM cancel once and end at the second; SIGHUP changes nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from gristmill.cli.interrupts import STOPPING, Interrupts
from unit.cli.doubles import COMPLETED, FAILED, ScriptedJob, ScriptedJobs, progress

OURS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def job() -> ScriptedJob:
    return ScriptedJob(view=COMPLETED)


@pytest.mark.parametrize(
    ("number", "why"), [(signal.SIGINT, "cancelled by Ctrl-C"), (signal.SIGTERM, "cancelled by SIGTERM")]
)
def test_first_signal_cancels_and_says_so(number: signal.Signals, why: str, job: ScriptedJob) -> None:
    told: list[str] = []
    ended: list[int] = []
    with Interrupts(told.append, ended.append) as interrupts:
        interrupts.watch(job)
        signal.raise_signal(number)

    assert (job.cancelled, told, ended) == ([why], [STOPPING], [])


def test_second_signal_ends_at_once_as_cancelled(job: ScriptedJob) -> None:
    told: list[str] = []
    ended: list[int] = []
    with Interrupts(told.append, ended.append) as interrupts:
        interrupts.watch(job)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)

    assert (job.cancelled, ended) == (["cancelled by Ctrl-C"], [3])
    assert "gristmill resume digits" in told[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_before_there_is_a_job_leaves(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts():
        signal.raise_signal(number)


def test_closing_the_terminal_changes_nothing(job: ScriptedJob) -> None:
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGHUP)
        interrupts.watch(job)
        signal.raise_signal(signal.SIGHUP)

    assert job.cancelled == []


def test_handlers_are_put_back(job: ScriptedJob) -> None:
    before = [signal.getsignal(number) for number in OURS]
    with Interrupts():
        pass

    assert [signal.getsignal(number) for number in OURS] == before


def test_signal_that_the_shell_switched_off_stays_off(
    job: ScriptedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            interrupts.watch(job)
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

    assert job.cancelled == []


def test_ctrl_c_in_a_run_cancels_it_and_the_end_is_shown(
    gristmill: Callable[..., int], jobs: ScriptedJobs, script: str, capfd: pytest.CaptureFixture[str]
) -> None:
    jobs.running.view = replace(FAILED, status="Canceled")
    jobs.running.progress = (progress(50),)
    jobs.running.at_step = lambda: signal.raise_signal(signal.SIGINT)

    assert gristmill("run", script, "--input", "in") == 3

    assert jobs.running.cancelled == ["cancelled by Ctrl-C"]
    lines = capfd.readouterr().err.splitlines()
    assert STOPPING in lines
    assert lines[-1] == "go on with  gristmill resume digits"
