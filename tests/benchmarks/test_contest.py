"""The harness on a few files, with what needs no other package: Gristmill, a pool and a loop."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import _peers
import pytest
from _contest import Contest, Trial, WrongLinesError
from _files import empty_files, no_op_script
from _peers import CannotWorkError, Ran, Task, command_line, compete
from _syscalls import total

from gristmill.engine.sweep import RUN_MARK


@pytest.fixture(autouse=True)
def no_peers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everybody starts from the interpreter of the tests, whatever else is installed beside it."""
    monkeypatch.setattr(_peers, "VENV", tmp_path / "none")
    _peers.installed.cache_clear()


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return Task(script=no_op_script(tmp_path / "code"), folder=empty_files(tmp_path / "in", 12), size=5)


def ran(*lines: str, seconds: float = 1.0) -> Ran:
    return Ran(inner_s=seconds, whole_s=2 * seconds, lines=lines)


def trial(label: str, one: Ran | Exception) -> Trial:
    def run() -> Ran:
        if isinstance(one, Exception):
            raise one
        return one

    return Trial(label=label, run=run)


def test_gristmill_pool_and_loop_write_the_same_lines(task: Task) -> None:
    trials = [Trial(label=name, run=partial(compete, name, task)) for name in ("gristmill", "pool", "loop")]
    contest = Contest([*trials, Trial(label="shell", run=partial(command_line, task))], rounds=1, warm_up=0)

    assert contest.failures == {}
    for label in ("gristmill", "pool", "loop", "shell"):
        (inner_s,) = contest.series(label, lambda ran: ran.inner_s).figures
        (whole_s,) = contest.series(label, lambda ran: ran.whole_s).figures
        assert 0 < inner_s <= whole_s


def test_a_run_that_fails_says_how(task: Task) -> None:
    task.script.write_text("def run(mini_batch):\n    raise ValueError('no model')\n")
    with pytest.raises(CannotWorkError, match="ended with status 1: ValueError: no model"):
        compete("pool", task)


def test_a_run_that_hangs_is_ended_with_all_its_processes(task: Task) -> None:
    task.script.write_text("import signal\n\ndef run(mini_batch):\n    signal.pause()\n")
    with pytest.raises(CannotWorkError, match=r"stopped after 1 s"):
        compete("loop", task, deadline_s=1.0)
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(task.folder) not in listed


def test_another_contestant_that_fails_is_asked_no_more_and_named() -> None:
    contest = Contest(
        [trial("ours", ran("a")), trial("slow", CannotWorkError("stopped after 60 s"))], rounds=3
    )

    assert contest.figures("ours", lambda ran: ran.inner_s) == (1.0, 1.0, 1.0)
    slow = contest.series("slow", lambda ran: ran.inner_s)
    assert (slow.figures, slow.note) == ((), "stopped after 60 s")


def test_where_ours_fails_there_is_no_result() -> None:
    with pytest.raises(CannotWorkError):
        Contest([trial("ours", CannotWorkError("ended with status 1")), trial("pool", ran("a"))], rounds=1)


@pytest.mark.parametrize("other", [ran("a"), ran("a", "c")])
def test_a_contestant_that_writes_other_lines_is_found_out(other: Ran) -> None:
    with pytest.raises(WrongLinesError, match=r"pool wrote \d lines that are not the 2 of ours"):
        Contest([trial("ours", ran("a", "b")), trial("pool", other)], rounds=1)


def test_nothing_written_by_anybody_is_wrong_too() -> None:
    with pytest.raises(WrongLinesError):
        Contest([trial("ours", ran())], rounds=1)


def test_a_peer_that_is_not_installed_is_left_out_with_the_reason() -> None:
    assert _peers.able(["loop", "ray_data"]) == ["loop"]
    assert "ray" in _peers.left_out(["loop", "ray_data"])["Ray Data"]


def test_spark_is_left_out_where_there_is_no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_peers, "installed", lambda: {"pyspark": "4", "pandas": "3", "pyarrow": "25"})
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert _peers.left_out(["spark"]) == {"Spark mapInPandas": "it needs Java, and there is none on PATH"}


def test_contestants_start_without_what_belongs_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "GRISTMILL_HOME", RUN_MARK):
        monkeypatch.setenv(name, "1")
    kept = _peers.variables()
    assert not {"PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "GRISTMILL_HOME", RUN_MARK} & set(kept)
    assert kept["PYTHONPATH"].endswith("contestants")


def test_stracess_total_is_read() -> None:
    table = (
        "% time seconds usecs/call calls errors syscall\n 50.0 0.1 2 12 5 read\n100.00 0.2 3 6789 12 total\n"
    )
    assert total(table) == 6789
    with pytest.raises(ValueError, match="no table"):
        total("strace: cannot attach\n")


def test_bench_names_what_it_does_not_know() -> None:
    program = Path(_peers.__file__).with_name("_all.py")
    ended = subprocess.run([sys.executable, program, "nothing"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "there is no benchmark 'nothing'; there are: " in ended.stderr
    assert "overhead, " in ended.stderr
