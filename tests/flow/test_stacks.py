"""What hangs is named: the file, the line of the script, and whether it was computing or waiting."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flow.holding import ONE_BY_ONE, prepared
from flow.mill import Mill, finished, until

# Files say how the script hangs in them.
HANGS = """
import ctypes, signal, subprocess, threading

def hang_loop():
    while True: pass

def hang_sleep():
    time.sleep(600)

def hang_native():
    library = ctypes.PyDLL(None)  # holds the interpreter's lock
    while True: library.sleep(600)

def hang_deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(600)

def hang_deadlock():
    one, other, both = threading.Lock(), threading.Lock(), threading.Barrier(2)
    def second_thread():
        with other:
            both.wait()
            one.acquire()
    threading.Thread(target=second_thread, daemon=True).start()
    with one:
        both.wait()
        other.acquire()

def hang_child():
    subprocess.run(["sleep", "600"])

def run(mini_batch):
    called(mini_batch)
    for name in names(mini_batch):
        globals().get("hang_" + name, int)()
    return mini_batch
"""
KINDS = ["child", "deadlock", "deaf", "loop", "native", "sleep"]
COMPUTING = {"loop"}
SPY = shutil.which("py-spy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def line_of(words: str, mill: Mill) -> int:
    lines = (mill.root / "code/score.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if words in line)


def is_spied(mill: Mill) -> bool:
    return bool(mill.variables["GRISTMILL_PY_SPY"])


@pytest.fixture(
    scope="module",
    params=["", pytest.param(SPY, marks=pytest.mark.skipif(SPY is None, reason="there is no py-spy"))],
    ids=["without py-spy", "with py-spy"],
)
def hung(request: pytest.FixtureRequest, new_mill):  # type: ignore[no-untyped-def]
    """A job of which all hang but one, and what its list of failures says of each."""
    mill = new_mill()
    mill.variables["GRISTMILL_PY_SPY"] = request.param
    mill.inputs([*KINDS, "good"])
    mill.script(HANGS)
    mill.deployment(
        "mini_batch_size: 1, max_concurrency_per_instance: 2, retry_settings: {max_retries: 0, timeout: 0.7}"
    )
    ended = mill.run()
    assert ended.counts == (7, 1, 6, 0), ended.err
    return mill, {line["input"]: line for line in mill.failures()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_timeout_says_whether_it_was_computing_or_waiting(hung: Any, kind: str) -> None:
    failure = hung[1][kind]

    expected = "computing" if kind in COMPUTING else "waiting"
    assert (failure["reason"], failure["activity"]) == ("timeout", expected)
    assert failure["message"].startswith(f"run() did not return within 0.7 s (timeout) and was {expected}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_timeout_names_the_function_and_the_line(hung: Any, kind: str) -> None:
    mill, failures = hung
    deaf = kind == "deaf" and not is_spied(mill)

    lines = [line for line in failures[kind]["traceback"].splitlines() if f"in hang_{kind}" in line]

    assert len(lines) == (0 if deaf else 2 if kind == "deadlock" and is_spied(mill) else 1)
    assert ("no Python stack could be had" in failures[kind]["traceback"]) == deaf


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("loop", "while True"),
        ("native", "library.sleep"),
        ("deadlock", "other.acquire"),
        ("child", "subprocess.run"),
    ],
)
def test_the_message_names_the_line_of_the_script(hung: Any, kind: str, words: str) -> None:
    mill, failures = hung
    assert f"(score.py:{line_of(words, mill)}); its worker was killed" in failures[kind]["message"]


def test_a_deadlock_shows_both_threads(hung: Any) -> None:
    mill, failures = hung
    text = failures["deadlock"]["traceback"]

    assert f"line {line_of('other.acquire', mill)}, in hang_deadlock" in text
    assert f"line {line_of('one.acquire', mill)}, in " in text
    assert "other.acquire()" in text
    assert "one.acquire()" in text


def test_what_ignores_all_signals_is_told_of_by_the_kernel(hung: Any) -> None:
    assert "the kernel says: state S (sleeping)" in hung[1]["deaf"]["traceback"]


def test_the_error_log_has_the_stack_where_the_failure_says(hung: Any) -> None:
    mill, failures = hung
    path, _, position = failures["sleep"]["log"].rpartition(":")
    text = (mill.home / "jobs/j" / path).read_bytes()[int(position) :].decode()

    assert text.splitlines()[0].endswith("mini-batch 6, try 1")
    assert text.splitlines()[1] == failures["sleep"]["message"]
    assert failures["sleep"]["traceback"] in text


@pytest.fixture(
    scope="module",
    params=["", pytest.param(SPY, marks=pytest.mark.skipif(SPY is None, reason="there is no py-spy"))],
    ids=["without py-spy", "with py-spy"],
)
def hanging(request: pytest.FixtureRequest, new_mill: Callable[[], Mill]) -> Iterator[Mill]:
    """A running job in which every worker hangs for ever, each in its own way."""
    mill = new_mill()
    mill.variables["GRISTMILL_PY_SPY"] = request.param
    mill.inputs(KINDS)
    mill.script(HANGS)
    mill.deployment(
        "mini_batch_size: 1, max_concurrency_per_instance: 6, retry_settings: {max_retries: 0, timeout: 600}"
    )
    process = mill.start_run()
    until(lambda: sorted(mill.calls()) == KINDS, "all hang")
    until(lambda: len(mill.show()["in_flight"]) == len(KINDS), "they do so for a second")
    yield mill
    process.send_signal(signal.SIGTERM)
    finished(process)


def test_stacks_of_every_worker_are_shown_while_the_job_runs(hanging: Mill) -> None:
    ended = hanging.type("job", "stacks", "j", "--json")
    workers = [one for one in json.loads(ended.out) if not one["child"]]

    found = {
        one["running"]["inputs"][0]: [f["function"] for thread in one["threads"] for f in thread["frames"]]
        for one in workers
    }

    assert ended.status == 0
    assert [one["worker"] for one in workers] == list(range(6))
    assert sorted(found) == KINDS
    for kind in KINDS:
        if kind == "deaf" and not is_spied(hanging):
            assert found[kind] == []
        else:
            assert f"hang_{kind}" in found[kind]
    by = {one["source"] for one in workers}
    assert by == ({"py-spy"} if is_spied(hanging) else {"faulthandler", "kernel"})


def test_stacks_show_child_processes_too(hanging: Mill) -> None:
    children = [one for one in json.loads(hanging.type("job", "stacks", "j", "--json").out) if one["child"]]

    assert [(one["child"], one["source"]) for one in children] == [("sleep 600", "kernel")]


def test_stacks_in_words_show_the_file_and_the_line(hanging: Mill) -> None:
    lines = hanging.type("job", "stacks", "j").out.splitlines()

    assert any(line.startswith("== worker ") and "s: loop (mini-batch 3, try 1)" in line for line in lines)
    assert any(line.endswith("in hang_loop") for line in lines)
    assert "    while True: library.sleep(600)" in lines


def test_show_names_the_files_in_flight(hanging: Mill) -> None:
    in_flight = hanging.show()["in_flight"]
    words = hanging.type("job", "show", "j").out

    assert sorted(one["inputs"] for one in in_flight) == [[kind] for kind in KINDS]
    assert all(one["seconds"] >= 1 and one["attempt"] == 1 for one in in_flight)
    assert in_flight == sorted(in_flight, key=lambda one: -one["seconds"])
    assert "in flight" in words
    assert "(mini-batch " in words
    assert "and 1 more: --json has all" in words


def test_a_part_of_a_mini_batch_is_in_flight_as_the_items_that_it_is(mill: Mill) -> None:
    mill.inputs([f"{number:02}" for number in range(8)])
    mill.script(
        """
