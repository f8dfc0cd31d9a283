"""`gristmill tune`: real workers are measured, and what comes of bad scripts and files is told."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from flow.mill import Ended, Mill, finished, until
from gristmill.spec.document import read_document

FILES = [f"{number:03d}.txt" for number in range(60)]
SOUND = """
import time

def init():
    global ballast
    ballast = bytearray(64_000_000)

def run(mini_batch):
    time.sleep(0.004 + 0.0002 * len(mini_batch))
    return mini_batch
"""


def tuned(mill: Mill, source: str, *words: str, files: object = FILES, budget: str = "3") -> Ended:
    mill.inputs(files)  # type: ignore[arg-type]
    mill.write("score.py", source)
    return mill.type("tune", "score.py", "--input", "in", "--budget", budget, *words)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mill, dict[str, Any]]:
    """A script that waits, with a cost of its own for each call."""
    mill = Mill(tmp_path_factory.mktemp("sound"))
    ended = tuned(mill, SOUND, "--json", budget="6")
    assert ended.status == 0, ended.err
    return mill, json.loads(ended.out)


def test_calls_of_all_sizes_are_measured(sound: tuple[Mill, dict[str, Any]]) -> None:
    sizes = sound[1]["measurements"]["sizes"]

    assert [one["size"] for one in sizes] == [1, 2, 4, 8, 16, 32, 60]
    assert all(one["seconds"] >= 0.004 + 0.0002 * one["size"] for one in sizes)
    assert all(one["peak_bytes"] > 64_000_000 for one in sizes)


def test_start_and_machine_are_told(sound: tuple[Mill, dict[str, Any]]) -> None:
    measured = sound[1]["measurements"]

    assert 64_000_000 < measured["start"]["held_bytes"] <= measured["start"]["peak_bytes"] < 200_000_000
    assert measured["cores"] == len(os.sched_getaffinity(0)) or measured["cores"] >= 1
    assert measured["files"]["files"] == 60
    assert measured["files"]["median_rows"] == 1


def test_waiting_is_told_from_computing(sound: tuple[Mill, dict[str, Any]]) -> None:
    told = sound[1]

    assert told["measurements"]["shares"]["waiting"] > 0.5
    assert told["recommendation"]["binds"] in ("waiting", "input", "start")
    assert sum(
        told["measurements"]["shares"][one] for one in ("reading", "computing", "waiting", "writing")
    ) == (pytest.approx(1.0))


def test_settings_are_those_of_the_recommendation(sound: tuple[Mill, dict[str, Any]]) -> None:
    settings, recommended = sound[1]["settings"], sound[1]["recommendation"]

    assert settings == {
        "mini_batch_size": recommended["mini_batch_size"],
        "workers": recommended["workers"],
        "timeout": 30,
    }
    assert recommended["expected"]["seconds"] <= recommended["as_it_is"]["seconds"]


def test_nothing_is_left_of_it(sound: tuple[Mill, dict[str, Any]]) -> None:
    assert not (sound[0].home / "jobs").exists()
    assert sorted(os.listdir(sound[0].root / "in")) == FILES


def test_words_end_with_a_command_and_with_lines_of_yaml(mill: Mill) -> None:
    mill.write("code/score.py", "def run(mini_batch):\n    return mini_batch\n")
    mill.deployment()
    mill.inputs(FILES)

    ended = mill.type("tune", "deployment.yml", "--input", "in", "--budget", "1")

    assert ended.status == 0
    yaml = ended.out[ended.out.index("settings:") :]
    file = mill.write("pasted.yml", f"code_configuration: {{code: code, scoring_script: score.py}}\n{yaml}")
    assert "max_concurrency_per_instance" in yaml
    assert read_document(file) is not None
    assert mill.run(of="pasted.yml").counts == (60, 60, 0, 0)
    assert "score.py (limit: 600 s)" in ended.err


def test_bare_script_gets_the_command_that_runs_it_so(mill: Mill) -> None:
    ended = tuned(mill, "def run(mini_batch):\n    return mini_batch\n", budget="1")

    (command,) = [line for line in ended.out.splitlines() if line.startswith("gristmill run ")]
    words = command.split()[2:]
    assert mill.type("run", *words, "--job-name", "j").status == 0


def test_script_that_fails_for_every_file_shows_its_traceback(mill: Mill) -> None:
    ended = tuned(mill, "def run(mini_batch):\n    return [1 / 0 for _ in mini_batch]\n")

    assert ended.status == 1
    assert "ZeroDivisionError" in ended.out
    assert f'File "{mill.root}/score.py", line 2, in run' in ended.out
    assert "every file that was tried failed" in ended.out


def test_script_that_does_not_start_shows_its_traceback(mill: Mill) -> None:
    source = "def init():\n    raise OSError('no model')\ndef run(mini_batch):\n    return mini_batch\n"

    ended = tuned(mill, source)

    assert ended.status == 1
    assert "nothing could be measured: OSError: no model (score.py:2)" in ended.out


def test_bad_files_are_named_and_left_out(mill: Mill) -> None:
    source = """
