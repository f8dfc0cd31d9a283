"""Scripts that misbehave: what they do costs their own file at most, and is named."""

from __future__ import annotations

import pytest

from flow.bad_input import ABC, ONE_EACH, READS, check_kept, made
from flow.holding import is_gone
from flow.mill import Mill, until


def test_an_init_that_never_returns_ends_the_job_with_the_remedy(mill: Mill) -> None:
    made(mill, READS.replace("pass", "noted('pids', str(os.getpid())); held_until('never')", 1))

    ended = mill.run("--init-timeout", "0.5")

    assert (ended.status, ended.counts) == (1, (3, 0, 0, 3))
    assert "the worker did not finish loading and init() within 0.5 s and was killed" in ended.err
    assert "raise init_timeout if it needs longer" in ended.err
    assert (mill.calls(), mill.output()) == ([], [])
    until(lambda: all(map(is_gone, mill.lines("pids"))), "the worker is gone")
    assert mill.type("verify", "j").status == 0


# What run() returns → how the message calls it; a way out is in parentheses where there is one.
WRONG = {
    "None": "None: is a return statement missing?",
    "'text'": "a str",
    "b'bytes'": "a bytes",
    "bytearray(1)": "a bytearray",
    "{'a': 1}": "a dict",
    "{1}": "a set",
    "frozenset()": "a frozenset",
    "3": "an int",
    "2.5": "a float",
    "1j": "a complex",
    "True": "a bool",
    "object()": "an object",
    "(n for n in 'a')": "a generator (wrap it in list(...))",
    "map(str, [1])": "a map (wrap it in list(...))",
    "iter([1])": "a list_iterator (wrap it in list(...))",
    "{}.values()": "a dict_values (wrap it in list(...))",
    "range(1)": "a range (wrap it in list(...))",
    "memoryview(b'x')": "a memoryview (call .tolist() on it)",
    "numpy.array(3)": "a numpy.ndarray of a single value",
    "numpy.float32(1)": "a numpy.float32",
    "pandas.Index(['a'])": "a pandas.Index (call .tolist() on it)",
    "ValueError('returned')": "a ValueError",
    "Path('.')": "a pathlib.PosixPath",
    "int": "a type",
    "...": "an ellipsis",
}


def test_each_wrong_return_costs_its_file_and_is_named(mill: Mill) -> None:
    wrong = [f"{number:02d}" for number in range(len(WRONG))]
    returns = "".join(
        f"    if name == '{name}': return {text}\n" for name, text in zip(wrong, WRONG, strict=True)
    )
    opening = "import numpy, pandas\ndef init(): pass\ndef run(mini_batch):\n    [name] = names(mini_batch)\n"
    made(mill, f"{opening}{returns}    return [name]\n", files=[*wrong, "good"])

    ended = mill.run()

    check_kept(mill, ended, [*wrong, "good"], failed=wrong)
    must = "run() must return a list or a pandas DataFrame; score.py returned "
    assert [entry["message"] for entry in mill.failures()] == [must + told for told in WRONG.values()]
    assert {entry["reason"] for entry in mill.failures()} == {"bad_return"}
    assert f"00: {must}None: is a return statement missing?" in ended.err


ACTS = {
    "prints 10 MB": "print('x' * 10_000_000)",
    "writes to descriptor 1": "os.write(1, b'\\0\\xff' * 1000)",
    "changes the cwd": "os.chdir('/')",
    "closes stdin": "import sys; sys.stdin.close()",
    "installs signal handlers": """import signal
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, lambda *_: os._exit(1))""",
    "sets a locale": """import locale
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C"):
        try:
            locale.setlocale(locale.LC_ALL, name)
            break
        except locale.Error:
            pass
    print("ü", 0.5)""",
}


@pytest.mark.parametrize("act", ACTS)
def test_what_a_script_does_to_its_process_costs_nothing(mill: Mill, act: str) -> None:
    files = ["0.5", "1e300", "ü"]
    made(mill, READS.replace("called(mini_batch)", f"called(mini_batch)\n    {ACTS[act]}"), files=files)

    ended = mill.run()

    check_kept(mill, ended, files)
    assert mill.calls() == files


