"""What py-spy and faulthandler say is read, and what the kernel says is told apart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gristmill.engine.kernel import Look, activity_between, look_at, state_of, waiting_for
from gristmill.engine.stacks import (
    FAULTHANDLER,
    Stacks,
    in_words,
    is_whole,
    place_in,
    threads_of_faulthandler,
    threads_of_spy,
)

CODE = Path("/jobs/j/code")
FAULT = f'''\
Thread 0x00007f1d7ac666c0 (most recent call first):
  File "/usr/lib/python3.8/threading.py", line 870 in run
  File "/usr/lib/python3.8/threading.py", line 890 in _bootstrap

Current thread 0x00007f1d7b5aeb80 (most recent call first):
  File "/usr/lib/python3.8/site-packages/lib.py", line 7 in solve
  File "{CODE}/score.py", line 4 in run
  File "/cache/worker-1.zip/gristmill_worker/loop.py", line 120 in serve
  File "/cache/worker-1.zip/__main__.py", line 6 in <module>
  File "/usr/lib/python3.8/runpy.py", line 87 in _run_code
  File "/usr/lib/python3.8/runpy.py", line 194 in _run_module_as_main
'''


def frames_of(text: str) -> list[list[tuple[str, int]]]:
    return [
        [(frame.function, frame.line) for frame in thread.frames] for thread in threads_of_faulthandler(text)
    ]


def test_threads_of_faulthandler_have_the_most_recent_call_last_and_no_frames_of_ours() -> None:
    assert frames_of(FAULT) == [[("_bootstrap", 890), ("run", 870)], [("run", 4), ("solve", 7)]]


def test_main_thread_is_the_one_that_faulthandler_tells_last() -> None:
    assert [thread.is_main for thread in threads_of_faulthandler(FAULT)] == [False, True]


def test_answer_of_faulthandler_is_whole_only_at_its_end() -> None:
    assert [cut for cut in range(len(FAULT) + 1) if is_whole(FAULT[:cut])] == [len(FAULT)]


def test_line_that_faulthandler_does_not_know_is_0() -> None:
    text = 'Thread 0x1 (most recent call first):\n  File "???", line ??? in run\n'
    assert frames_of(text) == [[("run", 0)]]


def test_threads_of_py_spy_are_read() -> None:
    frame = {"name": "run", "filename": "/s.py", "line": 3}
    told = [
        {"thread_name": "MainThread", "os_thread_id": 5, "frames": [frame, {**frame, "line": 9}]},
        {"thread_name": None, "os_thread_id": 6, "frames": [frame]},
        {"thread_name": "idle", "os_thread_id": 7, "frames": []},
    ]

    threads = threads_of_spy(json.dumps(told).encode(), 5)

    assert [(thread.name, thread.is_main, [f.line for f in thread.frames]) for thread in threads] == [
        ("MainThread", True, [9, 3]),
        ("thread 6", False, [3]),
    ]


@pytest.mark.parametrize("answer", [b"", b"Error: no", b"{}", b'{"a": 1}', b'[{"frames": [{}]}]', b"[1]"])
def test_what_is_no_answer_of_py_spy_holds_no_threads(answer: bytes) -> None:
    assert threads_of_spy(answer, 5) == ()


def test_place_is_the_innermost_line_of_the_script_s_own_code() -> None:
    stacks = Stacks(process=5, source=FAULTHANDLER, threads=threads_of_faulthandler(FAULT), kernel="R")
    assert place_in(stacks, CODE) == "score.py:4"


def test_lines_of_the_script_are_shown_and_of_no_other_file(tmp_path: Path) -> None:
    for folder in ("code", "elsewhere"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "score.py").write_text("one\n  two\n")
    files = [str(tmp_path / folder / "score.py") for folder in ("elsewhere", "code")]
    inner = "".join(f'  File "{file}", line 2 in run\n' for file in files)
    threads = threads_of_faulthandler(f"Current thread 0x1 (most recent call first):\n{inner}")
    stacks = Stacks(process=5, source=FAULTHANDLER, threads=threads, kernel="state R (running)")

    assert in_words(stacks, tmp_path / "code").splitlines() == [
        "main thread (most recent call last):",
        f'  File "{files[1]}", line 2, in run',
        "    two",
        f'  File "{files[0]}", line 2, in run',
        "(process 5, from the worker itself; the kernel says: state R (running))",
    ]


@pytest.mark.parametrize(
    ("first", "last", "activity"),
    [
        (None, Look(5.0, 1.0, True), "computing"),
        (None, Look(5.0, 1.0, False), "waiting"),
        (Look(4.0, 1.0, False), Look(5.0, 1.5, False), "computing"),
        (Look(4.0, 1.0, False), Look(5.0, 1.1, True), "waiting"),
        (Look(4.0, 1.0, True), Look(5.0, 1.1, True), "computing"),
        (Look(4.99, 1.0, False), Look(5.0, 1.01, False), "waiting"),
    ],
)
def test_activity_follows_from_two_looks(first: Look | None, last: Look, activity: str) -> None:
    assert activity_between(first, last) == activity


def test_child_processes_count_among_what_a_process_computes() -> None:
    busy = "print(1, flush=True)\nwhile True: pass"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    command = [sys.executable, "-u", "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as parent:
        try:
            assert parent.stdout is not None
            parent.stdout.read(1)
            look = look_at(parent.pid)
            words = waiting_for(parent.pid)
        finally:
            os.killpg(parent.pid, signal.SIGKILL)

    assert (look.is_running, words) == (True, "for a child process")


def test_process_that_is_gone_is_said_to_be() -> None:
    child = subprocess.Popen(["true"])
    child.wait()

    assert state_of(child.pid) == "it is gone"
    assert look_at(child.pid)[1:] == (0.0, False)
    assert waiting_for(child.pid) == ""
