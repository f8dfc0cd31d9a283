"""Jobs one after the other in a process that keeps workers, as the runner's slots are."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flow.mill import until
from gristmill.engine.machine import MachineMemory, MemoryReading
from gristmill.engine.sweep import RUN_MARK, marked
from gristmill.engine.warm_pool import WarmPool
from gristmill.errors import JobLockedError
from gristmill.run.job_folder import JobFolder
from gristmill.service.jobs import Jobs, JobView, ResumeRequest, RunningJob, RunRequest
from gristmill.settings import Home
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override

SCORE = """
import os
import time

import lib


def init():
    lib.note("starts", os.getpid())


def run(mini_batch, context):
    lib.note("calls", context.job_name, os.getpid(), os.environ.get("WORD", "-"))
    if context.job_name == "bad" and context.minibatch_index == 0:
        os.kill(os.getpid(), 9)
    while context.job_name == "held" and not os.path.exists(os.environ["SEEN"]):
        time.sleep(0.01)
    return [os.path.basename(path) for path in mini_batch]
"""
LIB = """
import os


def note(name, *words):
    path = os.path.join(os.path.dirname(os.environ["SEEN"]), name)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, (" ".join(map(str, words)) + "\\n").encode())
    os.close(file)
"""
PLENTY = MemoryReading(available_bytes=8 << 30, total_bytes=16 << 30)
SHORT = MemoryReading(available_bytes=1 << 20, total_bytes=16 << 30)


class Machine(MachineMemory):
    """A machine with as much memory as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.says = PLENTY

    def read(self) -> MemoryReading | None:
        return self.says


class Place:
    """A home, a deployment and its input, and a process that keeps workers: this one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(path=folder / "home")
        self.code = folder / "code"
        self.code.mkdir()
        self.write("score.py", SCORE)
        self.write("lib.py", LIB)
        (folder / "in").mkdir()
        for number in range(6):
            (folder / "in" / f"{number}.txt").touch()
        (folder / "d.yml").write_text(
            textwrap.dedent(f"""\
            endpoint_name: flowers
            name: blue
            code_configuration: {{code: code, scoring_script: score.py}}
            settings:
              mini_batch_size: 1
              environment_variables: {{SEEN: {folder / "seen"}}}
              retry_settings: {{max_retries: 0}}
            gristmill: {{keep_warm_s: 600, workers: 1}}
            """)
        )
        self.machine = Machine()
        self.pool = WarmPool(self.home.runner / "warm", sys.executable, self.machine)
        self.jobs = Jobs(self.home, warm=self.pool)
        self.said: list[str] = []

    def write(self, name: str, text: str) -> None:
        (self.code / name).write_text(text)

    def begin(self, name: str, *, jobs: Jobs | None = None, **overrides: Any) -> RunningJob:
        given = [
            Override(path=key.replace("__", "."), value=value, origin=f"--set {key}")
            for key, value in overrides.items()
        ]
        deployment = load(self.folder / "d.yml", given)
        output = self.folder / f"out-{name}"
        request = RunRequest(deployment=deployment, input=self.folder / "in", output=output, name=name)
        return (jobs or self.jobs).run(request)

    def end(self, running: RunningJob) -> JobView:
        self.said = list(running.notices)
        for progress in running.steps():
            self.said += progress.notices
        return running.view

    def run(self, name: str, **overrides: Any) -> JobView:
        return self.end(self.begin(name, **overrides))

    def noted(self, name: str) -> list[list[str]]:
        path = self.folder / name
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def processes(self, job: str) -> set[str]:
        return {line[1] for line in self.noted("calls") if line[0] == job}

    def run_ids(self, job: str) -> list[str]:
        events = (self.home.jobs / job / "events.jsonl").read_text().splitlines()
        return [told["run_id"] for told in map(json.loads, events) if told["event"] == "started"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.pool.close()
    assert list((place.home.runner / "warm").glob("*")) == []


def test_the_next_job_is_served_by_the_same_process_and_verifies(place: Place) -> None:
    views = [place.run(name) for name in ("a", "b", "c")]
    assert [view.status for view in views] == ["Completed"] * 3
    assert len(place.noted("starts")) == 1
    assert place.processes("a") == place.processes("b") == place.processes("c")
    for name in "abc":
        text = (place.folder / f"out-{name}" / "predictions.csv").read_text()
        assert text == "".join(f"{number}.txt\n" for number in range(6))
        assert place.jobs.verify(name).problems == ()
    assert place.pool.kept().keys() == {"flowers/blue"}
    assert [text for text in place.said if "warm" in text] == []


def test_settings_that_only_we_make_use_of_may_differ(place: Place) -> None:
    place.run("a")
    place.run("b", settings__mini_batch_size=3, settings__error_threshold=1)
    assert place.processes("a") == place.processes("b")
    assert len([line for line in place.noted("calls") if line[0] == "b"]) == 2


CHANGES = {
    "code": lambda place: place.write("lib.py", LIB + "\n"),
    "a file that no module is": lambda place: place.write("labels.txt", "a"),
    "a variable": lambda place: {"settings__environment_variables__WORD": "x"},
    "an argument": lambda place: {"gristmill__program_arguments": "--x"},
    "the format": lambda place: {"gristmill__output_format": "csv"},
    "the level of logging": lambda place: {"settings__logging_level": "debug"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_new_version_of_the_deployment_never_meets_an_old_worker(place: Place, change: str) -> None:
    place.run("a")
    overrides = CHANGES[change](place)
    place.run("b", **(overrides if isinstance(overrides, dict) else {}))
    assert not place.processes("a") & place.processes("b")
    assert len(place.noted("starts")) == 2


def test_a_model_that_was_changed_never_meets_an_old_worker(place: Place) -> None:
    model = place.folder / "model.txt"
    model.write_text("1")
    place.run("a", model__path=str(model))
    place.run("b", model__path=str(model))
    os.utime(model, ns=(1, 1))
    place.run("c", model__path=str(model))
    assert place.processes("a") == place.processes("b")
    assert not place.processes("b") & place.processes("c")


TOUCHES_ITSELF = """

