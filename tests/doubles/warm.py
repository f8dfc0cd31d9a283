"""A workshop in which workers stay loaded: one script, and as many jobs over it as a test likes."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from doubles.assignment import TELL, Bench, Shift
from gristmill.engine.contract import Event, Span
from gristmill.engine.launch import Assignment
from gristmill.engine.local import LocalEngine
from gristmill.engine.standby import Standby


class WarmBench:
    """A standby below ``folder``, and jobs one after the other on it."""

    def __init__(self, folder: Path, script: str, *, files: Iterable[bytes] = ()) -> None:
        self.folder = folder
        self.bench = Bench(folder, TELL + textwrap.dedent(script), files=files)
        self.standby = Standby(folder / "warm", sys.executable)
        shutil.copytree(self.bench.code, self.standby.code)
        self.assignments: dict[str, Assignment] = {}
        self._engines: list[LocalEngine] = []

    def engine(
        self, name: str, *, seats: int | None = None, staging: Path | None = None, **settings: object
    ) -> LocalEngine:
        """Return the engine of a job, not started yet."""
        self.bench.engine(**settings)
        job = self.folder / name
        assignment = replace(
            self.bench.assignment, job=name, staging=staging or job / "staging", logs=job / "logs" / "user"
        )
        self.assignments[name] = self.bench.assignment = self.standby.place(assignment)
        self._engines.append(LocalEngine(self.assignments[name], self.standby, seats=seats))
        return self._engines[-1]

    def begin(self, name: str, **settings: object) -> Shift:
        """Begin a job."""
        engine = self.engine(name, **settings)  # type: ignore[arg-type]  # whatever an assignment takes
        engine.start()
        return Shift(engine)

    def work(self, name: str, workers: int = 1, **settings: object) -> Shift:
        """Run a job over all files, from its beginning to its end; all workers are ready before."""
        shift = self.begin(name, workers=workers, **settings)
        shift.ready(workers)
        shift.serve([Span(0, self.bench.batches)])
        shift.events += shift.engine.close()
        return shift

    def told(self, name: str) -> list[str]:
        """Return the lines that the script wrote to this file of its SEEN folder."""
        return self.bench.told(name)

    def log(self, job: str, kind: str, worker: int = 0) -> str:
        """Return a worker's log of a job; see `Bench.log`."""
        self.bench.assignment = self.assignments[job]
        return self.bench.log(kind, worker)

    def aside(self, job: str) -> dict[str, str]:
        """Return the files that the workers of a job have set aside: ``<mini-batch>/<name>`` → text."""
        below = self.assignments[job].staging / "aside"
        found = (path for path in below.rglob("*") if path.is_file())
        return {"/".join(path.relative_to(below).parts[1:]): path.read_text() for path in found}

    def idle(self) -> list[int]:
        """Return the processes that wait for a job."""
        return [one.launched.process.id for one in self.standby._loaded.values()]

    def close(self) -> None:
        """End everything."""
        for engine in self._engines:
            engine.halt()
            engine.close()
        if self.standby.folder.exists():
            self.standby.end()


def notices(events: Iterable[Event]) -> list[str]:
    """Return why workers did not stay."""
    return [event.text for event in events if getattr(event, "key", "") == "not_kept_warm"]
