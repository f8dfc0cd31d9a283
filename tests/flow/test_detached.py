"""``gristmill run --detach`` and ``gristmill job stream``: a job that belongs to no shell."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from conftest import end_runner
from flow.mill import Ended, Mill, finished, until

SCRIPT = """
def run(mini_batch):
    called(mini_batch)
    if (HERE / "hold").exists():
        held_until("go")
    return names(mini_batch)
"""


@pytest.fixture
def mill(tmp_path: Path) -> Iterator[Mill]:
    mill = Mill(tmp_path)
    mill.script(SCRIPT)
    mill.deployment("mini_batch_size: 1")
    mill.inputs(["a", "b", "c"])
    yield mill
    (mill.root / "go").touch()
    end_runner(mill.home)


def detach(mill: Mill, name: str, *words: str) -> Ended:
    options = ["--input", "in", "--output-path", name, "--job-name", name, "--detach"]
    return mill.type("run", "deployment.yml", *options, *words)


@dataclass(frozen=True, kw_only=True)
class Told:
    """Two jobs that were detached, and what was said of them."""

    mill: Mill
    first: Ended
    second: Ended
    listed: Ended
    stream: Ended


@pytest.fixture(scope="module")
def told(new_mill: Callable[[], Mill]) -> Iterator[Told]:
    mill = new_mill()
    mill.script(SCRIPT)
    mill.deployment("mini_batch_size: 1")
    mill.inputs(["a", "b", "c"])
    (mill.root / "hold").touch()
    first = detach(mill, "first")
    until(lambda: mill.calls(), "the first call")
    second = detach(mill, "second", "--json")
    listed = mill.type("job", "list")
    following = mill.start("job", "stream", "second")
    assert following.stderr is not None
    seen = [following.stderr.readline().decode() for _ in range(2)]
    (mill.root / "hold").unlink()
    (mill.root / "go").touch()
    stream = finished(following)
    stream = replace(stream, err="".join(seen) + stream.err)
    yield Told(mill=mill, first=first, second=second, listed=listed, stream=stream)
    end_runner(mill.home)


def test_the_name_alone_is_on_stdout(told: Told) -> None:
    assert (told.first.status, told.first.out) == (0, "first\n")


def test_how_to_follow_is_on_stderr(told: Told) -> None:
    assert told.first.err.splitlines()[-1] == (
        "job first: Queued: next in line; follow it with gristmill job stream first"
    )


def test_json_tells_the_place_in_the_line(told: Told) -> None:
    view = told.second.view

    assert (view["name"], view["status"], view["origin"]) == ("second", "Queued", "detach")
    assert (view["queue_position"], view["waiting"]) == (1, "next in line behind first, which runs")
    assert view["is_interrupted"] is False


def test_the_list_shows_who_waits(told: Told) -> None:
    assert [line.split()[:2] for line in told.listed.out.splitlines()[1:]] == [
        ["second", "Queued"],
        ["first", "Running"],
    ]


def test_a_stream_shows_the_place_the_progress_and_the_end(told: Told) -> None:
    lines = told.stream.err.splitlines()

    assert told.stream.status == 0
    assert told.stream.out == ""
    assert lines[0] == "job second; output in second"
    assert lines[1] == "notice: Queued: next in line behind first, which runs"
    assert any(line.startswith("3 of 3 items, 0 failed") for line in lines)
    assert "Completed: all 3 items" in lines


def test_the_output_is_where_that_of_a_run_is(told: Told) -> None:
    assert told.mill.output("second") == ["predictions.columns.json", "predictions.csv"]


def test_the_stream_of_a_job_that_has_ended_says_how(told: Told) -> None:
    again = told.mill.type("job", "stream", "first")

    assert again.status == 0
    assert "Completed: all 3 items" in again.err.splitlines()


def test_the_stream_of_a_job_that_is_not_there_is_refused(told: Told) -> None:
    assert told.mill.type("job", "stream", "nobody").status == 2


def test_strict_makes_no_sense_with_detach(told: Told) -> None:
    refused = detach(told.mill, "third", "--strict")

    assert (refused.status, refused.out) == (2, "")
    assert "--strict is about how the job ends" in refused.err


def test_a_stream_of_a_job_that_is_cancelled_ends_with_1(mill: Mill) -> None:
    (mill.root / "hold").touch()
    detach(mill, "first")
    until(lambda: mill.calls(), "the first call")
    following = mill.start("job", "stream", "first")
    assert mill.type("job", "cancel", "first").status == 0

    stream = finished(following)

    assert stream.status == 1
    assert "Canceled" in stream.err


def test_ctrl_c_ends_the_stream_and_not_the_job(mill: Mill) -> None:
    (mill.root / "hold").touch()
    detach(mill, "first")
    until(lambda: mill.calls(), "the first call")
    following = mill.start("job", "stream", "first")
    assert following.stderr is not None
    assert following.stderr.readline() == b"job first; output in first\n"
    following.send_signal(signal.SIGINT)

    stream = finished(following)
    (mill.root / "go").touch()

    assert "the job goes on; follow it again with gristmill job stream first" in stream.err
    assert mill.type("job", "stream", "first").status == 0


def test_a_job_outlives_the_session_that_asked_for_it(mill: Mill) -> None:
    (mill.root / "hold").touch()
    detach(mill, "first")
    until(lambda: mill.calls(), "the first call")
    runner = json.loads((mill.home / "runner" / "lock").read_bytes())["pid"]

    assert os.getsid(runner) == runner
    os.kill(runner, signal.SIGHUP)
    (mill.root / "go").touch()

    assert mill.type("job", "stream", "first").status == 0


# As conda's tools are called; it says so, and does not come to an end.
TOOL = f"""#!{sys.executable}
import os, pathlib, time
print("Downloading grains", flush=True)
pathlib.Path(os.environ["MILL"], "tool").write_text(str(os.getpid()))
time.sleep(600)
"""


def test_an_environment_that_is_being_built_can_be_cancelled(mill: Mill) -> None:
    tool = mill.write("tools/micromamba", TOOL)
    tool.chmod(0o755)
    mill.variables["PATH"] = f"{tool.parent}:{os.defpath}"
    mill.write("conda.yaml", "dependencies: [grain]\nname: grains\n")
    mill.deployment("", "environment: {conda_file: conda.yaml}")
    detach(mill, "first")
    until(lambda: mill.lines("tool"), "the tool")

    shown = mill.show("first")
    cancelled = mill.type("job", "cancel", "first")

    assert (shown["status"], shown["is_interrupted"]) == ("Preparing", False)
    assert cancelled.status == 0, cancelled.err
    assert mill.show("first")["message"] == "cancelled by gristmill job cancel before it began"
    assert "Downloading grains" in mill.log("environment_build.txt", "first")
    assert not os.path.exists(f"/proc/{mill.lines('tool')[0]}/cmdline")
    assert mill.output("first") == []
