"""``gristmill replay``: from a line of ``failures.jsonl`` to a debugger in one command."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flow.mill import Mill, finished, until
from flow.terminal import Terminal
from worker.interpreters import interpreters

SCRIPT = """
import ctypes, json, logging, sys

def parsed(text):
    answer = 42
    return json.loads(text)

def run(mini_batch):
    called(mini_batch)
    if "crowd.txt" in names(mini_batch) and len(mini_batch) > 1:
        raise ValueError("not beside others")
    rows = []
    for path in mini_batch:
        kind = Path(path).read_text()
        if kind == "raise":
            parsed("{")
        if kind == "stop":
            inside = "the box"
            breakpoint()
        if kind == "ask":
            rows.append({"heard": input("name? ")})
            continue
        if kind == "segv":
            ctypes.string_at(0)
        if kind == "exit":
            os._exit(3)
        if kind == "wrong":
            return "text"
        if kind == "none":
            return []
        if kind == "loop":
            print("looping", flush=True)
            while True:
                time.sleep(0.005)
        rows.append({"kind": kind})
    (Path(os.environ["AZUREML_BI_OUTPUT_PATH"]) / "mine.txt").write_text("mine")
    return rows
"""
KINDS = ("ok", "raise", "stop", "ask", "segv", "exit", "wrong", "none", "ok2", "crowd", "ok3")


@pytest.fixture(scope="module")
def scored(new_mill: Callable[[], Mill]) -> Mill:
    """A completed job of which most files failed, two in a mini-batch, each in its own way."""
    mill = new_mill()
    mill.inputs({f"d/{kind}.txt": kind for kind in KINDS} | {"d/sp ace\n.txt": "raise", "d/\udce9.txt": "ok"})
    mill.script(SCRIPT)
    mill.write("model.bin", "weights")
    mill.deployment(
        "mini_batch_size: 2, retry_settings: {max_retries: 0, timeout: 5}",
        "model: {path: model.bin}\ngristmill: {isolate_failures: false, output_format: csv}",
    )
    assert mill.run().status == 0
    return mill


def everything(mill: Mill) -> dict[str, tuple[int, str]]:
    """Return the time and the content of all that lies in the job folder and in the output."""
    roots = (mill.home / "jobs", mill.root / "out")
    paths = [path for root in roots for path in [root, *root.rglob("*")]]
    return {
        str(path): (
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in paths
    }


def test_breakpoint_opens_on_the_terminal_and_shows_what_run_sees(scored: Mill) -> None:
    with Terminal(scored, "replay", "j", "d/stop.txt") as terminal:
        terminal.answer("(Pdb) ", "inside\n")
        terminal.answer("'the box'", "c\n")
        status = terminal.ended()

    assert status == 0, terminal.shown
    assert "stop.txt,stop" in terminal.shown
    assert "1 result of type list for 1 file" in terminal.shown


def test_ctrl_c_is_the_script_s_and_ends_as_in_a_shell(scored: Mill) -> None:
    (scored.root / "in/d/ok2.txt").write_text("loop")
    with Terminal(scored, "replay", "j", "d/ok2.txt") as terminal:
        terminal.answer("looping", "\x03")
        status = terminal.ended()

    assert status == 128 + signal.SIGINT, terminal.shown
    assert "KeyboardInterrupt" in terminal.shown


def test_ctrl_c_in_a_loop_without_end_opens_the_debugger_there(scored: Mill) -> None:
    (scored.root / "in/d/ok3.txt").write_text("loop")
    with Terminal(scored, "replay", "j", "d/ok3.txt", "--pdb") as terminal:
        terminal.answer("looping", "\x03")
        terminal.answer("(Pdb) ", "p kind\n")
        terminal.answer("'loop'", "q\n")
        assert terminal.ended() == 128 + signal.SIGINT


def test_what_is_piped_in_is_the_script_s_and_stdout_too(scored: Mill) -> None:
    ended = piped(scored, b"Ada\n", "d/ask.txt")

    assert (ended.returncode, ended.stdout) == (0, b"name? ")
    assert b"ask.txt,Ada" in ended.stderr


def test_post_mortem_opens_at_the_innermost_line_of_the_author(scored: Mill) -> None:
    ended = piped(scored, b"p answer\nq\n", "d/raise.txt", "--pdb")

    assert ended.returncode == 1
    assert b"(Pdb) 42\n" in ended.stdout
    assert b"JSONDecodeError" in ended.stderr


def test_leaving_the_debugger_is_not_reported_as_an_error_of_the_script(scored: Mill) -> None:
    ended = piped(scored, b"q\n", "d/stop.txt")

    assert ended.returncode == 1
    assert b"run(): the debugger was left" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_traceback_begins_in_the_script(scored: Mill) -> None:
    ended = scored.type("replay", "j", "d/raise.txt")

    trace = ended.err.partition("Traceback (most recent call last):\n")[2].splitlines()
    assert ended.status == 1
    assert trace[0].endswith(", in run")
    assert "gristmill_worker" not in ended.err


def test_crash_is_named_with_its_stack_and_ends_as_in_a_shell(scored: Mill) -> None:
    ended = scored.type("replay", "j", "d/segv.txt")

    assert ended.status == 128 + signal.SIGSEGV
    assert "killed by signal 11 (SIGSEGV" in ended.err
    assert "in string_at" in ended.err


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("d/exit.txt", "ended with status 3"),
        ("d/wrong.txt", "score.py returned a str"),
        ("d/none.txt", "returned 0 results for 1 file"),
    ],
)
def test_other_failures_are_said_in_words(scored: Mill, item: str, words: str) -> None:
    ended = scored.type("replay", "j", item)

    assert (ended.status, words in ended.err) == (1, True), ended.err


def test_success_shows_rows_and_files_as_they_would_be_written(scored: Mill) -> None:
    ended = scored.type("replay", "j", "d/ok.txt")

    assert ended.status == 0
    assert "    d/ok.txt,ok" in ended.err
    assert "mine.txt (4 B)" in ended.err


def test_file_that_fails_only_beside_others_leads_to_its_mini_batch(scored: Mill) -> None:
    alone = scored.type("replay", "j", "d/crowd.txt")
    command = next(line for line in alone.err.splitlines() if line.endswith("--mini-batch"))
    together = scored.type(*shlex.split(command.partition("gristmill ")[2]))

    assert (alone.status, together.status) == (0, 1)
    assert "not beside others" in together.err


def test_mini_batch_can_be_named_by_its_number(scored: Mill) -> None:
    before = len(scored.calls())

    scored.type("replay", "j", "0", "--mini-batch")

    assert scored.calls()[before:] == ["ask.txt crowd.txt"]


@pytest.mark.parametrize("typed", ["in/d/ok.txt", "./d/ok.txt", "{root}/in/d/ok.txt"])
def test_paths_from_here_name_items_too(scored: Mill, typed: str) -> None:
    ended = scored.type("replay", "j", typed.format(root=scored.root))

    assert "replaying d/ok.txt" in ended.err


@pytest.mark.parametrize("name", ["d/sp ace\n.txt", "d/\udce9.txt"])
def test_any_name_can_be_replayed(scored: Mill, name: str) -> None:
    before = len(scored.lines("calls"))

    ended = scored.type("replay", "j", name)

    assert f"replaying {name!r}" in ended.err
    assert len(scored.lines("calls")) > before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rais.txt"], "did you mean 'd/raise.txt'?"),
        (["raise.txt"], "did you mean 'd/raise.txt'?"),
        (["zzzzzz"], "is not among the 13 files in the plan of job j. Give it"),
        (["7", "--mini-batch"], "has 7 mini-batches, numbered from 0; there is no number 7"),
    ],
)
def test_what_is_not_in_the_plan_is_answered_with_what_is(scored: Mill, words: list[str], said: str) -> None:
    ended = scored.type("replay", "j", *words)

    assert (ended.status, said in ended.err) == (2, True), ended.err


def test_nothing_of_the_job_is_changed(scored: Mill) -> None:
    before = everything(scored)

    for item in ("d/ok.txt", "d/raise.txt", "d/segv.txt"):
        scored.type("replay", "j", item)

    assert everything(scored) == before


def test_nothing_temporary_is_left(scored: Mill, tmp_path: Path) -> None:
    scored.type("replay", "j", "d/segv.txt", TMPDIR=str(tmp_path))

    assert os.listdir(tmp_path) == []


def test_a_job_with_failures_names_the_command_for_the_first(scored: Mill) -> None:
    first = scored.failures()[0]["input"]
    view = scored.show()

    assert view["replay_command"] == f"gristmill replay j {first} --mini-batch"
    assert view["replay_command"] in scored.type("job", "show", "j").out


TELLS = """
import json, sys
def run(mini_batch):
    kept = {k: v for k, v in os.environ.items()}
    cwd = os.getcwd()
    told = {"env": kept, "path": sys.path[:-1], "argv": sys.argv, "python": sys.executable,
            "flags": [sys.flags.optimize, sys.flags.isolated], "file": __file__, "name": __name__,
            "private": [os.path.samefile(cwd, os.environ["TMPDIR"]), os.listdir(cwd)],
            "model": os.listdir(os.environ["AZUREML_MODEL_DIR"])}
    noted("told", json.dumps(told))
    raise ValueError("it tells and fails")
