"""What a worker takes of the memory, with the processes that it started: real processes, of known sizes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gristmill.engine.memory import WorkerMemory, data_limit, size_in_words
from gristmill.engine.sweep import WORKER_MARK, sweep

MB = 1 << 20
MARK = "test-memory.0.0"
#: What a bare Python takes itself, and what its measuring may be off by.
SLACK = 24 * MB

Begin = Callable[[str], "Script"]


class Script:
    """A process that takes memory and says when it has; it ends when it is told."""

    def __init__(self, text: str, mark: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + textwrap.dedent(text) + "\nsay_and_wait()\n"],
            env={**os.environ, WORKER_MARK: mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        assert told == b"ready\n", "the script failed"

    def measured(self, workers: WorkerMemory) -> int:
        """Look three times: its processes are found by the first, and told apart by the others."""
        for look in range(3):
            workers.look(1000.0 + 100 * look)
        return workers.now_of(self.process.pid)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


PRELUDE = """
import mmap, os, subprocess, sys, time
MB = 1 << 20

def filled(size_mb):
    return bytearray(b"x") * (size_mb * MB)

def say_and_wait():
    print("ready", flush=True)
    sys.stdin.read()

def child(work):
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        kept = work()
        os.write(writing, b"x")
        time.sleep(600)
    os.read(reading, 1)

def apart():
    os.setsid()
    text = "import os, time; x = bytearray(b'x') * (90 << 20); print(1, flush=True); p = os.getppid()"
    text += chr(10) + "while os.getppid() == p: time.sleep(0.1)"
    process = subprocess.Popen([sys.executable, "-c", text], env={}, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process

"""


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Return a function that starts a script; all is gone in the end."""
    scripts: list[Script] = []
    mark = f"{tmp_path.name}.{os.getpid()}"

    def begin(text: str) -> Script:
        scripts.append(Script(text, mark))
        return scripts[-1]

    yield begin
    for script in scripts:
        script.end()
    sweep(WORKER_MARK, mark)


def measure(begin: Begin, tmp_path: Path, text: str) -> tuple[int, WorkerMemory, Script]:
    script = begin(text)
    workers = WorkerMemory()
    workers.add(script.process.pid, f"{tmp_path.name}.{os.getpid()}")
    return script.measured(workers), workers, script


@pytest.mark.parametrize(
    ("text", "expected_mb"),
    [
        ("kept = filled(150)", 150),
        # A mapped model: it is in memory, and the kernel gives it up on demand
        ("file = open('/tmp/MODEL', 'rb'); kept = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
         "assert sum(kept[::4096]) >= 0", 0),
        # Shared memory counts, and once, however many processes have mapped it
        ("kept = mmap.mmap(-1, 100 * MB); kept[:] = bytes(100 * MB)\n"
         "child(lambda: sum(kept[::4096])); child(lambda: sum(kept[::4096]))", 100),
        # What a child has for itself counts
        ("child(lambda: filled(120))", 120),
        ("kept = filled(60); child(lambda: filled(70)); child(lambda: filled(50))", 180),
        # What it has from its parent counts once, until it is written
        ("kept = filled(150); child(lambda: None); child(lambda: None)", 150),
        ("kept = filled(100); child(lambda: kept.reverse())", 200),
        # A grandchild in a session of its own that has cleared its environment
        ("child(apart)", 90),
    ],
)  # fmt: skip
def test_memory_counts_once_and_mapped_files_do_not(
    begin: Begin, tmp_path: Path, text: str, expected_mb: int
) -> None:
    model = tmp_path / "model"
    model.write_bytes(bytes(200 * MB) if "MODEL" in text else b"")
    taken, _, _ = measure(begin, tmp_path, text.replace("/tmp/MODEL", str(model)))
    assert expected_mb * MB <= taken <= expected_mb * MB + SLACK


def test_the_peak_stays_when_memory_is_given_back(begin: Begin, tmp_path: Path) -> None:
    text = "kept = filled(150)\nprint('ready', flush=True)\nsys.stdin.readline()\ndel kept"
    taken, workers, script = measure(begin, tmp_path, text)
    assert script.process.stdin is not None
    assert script.process.stdout is not None
    script.process.stdin.write(b"\n")
    script.process.stdin.flush()
    script.process.stdout.readline()
    assert script.measured(workers) < 50 * MB
    assert workers.peak_of(script.process.pid) == taken
    assert workers.forget(script.process.pid) == taken
    assert workers.peak_of(script.process.pid) == 0


def test_a_worker_is_over_its_limit_only_where_it_is_known_to_be(begin: Begin, tmp_path: Path) -> None:
    _, workers, script = measure(begin, tmp_path, "kept = filled(100); child(lambda: None)")
    assert workers.is_over(script.process.pid, 90 * MB)
    assert not workers.is_over(script.process.pid, 190 * MB)


def test_the_memory_of_another_worker_is_its_own(begin: Begin, tmp_path: Path) -> None:
    small = begin("kept = filled(20)")
    workers = WorkerMemory()
    workers.add(small.process.pid, "another")
    large = begin("child(lambda: filled(80))")
    workers.add(large.process.pid, f"{tmp_path.name}.{os.getpid()}")
    assert 80 * MB <= large.measured(workers) <= 80 * MB + SLACK
    assert small.measured(workers) <= 20 * MB + SLACK


def test_a_dead_worker_takes_nothing(begin: Begin, tmp_path: Path) -> None:
    _, workers, script = measure(begin, tmp_path, "kept = filled(50)")
    script.end()
    assert script.measured(workers) == 0


def test_data_may_be_somewhat_more_than_the_limit() -> None:
    assert data_limit(None) is None
    assert data_limit(1 << 30) == (1 << 30) + (1 << 29) + (1 << 30)


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 MB"), (200_100_000, "200.1 MB"), (1_000_000_000, "1 GB"), (8 << 30, "8.59 GB")]
)
def test_a_size_is_told_in_words(size: int, words: str) -> None:
    assert size_in_words(size) == words