def test_ten_megabytes_that_were_printed_are_in_the_log_and_nowhere_else(mill: Mill) -> None:
    made(mill, READS.replace("called(mini_batch)", ACTS["prints 10 MB"]), files=["a"])

    ended = mill.run()

    log = mill.home / "jobs/j/logs/user/stdout/node-0/process000.stdout.txt"
    assert log.stat().st_size == 10_000_001
    assert "xxx" not in ended.out + ended.err


def test_a_script_that_ignores_every_signal_still_has_a_limit(mill: Mill) -> None:
    deaf = """import signal
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    if names(mini_batch) == ["b"]:
        held_until("never")"""
    made(mill, READS.replace("called(mini_batch)", deaf), settings=ONE_EACH.replace("{", "{timeout: 0.5, "))

    ended = mill.run()

    check_kept(mill, ended, ABC, failed=["b"])
    assert [entry["reason"] for entry in mill.failures()] == ["timeout"]


def test_an_exit_in_run_costs_its_file_and_is_named(mill: Mill) -> None:
    made(mill, READS.replace("called(mini_batch)", "if names(mini_batch) == ['b']: os._exit(7)"))

    ended = mill.run()

    check_kept(mill, ended, ABC, failed=["b"])
    assert "b: the worker ended with status 7 (os._exit, or an exit in native code)" in ended.err
    assert "os._exit() ends the worker or fails its mini-batch" in ended.err
    assert "raise an exception that says what is wrong" in ended.err


def test_children_that_are_left_behind_hold_nothing_up_and_are_ended(mill: Mill) -> None:
    children = """import subprocess
    for apart in (False, True):
        child = subprocess.Popen(["sleep", "600"], start_new_session=apart)
        noted("pids", str(child.pid))"""
    made(mill, READS.replace("called(mini_batch)", children))

    ended = mill.run()

    check_kept(mill, ended, ABC)
    assert len(mill.lines("pids")) == 6
    assert all(map(is_gone, mill.lines("pids")))


def test_an_exception_without_a_text_costs_its_file_and_is_named(mill: Mill) -> None:
    source = "class Mute(Exception):\n    def __str__(self): raise RuntimeError\n    __repr__ = __str__\n"
    made(mill, source + READS.replace("called(mini_batch)", "if names(mini_batch) == ['b']: raise Mute"))

    ended = mill.run()

    check_kept(mill, ended, ABC, failed=["b"])
    assert "b: Mute: (its text cannot be shown: str() of it failed) (score.py:" in ended.err


LOADS = """
model = None
def init():
    global model
    model = {load}
def run(mini_batch): return mini_batch
"""
FOLDER = 'os.environ.get("AZUREML_MODEL_DIR", "/nowhere")'
HOLDS = "; AZUREML_MODEL_DIR holds: "


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (f'open(Path({FOLDER}, "-".join("iris")))', f"{HOLDS}model/iris.bin, model/more/a.txt"),
        (f'exec("raise OSError(" + repr({FOLDER} + "/x.onnx failed") + ")")', f"{HOLDS}model/iris.bin"),
        ('__import__("no_such_package")', "; the package 'no_such_package' is not in the Python"),
    ],
)
def test_an_init_that_misses_something_is_told_what_there_is(mill: Mill, load: str, words: str) -> None:
    mill.write("model/iris.bin", "x")
    mill.write("model/more/a.txt", "x")
    mill.inputs(["a"])
    mill.script(LOADS.format(load=load))
    mill.deployment()

    ended = mill.run("--model", "model")

    assert ended.status == 1
    assert words in ended.view["message"]


def test_a_model_that_is_not_given_is_told_with_its_option(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script(LOADS.format(load='os.environ["_".join(["AZUREML", "MODEL", "DIR"])]'))
    mill.deployment()

    message = mill.run().view["message"]

    assert "KeyError: 'AZUREML_MODEL_DIR' (" in message
    assert "there is no model: name one with --model PATH" in message
