"""What happens in `init()` and before it, and where a worker's words end up (1, 5.4, 5.6, 5.7, 6)."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from flow.mill import Ended, Mill

GOOD_RUN = "def run(mini_batch):\n    return [1 for _ in mini_batch]\n"

# What the script is → lines that the job's message must hold.
BROKEN = {
    "init raises": (
        f"def init():\n    raise RuntimeError('no weights')\n{GOOD_RUN}",
        ["Traceback (most recent call last):", 'score.py", line 2, in init', "RuntimeError: no weights"],
    ),
    "init exits": (
        f"import sys\ndef init():\n    sys.exit('bye')\n{GOOD_RUN}",
        ['score.py", line 3, in init', "bye"],
    ),
    "init ends the process": (f"import os\ndef init():\n    os._exit(3)\n{GOOD_RUN}", ["status 3", "init()"]),
    "import error": (
        f"import no_such_module\n{GOOD_RUN}",
        ['score.py", line 1', "ModuleNotFoundError: No module named 'no_such_module'"],
    ),
    "error in a sibling": (
        f"import sibling\n{GOOD_RUN}",
        ['score.py", line 1', 'sibling.py", line 1', "ZeroDivisionError"],
    ),
}


@pytest.fixture(scope="module", params=BROKEN)
def broken(request: pytest.FixtureRequest, new_mill: Callable[[], Mill]) -> tuple[Mill, Ended, list[str]]:
    """A script that cannot start, with 50 files and 2 workers."""
    source, expected = BROKEN[request.param]
    mill = new_mill()
    mill.inputs([f"{number:02d}" for number in range(50)])
    mill.write("code/score.py", source)
    mill.write("code/sibling.py", "1 / 0\n")
    mill.deployment("mini_batch_size: 1, max_concurrency_per_instance: 2")
    return mill, mill.run(), expected


def test_a_script_that_cannot_start_fails_the_job(broken: tuple[Mill, Ended, list[str]]) -> None:
    mill, ended, _ = broken
    assert ended.status == 1, ended.err
    assert ended.view["status"] == "Failed"
    assert ended.counts[1:3] == (0, 0)
    assert not (mill.root / "out/predictions.csv").exists()


def test_the_scripts_own_traceback_is_the_jobs_message(broken: tuple[Mill, Ended, list[str]]) -> None:
    _, ended, expected = broken
    assert [line for line in expected if line not in ended.view["message"]] == []
    assert [line for line in expected if line not in ended.err] == []


def test_traceback_of_a_start_is_in_job_error_and_shows_no_line_of_ours(
    broken: tuple[Mill, Ended, list[str]],
) -> None:
    mill, _, expected = broken
    text = mill.log("job_error.txt")
    assert [line for line in expected if line not in text] == []
    assert "gristmill_worker" not in text


def test_a_message_names_a_log_that_exists(broken: tuple[Mill, Ended, list[str]]) -> None:
    mill, ended, _ = broken
    log = Path(re.search(r"^The full log is in (.*)$", ended.view["message"], re.MULTILINE)[1])
    assert log.is_absolute()
    assert log.is_file()
    assert log.is_relative_to(mill.home)


def test_init_has_a_limit_of_its_own(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.script("def init(): held_until('never')\ndef run(mini_batch): return [1]\n")
    mill.deployment()

    ended = mill.run("--init-timeout", "0.5")

    assert ended.status == 1
    assert "init" in ended.view["message"]
    assert "0.5" in ended.view["message"]


def test_a_corrected_script_runs_into_the_same_output_under_another_name(mill: Mill) -> None:
    mill.inputs(["a"])
    mill.write("code/score.py", f"import no_such_module\n{GOOD_RUN}")
    mill.deployment("output_action: summary_only")
    assert mill.run().status == 1
    mill.write("code/score.py", GOOD_RUN)

    ended = mill.run("--job-name", "k")

    assert ended.status == 0, ended.err


# ------------------------------------------------------------------------------------ a script that speaks

SPEAKING = """
import logging, sys

