"""The ground gives way while a job runs: folders vanish, disks take nothing any more, inputs change.

Each time the job stops with words that name the thing and the remedy; once it is mended, `resume` gives
the output of a run that nobody disturbed.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.processes import go_on, is_stopped
from flow.mill import REPOSITORY, Ended, Mill, finished, until

FILES = [f"{number:02d}" for number in range(24)]
# Of 24 files two are bad: mini-batches are taken apart. In the middle the script waits for a word.
SCRIPT = """
def run(mini_batch):
    called(mini_batch)
    rows = []
    for path in mini_batch:
        content = Path(path).read_text()
        if content in ("03", "18"):
            raise ValueError("bad: " + content)
        if content == "10":
            held_until("go")
        rows.append(content)
    return rows
"""
SETTINGS = "mini_batch_size: 4, max_concurrency_per_instance: 2, retry_settings: {max_retries: 1}"
ROWS = "".join(f"{name}\n" for name in FILES if name not in ("03", "18")).encode()


@pytest.fixture
def read_only() -> Iterator[Callable[[Path, bool], None]]:
    """Return a function that lets nobody, root included, change what is in a folder; or lets them again."""
    ours: list[Path] = []

    def let(folder: Path, is_read_only: bool) -> None:
        command = ["chattr", "+i" if is_read_only else "-i", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a folder cannot be made immutable here: {done.stderr.strip()}")
        ours.append(folder)

    if shutil.which("chattr") is None:
        pytest.skip("a folder cannot be made immutable here: there is no chattr")
    yield let
    for folder in ours:
        subprocess.run(["chattr", "-i", folder], check=False, capture_output=True)


@pytest.fixture
def small_disk(mill: Mill) -> Iterator[Callable[[str, str], Callable[[], None]]]:
    """Return a function that makes a folder a small disk, and returns one that makes room there."""
    mounted: list[Path] = []

    def mount(folder: str, size: str) -> Callable[[], None]:
        place = mill.root / folder
        place.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(place)
        return lambda: (subprocess.run(["mount", "-o", "remount,size=200m", place], check=True), None)[1]

    if shutil.which("mount") is None:
        pytest.skip("a small disk cannot be mounted here: there is no mount")
    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", place], check=True)


def begun(mill: Mill, *words: str) -> subprocess.Popen[bytes]:
    """Start a job, and return when it waits in its middle, with mini-batches done before and behind."""
    mill.inputs(FILES)
    mill.script(SCRIPT)
    mill.deployment(SETTINGS)
    process = mill.start_run(*words)
    until(lambda: any("10" in call for call in mill.calls()), "the held file has been reached")
    until(lambda: "18" in mill.calls(), "a bad file is being isolated beside it")
    return process


def went_on(mill: Mill, process: subprocess.Popen[bytes]) -> Ended:
    """Let the job go on, to its end; whatever happens, no code of ours is shown."""
    (mill.root / "go").touch()
    ended = finished(process)
    assert f'File "{REPOSITORY}' not in ended.err
    return ended


def resumed(mill: Mill) -> None:
    """Resume; the output is that of an undisturbed run, and verify agrees."""
    again = mill.type("resume", "j", "--json")
    assert again.status == 0, again.err
    assert again.counts == (24, 22, 2, 0)
    assert mill.bytes() == ROWS
    assert [entry["input"] for entry in mill.failures()] == ["03", "18"]
    assert mill.type("verify", "j").status == 0


@pytest.mark.parametrize("folder", ["out", "home/jobs/j"])
def test_a_folder_that_becomes_read_only_stops_the_job(
    folder: str, mill: Mill, read_only: Callable[[Path, bool], None]
) -> None:
    process = begun(mill)
    read_only(mill.root / folder, True)

    ended = went_on(mill, process)

    assert ended.status == 1
    assert f"{mill.root}/{folder}" in ended.err
    assert "Operation not permitted" in ended.err
    assert "resume the job" in ended.err
    assert not (mill.root / "out" / "predictions.csv").exists()
    read_only(mill.root / folder, False)
    resumed(mill)


def removed(folder: Path) -> None:
    """Remove a folder in which a worker may be writing just now."""

    def is_gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    until(is_gone, f"the end of {folder}")


@pytest.mark.parametrize("what", ["out", "out/.gristmill-j", "out/.gristmill-j/parts"])
def test_an_output_that_vanishes_stops_the_job_and_what_was_in_it_is_run_again(mill: Mill, what: str) -> None:
    process = begun(mill)
    removed(mill.root / what)

    ended = went_on(mill, process)

    assert ended.status == 1
    assert f"{mill.root}/out" in ended.err
    assert "resume" in ended.err
    resumed(mill)


def test_a_job_folder_that_vanishes_ends_the_job_with_its_name(mill: Mill) -> None:
    process = begun(mill)
    removed(mill.home / "jobs" / "j")

    ended = went_on(mill, process)

    assert ended.status == 1
    assert f"the job folder {mill.home}/jobs/j was removed while the job ran" in ended.err
    assert not (mill.home / "jobs" / "j" / "job.json").exists()
    shutil.rmtree(mill.home / "jobs" / "j", ignore_errors=True)
    refused = mill.run("--overwrite")
    assert refused.status == 2
    assert f"{mill.root}/out/.gristmill-j is there already" in refused.err
    shutil.rmtree(mill.root / "out" / ".gristmill-j")
    assert mill.run("--overwrite").counts == (24, 22, 2, 0)
    assert mill.bytes() == ROWS
    assert mill.output() == ["failures.jsonl", "predictions.columns.json", "predictions.csv"]


def test_a_job_of_the_same_name_in_another_home_takes_nothing_from_a_live_one(mill: Mill) -> None:
    process = begun(mill)

    refused = mill.run("--overwrite", GRISTMILL_HOME=str(mill.root / "other"))

    assert refused.status == 2
    assert f"{mill.root}/out/.gristmill-j is there already: a job j of another home" in refused.err
    ended = went_on(mill, process)
    assert ended.counts == (24, 22, 2, 0), ended.err
    assert mill.bytes() == ROWS


def test_an_input_that_vanishes_fails_by_name_and_is_scored_once_it_is_back(mill: Mill) -> None:
    process = begun(mill, "--error-threshold", "3")
    (mill.root / "in").rename(mill.root / "away")

    ended = went_on(mill, process)

    assert (ended.status, ended.view["status"]) == (1, "Failed")
    assert any("FileNotFoundError" in entry["message"] for entry in mill.failures())
    (mill.root / "away").rename(mill.root / "in")
    resumed(mill)


def test_input_files_that_change_under_way_are_read_as_they_are_then_and_nothing_is_lost(mill: Mill) -> None:
    process = begun(mill)
    (mill.root / "in" / "11").write_text("")
    (mill.root / "in" / "00").write_text("scored already")
    (mill.root / "in" / "new").write_text("listed too late")

    ended = went_on(mill, process)

    assert ended.counts == (24, 22, 2, 0)
    assert mill.bytes() == ROWS.replace(b"11\n", b"\n") or mill.bytes() == ROWS
    assert mill.type("verify", "j").status == 0


JUMPS = """
import itertools, sys, time
from datetime import datetime, timedelta, timezone
import datetime as module

