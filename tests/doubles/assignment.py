"""A small workshop for tests: a script, an input, a manifest, and the local engine over them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from gristmill.engine.contract import (
    Engine,
    Event,
    Failed,
    NotStarted,
    Ready,
    Scored,
    Span,
    StartFailed,
    Task,
)
from gristmill.engine.environment import Interpreter, choose_interpreter
from gristmill.engine.ground import OwnGround
from gristmill.engine.launch import Assignment
from gristmill.engine.local import LocalEngine
from gristmill.engine.sweep import RUN_MARK, marked
from gristmill.plan.planner import Planner

E = TypeVar("E")

#: What a test waits for comes within this long, or the test fails.
DEADLINE_S = 15.0

#: What scripts under test begin with: ``tell(file, words)`` writes a line where `Bench.told` reads it.
TELL = """\
import os
import signal
import subprocess
import sys
import threading
import time

SEEN = os.environ["SEEN"]


def tell(name, *words):
    file = os.open(os.path.join(SEEN, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (" ".join(map(str, words)) + "\\n").encode("utf-8", "surrogateescape"))
    os.close(file)


def wait_for(name):
    while not os.path.exists(os.path.join(SEEN, name)):
        time.sleep(0.005)


"""


class Bench:
    """One run of one script: its folders below ``folder``, and the engine once it is made."""

    def __init__(
        self, folder: Path, script: str, *, name: str = "score.py", files: Iterable[bytes] = ()
    ) -> None:
        """Write the script, and the files of the input (20 empty ones where none are named)."""
        self.folder = folder
        self.code = folder / "job" / "code"
        self.script = self.code / name
        self.input = folder / "input"
        self.seen = folder / "seen"
        for made in (self.script.parent, self.input, self.seen):
            made.mkdir(parents=True, exist_ok=True)
        self.script.write_text(textwrap.dedent(script))
        for file in list(files) or [b"%03d.txt" % number for number in range(20)]:
            path = os.path.join(os.fsencode(self.input), file)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        self.assignment: Assignment
        self.batches = 0

    def engine(
        self,
        *,
        python: Path = Path(sys.executable),
        mini_batch_size: int = 1,
        variables: Mapping[str, str] | None = None,
        **assignment: Any,
    ) -> LocalEngine:
        """Plan the input and return an engine that is not started yet; the script finds SEEN in its
        environment, a folder for whatever it wants to tell the test.
        """
        self.batches = self._plan(mini_batch_size)
        job = self.folder / "job"
        settings: dict[str, Any] = {
            "job": "test",
            "run_id": uuid.uuid4().hex,
            "fence": 1,
            "interpreter": _interpreter(python),
            "code": self.code,
            "script": self.script,
            "plan": job / "plan",
            "root": str(self.input),
            "staging": self.folder / "staging",
            "logs": job / "logs" / "user",
            "scratch": self.folder / "scratch",
            "cache": self.folder.parent / "worker-cache",
            "environment_variables": {"SEEN": str(self.seen), **(variables or {})},
            "timeout_s": 30.0,
        }
        self.assignment = Assignment(**{**settings, **assignment})
        return LocalEngine(self.assignment, OwnGround(sys.executable))

    def told(self, name: str) -> list[str]:
        """Return the lines that the script wrote to this file of its SEEN folder."""
        path = self.seen / name
        return path.read_text().splitlines() if path.exists() else []

    def log(self, kind: str, worker: int = 0) -> str:
        """Return a worker's log: ``stdout``, ``stderr``, ``error`` or ``entry_script_log``."""
        suffix = {"error": ".txt", "entry_script_log": ".log.txt"}.get(kind, f".{kind}.txt")
        path = self.assignment.log_path(kind, worker, suffix)
        return path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""

    def carriers(self) -> list[int]:
        """Return the ids of all living processes that carry the run's mark."""
        return marked(RUN_MARK, self.assignment.run_id)

    def rows(self, scored: Scored) -> list[str]:
        """Return the rows of one outcome, from the part."""
        if not scored.length:
            return []
        data = self.assignment.part_path(scored.part).read_bytes()[scored.offset :][: scored.length]
        return data.decode("utf-8", "surrogateescape").split("\n")[:-1]

    def _plan(self, mini_batch_size: int) -> int:
        planner = Planner(
            root=self.input,
            folder=self.folder / "job" / "plan",
            mini_batch_size=mini_batch_size,
            include_hidden=True,
        )
        while not planner.complete:
            planner.step(1.0)
        planner.close()
        return planner.mini_batches


class Shift:
    """Work handed to an engine, and all that it answered; retries and nothing else is decided here."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.events: list[Event] = []

    def serve(self, spans: Iterable[Span], *, max_retries: int = 0, largest: int = 1 << 30) -> None:
        """Have every mini-batch run, until each is scored or has failed for good; hand back what was not
        started.
        """
        waiting = [Task(span) for span in spans]
        owed = sum(task.span.batches for task in waiting)
        deadline = time.monotonic() + DEADLINE_S
        while owed > 0:
            while waiting and (room := self.engine.room()):
                self.engine.submit(_piece(waiting, min(room, largest)))
            for event in self.hear():
                if isinstance(event, Scored):
                    owed -= event.span.batches
                elif isinstance(event, Failed) and event.attempt <= max_retries:
                    waiting.append(Task(event.span, event.attempt + 1))
                elif isinstance(event, Failed):
                    owed -= 1
                elif isinstance(event, NotStarted):
                    waiting.insert(0, Task(event.span, event.attempt, event.alone))
                elif isinstance(event, StartFailed):
                    raise AssertionError(f"{event.message}\n{event.traceback}")
            assert time.monotonic() < deadline, f"{owed} mini-batches are owed; so far: {self.events}"

    def until(self, holds: Callable[[], object]) -> None:
        """Take in events until something holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not holds():
            self.hear()
            assert time.monotonic() < deadline, f"it never came; so far: {self.events}"

    def ready(self, workers: int = 1) -> None:
        """Take in events until so many workers have become ready."""
        failed = len(self.all(StartFailed))
        self.until(lambda: len(self.all(Ready)) >= workers or len(self.all(StartFailed)) > failed)
        assert len(self.all(Ready)) >= workers, self.events

    def hear(self) -> list[Event]:
        """Take in what has happened, waiting a moment for it."""
        events = list(self.engine.events(0.05))
        self.events += events
        return events

    def all(self, kind: type[E]) -> list[E]:
        """Return the events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def answers(self) -> list[int]:
        """Return every mini-batch that an event answered, sorted, as often as it was answered."""
        spans = [e.span for e in self.events if isinstance(e, Scored | Failed | NotStarted)]
        return sorted(batch for span in spans for batch in range(span.first, span.first + span.batches))


def settled(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """Return a process once its environment can be seen, which is a moment after its birth."""
    deadline = time.monotonic() + DEADLINE_S
    while not Path(f"/proc/{process.pid}/environ").read_bytes():
        assert time.monotonic() < deadline, "its environment never came"
    return process


def _piece(waiting: list[Task], most: int) -> Task:
    """Take up to ``most`` mini-batches from the front."""
    task = waiting.pop(0)
    span = task.span
    if span.batches <= most:
        return task
    waiting.insert(0, task._replace(span=span._replace(first=span.first + most, batches=span.batches - most)))
    return task._replace(span=span._replace(batches=most))


_known: dict[Path, Interpreter] = {}


def _interpreter(python: Path) -> Interpreter:
    if python not in _known:
        _known[python] = choose_interpreter(python)
    return _known[python]