def run(mini_batch):
    if len(mini_batch) == 1:
        called(mini_batch)
        held_until("go")
        return mini_batch
    raise ValueError("only alone")
"""
    )
    mill.deployment("mini_batch_size: 4", "gristmill: {isolate_failures: true}")
    process = mill.start_run("--max-retries", "0")
    until(mill.calls, "a part runs")
    until(lambda: mill.show()["in_flight"], "a part is in flight")
    [part] = mill.show()["in_flight"]
    (mill.root / "go").touch()
    finished(process)

    assert part["items"] == 1
    assert part["inputs"] == [f"{4 * part['mini_batch'] + part['first_item']:02}"]


def test_stacks_of_a_job_that_has_ended_are_refused(mill: Mill) -> None:
    prepared(mill, ["ok"])
    mill.run()

    ended = mill.type("job", "stacks", "j")

    assert ended.status == 2
    assert "job j is not running, so it has no stacks" in ended.err
    assert mill.show()["in_flight"] == []


def test_stacks_of_a_job_that_nobody_knows_are_refused(mill: Mill) -> None:
    ended = mill.type("job", "stacks", "nobody")

    assert ended.status == 2
    assert "there is no job called nobody" in ended.err


def test_stacks_of_a_job_of_another_machine_are_refused_and_it_is_named(mill: Mill) -> None:
    prepared(mill, ["wait"], ONE_BY_ONE)
    process = mill.start_run()
    until(mill.calls, "it runs")
    lock = mill.home / "jobs/j/lock"
    held = lock.read_text()
    lock.write_text(json.dumps({"pid": 7, "host": "elsewhere"}))

    ended = mill.type("job", "stacks", "j")
    shown = mill.show()

    lock.write_text(held)
    (mill.root / "go").touch()
    finished(process)
    assert ended.status == 2
    assert "job j is worked on by process 7 on elsewhere" in ended.err
    assert shown["in_flight"] == []


def test_init_that_hangs_says_where(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def init():\n    held_until('never')\n\ndef run(mini_batch):\n    return mini_batch\n")
    mill.deployment("", "gristmill: {init_timeout: 0.5}")

    ended = mill.run()

    assert ended.status == 1
    assert "within 0.5 s and was killed while it was waiting" in ended.err
    assert "in held_until" in ended.err
    assert f", line {line_of('never', mill)}, in " in mill.log("job_error.txt")