with open(os.path.join(os.path.dirname(__file__), "lib.py"), "a") as file:
    file.write("#")
"""


def test_a_script_that_changes_its_own_code_begins_anew(place: Place) -> None:
    place.write("score.py", SCORE + TOUCHES_ITSELF)
    assert [place.run(name).status for name in ("a", "b")] == ["Completed"] * 2
    assert not place.processes("a") & place.processes("b")


def test_the_first_job_can_be_deleted_and_the_worker_goes_on_to_import(place: Place) -> None:
    late = '    if context.job_name == "b":\n        import late\n    lib.note("calls"'
    place.write("score.py", SCORE.replace('    lib.note("calls"', late))
    place.write("late.py", "")
    place.run("a")
    for folder in (place.home.jobs / "a", place.folder / "out-a"):
        shutil.rmtree(folder)
    assert place.run("b").status == "Completed"
    assert len(place.noted("starts")) == 1


def test_a_job_that_fails_leaves_nobody_behind(place: Place) -> None:
    view = place.run("bad", settings__error_threshold=0)
    assert view.status == "Failed"
    assert place.pool.kept() == {}
    assert marked(RUN_MARK, place.run_ids("bad")[0]) == []


def test_one_that_died_is_replaced_and_the_new_one_stays(place: Place) -> None:
    view = place.run("bad")
    assert view.status == "Completed"
    place.run("b")
    first, second = (int(line[0]) for line in place.noted("starts"))
    assert place.processes("bad") == {str(first), str(second)}
    assert place.processes("b") == {str(second)}


def test_a_resume_elsewhere_leaves_the_workers_alone_that_wait(place: Place) -> None:
    place.run("a")
    other = Jobs(place.home)
    running = place.begin("b")
    running.cancel("enough")
    assert place.end(running).status == "Canceled"
    place.run("c")
    [kept] = place.run_ids("c")
    resumed = other.resume("b", ResumeRequest())
    place.said = []
    place.end(resumed)
    assert len(marked(RUN_MARK, kept)) == 1
    place.run("d")
    assert place.processes("c") == place.processes("d")


def test_a_resume_elsewhere_says_that_nobody_keeps_its_workers(place: Place) -> None:
    place.end(place.begin("a", jobs=Jobs(place.home)))
    assert [text for text in place.said if "keep_warm_s has no meaning here" in text] != []


def test_a_job_that_runs_is_not_taken_by_another_process(place: Place) -> None:
    place.run("a")
    running = place.begin("b")
    with pytest.raises(JobLockedError):
        Jobs(place.home).resume("b", ResumeRequest())
    place.end(running)
    assert place.processes("a") == place.processes("b")


def test_workers_end_when_their_time_is_over(place: Place) -> None:
    place.run("a")
    place.pool.tend()
    assert len(place.pool.kept()) == 1
    place.run("b", gristmill__keep_warm_s=0.001)
    place.pool.tend()
    assert place.pool.kept() == {}
    assert place.pool.due_in_s() is None
    assert marked(RUN_MARK, place.run_ids("a")[0]) == []


def test_workers_that_wait_go_first_when_memory_is_short(place: Place) -> None:
    place.run("a")
    place.machine.says = SHORT
    place.pool.tend()
    assert place.pool.kept() == {}
    assert place.pool.give_way() is False


def test_what_waiting_workers_take_counts_as_memory_for_the_next_job(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left() -> int:
        taken = place.pool.taken_bytes()
        assert (taken > 1_000_000) == bool(place.pool.kept())
        return 1_050_000_000 - taken

    monkeypatch.setattr("gristmill.engine.crew.available_memory", left)
    monkeypatch.setattr("gristmill.engine.crew.usable_cores", lambda: 8)
    auto = {"gristmill__workers": "auto", "gristmill__memory_per_worker": "350MB"}
    for name in "abc":
        place.run(name, **auto)
    jobs = [JobFolder(place.home.jobs / name).read() for name in "abc"]
    assert [job.workers for job in jobs] == [3, 3, 3]
    assert place.run_ids("a") == place.run_ids("b") == place.run_ids("c")


def test_one_that_died_while_nobody_looked_is_buried(place: Place) -> None:
    place.run("a")
    [process] = {int(one) for one in place.processes("a")}
    os.kill(process, signal.SIGKILL)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    place.pool.tend()
    assert place.pool.kept() == {}
    assert place.run("b").status == "Completed"


KEEPER = """
import sys, time
sys.path[:0] = {path!r}
from pathlib import Path
from flow.test_warm_jobs import Place
place = Place(Path({folder!r}))
place.run("a")
print("kept", place.run_ids("a")[0], flush=True)
place.run({then!r})
time.sleep(60)
"""


def _keeper(folder: Path, then: str) -> tuple[subprocess.Popen[str], str]:
    """Start a process that keeps a worker, and does another job then; return it, and the mark."""
    text = KEEPER.format(path=[str(Path(__file__).parents[1])], folder=str(folder), then=then)
    keeper = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert keeper.stdout is not None
    with keeper.stdout:
        return keeper, keeper.stdout.readline().split()[1]


@pytest.mark.parametrize("guard_too", [False, True])
def test_when_the_process_is_killed_nobody_is_left(tmp_path: Path, guard_too: bool) -> None:
    keeper, run_id = _keeper(tmp_path, "b")
    workers, [guard] = marked(RUN_MARK, run_id), marked("GRISTMILL_GUARD", run_id)
    assert len(workers) == 1
    descriptors = [os.pidfd_open(process) for process in workers]
    if guard_too:
        keeper.send_signal(signal.SIGSTOP)
        os.kill(guard, signal.SIGKILL)
    keeper.kill()
    keeper.wait()
    for descriptor in descriptors:
        assert _ends(descriptor)
    home = Home(path=tmp_path / "home")
    assert len(list((home.runner / "warm").iterdir())) == 1
    pool = WarmPool(home.runner / "warm", sys.executable)
    standby, is_new = pool.standby("key", 1.0, "x")
    assert (is_new, [path.name for path in (home.runner / "warm").iterdir()]) == (True, [standby.run_id])
    pool.close()


def test_a_resume_ends_what_a_killed_process_has_left(tmp_path: Path) -> None:
    keeper, run_id = _keeper(tmp_path, "held")
    until(lambda: any(line.startswith("held") for line in _lines(tmp_path / "calls")), "the second job")
    [worker], [guard] = marked(RUN_MARK, run_id), marked("GRISTMILL_GUARD", run_id)
    keeper.send_signal(signal.SIGSTOP)
    os.kill(guard, signal.SIGKILL)
    keeper.kill()
    keeper.wait()
    assert marked(RUN_MARK, run_id) == [worker]  # it is in run(), and does not hear that nobody is there
    descriptor = os.pidfd_open(worker)
    resumed = Jobs(Home(path=tmp_path / "home")).resume("held", ResumeRequest())
    steps = resumed.steps()
    next(steps)
    assert _ends(descriptor)
    (tmp_path / "seen").touch()
    for _ in steps:
        pass
    assert resumed.view.status == "Completed"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _ends(descriptor: int) -> bool:
    try:
        return bool(select.select([descriptor], [], [], 15)[0])
    finally:
        os.close(descriptor)
