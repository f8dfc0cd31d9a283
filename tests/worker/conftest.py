"""Scripts under test: each is given 20 files in four mini-batches, and a real worker."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from doubles.assignment import TELL, Bench, Shift
from gristmill.engine.contract import Scored, Span, StartFailed
from gristmill.engine.local import LocalEngine
from worker.interpreters import interpreters
from worker.stage import Stage


class Served:
    """What came of a script; the engine is closed."""

    def __init__(self, bench: Bench, shift: Shift) -> None:
        self.bench, self.shift = bench, shift

    @property
    def rows(self) -> list[str]:
        """All rows, in plan order."""
        scored = sorted(self.shift.all(Scored))
        return [row for outcome in scored for row in self.bench.rows(outcome)]

    @property
    def paths(self) -> list[str]:
        """The absolute paths of all files, in plan order: what ``return mini_batch`` gives."""
        return sorted(str(path) for path in self.bench.input.iterdir())


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Return a function that runs a script over the files and closes the engine."""
    engines: list[LocalEngine] = []

    def serve(
        script: str,
        *,
        name: str = "score.py",
        files: Iterable[bytes] = (),
        beside: dict[str, str] | None = None,
        starts: bool = True,
        **settings: object,
    ) -> Served:
        bench = Bench(tmp_path, TELL + textwrap.dedent(script), name=name, files=files)
        for path, text in (beside or {}).items():
            (bench.code / path).write_text(textwrap.dedent(text))
        engine = bench.engine(**{"mini_batch_size": 5, **settings})
        engines.append(engine)
        engine.start()
        shift = Shift(engine)
        if starts:
            shift.serve([Span(0, bench.batches)])
        else:
            shift.until(lambda: shift.all(StartFailed))
        shift.events += engine.close()
        return Served(bench, shift)

    yield serve
    for engine in engines:
        engine.halt()
        engine.close()


@pytest.fixture(scope="module", params=interpreters(), ids=lambda python: python.name)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(request.param, tmp_path_factory.mktemp("stage"))
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def own_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The Python that runs the tests, with the libraries that it has."""
    stage = Stage(Path(sys.executable), tmp_path_factory.mktemp("own-stage"))
    yield stage
    stage.close()