"""
PRIVATE = {
    "TMPDIR",
    "AZUREML_BI_OUTPUT_PATH",
    "AZUREML_MODEL_DIR",
    "GRISTMILL_MODEL_PATH",
    "GRISTMILL_OUTPUT_DIR",
    "GRISTMILL_LOG_DIR",
    "GRISTMILL_RUN_ID",
    "GRISTMILL_WORKER_ID",
    "MLFLOW_TRACKING_URI",
    "PYTHONDONTWRITEBYTECODE",
}


@pytest.mark.parametrize("python", interpreters()[:2], ids=lambda python: python.parent.parent.name)
def test_script_sees_what_it_saw_in_the_job_but_for_private_folders(mill: Mill, python: Path) -> None:
    mill.inputs([f"{number}.txt" for number in range(4)])
    mill.script(TELLS)
    mill.write("model.bin", "weights")
    mill.deployment(
        "mini_batch_size: 1, max_concurrency_per_instance: 2, retry_settings: {max_retries: 0},"
        " environment_variables: {MINE: 7}",
        'model: {path: model.bin}\ngristmill: {program_arguments: "--beams 4", isolate_failures: false}',
    )
    mill.run("--python", str(python))
    in_job = {json.loads(line)["env"]["GRISTMILL_WORKER_INDEX"]: line for line in mill.lines("told")}
    failed = mill.failures()[-1]

    mill.type("replay", "j", failed["input"])

    there = json.loads(in_job[str(failed["worker"])])
    here = json.loads(mill.lines("told")[-1])
    different = {
        name for name in {*there["env"], *here["env"]} if there["env"].get(name) != here["env"].get(name)
    }
    assert len(mill.lines("told")) == 5
    assert different == PRIVATE
    assert {**here, "env": {}} == {**there, "env": {}}


def test_running_job_can_be_replayed_from(mill: Mill) -> None:
    mill.inputs(["a", "b", "c"])
    mill.script("def run(mini_batch):\n    called(mini_batch)\n    held_until('go')\n    return mini_batch\n")
    mill.deployment("mini_batch_size: 1")
    running = mill.start_run()
    until(mill.calls, "a call")
    second = mill.start("replay", "j", "b")
    until(lambda: "b" in mill.calls(), "the replay's call")
    (mill.root / "go").touch()

    assert finished(second).status == 0
    assert finished(running).counts == (3, 3, 0, 0)


def test_cancelled_job_can_be_replayed_from(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.script(
        "import signal\ndef run(mini_batch):\n    called(mini_batch)\n"
        "    if not (HERE / 'go').exists():\n        os.kill(os.getppid(), signal.SIGTERM)\n"
        "    held_until('go')\n    return mini_batch\n"
    )
    mill.deployment("mini_batch_size: 1, retry_settings: {timeout: 2}")
    assert mill.run().status == 3
    (mill.root / "go").touch()

    assert mill.type("replay", "j", "b").status == 0


def test_what_is_not_as_it_was_is_noticed_and_what_is_gone_is_named(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.script("def run(mini_batch):\n    return mini_batch\n")
    mill.write("model.bin", "weights")
    mill.deployment("mini_batch_size: 1", "model: {path: model.bin}")
    mill.run()
    copy = mill.home / "jobs/j/code/score.py"
    copy.write_text(copy.read_text() + "# edited\n")
    (mill.root / "model.bin").write_text("other weights")
    (mill.root / "code/score.py").write_text("# mine\n")

    noticed = mill.type("replay", "j", "a")
    (mill.root / "in/b").unlink()
    without_file = mill.type("replay", "j", "b")
    copy.unlink()
    without_code = mill.type("replay", "j", "a")

    assert noticed.status == 0
    assert "the job's copy of the code is not what it ran: score.py has changed" in noticed.err
    assert "the model has changed since the job was made: model.bin has changed" in noticed.err
    assert "score.py has changed since the job was made; this runs the job's own copy" in noticed.err
    assert (without_file.status, "is gone; put it back" in without_file.err) == (2, True)
    assert (without_code.status, "the job's copy of the script" in without_code.err) == (2, True)


def test_interpreter_that_is_gone_is_named(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def run(mini_batch):\n    return mini_batch\n")
    mill.deployment()
    python = mill.root / "env/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(os.path.realpath(interpreters()[-1]))
    mill.run("--python", str(python))
    shutil.rmtree(mill.root / "env")

    ended = mill.type("replay", "j", "a")

    assert ended.status == 2
    assert f"job j ran in {python}" in ended.err


def piped(mill: Mill, typed: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Replay with a pipe as stdin."""
    process = mill.start("replay", "j", *words, stdin=subprocess.PIPE)
    out, err = process.communicate(typed, timeout=30)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
