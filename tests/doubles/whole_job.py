"""A whole job in a folder, reports and all, run by the real `Execution` over a `ScriptedEngine`."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from doubles.scripted_engine import ScriptedEngine, numbered_rows
from doubles.scripted_job import Killed
from gristmill.engine.contract import Engine, Event, Span
from gristmill.run import scheduler
from gristmill.run.execution import Execution, RunIdentity
from gristmill.run.job_folder import Job, JobFolder
from gristmill.run.verify import Verification, verify_job
from gristmill.spec.deployment import bare_script
from gristmill.spec.values import OutputAction, OutputFormat

NAME = "job-1"


@dataclass(kw_only=True)
class WholeJob:
    """A job below ``root``: start it, cancel it, kill it, start it again."""

    root: Path
    items: int = 13
    mini_batch_size: int = 2
    script: Mapping[int, Sequence[str]] = field(default_factory=dict)
    poisons: Mapping[tuple[int, int], str] = field(default_factory=dict)
    columns: Callable[[int], tuple[str, ...] | None] = lambda mini_batch: None
    rows: Callable[[int, int], list[bytes]] = numbered_rows
    pieces: Callable[[Span], Sequence[tuple[str, bytes]]] = lambda span: ()
    line: Callable[[tuple[str, ...]], str] = lambda names: ""
    types: Callable[[tuple[str, ...]], tuple[str, ...]] = lambda names: ()
    settings: Mapping[str, object] = field(default_factory=dict)
    """Settings of the deployment that are not those of a bare script."""

    def __post_init__(self) -> None:
        self.input, self.output = self.root / "in", self.root / "out"
        self.folder = JobFolder(self.root / "jobs" / NAME)
        self.folder.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.folder.path.exists():
            self._make()

    def _make(self) -> None:
        script = self.root / "score.py"
        script.parent.mkdir(exist_ok=True)
        script.write_text("def run(mini_batch):\n    return mini_batch\n")
        self.input.mkdir()
        for number in range(self.items):
            (self.input / f"{number:02}").touch()
        self.folder.create().close()
        for folder in (self.folder.logs, self.folder.code):
            folder.mkdir()
        deployment = bare_script(script)
        settings = {"mini_batch_size": self.mini_batch_size, **self.settings}
        changed = dataclasses.replace(deployment.settings, **settings)  # type: ignore[arg-type]
        job = Job(
            name=NAME,
            deployment=dataclasses.replace(deployment, settings=changed),
            input=self.input,
            output=self.output,
            workers=2,
            python=Path("python3"),
            python_version="3.11.7",
        )
        self.folder.write(job)

    @property
    def job(self) -> Job:
        return self.folder.read()

    @property
    def verification(self) -> Verification:
        return verify_job(self.folder)

    def start(
        self,
        *,
        seed: int | None = None,
        kill_at: int | None = None,
        cancel_at: int | None = None,
        sync_every: int | None = None,
        on_sync: Callable[[], None] = lambda: None,
        poisons: Mapping[tuple[int, int], str] | None = None,
    ) -> tuple[str, ...]:
        """Run one start to its end, or until the engine was asked so often for events; return the notices.

        With ``sync_every``, rows are synced so often, counted in those questions too, and never by the clock.
        """
        execution = Execution(self.folder, lambda job, identity: engine_of(identity), self._reason(cancel_at))
        self._asked = 0

        def engine_of(identity: RunIdentity) -> Engine:
            return _Engine(
                whole=self, kill_at=kill_at, sync_every=sync_every, on_sync=on_sync,
                staging=self.job.staging, item_count=execution._planner.manifest.item_count,  # type: ignore
                script=self.script, poisons=self.poisons if poisons is None else poisons,
                workers=2, fence=identity.fence, seed=seed, rows=self.rows, columns=self.columns,
                pieces=self.pieces, line=self.line, types=self.types,
            )  # fmt: skip

        notices = list(execution.notices)
        try:
            with _quick():
                for progress in execution.steps():
                    notices += progress.notices
        except Killed:
            execution.release()
        return tuple(notices)

    def copy(self, root: Path) -> WholeJob:
        """Copy everything to another folder, and let the job be there."""
        shutil.copytree(self.root, root, symlinks=True)
        copied = dataclasses.replace(self, root=root)
        job = copied.folder.read()
        deployment = bare_script(root / "score.py")
        deployment = dataclasses.replace(deployment, settings=job.deployment.settings)
        copied.folder.write(
            dataclasses.replace(job, deployment=deployment, input=copied.input, output=copied.output)
        )
        return copied

    def outputs(self) -> dict[str, bytes]:
        """Return all files of the output folder, hidden ones too."""
        files = (path for path in sorted(self.output.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.output)): path.read_bytes() for path in files}

    def _reason(self, cancel_at: int | None) -> Callable[[], str | None]:
        return lambda: "asked to" if cancel_at is not None and self._asked >= cancel_at else None


@dataclass(kw_only=True)
class _Engine(ScriptedEngine):
    """Dies, and has rows synced, at a given question for events."""

    whole: WholeJob
    kill_at: int | None
    sync_every: int | None
    on_sync: Callable[[], None]

    def events(self, timeout_s: float) -> Sequence[Event]:
        self.whole._asked += 1
        if self.whole._asked == self.kill_at:
            raise Killed
        if self.sync_every is not None:
            is_time = self.whole._asked % self.sync_every == 0
            scheduler.SYNC_EVERY_S = -1.0 if is_time else 1e9  # put back by `_quick`
        return super().events(timeout_s)

    def sync(self) -> None:
        super().sync()
        self.on_sync()


@contextmanager
def _quick() -> Iterator[None]:
    """Nothing is made durable, which takes long and cannot be told from the outside."""
    names = ("os.fsync", "os.fdatasync", "gristmill.run.delivery.sync_file_system")
    with ExitStack() as patches:
        for name in names:
            patches.enter_context(mock.patch(name, return_value=None))
        patches.enter_context(mock.patch.object(scheduler, "SYNC_EVERY_S", scheduler.SYNC_EVERY_S))
        yield


AZURE: dict[str, object] = {"output_format": OutputFormat.AZURE}
SUMMARY: dict[str, object] = {**AZURE, "output_action": OutputAction.SUMMARY_ONLY}
