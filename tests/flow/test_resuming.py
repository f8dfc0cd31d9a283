"""Going on with a job of which something has changed: refused, forced, or taken as it is now."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.holding import ONE_BY_ONE, SCRIPT, rows
from flow.mill import PRELUDE, Ended, Mill, finished

STOPPED = f"{ONE_BY_ONE}, error_threshold: 0"
# The job stops at its third file, with two scored; what is behind it never ends until it is repaired.
KINDS = {"000": "ok", "001": "ok", "002": "bad", "003": "wait"}
CORRECTED = (
    PRELUDE
    + "def run(mini_batch):\n    called(mini_batch)\n    return ['new ' + n for n in names(mini_batch)]\n"
)


def stopped(mill: Mill, more: str = "", settings: str = STOPPED, succeeded: int = 2) -> Path:
    """Run a job to its first failure; return its folder."""
    mill.inputs(KINDS)
    mill.script("import helper\n" + SCRIPT)
    mill.write("code/helper.py", "A = 1\n")
    mill.write("code/labels.txt", "a\n")
    mill.deployment(settings, more)
    ended = mill.run()
    assert ended.status == 1, ended.err
    assert ended.view["succeeded"] == succeeded
    return mill.home / "jobs" / "j"


def repair(mill: Mill) -> None:
    mill.write("repaired", "")
    mill.write("go", "")


def edit(path: Path, text: str = "# edited\n") -> None:
    """Add to a file, whose modification time is another then."""
    before = path.stat().st_mtime_ns
    path.chmod(0o600)
    path.write_text(path.read_text() + text)
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def check_refused(mill: Mill, ended: Ended, *words: str) -> None:
    """Nothing was started."""
    assert (ended.status, ended.out) == (2, "")
    assert [word for word in words if word not in ended.err] == []
    assert events(mill, "started") == [1]


def events(mill: Mill, word: str, job: str = "j") -> list[int]:
    """Return the starts of which an event is told."""
    lines = (mill.home / "jobs" / job / "events.jsonl").read_text().splitlines()
    return [event["fence"] for event in map(json.loads, lines) if event["event"] == word]


# What is refused


CHANGES = {
    "script": (lambda job, root: edit(job / "code/score.py"), "score.py has changed"),
    "helper": (lambda job, root: edit(job / "code/helper.py"), "helper.py has changed"),
    "data": (lambda job, root: edit(job / "code/labels.txt"), "labels.txt has changed"),
    "data gone": (lambda job, root: (job / "code/labels.txt").unlink(), "labels.txt is gone"),
    "helper gone": (lambda job, root: (job / "code/helper.py").unlink(), "helper.py is gone"),
    "late module": (lambda job, root: (job / "code/late.py").touch(), "late.py was added"),
    "model": (lambda job, root: edit(root / "models/a"), "of its model"),
    "model touched": (lambda job, root: os.utime(root / "models/a", (1, 1)), "a has changed"),
    "model file gone": (lambda job, root: (root / "models/a").unlink(), "a is gone"),
    "model file added": (lambda job, root: (root / "models/c").touch(), "c was added"),
    "variable": (
        lambda job, root: edit_setting(job, "environment_variables", {"A": "2"}),
        "environment_variables A",
    ),
    "arguments": (
        lambda job, root: edit_setting(job, "program_arguments", "--x"),
        "program_arguments  → --x",
    ),
    "fingerprint gone": (lambda job, root: (job / "fingerprint.json").unlink(), "so that nobody can tell"),
    "fingerprint": (lambda job, root: (job / "fingerprint.json").write_text("[]"), "so that nobody can tell"),
}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Mill:
    """A job that has stopped, made once."""
    mill = Mill(tmp_path_factory.mktemp("once"))
    mill.write("models/a", "1")
    mill.write("models/b", "1")
    stopped(mill, "model: {path: models}")
    shutil.copytree(mill.root, mill.root.with_name("backup"), symlinks=True)
    return mill


@pytest.fixture
def ready(once: Mill) -> Iterator[Mill]:
    """That job, put back as it was when the test has ended."""
    yield once
    for name in ("models", "home"):
        shutil.rmtree(once.root / name)
        shutil.copytree(once.root.with_name("backup") / name, once.root / name, symlinks=True)


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_refused_by_name(ready: Mill, change: str) -> None:
    make, named = CHANGES[change]
    make(ready.home / "jobs/j", ready.root)

    check_refused(ready, ready.type("resume", "j", "--json"), named, "--force", "start a new job")


@pytest.mark.parametrize("change", ["helper gone", "model", "variable", "fingerprint gone"])
def test_what_has_changed_can_be_forced(mill: Mill, change: str) -> None:
    mill.write("models/a", "1")
    job = stopped(mill, "model: {path: models}")
    CHANGES[change][0](job, mill.root)
    repair(mill)

    forced = mill.type("resume", "j", "--force", "--json")

    assert (forced.status, forced.counts) == (0, (4, 4, 0, 0))
    assert "notice: job j goes on all the same: " in forced.err
    assert mill.bytes() == rows(0, 1, 2, 3)
    assert mill.type("verify", "j").status == 0
    assert events(mill, "resumed") == [2]


def edit_setting(job: Path, name: str, value: object) -> None:
    values = json.loads((job / "job.json").read_text())
    values["deployment"]["settings"][name] = value
    (job / "job.json").write_text(json.dumps(values))


def test_changed_settings_that_shape_the_plan_cannot_even_be_forced(ready: Mill) -> None:
    edit_setting(ready.home / "jobs/j", "include", ["*"])

    for option in ([], ["--force"]):
        ended = ready.type("resume", "j", "--json", *option)
        check_refused(ready, ended, "include [] → ['*']", "put them back")


def test_model_that_is_gone_altogether_cannot_be_forced(ready: Mill) -> None:
    shutil.rmtree(ready.root / "models")

    ended = ready.type("resume", "j", "--json", "--force")

    (ready.root / "models").mkdir()
    check_refused(ready, ended, "is gone; put it back, then resume")


@pytest.mark.parametrize("file", ["paths", "offsets", "plan.json"])
def test_changed_byte_of_the_plan_is_refused(ready: Mill, file: str) -> None:
    job = ready.home / "jobs/j"
    data = bytearray((job / "plan" / file).read_bytes())
    data[9] ^= 1
    (job / "plan" / file).write_bytes(data)

    check_refused(ready, ready.type("resume", "j", "--force"), "is damaged")


def test_caches_and_data_that_a_script_writes_beside_itself_are_no_change(mill: Mill) -> None:
    job = stopped(mill)
    (job / "code/cache.bin").touch()
    (job / "code/__pycache__").mkdir(exist_ok=True)
    (job / "code/__pycache__/x.py").touch()
    repair(mill)

    assert mill.type("resume", "j").status == 0


def test_touched_module_with_the_same_content_is_no_change(mill: Mill) -> None:
    job = stopped(mill)
    os.utime(job / "code/helper.py", (1, 1))
    os.utime(mill.root / "code/helper.py", (1, 1))
    repair(mill)

    ended = mill.type("resume", "j")

    assert (ended.status, "has changed" in ended.err) == (0, False)


def test_file_that_a_bare_script_reads_in_place_counts(mill: Mill) -> None:
    mill.inputs(KINDS)
    mill.write("labels.txt", "a\n")
    mill.script(SCRIPT + "LABELS = 'labels.txt'\n", "score.py")
    mill.run("--mini-batch-size", "1", "--max-retries", "0", "--error-threshold", "0", of="score.py")
    edit(mill.root / "labels.txt")
    repair(mill)

    refused = mill.type("resume", "j")
    forced = mill.type("resume", "j", "--force")

    assert (refused.status, "labels.txt has changed" in refused.err) == (2, True)
    assert (forced.status, "labels.txt has changed" in forced.err) == (0, True)


# Code that is taken anew


def test_corrected_script_is_taken_anew_when_that_is_forced(mill: Mill) -> None:
    job = stopped(mill)
    mill.write("code/score.py", CORRECTED)

    ended = mill.type("resume", "j", "--force", "--json")

    assert (ended.status, ended.counts) == (0, (4, 4, 0, 0))
    assert mill.bytes() == rows(0, 1) + b"new 002\nnew 003\n"
    assert [mill.calls().count(name) for name in KINDS][:3] == [1, 1, 2]
    assert "score.py changed since it was copied" in ended.err
    assert (job / "code/score.py").read_text() == CORRECTED
    assert SCRIPT in (job / "code.before-start-2/score.py").read_text()
    assert mill.type("verify", "j").status == 0


def test_job_that_took_new_code_goes_on_with_it(mill: Mill) -> None:
    stopped(mill)
    edit(mill.root / "code/score.py")
    assert mill.type("resume", "j", "--force").status == 1
    repair(mill)

    ended = mill.type("resume", "j", "--json")

    assert (ended.status, ended.counts) == (0, (4, 4, 0, 0))
    assert "has changed" not in ended.err


def test_script_that_cannot_work_is_not_taken_anew(mill: Mill) -> None:
    job = stopped(mill)
    mill.write("code/score.py", "def init():\n    pass\n")

    check_refused(mill, mill.type("resume", "j", "--force"), "there is no function run(mini_batch)")
    assert SCRIPT in (job / "code/score.py").read_text()
    assert not list(job.glob("code.*"))


def test_without_force_a_job_goes_on_with_its_own_copy(mill: Mill) -> None:
    stopped(mill)
    mill.write("code/score.py", CORRECTED)
    edit(mill.root / "code/labels.txt")
    repair(mill)

    ended = mill.type("resume", "j")

    assert "notice: score.py, labels.txt have changed since the job was made" in ended.err
    assert mill.bytes() == rows(0, 1, 2, 3)


def test_force_without_any_change_says_nothing(mill: Mill) -> None:
    job = stopped(mill)
    repair(mill)

    ended = mill.type("resume", "j", "--force")

    assert (ended.status, "notice" in ended.err) == (0, False)
    assert not list(job.glob("code.*"))


def test_killed_while_the_code_was_taken_anew_is_repaired_by_force(mill: Mill) -> None:
    job = stopped(mill)
    mill.write("code/score.py", CORRECTED)
    (job / "code").rename(job / "code.before-start-2")
    mill.write("home/jobs/j/code.new/score.py", "half")

    refused = mill.type("resume", "j")
    forced = mill.type("resume", "j", "--force", "--json")

    check = (refused.status, "score.py is gone" in refused.err, forced.status, forced.counts)
    assert check == (2, True, 0, (4, 4, 0, 0))
    assert SCRIPT in (job / "code.before-start-2/score.py").read_text()
    assert (job / "code/score.py").read_text() == CORRECTED


# Settings for the rest of a job


def test_settings_that_change_no_results_hold_for_the_rest_of_the_job(mill: Mill) -> None:
    job = stopped(mill)
    mill.write("go", "")

    ended = mill.type(
        "resume", "j", "--error-threshold", "5", "--workers", "2", "--set", "gristmill.init_timeout=77"
    )

    assert ended.status == 0
    assert (
        "notice: for the rest of the job: error_threshold 0 → 5, init_timeout_s 600.0 → 77.0, "
        "workers 1 → 2" in ended.err
    )
    settings = json.loads((job / "job.json").read_text())["deployment"]["settings"]
    assert (settings["init_timeout_s"], settings["error_threshold"]["items"]) == (77.0, 5)
    assert mill.show()["failed"] == 1


@pytest.mark.parametrize(
    "option",
    [
        ["--mini-batch-size", "7"],
        ["--output-file-name", "x.csv"],
        ["--format", "csv"],
        ["--no-recursive"],
        ["--set", "settings.mini_batch_size=7"],
        ["--model", "m"],
    ],
)
def test_option_that_shapes_plan_or_output_is_refused_by_name(ready: Mill, option: list[str]) -> None:
    ended = ready.type("resume", "j", "--force", *option)

    check_refused(ready, ended, f"{' '.join(option)}: cannot change within a job", "start a new job")


def test_variable_of_the_script_has_to_be_forced(mill: Mill) -> None:
    job = stopped(mill)
    option = ("--set", "settings.environment_variables.SECRET=hush")
    check_refused(mill, mill.type("resume", "j", *option), "may change results", "--force")
    repair(mill)

    ended = mill.type("resume", "j", "--force", *option)
    again = mill.type("resume", "j", "--force")

    assert (ended.status, "environment_variables SECRET" in ended.err, "hush" in ended.err) == (
        0,
        True,
        False,
    )
    assert "hush" not in (job / "events.jsonl").read_text()
    assert "is Completed" in again.err


# New files


def test_new_files_are_reported_and_scored_when_that_is_asked_for(mill: Mill) -> None:
    stopped(mill)
    mill.inputs({"0001": "ok", "zzz": "ok"})
    reported = mill.type("resume", "j")
    repair(mill)

    ended = mill.type("resume", "j", "--new", "--json")

    assert (
        "notice: 2 files (0001, zzz) in the input since the job was listed: gristmill resume j --new scores "
        "new files too"
    ) in reported.err
    assert "notice: 2 files (0001, zzz) in the input since the job was listed; scored behind" in ended.err
    assert (ended.status, ended.counts) == (0, (6, 6, 0, 0))
    assert mill.bytes() == rows(0, 1, 2, 3) + b"row of 0001\nrow of zzz\n"
    assert mill.type("verify", "j").status == 0


def test_new_files_follow_a_last_mini_batch_that_is_short(mill: Mill) -> None:
    stopped(
        mill, settings="mini_batch_size: 3, retry_settings: {max_retries: 0}, error_threshold: 0", succeeded=0
    )
    for number in range(2):
        mill.inputs({f"new{number}": "ok"})
        assert mill.type("resume", "j", "--new").status == 1
    repair(mill)

    ended = mill.type("resume", "j", "--json")

    assert (ended.status, ended.counts) == (0, (6, 6, 0, 0))
    assert mill.bytes().splitlines()[4:] == [b"row of new%d" % number for number in range(2)]
    assert mill.type("verify", "j").status == 0


def test_files_that_are_gone_are_reported(mill: Mill) -> None:
    stopped(mill)
    (mill.root / "in/003").unlink()

    ended = mill.type("resume", "j", "--new", "--error-threshold", "-1")

    assert "notice: 1 file (003) that the job was to score, gone from the input" in ended.err
    assert "notice: no new file in the input since the job was listed" in ended.err
    assert [failure["input"] for failure in mill.failures()] == ["002", "003"]


def test_new_files_of_a_list_of_inputs_are_refused(mill: Mill) -> None:
    mill.inputs(KINDS)
    mill.script(SCRIPT)
    mill.deployment(STOPPED)
    mill.write("list", "000\n001\n002\n")
    mill.run("--input-list", "list")
    mill.inputs({"005": "ok"})

    check_refused(mill, mill.type("resume", "j", "--new"), "job j scores chosen files (--input-list)")
    repair(mill)
    assert "005" not in mill.type("resume", "j").err


def test_new_files_of_a_completed_job_are_merged_into_its_output(mill: Mill) -> None:
    mill.inputs({"000": "ok", "005": "ok"})
    mill.script(SCRIPT)
    mill.deployment()
    mill.run()
    before = mill.bytes()
    mill.inputs({"001": "ok"})

    ended = mill.type("resume", "j", "--new", "--json")

    assert ended.status == 0
    assert before == rows(0, 5)
    assert mill.bytes() == rows(0, 5, 1)
    assert (ended.view["status"], ended.counts) == ("Completed", (3, 3, 0, 0))
    assert mill.type("verify", "j").status == 0


# From Python


def in_python(mill: Mill, program: str) -> Ended:
    return finished(
        subprocess.Popen(
            [sys.executable, "-c", f"import gristmill\ntry: {program}\nexcept Exception as e: print(e)"],
            cwd=mill.root,
            env=mill.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    )


def test_python_refuses_in_its_own_words(ready: Mill) -> None:
    edit(ready.home / "jobs/j/code/helper.py")

    changed = in_python(ready, "gristmill.resume('j')")
    fixed = in_python(ready, "gristmill.resume('j', force=True, settings={'settings.mini_batch_size': 7})")

    assert "helper.py has changed" in changed.out
    assert "go on all the same with gristmill.resume('j', force=True), or start a new job" in changed.out
    assert "settings.mini_batch_size: cannot change within a job" in fixed.out


def test_python_goes_on_with_new_files_new_code_and_other_settings(mill: Mill) -> None:
    stopped(mill)
    mill.write("code/score.py", CORRECTED)
    mill.inputs({"later": "ok"})

    ended = in_python(
        mill,
        "print(gristmill.job('j').resume(force=True, new=True, max_retries=1, error_threshold='50%'))",
    )

    assert ended.out == "<gristmill.Job j: Completed: all 5 items>\n"
    assert "for the rest of the job: error_threshold 0 → 50%, max_retries 0 → 1" in ended.err
    assert mill.bytes() == rows(0, 1) + b"new 002\nnew 003\nnew later\n"