def init():
    noted("inits", f"{os.getpid()} {os.environ['GRISTMILL_WORKER_INDEX']}")
    assert __name__ == "score" and sys.modules["score"].init is init
    assert __file__.endswith("score.py") and Path(__file__).is_file()
    print("printed in init")
    print("said on stderr in init", file=sys.stderr)

def run(mini_batch):
    noted("runs", str(os.getpid()))
    name = names(mini_batch)[0]
    print("printed", name)
    print("said on stderr", name, file=sys.stderr)
    os.write(1, b"written to descriptor 1\\n")
    logging.info("logged info %s", name)
    logging.debug("logged debug %s", name)
    logging.getLogger("mine").warning("logged warning %s", name)
    if Path(mini_batch[0]).read_text() == "bad":
        raise KeyError("trouble with " + name)
    return mini_batch

def shutdown():
    noted("shutdowns", str(os.getpid()))
    raise ValueError("an error at the end harms nothing")
"""


@pytest.fixture(scope="module")
def speaking(new_mill: Callable[[], Mill]) -> tuple[Mill, Ended]:
    """Twelve mini-batches in one worker; the fifth and the eighth fail twice each."""
    mill = new_mill()
    mill.inputs({f"{number:02d}": "bad" if number in (4, 7) else "ok" for number in range(12)})
    mill.script(SPEAKING)
    mill.deployment("mini_batch_size: 1, retry_settings: {max_retries: 1}")
    return mill, mill.run()


def test_init_and_shutdown_run_once_in_a_worker(speaking: tuple[Mill, Ended]) -> None:
    mill, ended = speaking
    assert ended.status == 0, ended.err
    assert [line.split()[1] for line in mill.lines("inits")] == ["0"]
    assert mill.lines("shutdowns") == [line.split()[0] for line in mill.lines("inits")]
    assert set(mill.lines("runs")) == set(mill.lines("shutdowns"))
    assert len(mill.lines("runs")) == 14


def test_an_exception_in_shutdown_harms_nothing(speaking: tuple[Mill, Ended]) -> None:
    assert speaking[1].counts == (12, 10, 2, 0)


def test_what_a_script_prints_is_in_its_workers_stdout_log(speaking: tuple[Mill, Ended]) -> None:
    log = speaking[0].log("user/stdout/node-0/process000.stdout.txt").splitlines()
    assert log.count("printed in init") == 1
    assert log.count("written to descriptor 1") == 14
    assert [log.count(f"printed {number:02d}") for number in (3, 4, 5)] == [1, 2, 1]


def test_what_a_script_says_on_stderr_is_in_its_workers_stderr_log(speaking: tuple[Mill, Ended]) -> None:
    log = speaking[0].log("user/stderr/node-0/process000.stderr.txt").splitlines()
    assert log.count("said on stderr in init") == 1
    assert log.count("said on stderr 03") == 1


def test_what_a_script_logs_at_the_logging_level_is_in_its_own_log(speaking: tuple[Mill, Ended]) -> None:
    log = speaking[0].log("user/entry_script_log/node-0/process000.log.txt")
    assert log.count("logged info") == 14
    assert log.count("logged warning") == 14
    assert "logged debug" not in log


def test_tracebacks_of_all_tries_are_in_the_error_log(speaking: tuple[Mill, Ended]) -> None:
    log = speaking[0].log("user/error/node-0/process000.txt")
    assert log.count("KeyError: 'trouble with 04'") == 2
    assert log.count("KeyError: 'trouble with 07'") == 2


def test_report_has_one_row_for_each_failed_try(speaking: tuple[Mill, Ended]) -> None:
    report = speaking[0].log("sys/job_report/processed_mini-batches.csv").splitlines()
    failed = [row for row in csv.DictReader(report) if row["status"] == "failed"]
    assert sorted((row["first_mini_batch"], row["try"]) for row in failed) == [
        *(("4", "1"), ("4", "2")),
        *(("7", "1"), ("7", "2")),
    ]


def test_job_folder_has_the_logs_of_the_contract(speaking: tuple[Mill, Ended]) -> None:
    logs = speaking[0].home / "jobs/j/logs"
    expected = ["job_progress_overview.txt", "job_result.txt", "readme.txt"]
    expected += [f"sys/job_report/{name}_summary.csv" for name in ("process", "node")]
    assert [name for name in expected if not (logs / name).is_file()] == []


def test_job_folder_is_the_users_alone(speaking: tuple[Mill, Ended]) -> None:
    assert os.stat(speaking[0].home / "jobs/j").st_mode & 0o777 == 0o700


def test_message_is_the_first_user_error_with_its_file(speaking: tuple[Mill, Ended]) -> None:
    message = speaking[1].view["message"]
    assert message.startswith("04")
    assert "KeyError: 'trouble with 04'" in message
    assert 'score.py", line' in message
    assert "07" not in message.splitlines()[0]


def test_every_failed_item_is_listed_with_reason_tries_and_traceback(speaking: tuple[Mill, Ended]) -> None:
    entries = speaking[0].failures()
    assert [(entry["input"], entry["reason"], entry["tries"]) for entry in entries] == [
        ("04", "exception", 2),
        ("07", "exception", 2),
    ]
    assert ["in run\n" in entry["traceback"] for entry in entries] == [True, True]
    assert [entry["worker"] for entry in entries] == [0, 0]


def test_job_logs_shows_what_the_script_printed(speaking: tuple[Mill, Ended]) -> None:
    shown = speaking[0].type("job", "logs", "j").out
    assert "printed 11" in shown
    assert "KeyError: 'trouble with 07'" in shown


def test_stdout_of_a_command_holds_only_what_was_asked_for(speaking: tuple[Mill, Ended]) -> None:
    assert speaking[1].out.startswith("{\n")
    assert "printed" not in speaking[1].out + speaking[1].err


# ------------------------------------------------------------------------------------ once per process


def test_init_runs_once_in_every_worker_and_again_in_every_replacement(mill: Mill) -> None:
    mill.inputs({f"{number}": "die" if number == 3 else "ok" for number in range(8)})
    mill.script(
        """
