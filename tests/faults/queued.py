"""A home whose queue is disturbed: short jobs, those who ask for them, and proof of what became of each.

Every call of a job's ``run()`` takes the job's own lock, without waiting, and writes down that it began and
ended: two processes that work on one job at once cannot both have it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from faults.processes import go_on, is_stopped, kill, mentioning, state_of, wait_until
from flow.mill import REPOSITORY
from gristmill.run.job_folder import JobFolder
from gristmill.run.verify import verify_job

_SCRIPT = """
import fcntl, os, time
from pathlib import Path

HERE = Path(os.environ["QUEUED_HERE"])
JOB = os.environ["GRISTMILL_JOB_NAME"]


def noted(word, name):
    log = os.open(HERE / "calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, ("%s %s %s\\n" % (JOB, word, name)).encode())
    os.close(log)


def run(mini_batch):
    with open(HERE / (JOB + ".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            noted("clash", "")
        for path in mini_batch:
            noted("call", os.path.basename(path))
            time.sleep(float(os.environ["QUEUED_CALL_S"]))
    return [os.path.basename(path) for path in mini_batch]
"""
# Asks for jobs by their names, one after the other, with the key that each name is; prints who was accepted.
_ASKING = """
import os
import sys
from pathlib import Path
import gristmill.catalog.opening
from gristmill.service.request import RunRequest
from gristmill.service.workspace import Workspace
from gristmill.settings import Settings
from gristmill.spec.deployment import load

here = Path(sys.argv[1])
asking = []
if sys.argv[2] == "together":  # a process for each name
    for name in sys.argv[3:]:
        asking.append(os.fork())
        if not asking[-1]:
            sys.argv[2:], asking = [name], []
            break
    else:
        sys.argv[2:] = []
with Workspace(Settings.from_environment()) as workspace:
    for name in sys.argv[2:]:
        request = RunRequest(
            deployment=load(here / "deployment.yml", []),
            input=here / "in",
            name=name,
            idempotency_key="key of " + name,
        )
        workspace.queue.submit(request)
        os.write(1, name.encode() + b"\\n")
for one in asking:
    os.waitpid(one, 0)
"""
FILES = ("a", "b", "c")


class DisturbedHome:
    """A home, and short jobs that are asked for in it."""

    def __init__(self, root: Path, *, call_s: float = 0.02, at_once: int = 1, idle_s: float = 1.0) -> None:
        self.root = root
        self.home = root / "home"
        self.said = ""
        (root / "tmp").mkdir()
        (root / "in").mkdir()
        for name in FILES:
            (root / "in" / name).write_text(name, encoding="ascii")
        (root / "code").mkdir()
        (root / "code" / "score.py").write_text(_SCRIPT, encoding="ascii")
        (root / "deployment.yml").write_text(
            "code_configuration: {code: code, scoring_script: score.py}\nsettings: {mini_batch_size: 1}\n",
            encoding="ascii",
        )
        self._variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GRISTMILL_")},
            "PYTHONPATH": str(REPOSITORY / "src"),
            "GRISTMILL_HOME": str(self.home),
            "GRISTMILL_RUNNER_IDLE": str(idle_s),
            "GRISTMILL_MAX_RUNNING_JOBS": str(at_once),
            "QUEUED_HERE": str(root),
            "QUEUED_CALL_S": str(call_s),
            "TMPDIR": str(root / "tmp"),
        }

    def asking(self, *names: str, point: str = "") -> subprocess.Popen[bytes]:
        """Ask for jobs, in a process of its own; it stops at a named point."""
        return self._started([sys.executable, "-c", _ASKING, str(self.root), *names], point)

    def ask(self, *names: str) -> None:
        """Ask for jobs and wait until they are accepted."""
        said, wrong = self.asking(*names).communicate(timeout=60)
        assert said.decode().split() == list(names), wrong.decode()

    def looking(self, *words: str, point: str = "") -> subprocess.Popen[bytes]:
        """Type a command that looks at jobs."""
        return self._started([sys.executable, "-m", "gristmill", *(words or ("job", "list"))], point)

    def look(self, *words: str, **variables: str) -> str:
        """Type such a command and wait for its end."""
        before, self._variables = self._variables, {**self._variables, **variables}
        looking = self.looking(*words)
        self._variables = before
        said, wrong = looking.communicate(timeout=60)
        self.said = wrong.decode()
        return said.decode()

    def _started(self, command: list[str], point: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=self.root,
            env={**self._variables, "GRISTMILL_FAULT_POINT": point},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    # What is there

    def runners(self) -> list[int]:
        """Return the processes that are, or are about to be, runners of this home."""
        return self._named(b"gristmill.service.queue.runner")

    def slots(self) -> list[int]:
        """Return the processes in which jobs run."""
        return self._named(b"gristmill.service.queue.slot")

    def _named(self, module: bytes) -> list[int]:
        found = []
        for process in mentioning([f"GRISTMILL_HOME={self.home}"]):
            try:
                command = Path(f"/proc/{process}/cmdline").read_bytes()
            except OSError:
                continue
            if module in command.split(b"\0"):
                found.append(process)
        return found

    def stopped(self, what: str) -> int:
        """Wait for a runner or a slot that has stopped at its point; return it."""
        found: list[int] = []

        def has_stopped() -> bool:
            found[:] = [one for one in (*self.runners(), *self.slots()) if is_stopped(one)]
            return bool(found)

        wait_until(has_stopped, what)
        return found[0]

    def job(self, name: str) -> dict[str, Any]:
        """Return what ``job.json`` says; nothing where there is no job."""
        try:
            job = json.loads((self.home / "jobs" / name / "job.json").read_bytes())
        except OSError:
            return {}
        assert isinstance(job, dict)
        return job

    def status(self, name: str) -> str:
        return str(self.job(name).get("status", ""))

    def events(self, name: str) -> list[dict[str, Any]]:
        text = (self.home / "jobs" / name / "events.jsonl").read_text(encoding="ascii")
        return [json.loads(line) for line in text.splitlines()]

    def calls(self) -> list[list[str]]:
        """Return what the scripts wrote down: job, word and file."""
        path = self.root / "calls"
        return (
            [line.split() for line in path.read_text(encoding="ascii").splitlines()] if path.exists() else []
        )

    def waiting(self) -> list[str]:
        folder = self.home / "runner" / "waiting"
        return sorted(os.listdir(folder)) if folder.is_dir() else []

    def log(self) -> str:
        path = self.home / "runner" / "runner.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    # How it ends

    def wait_for(self, *names: str) -> None:
        """Look again and again, as a user would, until jobs have ended."""

        for name in names:
            wait_until(lambda name=name: self._has_ended(name), f"the end of {name}")  # type: ignore[misc]

    def _has_ended(self, name: str) -> bool:
        if self.status(name) in ("Completed", "Failed", "Canceled"):
            return True
        if not self.runners():
            self.look()
        return False

    def check_completed(self, *names: str) -> None:
        """Make sure of each job that it is complete, and that never two processes worked on it at once."""
        calls = self.calls()
        assert [line for line in calls if line[1] == "clash"] == []
        for name in names:
            job = self.job(name)
            assert job["status"] == "Completed", (name, job["status"], job["message"], self.log())
            output = Path(job["output"], "predictions.csv").read_text(encoding="ascii")
            assert output == "".join(f'"{one}"\n' if " " in one else f"{one}\n" for one in FILES)
            fences = [event["fence"] for event in self.events(name) if event["event"] == "started"]
            assert fences == sorted(set(fences)), "every start has a number of its own"
            assert [event["event"] for event in self.events(name)].count("ended") >= 1
            assert verify_job(JobFolder(self.home / "jobs" / name)).problems == ()
        once = Counter((name, file) for name, word, *rest in calls if word == "call" for file in rest)
        assert {name for name, _ in once} >= set(names)

    def check_nothing_left(self) -> None:
        """Wait until the runner has ended by itself; make sure that nothing of it is left."""

        def is_empty() -> bool:
            left = mentioning([f"{self.root}/"])
            go_on(*left)  # a slot that its runner has started anew meets its point as well
            return not left

        wait_until(is_empty, "the end of every process")
        assert self.waiting() == []
        assert sorted(os.listdir(self.home / "runner")) in (
            ["lock", "runner.log", "waiting"],
            ["bell", "lock", "runner.log", "waiting"],  # of a runner that was killed last
        )
        assert os.listdir(self.root / "tmp") == []

    def clean_up(self) -> None:
        """End whatever a test that failed has left."""
        kill(*[one for one in mentioning([f"{self.root}/"]) if state_of(one) not in ("Z", "X")])


def killed_at(process: subprocess.Popen[bytes], point: str) -> None:
    """Kill a command at the point at which it has stopped."""
    wait_until(lambda: is_stopped(process.pid), point)
    process.kill()
    process.communicate()
