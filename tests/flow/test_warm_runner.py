"""Workers that the runner keeps between jobs, as users see them, and what is left when its slot is killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import end_runner
from flow.mill import Mill, until
from gristmill.engine.kernel import command_of, parent_of
from gristmill.engine.sweep import RUN_MARK, marked

SCRIPT = """
def init():
    noted("starts", str(os.getpid()))

def run(mini_batch):
    called(mini_batch)
    print(os.environ["GRISTMILL_JOB_NAME"])
    if (HERE / "hold").exists():
        held_until("go")
    return [str(os.getpid()) for _ in mini_batch]
"""


@pytest.fixture
def mill(tmp_path: Path) -> Iterator[Mill]:
    mill = Mill(tmp_path)
    mill.script(SCRIPT)
    mill.deployment("mini_batch_size: 1", "gristmill: {keep_warm_s: 600, workers: 1}")
    mill.inputs(["a", "b"])
    yield mill
    (mill.root / "go").touch()
    end_runner(mill.home)


def detach(mill: Mill, name: str) -> None:
    options = ["--input", "in", "--output-path", name, "--job-name", name, "--detach"]
    assert mill.type("run", "deployment.yml", *options).status == 0


def processes(mill: Mill, name: str) -> set[str]:
    """Let a job come to its end, and return which processes have scored it."""
    assert mill.type("job", "stream", name).status == 0
    return set((mill.root / name / "predictions.csv").read_text().split())


def run_id(mill: Mill, name: str) -> str:
    events = (mill.home / "jobs" / name / "events.jsonl").read_text().splitlines()
    return [str(told["run_id"]) for told in map(json.loads, events) if told["event"] == "started"][-1]


def slot_of(worker: int) -> int:
    slot = parent_of(worker)
    assert slot is not None
    assert "gristmill.service.queue.slot" in command_of(slot)
    return slot


def test_a_slot_that_is_killed_leaves_no_worker_and_the_next_job_finds_new_ones(mill: Mill) -> None:
    detach(mill, "first")
    [first] = processes(mill, "first")
    detach(mill, "second")
    assert processes(mill, "second") == {first}
    log = mill.home / "jobs" / "second" / "logs" / "user" / "stdout" / "node-0" / "process000.stdout.txt"
    assert log.read_text() == "second\nsecond\n"
    kept = run_id(mill, "second")
    assert marked(RUN_MARK, kept) == [int(first)]
    os.kill(slot_of(int(first)), signal.SIGKILL)
    until(lambda: not marked(RUN_MARK, kept), "the end of its worker")
    detach(mill, "third")
    [third] = processes(mill, "third")
    assert third != first
    assert [path.name for path in (mill.home / "runner" / "warm").iterdir()] == [run_id(mill, "third")]


def test_a_slot_that_is_killed_in_a_warm_job_costs_no_item(mill: Mill) -> None:
    detach(mill, "first")
    [first] = processes(mill, "first")
    (mill.root / "hold").touch()
    detach(mill, "second")
    until(lambda: len(mill.calls()) == 3, "the second job")
    slot = slot_of(int(first))
    (mill.root / "hold").unlink()
    os.kill(slot, signal.SIGKILL)
    assert first not in processes(mill, "second")
    assert mill.type("verify", "second").status == 0


def test_in_the_foreground_a_notice_says_that_nothing_stays(mill: Mill) -> None:
    ended = mill.type("run", "deployment.yml", "--input", "in", "--output-path", "out", "--job-name", "j")
    assert ended.status == 0
    assert "notice: gristmill.keep_warm_s has no meaning here" in ended.err
