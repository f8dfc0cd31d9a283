"""A job that is killed at a named moment, and everything that must hold when it has been resumed.

``GRISTMILL_FAULT_POINT=name:count`` makes a process stop itself at a named point (`gristmill.faults`). Then
the victim gets its SIGKILL, whoever has stopped goes on, and the job is resumed until it has ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest import mock

import gristmill
from faults.processes import children_of, go_on, is_guard, is_stopped, is_worker, kill, mentioning, wait_until
from faults.scripts import Shape
from gristmill.engine.local import QUEUE_AHEAD_S
from gristmill.run.journal import read_journal
from gristmill.run.records import Start
from gristmill.service.jobs import Jobs, Verification
from gristmill.settings import Home

NAME = "killed"
WORKERS = 2
#: Gives the outputs of a job of a shape that nobody disturbed.
Undisturbed = Callable[[Shape], dict[str, bytes]]
#: The folder that takes long to list is listed this often.
_LONG_LISTINGS = 8
_NEVER_COMPARED = ("at", "seconds", "worker", "log")


class KilledJob:
    """One job in a folder of its own: input, output, home and temporary folder."""

    def __init__(self, folder: Path, shape: Shape, long_listing: Path | None = None) -> None:
        self.folder = folder
        self.shape = shape
        self.input = folder / "in"
        self.output = folder / "out"
        self.script = folder / "score.py"
        self.home = Home(path=folder / "home")
        self.job_folder = self.home.jobs / NAME
        self._temporary = folder / "tmp"
        self._calls = folder / "calls"
        self._strikes = 0
        self._temporary.mkdir(parents=True)
        self.script.write_text(shape.script)
        for number in range(shape.files):
            name = f"f{number:03d}"
            part = self.input / ("a" if number < shape.files // 2 else "z")
            part.mkdir(parents=True, exist_ok=True)
            (part / name).write_text(f"content {number * 7919}")
        if long_listing is not None:
            for number in range(_LONG_LISTINGS):
                (self.input / f"m{number}").symlink_to(long_listing)

    # Running it

    def start(
        self, command: str, fault: str = "", more: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start ``run``, ``resume`` or ``rerun`` in a process of its own, which stops itself at the fault
        point.
        """
        arguments = [NAME, *(["--failed"] if command == "rerun" else [])]
        if command == "run":
            arguments = [str(self.script), "--input", str(self.input), "--output-path", str(self.output)]
            arguments += ["--job-name", NAME, "--workers", str(WORKERS)]
            arguments += ["--mini-batch-size", str(self.shape.mini_batch_size), *self.shape.options]
        environment = {**os.environ, **self._environment(more)}
        if fault:
            environment["GRISTMILL_FAULT_POINT"] = fault
        with open(self.folder / "stderr", "ab") as stderr:
            return subprocess.Popen(
                [sys.executable, "-m", "gristmill", *command.split(), *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def run_to_the_end(self, command: str, more: Mapping[str, str] | None = None) -> int:
        """Start ``run`` or ``resume``, undisturbed, and return its exit status."""
        process = self.start(command, more=more)
        wait_until(lambda: process.poll() is not None, f"the end of {command}; it said:\n{self.said}")
        return process.returncode

    def run_until(
        self, command: str, fault: str, more: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start ``run`` or ``resume`` and return its process when somebody has stopped at the fault point."""
        process = self.start(command, fault, more)

        def has_stopped() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"{command} ended and never reached {fault}; it said:\n{self.said}")
            return is_stopped(process.pid) or any(is_stopped(child) for child in children_of(process.pid))

        wait_until(has_stopped, f"{command} stopping at {fault}; it said:\n{self.said}")
        return process

    def strike(self, command: str, fault: str, victim: str, more: Mapping[str, str] | None = None) -> None:
        """Run until the fault point, kill the victim there, and wait for the end of the coordinator."""
        process = self.run_until(command, fault, more)
        self._strikes += 1
        self.kill(victim, process.pid, is_worker_stopped=fault.startswith("worker."))
        self.wait_for_end(process)

    def kill(self, victim: str, coordinator: int, is_worker_stopped: bool = False) -> None:
        """Kill ``coordinator``, ``worker``, ``guard`` or the whole ``tree``."""
        workers = [worker for worker in self.workers() if not is_worker_stopped or is_stopped(worker)]
        if victim == "coordinator":
            kill(coordinator)
        elif victim == "worker":
            assert workers, "there is no worker to be killed"
            kill(workers[0])
        elif victim == "guard":
            guards = self.guards()
            assert len(guards) == 1, f"there is one guard, not {guards}"
            kill(*guards)
        else:
            assert victim == "tree"
            kill(*self.guards(), coordinator, *self.processes())

    def wait_for_end(self, process: subprocess.Popen[bytes]) -> None:
        """Let everything go on that has stopped, again and again, until the coordinator has ended."""

        def has_ended() -> bool:
            self.let_go_on(process)
            return process.poll() is not None

        wait_until(has_ended, f"the end of the coordinator; it said:\n{self.said}")

    def let_go_on(self, process: subprocess.Popen[bytes]) -> None:
        """Let the coordinator and its workers go on, those that have stopped."""
        go_on(*(one for one in (process.pid, *children_of(process.pid)) if is_stopped(one)))

    def complete(self, more: Mapping[str, str] | None = None) -> None:
        """Resume the job unless it is Completed; by the service, since another process takes longer."""
        if self.status == "Completed":
            return
        temporary = mock.patch.object(tempfile, "tempdir", str(self._temporary))
        with mock.patch.dict(os.environ, self._environment(more)), temporary:
            for _ in Jobs(self.home).resume(NAME).steps():
                continue

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return {
            "PYTHONPATH": str(Path(gristmill.__file__).parent.parent),
            "GRISTMILL_HOME": str(self.home.path),
            "TMPDIR": str(self._temporary),
            "KILLING_CALLS": str(self._calls),
            "KILLING_CALL_S": str(self.shape.call_s),
            **(more or {}),
        }

    # Looking at it

    @property
    def said(self) -> str:
        """What the commands have written to stderr."""
        return (self.folder / "stderr").read_text()

    @property
    def status(self) -> str:
        """How the job stands."""
        return str(json.loads((self.job_folder / "job.json").read_text())["status"])

    @property
    def is_listed(self) -> bool:
        """Whether the input is listed to its end."""
        return (self.job_folder / "plan" / "plan.json").exists()

    def processes(self) -> list[int]:
        """Return every process that carries the mark of one of the job's runs or a path of this folder."""
        starts = (e.record for e in read_journal(self.job_folder / "journal.bin"))
        runs = [start.run_id for start in starts if isinstance(start, Start)]
        return mentioning([f"{self.folder}/", *runs])

    def workers(self) -> list[int]:
        """Return the workers, the oldest first."""
        return [process for process in sorted(self.processes()) if is_worker(process)]

    def guards(self) -> list[int]:
        """Return the guards; there should be one at most."""
        return [process for process in self.processes() if is_guard(process)]

    def calls(self) -> list[str]:
        """Return every call of ``run()``, as the names that it was given."""
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    @property
    def verification(self) -> Verification:
        """What `verify` says of the job."""
        return Jobs(self.home).verify(NAME)

    def names_of_outputs(self) -> set[str]:
        """Return the names of what lies in the output folder, hidden ones too."""
        return set(os.listdir(self.output))

    def outputs(self) -> dict[str, bytes]:
        """Return what lies in the output folder, without what tells where and when it was made."""
        found = self.all_outputs()
        if "failures.jsonl" in found:
            found["failures.jsonl"] = _timeless(found["failures.jsonl"])
        return found

    def all_outputs(self) -> dict[str, bytes]:
        """Return what lies in the output folder as it is, but for the folder that the job lies in."""
        found = {}
        for path in sorted(self.output.rglob("*")):
            name = str(path.relative_to(self.output))
            if not path.is_dir():
                found[name] = path.read_bytes().replace(os.fsencode(self.folder), b"FOLDER")
            elif path.name.startswith("."):
                found[name] = b"a folder"
        return found

    # What must hold

    def problems(self, undisturbed: dict[str, bytes]) -> list[str]:
        """Return everything that is not as it must be after a job was killed and has completed."""
        found = []
        if self.status != "Completed":
            found.append(f"the job is {self.status}; it said:\n{self.said}")
        found += self.leftovers()
        found += [f"verify: {problem}" for problem in self.verification.problems]
        outputs = self.outputs()
        for name in sorted({*undisturbed, *outputs}):
            if name not in outputs:
                found.append(f"{name} is missing in the output")
            elif name not in undisturbed:
                found.append(f"{name} is in the output, and not in that of an undisturbed run")
            elif outputs[name] != undisturbed[name]:
                found.append(f"{name} differs from that of an undisturbed run:\n{outputs[name]!r}")
        return found

    def calls_redone(self) -> int:
        """Return how many calls of ``run()`` were made for a mini-batch that had been called before."""
        calls = self.calls()
        return len(calls) - len(set(calls))

    @property
    def calls_that_may_be_redone(self) -> float:
        """At most what the workers hold when somebody is killed, each time.

        A worker is handed work while it holds less than `QUEUE_AHEAD_S`, and then at most `QUEUE_AHEAD_S`
        more, measured in calls that take ``call_s`` at least. What it has answered is in the journal before
        any more is handed out.
        """
        return self._strikes * WORKERS * 2 * QUEUE_AHEAD_S / self.shape.call_s

    def leftovers(self) -> list[str]:
        """Return what a job that has ended must not leave: processes, temporary and hidden folders."""
        found = []
        try:
            wait_until(lambda: not self.processes(), "the end of every process of the job")
        except AssertionError as error:
            found.append(f"{error}: {self.processes()}")
        found += [f"{path.name} is left in the temporary folder" for path in self._temporary.iterdir()]
        plan = self.job_folder / "plan"
        found += [f"{path.name} is left in the plan" for path in plan.glob("*.previous")]
        return found


def _timeless(failures: bytes) -> bytes:
    lines = [json.loads(line) for line in failures.splitlines()]
    for line in lines:
        for key in _NEVER_COMPARED:
            line.pop(key)
        if line["reason"] == "timeout":  # where it was just then
            line.update(message="", traceback="", activity="")
    return "\n".join(json.dumps(line) for line in lines).encode()
