"""What a user runs into by accident: a taken output, a lost part, an edited copy, a stderr that is closed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flow.holding import held, is_gone, prepared, rows
from flow.mill import Mill, finished, until


def killed(mill: Mill) -> Mill:
    """Leave a job that was killed in its second mini-batch."""
    process = held(mill)
    process.kill()
    finished(process)
    until(lambda: all(map(is_gone, mill.lines("pids"))), "the guard has ended the workers")
    (mill.root / "go").touch()
    return mill


def test_a_second_job_into_the_output_of_a_running_one_is_refused(mill: Mill) -> None:
    process = held(mill)
    second = mill.run("--job-name", "second")
    (mill.root / "go").touch()

    assert finished(process).status == 0
    assert second.status == 2
    assert "job j is running and will write" in second.err
    assert mill.jobs() == ["j"]
    assert mill.bytes() == rows(0, 1, 2)


def test_what_is_done_of_a_killed_job_is_told(mill: Mill) -> None:
    shown = killed(mill).show()

    assert (shown["total"], shown["succeeded"], shown["not_run"]) == (3, 1, 2)
    assert (shown["mini_batches"], shown["mini_batches_done"]) == (3, 1)


def test_verify_of_a_killed_job_looks_at_the_rows(mill: Mill) -> None:
    killed(mill)
    assert mill.type("verify", "j").status == 0

    for part in (mill.root / "out" / ".gristmill-j" / "parts").iterdir():
        part.write_bytes(b"")
    found = mill.type("verify", "j")
    assert found.status == 1
    assert "the rows of mini-batch 0" in found.out

    shutil.rmtree(mill.root / "out")
    assert mill.type("verify", "j").status == 1
    assert mill.type("resume", "j").status == 0
    assert mill.bytes() == rows(0, 1, 2)
    assert mill.calls() == ["000", "001", "000", "001", "002"]


@pytest.mark.parametrize(
    ("gone", "word"), [("journal.bin", "journal"), ("plan", "manifest")], ids=["journal", "plan"]
)
def test_verify_of_a_killed_job_misses_what_is_gone(mill: Mill, gone: str, word: str) -> None:
    path = killed(mill).home / "jobs" / "j" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    found = mill.type("verify", "j")

    assert found.status == 1
    assert word in found.out
    assert mill.type("resume", "j").status == 0
    assert mill.bytes() == rows(0, 1, 2)


def test_resume_with_an_edited_copy_of_the_code_is_refused(mill: Mill) -> None:
    copy = killed(mill).home / "jobs" / "j" / "code" / "score.py"
    copy.write_text(copy.read_text() + "# edited\n")

    resumed = mill.type("resume", "j")

    assert resumed.status == 2
    assert (
        "score.py has changed. Put that back, go on all the same with gristmill resume j --force"
        in resumed.err
    )
    assert mill.calls() == ["000", "001"]


def test_resume_without_its_input_is_refused(mill: Mill) -> None:
    killed(mill)
    (mill.root / "in").rename(mill.root / "elsewhere")

    resumed = mill.type("resume", "j")

    assert resumed.status == 2
    assert "of job j is gone; put it back, then resume" in resumed.err


def test_fewer_results_than_files_are_told_as_the_reason(mill: Mill) -> None:
    mill.inputs(["a", "b", "c"])
    mill.script("def init(): pass\ndef run(mini_batch):\n    return ['one']\n")
    mill.deployment()

    ended = mill.run()

    assert ended.counts == (3, 1, 2, 0)
    assert "run() returned fewer results than files: 1 for the 3 of mini-batch 0" in ended.view["message"]
    assert "return one element per file" in ended.err


def test_a_file_beside_the_script_that_is_opened_by_its_bare_name_is_pointed_out(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.write("code/labels.txt", "x")
    mill.script("def init():\n    open('labels.txt')\ndef run(mini_batch):\n    return mini_batch\n")
    mill.deployment()

    ended = mill.run()

    assert ended.status == 1
    assert "open Path(__file__).parent / 'labels.txt'" in ended.err


def test_no_more_workers_are_started_than_there_is_work_for(mill: Mill) -> None:
    prepared(mill, ["ok", "ok", "ok"], "mini_batch_size: 2")

    ended = mill.run("--workers", "300")

    assert ended.status == 0
    assert "2 of 300 workers are started" in ended.err
    assert len(set(mill.lines("pids"))) <= 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--workers", "99999999"], "must be at most 1024"),
        (["--input", ""], "--input: is empty"),
        (["--output-path", ""], "--output-path/--output: is empty"),
        (["--job-name", ""], "--job-name: is empty"),
        (["--output-file-name", "failures.jsonl"], "is the name of another file that jobs write"),
        (["--output-file-name", "a.columns.json"], "is the name of another file that jobs write"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else None,
)
def test_a_slip_of_the_finger_is_refused(mill: Mill, words: list[str], told: str) -> None:
    prepared(mill, ["ok"])

    ended = mill.run(*words)

    assert (ended.status, ended.out) == (2, "")
    assert told in ended.err
    assert mill.jobs() == []


@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full", "2>&1 | true"])
def test_a_stderr_that_takes_nothing_changes_nothing(mill: Mill, stream: str) -> None:
    prepared(mill, ["ok", "ok"])

    shell = (
        f"{sys.executable} -m gristmill run deployment.yml --input in --output-path out --job-name j {stream}"
    )
    status = subprocess.run(
        ["bash", "-c", f"{shell}; exit ${{PIPESTATUS[0]}}"], cwd=mill.root, env=mill.environment(), timeout=60
    ).returncode

    assert status == 0
    assert mill.bytes() == rows(0, 1)


def test_an_answer_that_is_lost_is_an_error(mill: Mill) -> None:
    prepared(mill, ["ok"])
    assert mill.run().status == 0

    shell = f"{sys.executable} -m gristmill job show j --json > /dev/full"
    ended = subprocess.run(["bash", "-c", shell], cwd=mill.root, env=mill.environment(), capture_output=True)

    assert ended.returncode == 1
    assert b"stdout cannot be written" in ended.stderr


def test_a_home_that_cannot_be_made_starts_nothing(mill: Mill) -> None:
    prepared(mill, ["ok"])

    ended = mill.run(GRISTMILL_HOME="/dev/null/home")

    assert ended.status == 2
    assert "set GRISTMILL_HOME to a folder that you can write" in ended.err


def test_a_message_cannot_steer_the_terminal(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def run(mini_batch):\n    raise ValueError('\\x1b[31mred')\n")
    mill.deployment("retry_settings: {max_retries: 0}")

    ended = mill.run()

    assert "\x1b" not in ended.err
    assert r"\x1b[31mred" in ended.err
    assert "\x1b[31mred" in json.loads(ended.out)["message"]


def test_printing_on_a_full_disk_costs_no_result(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.script(
        "import os\ndef init():\n    os.dup2(os.open('/dev/full', os.O_WRONLY), 1)\n"
        "def run(mini_batch):\n    print('x' * 100_000)\n    return names(mini_batch)\n"
    )
    mill.deployment()

    ended = mill.run()

    assert (ended.status, ended.counts) == (0, (2, 2, 0, 0))
    assert Path(mill.root, "out", "predictions.csv").read_bytes() == b"a\nb\n"