def init():
    noted("inits", f"{os.getpid()} {os.environ['GRISTMILL_WORKER_INDEX']}")

def run(mini_batch):
    called(mini_batch)
    noted("runs", str(os.getpid()))
    while len((HERE / "inits").read_text().splitlines()) < 2:
        time.sleep(0.005)
    if Path(mini_batch[0]).read_text() == "die" and (HERE / "calls").read_text().count("3") == 1:
        os._exit(9)
    if names(mini_batch) == ["7"]:
        while len((HERE / "inits").read_text().splitlines()) < 3:
            time.sleep(0.005)
    return mini_batch
"""
    )
    mill.deployment("mini_batch_size: 1, max_concurrency_per_instance: 2")

    ended = mill.run()

    assert ended.counts == (8, 8, 0, 0), ended.err
    pids = [line.split()[0] for line in mill.lines("inits")]
    assert len(set(pids)) == len(pids) == 3
    assert {line.split()[1] for line in mill.lines("inits")} == {"0", "1"}
    assert set(mill.lines("runs")) <= set(pids)


def test_absence_of_init_is_noticed_once_and_allowed(mill: Mill) -> None:
    mill.inputs(["a", "b"])
    mill.write("code/score.py", GOOD_RUN)
    mill.deployment("mini_batch_size: 1, max_concurrency_per_instance: 2")

    ended = mill.run()

    assert ended.status == 0
    assert ended.err.count("init()") == 1


def test_a_context_is_passed_to_a_run_that_asks_for_one(mill: Mill) -> None:
    mill.inputs(["a", "b", "c"])
    mill.script(
        """
def init(): pass
def run(mini_batch, context):
    called(mini_batch)
    tries = (HERE / "calls").read_text().split().count(names(mini_batch)[0])
    if names(mini_batch) == ["b"] and tries < 2:
        raise ValueError("once")
    kind = type(mini_batch).__name__
    return [f"{context.minibatch_index} {context.attempt - tries} {context.job_name} {kind}"]
"""
    )
    mill.deployment("mini_batch_size: 1")

    assert mill.run().status == 0
    rows = [row.split() for row in mill.bytes().decode().splitlines()]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    assert len({row[1] for row in rows}) == 1  # counted alike, whatever the first try is called
    assert [row[2:] for row in rows] == [["j", "list"]] * 3
