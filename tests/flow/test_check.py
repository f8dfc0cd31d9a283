"""`gristmill check`: what is wrong with a script is told before a job, and nothing else is."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from typing import Any

import pytest

from flow.defects import ERRORS, SEEN, SOUND
from flow.holding import is_gone
from flow.mill import REPOSITORY, Ended, Mill, finished, until

FILES = [f"{number:02d}.txt" for number in range(12)]


def checked(mill: Mill, source: str, *words: str) -> Ended:
    """Check a script with twelve files and a model."""
    mill.inputs(FILES)
    mill.write("model.bin", "weights")
    mill.write("score.py", source)
    return mill.type("check", "score.py", "--input", "in", "--model", "model.bin", "--json", *words)


def codes(ended: Ended) -> list[str]:
    return [finding["code"] for finding in ended.view["findings"]]


def found(ended: Ended, code: str) -> dict[str, Any]:
    """Return the one finding of this kind."""
    (finding,) = [finding for finding in ended.view["findings"] if finding["code"] == code]
    assert isinstance(finding, dict)
    return finding


@pytest.mark.parametrize("name", SEEN)
def test_a_defect_is_seen_and_named(mill: Mill, name: str) -> None:
    code, source, words = SEEN[name]

    ended = checked(mill, source, *words)

    finding = found(ended, code)
    assert finding["severity"] == ("error" if code in ERRORS else "warning")
    assert ended.status == (1 if code in ERRORS else 0)
    assert finding["what"]
    assert finding["remedy"]


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_found_in_a_sound_script(mill: Mill, name: str) -> None:
    source, words = SOUND[name]

    ended = checked(mill, source, *words)

    assert (ended.status, ended.view["findings"]) == (0, [])
    assert ended.view["preview"]["files"] == 10


def test_words_of_a_finding_tell_what_happened_and_where(mill: Mill) -> None:
    code, source, words = SEEN["has an init that never returns"]
    hangs = found(checked(mill, source, *words), code)
    assert hangs["what"] == "init() had not returned after 1 s"
    assert f'File "{mill.root}/score.py", line 4 in init' in hangs["detail"]
    assert "gristmill_worker" not in hangs["detail"]

    raises = found(checked(mill, SEEN["raises in run"][1]), "run-raises")
    assert "invalid literal for int()" in raises["what"]
    assert f'File "{mill.root}/score.py", line 2, in run' in raises["detail"]

    prints = found(checked(mill, SEEN["prints instead of returning"][1]), "wrong-return")
    assert "returned None" in prints["what"]
    assert "It printed 10 lines" in prints["what"]

    leaks = found(checked(mill, SEEN["keeps everything"][1]), "leaks-memory")
    assert re.match(r"run\(\) leaks about 1\.\d MB per call", leaks["what"])


def test_check_shows_what_would_be_written(mill: Mill) -> None:
    mill.inputs(FILES)
    mill.write("score.py", "def run(mini_batch):\n    return [{'n': len(p), 'k': 1} for p in mini_batch]\n")

    ended = mill.type("check", "score.py", "--input", "in", "--mini-batch-size", "7")

    assert ended.status == 0
    shown = ended.out.splitlines()
    assert "columns     file, n, k" in shown
    first = shown.index(next(line for line in shown if line.startswith("written"))) + 1
    size = len(f"{mill.root}/in/00.txt")
    assert shown[first : first + 6] == [
        *(f"    0{number}.txt,{size},1" for number in range(5)),
        next(line for line in shown if line.startswith("memory")),
    ]
    assert "7 files, 7 results" in ended.out
    assert shown[-1] == "check: nothing wrong"


def test_what_takes_a_while_is_told_before_it_begins(mill: Mill) -> None:
    ended = checked(mill, "def run(mini_batch):\n    return list(mini_batch)\n", "--timeout", "7")

    trying, started, again = ended.err.splitlines()
    assert trying == "trying score.py out (limits: 600 s for its start, 7 s for each run())"
    assert re.fullmatch(r"started in \d+\.\d s; running the first mini-batch, 10 files", started)
    assert "; running it with the same files again, up to 200 times, for about 10 s at most" in again


def test_check_names_the_files_that_are_left_in_the_output_folder(mill: Mill) -> None:
    source, words = SOUND["files in the output folder"]

    preview = checked(mill, source, *words).view["preview"]

    assert preview["left"] == [["log.txt", 1], ["rows.csv", 1]]
    assert preview["rows"] == []


def test_without_input_only_the_start_is_tried(mill: Mill) -> None:
    mill.script(
        "def init(): noted('init', 'x')\n"
        "def run(mini_batch):\n    called(mini_batch)\n    return mini_batch\n"
    )
    mill.deployment()

    ended = mill.type("check", "deployment.yml")

    assert ended.status == 0
    assert mill.lines("init") == ["x"]
    assert mill.calls() == []
    assert ended.out.splitlines()[-1] == "check: nothing wrong; with --input PATH a mini-batch is run, too"


def test_one_mini_batch_is_run_at_most_two_hundred_times(mill: Mill) -> None:
    mill.inputs(FILES)
    mill.script("def run(mini_batch):\n    called(mini_batch)\n    return mini_batch\n")
    mill.deployment()

    ended = mill.type("check", "deployment.yml", "--input", "in", "--json")

    first_ten = " ".join(FILES[:10])
    calls = mill.calls()
    assert ended.status == 0
    assert len(calls) == ended.view["preview"]["calls"] <= 200
    assert set(calls) == {first_ten, " ".join(reversed(FILES[:10]))}
    assert calls[0] == first_ten


def test_what_the_text_shows_is_told_with_its_line_and_nothing_is_started(mill: Mill) -> None:
    mill.script("def init():\n    noted('init', 'x')\ndef run():\n    return []\n", name="score.py")

    ended = mill.type("check", "score.py")

    assert ended.status == 1
    line = next(
        n for n, text in enumerate((mill.root / "score.py").read_text().splitlines(), 1) if "def run" in text
    )
    assert ended.out.splitlines()[0].startswith(f"error    score.py:{line}  run() takes no list of files")
    assert ended.out.splitlines()[-1] == "check: 1 error"
    assert mill.lines("init") == []


def test_all_mistakes_of_a_deployment_are_findings(mill: Mill) -> None:
    mill.write("code/score.py", "def run(mini_batch): return mini_batch\n")
    mill.deployment("mini_batch_size: none, output_action: append_rows, retries: 3")

    ended = mill.type("check", "deployment.yml", "--json")

    assert ended.status == 1
    assert codes(ended) == ["deployment"] * 3
    places = [finding["place"].rpartition(":")[0] for finding in ended.view["findings"]]
    assert places == ["deployment.yml:2"] * 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["missing.yml"], "no such deployment file"),
        (["broken.yml"], "broken.yml:2:1: the file is not YAML"),
        (["score.py", "--input", "nowhere"], "does not exist"),
        (["score.py", "--input", "empty"], "has no files"),
        (["score.py", "--python", "score.py"], "does not run as a Python interpreter"),
    ],
    ids=lambda words: words[-1] if isinstance(words, list) else None,
)
def test_what_cannot_be_read_ends_with_status_two(mill: Mill, words: list[str], told: str) -> None:
    mill.write("broken.yml", "settings: {\n")
    mill.write("score.py", "def run(mini_batch): return mini_batch\n")
    (mill.root / "empty").mkdir()

    ended = mill.type("check", *words)

    assert (ended.status, ended.out) == (2, "")
    assert told in ended.err


@pytest.mark.parametrize(
    ("source", "place", "told"),
    [
        ("def init(): pass\n", "score.py:", "there is no function run(mini_batch)"),
        ("def init(:\n", "score.py:1:", "SyntaxError: invalid syntax"),
        ("def run(): return []\n", "score.py:1:", "run() takes no list of files"),
        ("def run(mini_batch): yield 1\n", "score.py:1:", "run() has a yield in it"),
        (
            "def init(model): pass\ndef run(mini_batch): return mini_batch\n",
            "score.py:1:",
            "requires 'model'",
        ),
        ("import inference_schema\ndef run(data): return data\n", "score.py:1:", "for an online endpoint"),
    ],
    ids=["no run", "syntax", "no parameter", "generator", "init", "online"],
)
def test_run_refuses_what_is_sure_to_fail_and_starts_nothing(
    mill: Mill, source: str, place: str, told: str
) -> None:
    mill.inputs(["a"])
    mill.write("code/score.py", source)
    mill.deployment()

    ended = mill.run()

    assert (ended.status, ended.out) == (2, "")
    assert f"gristmill: error: {place} " in ended.err
    assert told in ended.err
    assert mill.jobs() == []
    assert mill.output() == []


def test_warnings_are_notices_of_a_run(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def init():\n    os.chdir('/')\ndef run(mini_batch):\n    return mini_batch\n")
    mill.deployment()

    ended = mill.run()

    assert ended.status == 0
    assert len(re.findall(r"^notice: score\.py:\d+: os\.chdir\(\) changes", ended.err, re.MULTILINE)) == 1


def test_a_check_leaves_nothing(mill: Mill) -> None:
    (mill.root / "tmp").mkdir()
    model = mill.write("net/weights", "x").parent
    mill.inputs(FILES)
    mill.script(
        "def run(mini_batch):\n    noted('pids', str(os.getpid()))\n    return mini_batch\n", name="score.py"
    )
    before = sorted(os.listdir(mill.root))

    ended = mill.type(
        "check", "score.py", "--input", "in", "--model", str(model), TMPDIR=str(mill.root / "tmp")
    )

    assert ended.status == 0
    assert os.listdir(mill.root / "tmp") == []
    assert sorted(os.listdir(mill.root)) == sorted([*before, "pids"])
    assert all(map(is_gone, mill.lines("pids")))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_check_that_is_cut_off_leaves_nothing(mill: Mill, number: signal.Signals) -> None:
    (mill.root / "tmp").mkdir()
    mill.script(
        "def init():\n    noted('pids', str(os.getpid()))\n    held_until('never')\n"
        "def run(mini_batch):\n    return mini_batch\n",
        name="score.py",
    )
    process = mill.start("check", "score.py", TMPDIR=str(mill.root / "tmp"))
    until(lambda: mill.lines("pids"), "init() has begun")

    process.send_signal(number)

    finished(process)
    until(lambda: not os.listdir(mill.root / "tmp"), "the folder is gone")
    assert all(map(is_gone, mill.lines("pids")))


# The deployments of the endpoint name a model that has to be registered first: test_examples_endpoint.
EXAMPLES = sorted(
    path.parent.name
    for path in (REPOSITORY / "examples").glob("*/deployment.yml")
    if path.parent.name != "endpoint"
)
# Where an example's input lies once its `prepare.py` has run; the others are given their own folder.
INPUTS = {
    "digits-by-batch": "data/images",
    "digits-by-file": "data/images",
    "custom-outputs-parquet": "data/samples",
    "mlflow-tabular": "data/patients",
    "reviews-by-row": "reviews",
    "two-pythons": "tables",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_fault_is_found_with_an_example(mill: Mill, name: str) -> None:
    folder = mill.root / "examples" / name
    shutil.copytree(REPOSITORY / "examples" / name, folder, ignore=shutil.ignore_patterns("data"))
    if (folder / "prepare.py").exists():
        subprocess.run([sys.executable, "prepare.py"], cwd=folder, check=True, capture_output=True)
    words = ["--input", f"examples/{name}/{INPUTS.get(name, '.')}", "--use-current-python", "--json"]

    report = mill.type("check", f"examples/{name}/deployment.yml", *words)

    assert (report.status, report.view["findings"]) == (0, [])
    results = report.view["preview"]["files"] if name != "mlflow-tabular" else 111  # a row for each patient
    assert report.view["preview"]["results"] == results
