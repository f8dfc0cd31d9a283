"""How jobs, lists, logs and proofs look."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gristmill.api.follow import NoDisplay
from gristmill.cli import show
from gristmill.service.in_flight import InFlight
from gristmill.shown.progress import Taken, show_steps
from unit.cli.doubles import COMPLETED, FAILED, ScriptedJobs, progress, proof

Type = Callable[..., int]
Captured = pytest.CaptureFixture[str]


def test_completed_job_shows_everything_in_aligned_lines() -> None:
    assert show.job(COMPLETED) == [
        "job           digits",
        "status        Completed",
        "summary       Completed: 1,797 of 1,797 items, 0 failed",
        "items         1,797: 1,797 scored, 0 failed, 0 not run",
        "mini-batches  36 of 36 done",
        "input         /data/images",
        "predictions   /data/out/predictions.csv",
        "read with     pd.read_csv('/data/out/predictions.csv')",
        "job folder    /home/ada/.gristmill/jobs/digits",
        "created       2024-05-01 12:00:00 UTC",
        "started       2024-05-01 12:00:01 UTC",
        "ended         2024-05-01 12:01:06 UTC, after 1 min 05 s",
    ]


@pytest.mark.parametrize(
    ("deployment", "endpoint", "shown"),
    [
        ("by-file", "digits", ["deployment    by-file of endpoint digits"]),
        ("by-file", None, ["deployment    by-file"]),
        (None, None, []),
    ],
)
def test_job_names_what_it_was_made_of(
    deployment: str | None, endpoint: str | None, shown: list[str]
) -> None:
    lines = show.job(replace(COMPLETED, deployment_name=deployment, endpoint_name=endpoint))

    assert [line for line in lines if line.startswith("deployment")] == shown


def test_job_that_waits_has_no_counts_before_its_input_was_looked_at() -> None:
    waiting = replace(COMPLETED, status="Queued", total=0, succeeded=0, mini_batches=0, mini_batches_done=0)

    lines = show.job(waiting)

    assert [line for line in lines if line.startswith(("items", "mini-batches"))] == []


def test_interrupted_job_says_so_and_how_to_go_on() -> None:
    view = replace(
        FAILED, status="Running", is_interrupted=True, message="", ended_at="", summary="Running: 30 items"
    )

    lines = show.job(view)

    assert "status        Interrupted: it says Running, but no process works on it" in lines
    assert lines[-1] == "go on with    gristmill resume digits"


def test_end_of_a_good_job_is_three_lines() -> None:
    assert show.ending(COMPLETED) == [
        "Completed: 1,797 of 1,797 items, 0 failed",
        "predictions  /data/out/predictions.csv",
        "read with    pd.read_csv('/data/out/predictions.csv')",
    ]


@pytest.mark.parametrize(
    ("seconds", "items", "words"),
    [
        (41.2, 4018, "41 s, 98 items/s"),
        (2.04, 3, "2.0 s, 1.5 items/s"),
        (185, 1_000_000, "3 min 05 s, 5,405 items/s"),
    ],
)
def test_end_says_how_long_it_took_and_how_fast_it_was(seconds: float, items: int, words: str) -> None:
    assert show.ending(COMPLETED, Taken(seconds=seconds, items=items))[-1] == f"took         {words}"


def test_end_of_a_start_that_did_nothing_has_no_pace() -> None:
    assert show.ending(COMPLETED, Taken(seconds=3.0, items=0)) == show.ending(COMPLETED)


def test_what_a_resumed_job_had_before_is_not_taken_again(jobs: ScriptedJobs) -> None:
    running = replace(jobs.running, progress=(progress(40), progress(70), progress(100)))
    clock = iter([10.0, 14.0])

    assert show_steps(running, NoDisplay(), lambda: next(clock)) == Taken(seconds=4.0, items=60)


def test_end_of_a_failed_job_has_message_places_and_the_command_that_goes_on() -> None:
    assert show.ending(replace(FAILED, read_hint=None)) == [
        "Failed: 30 of 1,797 items, 11 failed, 1,756 not run",
        "",
        "  images/3.png: ValueError: no digit",
        '    File "score.py", line 7, in run',
        "",
        "so far      /data/out/predictions.partial.csv",
        "failures    /data/out/failures.jsonl",
        "logs        gristmill job logs digits",
        "go on with  gristmill resume digits",
    ]


def test_message_of_one_line_stands_below_the_summary() -> None:
    assert show.ending(replace(FAILED, message="cancelled by Ctrl-C"))[1:3] == [
        "  cancelled by Ctrl-C",
        "so far      /data/out/predictions.partial.csv",
    ]


def test_paths_below_the_current_folder_are_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert show.near(str(tmp_path / "out" / "predictions.csv")) == "out/predictions.csv"
    assert show.near(str(tmp_path.parent / "x")) == str(tmp_path.parent / "x")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")],
)
def test_durations_are_words(seconds: float, words: str) -> None:
    assert show.duration(seconds) == words


@pytest.mark.parametrize(
    ("size_bytes", "words"), [(0, "0 B"), (999, "999 B"), (1400, "1.4 kB"), (2e9, "2.0 GB")]
)
def test_sizes_are_words(size_bytes: int, words: str) -> None:
    assert show.size(size_bytes) == words


def test_list_is_a_table_in_the_given_order(gristmill: Type, jobs: ScriptedJobs, capsys: Captured) -> None:
    jobs.views = [replace(FAILED, name="a-longer-name", is_interrupted=True), COMPLETED]

    assert gristmill("job", "list") == 0
    assert capsys.readouterr().out.splitlines() == [
        "JOB            STATUS       ITEMS  SCORED  FAILED  CREATED",
        "a-longer-name  Interrupted  1,797      30      11  2024-05-01 12:00:00 UTC",
        "digits         Completed    1,797   1,797       0  2024-05-01 12:00:00 UTC",
    ]


def test_list_names_folders_that_cannot_be_read(
    gristmill: Type, jobs: ScriptedJobs, capsys: Captured
) -> None:
    jobs.broken = ["half", "torn"]

    assert gristmill("job", "list") == 0
    assert "notice: without a job.json that can be read: half, torn" in capsys.readouterr().err


def test_empty_list_leaves_stdout_empty(gristmill: Type, jobs: ScriptedJobs, capsys: Captured) -> None:
    jobs.views = []

    assert gristmill("job", "list") == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("there are no jobs yet")


def test_json_is_the_whole_answer(gristmill: Type, capsys: Captured) -> None:
    for words, answer in ((["show", "digits"], COMPLETED.to_json()), (["list"], [COMPLETED.to_json()])):
        assert gristmill("job", *words, "--json") == 0
        assert json.loads(capsys.readouterr().out) == answer


def test_proof_names_each_problem(gristmill: Type, jobs: ScriptedJobs, capsys: Captured) -> None:
    jobs.verification = proof("item 3 is twice", "item 4 is lost")

    gristmill("verify", "digits")

    first, *problems = capsys.readouterr().out.splitlines()
    assert first == jobs.verification.summary
    assert problems == ["  item 3 is twice", "  item 4 is lost"]


@pytest.fixture
def job_with_logs(jobs: ScriptedJobs, tmp_path: Path) -> ScriptedJobs:
    contents = {
        "job_result.txt": "Completed\n",
        "job_error.txt": "",
        "user/stdout/node/process000.stdout.txt": "".join(f"line {number}\n" for number in range(5000)),
        "user/stderr/node/process000.stderr.txt": "",
        "sys/job_report/node_summary.csv": "a,b\n",
    }
    for name, text in contents.items():
        path = tmp_path / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        jobs.log_files.append(path)
    jobs.running.view = replace(COMPLETED, folder=str(tmp_path))
    return jobs


def test_logs_are_listed_and_the_telling_ones_shown(
    gristmill: Type, job_with_logs: ScriptedJobs, tmp_path: Path, capsys: Captured
) -> None:
    assert gristmill("job", "logs", "digits") == 0

    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 'logs'}:",
        "      10 B  job_result.txt",
        "       0 B  job_error.txt",
        "   48.9 kB  user/stdout/node/process000.stdout.txt",
        "       0 B  user/stderr/node/process000.stderr.txt",
        "       4 B  sys/job_report/node_summary.csv",
        "",
        "== job_result.txt",
        "Completed",
        "",
        "== the end of user/stdout/node/process000.stdout.txt",
        *(f"line {number}" for number in range(4980, 5000)),
    ]


def test_an_error_that_the_result_shows_is_not_shown_again(
    gristmill: Type, job_with_logs: ScriptedJobs, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "logs/job_result.txt").write_text("Job j: Failed\n\nValueError: x\n\nStatus Failed\n")
    (tmp_path / "logs/job_error.txt").write_text("Job j failed\n\nValueError: x\n")

    gristmill("job", "logs", "digits")

    assert capsys.readouterr().out.count("ValueError: x") == 1


def test_an_error_that_says_more_than_the_result_is_shown(
    gristmill: Type, job_with_logs: ScriptedJobs, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "logs/job_error.txt").write_text("Job j failed\n\nOSError: y\n")

    gristmill("job", "logs", "digits")

    assert "== job_error.txt\nJob j failed\n\nOSError: y\n" in capsys.readouterr().out


def test_message_of_many_lines_ends_without_an_empty_one() -> None:
    assert show.job(replace(FAILED, message="one\ntwo"))[-3:] == ["", "  one", "  two"]


def test_logs_path_is_only_the_folder(
    gristmill: Type, job_with_logs: ScriptedJobs, tmp_path: Path, capsys: Captured
) -> None:
    assert gristmill("job", "logs", "digits", "--path") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'logs'}\n"


def test_what_is_in_flight_is_shown_a_line_each_and_five_at_most() -> None:
    one = InFlight(
        inputs=("a\nb.png",),
        items=1,
        mini_batch=7,
        first_item=0,
        attempt=2,
        seconds=75.4,
        worker=3,
        process=99,
        opened="a.png",
    )
    two = replace(one, inputs=("c.png", "d.png"), items=2, opened="d.png")
    unknown = replace(one, inputs=(), items=0, opened="")
    view = replace(COMPLETED, status="Running", in_flight=(one, two, unknown, one, one, one, one))

    lines = show.job(view)

    assert lines[-6:] == [
        "in flight     worker 3 for 1 min 15 s: a\\nb.png (mini-batch 7, try 2)",
        "              worker 3 for 1 min 15 s: c.png and 1 more (mini-batch 7, try 2; opened last: d.png)",
        "              worker 3 for 1 min 15 s: something (mini-batch 7, try 2)",
        *["              worker 3 for 1 min 15 s: a\\nb.png (mini-batch 7, try 2)"] * 2,
        "              and 2 more: --json has all",
    ]