import os
def run(mini_batch):
    for path in mini_batch:
        if path.endswith("7.txt"):
            raise ValueError("not this one")
        if path.endswith("25.txt"):
            os.kill(os.getpid(), 9)
    return mini_batch
"""

    ended = tuned(mill, source, "--json", budget="6")

    told = json.loads(ended.out)
    bad = {name for one in told["left_out"] for name in one["names"]}
    assert ended.status == 0
    assert bad <= {*(name for name in FILES if name.endswith("7.txt")), "025.txt"}
    assert len(bad) >= 4
    assert told["recommendation"]["mini_batch_size"] >= 1


def test_file_that_takes_for_ever_ends_with_the_budget(mill: Mill) -> None:
    source = "import threading\ndef run(mini_batch):\n    threading.Event().wait()\n    return mini_batch\n"

    ended = tuned(mill, source, budget="1")

    assert ended.status == 1
    assert "had not returned in time" in ended.out
    assert 'score.py", line 3 in run' in ended.out
    assert "--budget" in ended.out


def test_script_that_must_not_be_repeated_is_not(mill: Mill) -> None:
    source = "import os\ndef run(mini_batch):\n    os.unlink(mini_batch[0])\n    return mini_batch\n"

    refused = tuned(mill, source, "--max-retries", "0")
    allowed = tuned(
        mill, "def run(mini_batch):\n    return mini_batch\n", "--max-retries", "0", "--yes", budget="1"
    )

    assert refused.status == 2
    assert "max_retries is 0" in refused.err
    assert "--yes" in refused.err
    assert len(os.listdir(mill.root / "in")) == 60
    assert allowed.status == 0


def test_tables_that_are_split_by_rows_are_refused(mill: Mill) -> None:
    ended = tuned(mill, SOUND, "--set", "gristmill.split_rows=10")

    assert ended.status == 2
    assert "tune measures whole files" in ended.err


def test_script_that_asks_its_context_is_measured(mill: Mill) -> None:
    source = """
def run(mini_batch, context):
    assert [context.source[path].first_row for path in mini_batch] == [0 for _ in mini_batch]
    return [(context.minibatch_index, context.attempt) for _ in mini_batch]
"""

    ended = tuned(mill, source, "--json", budget="1")

    assert json.loads(ended.out)["left_out"] == []


def test_own_files_of_a_script_are_removed(mill: Mill) -> None:
    source = """
import os
def run(mini_batch):
    for path in mini_batch:
        with open(os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], os.path.basename(path)), "x") as file:
            file.write("x" * 1000)
    return mini_batch
"""

    ended = tuned(mill, source, "--output-action", "summary_only", "--json", budget="1")

    assert json.loads(ended.out)["left_out"] == []  # the same file is made again and again, and never there
    assert sorted(path.name for path in mill.root.iterdir()) == ["in", "score.py"]


@pytest.mark.parametrize("files", [1, 3])
def test_few_files_are_enough(mill: Mill, files: int) -> None:
    ended = tuned(
        mill, "def run(mini_batch):\n    return mini_batch\n", "--json", files=FILES[:files], budget="1"
    )

    told = json.loads(ended.out)
    assert told["measurements"]["files"]["files"] == files
    assert told["settings"]["workers"] <= files


def test_no_files_are_told_before_anything_starts(mill: Mill) -> None:
    ended = tuned(mill, "def run(mini_batch):\n    return mini_batch\n", "--include", "*.jpg")

    assert ended.status == 2
    assert "has no files" in ended.err


def test_a_budget_has_to_be_a_number_of_seconds(mill: Mill) -> None:
    ended = tuned(mill, SOUND, budget="soon")

    assert ended.status == 2
    assert "must be a number of seconds from 1 to 86400 (got 'soon')" in ended.err


def test_interrupt_ends_it_with_what_is_known(mill: Mill) -> None:
    mill.inputs(FILES)
    mill.script(
        """
def run(mini_batch):
    called(mini_batch)
    time.sleep(0.01)
    return mini_batch
""",
        "score.py",
    )
    (mill.root / "tmp").mkdir()
    words = ("tune", "score.py", "--input", "in", "--budget", "600")
    process = mill.start(*words, MILL=str(mill.root), TMPDIR=str(mill.root / "tmp"))
    until(lambda: len(_lines(mill.root / "calls")) > 20, "calls")
    process.send_signal(signal.SIGINT)
    ended = finished(process)

    assert ended.status == 3
    assert "recommended:" in ended.out
    assert "it was interrupted" in ended.out
    assert os.listdir(mill.root / "tmp") == []


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
