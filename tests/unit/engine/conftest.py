"""An engine with real processes over a script; closed in the end, whatever happens."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doubles.assignment import TELL, Bench, Shift
from doubles.warm import WarmBench
from gristmill.engine.local import LocalEngine

Open = Callable[..., tuple[Bench, Shift]]
Warm = Callable[..., WarmBench]


@pytest.fixture
def open_engine(tmp_path: Path) -> Iterator[Open]:
    """Return a function that starts an engine over 20 files; it is closed in the end."""
    engines: list[LocalEngine] = []

    def open_engine(script: str, **settings: object) -> tuple[Bench, Shift]:
        bench = Bench(tmp_path, TELL + textwrap.dedent(script))
        engines.append(bench.engine(**settings))
        engines[-1].start()
        return bench, Shift(engines[-1])

    yield open_engine
    for engine in engines:
        engine.halt()
        engine.close()


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Warm]:
    """Return a function that makes a workshop for a script; everything ends with the test."""
    benches: list[WarmBench] = []

    def warm(script: str, **settings: object) -> WarmBench:
        benches.append(WarmBench(tmp_path, script, **settings))  # type: ignore[arg-type]
        return benches[-1]

    yield warm
    for bench in benches:
        bench.close()