real, jumps = time.time, itertools.cycle([0, 86_400, -86_400, 31_536_000, -31_536_000, 7])
time.time = lambda: real() + next(jumps)
time.time_ns = lambda: int(time.time() * 1e9)

class Jumping(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.fromtimestamp(time.time(), tz)

module.datetime = Jumping
open(CLOCKS, "a").write(" ".join(sys.argv[:1]) + "\\n")
"""


def test_a_clock_that_jumps_by_days_and_years_changes_nothing(mill: Mill) -> None:
    mill.write("clock/sitecustomize.py", JUMPS.replace("CLOCKS", repr(str(mill.root / "clocks"))))
    mill.inputs(FILES)
    mill.script("import sitecustomize_of_worker\n" + SCRIPT.replace("held_until", "time.sleep(0.01); len"))
    mill.write("code/sitecustomize_of_worker.py", (mill.root / "clock/sitecustomize.py").read_text())
    mill.deployment(SETTINGS + ", logging_level: debug")
    (mill.root / "go").touch()
    path = f"{mill.root / 'clock'}:{REPOSITORY / 'src'}"

    ended = mill.run(PYTHONPATH=path)

    assert ended.counts == (24, 22, 2, 0), ended.err
    assert mill.bytes() == ROWS
    assert {entry["reason"] for entry in mill.failures()} == {"exception"}
    assert (mill.root / "clocks").read_text().count("\n") >= 3  # this process and both workers
    assert len(mill.calls()) <= len(set(mill.calls())) + 4  # two whole tries each, two of each file alone
    assert mill.type("verify", "j", PYTHONPATH=path).status == 0
    assert mill.type("job", "show", "j", PYTHONPATH=path).status == 0


@pytest.mark.parametrize("point", ["journal.before_write:4", "sync.before_parts:1"])
def test_a_disk_that_takes_its_time_is_no_timeout_of_the_script(point: str, mill: Mill) -> None:
    mill.inputs(FILES)
    mill.script(SCRIPT.replace('held_until("go")', "time.sleep(0.3)"))
    mill.deployment(SETTINGS.replace("max_retries: 1", "max_retries: 1, timeout: 1"))
    process = mill.start_run(GRISTMILL_FAULT_POINT=point)
    until(lambda: is_stopped(process.pid), "the disk is slow")
    due = time.monotonic() + 1.6  # longer than the script may take for a call
    until(lambda: time.monotonic() > due, "more than a second")
    go_on(process.pid)

    ended = finished(process)

    assert ended.counts == (24, 22, 2, 0), ended.err
    assert mill.bytes() == ROWS
    assert {entry["reason"] for entry in mill.failures()} == {"exception"}
    assert len(mill.calls()) <= len(set(mill.calls())) + 4


@pytest.mark.parametrize("size", ["300k", "600k", "1m"])
def test_a_home_that_fills_up_while_files_are_isolated_loses_nothing(
    size: str, mill: Mill, small_disk: Callable[[str, str], Callable[[], None]]
) -> None:
    make_room = small_disk("home", size)
    mill.inputs(FILES)
    mill.script(SCRIPT.replace("called(mini_batch)", "called(mini_batch)\n    print('x' * 60_000)"))
    mill.deployment(SETTINGS)
    (mill.root / "go").touch()

    ended = mill.run()

    if ended.status == 2:  # not even begun
        assert "No space left on device" in ended.err
        assert (mill.calls(), mill.jobs()) == ([], [])
        return
    assert ended.status == 1
    assert f"{mill.home}/jobs/j/" in ended.err
    assert "No space left on device; make room" in ended.err
    assert "then resume the job" in ended.err
    make_room()
    resumed(mill)


def test_a_temporary_folder_without_room_is_named_before_any_call(
    mill: Mill, small_disk: Callable[[str, str], Callable[[], None]]
) -> None:
    make_room = small_disk("tmp", "4k")
    mill.inputs(FILES)
    mill.script(SCRIPT)
    mill.deployment(SETTINGS)
    (mill.root / "go").touch()
    mill.variables["TMPDIR"] = str(mill.root / "tmp")

    ended = mill.run()

    assert ended.status == 1
    assert mill.calls() == []
    assert "the workers cannot be started: No space left on device: " in ended.err
    assert f"{mill.root}/tmp/" in ended.err
    make_room()
    resumed(mill)
