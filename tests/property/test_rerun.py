"""Whatever fails, in whatever order outcomes come: after reruns the output is that of a job in which nothing
failed, and `verify` agrees after each.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from doubles.scripted_engine import ScriptedEngine
from gristmill.engine.contract import Engine
from gristmill.run.execution import Execution, RunIdentity
from gristmill.run.job_folder import Job, JobFolder, Status
from gristmill.run.verify import verify_job
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override

MINI_BATCHES, EACH = 5, 3
COLUMNS = (("a",), ("a", "b"), ("b", "a"), ("c", "a"))
CELLS = ("1", '"x, ""y"""', '"two\nlines"', '""')
#: (Mini-batch, item) → what it does to every call that has it.
Poisons = Mapping[tuple[int, int], str]
POISONS = st.dictionaries(
    st.tuples(st.integers(0, MINI_BATCHES - 1), st.integers(0, EACH - 1)),
    st.sampled_from(["raise", "exit", "short", "empty"]),
    max_size=6,
)
#: What is made durable, and how long that takes, is not what is asked here.
NO_DISK = mock.patch.object(os, "fsync", return_value=None)
NO_DISK_EITHER = mock.patch.object(os, "fdatasync", return_value=None)


@dataclass(kw_only=True)
class Rerunnable:
    """A job without processes, in a folder of its own."""

    root: Path
    columns: list[int]
    """Of each mini-batch, which of `COLUMNS` its rows have."""

    def __post_init__(self) -> None:
        (self.root / "in").mkdir(parents=True)
        for number in range(MINI_BATCHES * EACH):
            (self.root / "in" / f"{number:02}").write_text("")
        (self.root / "score.py").write_text("def run(mini_batch): return mini_batch\n")
        given = {
            "settings.mini_batch_size": EACH,
            "settings.error_threshold": -1,
            "settings.retry_settings.max_retries": 1,
            "gristmill.output_format": "csv",
        }
        overrides = [Override(path=path, value=value, origin=path) for path, value in given.items()]
        self.folder = JobFolder(self.root / "home" / "jobs" / "j")
        self.folder.create().close()
        job = Job(
            name="j",
            deployment=load(self.root / "score.py", overrides),
            input=self.root / "in",
            output=self.root / "out",
            workers=2,
            python=Path("/python"),
            python_version="3.11",
        )
        self.folder.write(job)

    def start(
        self, poisons: Poisons, seed: int, *, rerun: bool = False, stop_after: int | None = None
    ) -> Job:
        """Run one start to its end, or leave it as a kill would after so many passes."""
        execution = Execution(self.folder, lambda job, identity: self._engine(job, identity, poisons, seed),
                              rerun=rerun)  # fmt: skip
        steps = execution.steps()
        for number, _ in enumerate(steps):
            if number == stop_after:
                steps.close()
                break
        return self.folder.read()

    def _engine(self, job: Job, identity: RunIdentity, poisons: Poisons, seed: int) -> Engine:
        return ScriptedEngine(
            staging=job.staging,
            item_count=lambda mini_batch: EACH,
            poisons=poisons,
            workers=2,
            fence=identity.fence,
            seed=seed,
            rows=self._rows,
            columns=lambda mini_batch: COLUMNS[self.columns[mini_batch]],
        )

    def _rows(self, mini_batch: int, items: int) -> list[bytes]:
        names = COLUMNS[self.columns[mini_batch]]
        cells = [[CELLS[(mini_batch + item + len(name)) % 4] for name in names] for item in range(items)]
        return [(",".join(row) + "\n").encode() for row in cells]

    @property
    def output(self) -> bytes:
        return (self.root / "out" / "predictions.csv").read_bytes()


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=MINI_BATCHES, max_size=MINI_BATCHES),
    POISONS,
    st.data(),
    st.integers(0, 1 << 16),
)
def test_after_reruns_the_output_is_that_of_a_job_in_which_nothing_failed(
    columns: list[int], poisons: dict[tuple[int, int], str], data: st.DataObject, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, NO_DISK, NO_DISK_EITHER:
        clean = Rerunnable(root=Path(folder, "clean"), columns=columns)
        assert clean.start({}, 0).status is Status.COMPLETED
        job = Rerunnable(root=Path(folder, "failing"), columns=columns)
        assume(job.start(poisons, seed).status is Status.COMPLETED)
        mended = data.draw(st.sets(st.sampled_from(sorted(poisons)))) if poisons else set()
        some = {place: act for place, act in poisons.items() if place not in mended}
        for still in (some, {}):
            before = job.output
            again_by_rerun = data.draw(st.booleans())
            stop_after = data.draw(st.none() | st.integers(0, 2))
            ended = job.start(still, seed + len(still), rerun=True, stop_after=stop_after)
            assert verify_job(job.folder).problems == ()
            if ended.status is not Status.COMPLETED:
                assert job.output == before
                ended = job.start(still, seed, rerun=again_by_rerun)
            assert ended.status is Status.COMPLETED
            assert verify_job(job.folder).problems == ()
        assert job.output == clean.output
        assert not (job.root / "out" / "failures.jsonl").exists()
