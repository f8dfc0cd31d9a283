"""A double of the service: it remembers what it was asked, and runs a job that was scripted beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gristmill.errors import GristmillError, UnknownJobError
from gristmill.service.jobs import JobView, Progress, RunRequest, Verification
from gristmill.settings import Home

COMPLETED = JobView(
    name="digits",
    status="Completed",
    is_interrupted=False,
    message="",
    summary="Completed: 1,797 of 1,797 items, 0 failed",
    created_at="2024-05-01T12:00:00+00:00",
    started_at="2024-05-01T12:00:01+00:00",
    ended_at="2024-05-01T12:01:06+00:00",
    total=1797,
    succeeded=1797,
    failed=0,
    not_run=0,
    mini_batches=36,
    mini_batches_done=36,
    input="/data/images",
    output="/data/out",
    folder="/home/ada/.gristmill/jobs/digits",
    target="/data/out/predictions.csv",
    failures=None,
    next_command=None,
    read_hint="pd.read_csv('/data/out/predictions.csv')",
)
FAILED = replace(
    COMPLETED,
    status="Failed",
    summary="Failed: 30 of 1,797 items, 11 failed, 1,756 not run",
    message='images/3.png: ValueError: no digit\n  File "score.py", line 7, in run',
    succeeded=30,
    failed=11,
    not_run=1756,
    mini_batches_done=4,
    target="/data/out/predictions.partial.csv",
    failures="/data/out/failures.jsonl",
    next_command="gristmill resume digits",
)


def progress(
    done: int, *, items: int = 100, failed: int = 0, complete: bool = True, notices: Any = ()
) -> Progress:
    return Progress(
        items=items,
        plan_complete=complete,
        done=done,
        failed=failed,
        workers=2,
        ready=2,
        notices=tuple(notices),
    )


def proof(*problems: str) -> Verification:
    return Verification(
        job="digits",
        status="Completed",
        complete=True,
        next_command=None,
        items=1797,
        succeeded=1797,
        failed=0,
        missing=0,
        not_run=0,
        output_bytes=31_000,
        problems=problems,
    )


@dataclass
class ScriptedJob:
    """A running job whose steps and end are known."""

    view: JobView
    name: str = "digits"
    folder: Path = Path("/home/ada/.gristmill/jobs/digits")
    output: Path = Path("/data/out")
    notices: tuple[str, ...] = ()
    progress: tuple[Progress, ...] = ()
    error: GristmillError | None = None
    at_step: Callable[[], None] = lambda: None
    cancelled: list[str] = field(default_factory=list)

    def steps(self) -> Iterator[Progress]:
        for one in self.progress:
            self.at_step()
            yield one
        if self.error:
            raise self.error

    def cancel(self, why: str) -> None:
        self.cancelled.append(why)


@dataclass
class ScriptedJobs:
    """A service with one job, which ends as ``running`` says; another name is unknown."""

    running: ScriptedJob = field(default_factory=lambda: ScriptedJob(view=COMPLETED))
    refusal: BaseException | None = None
    log_files: list[Path] = field(default_factory=list)
    verification: Verification = field(default_factory=proof)
    views: list[JobView] | None = None
    broken: list[str] = field(default_factory=list)
    requests: list[RunRequest] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    home: Home = Home(path=Path("/no/home"))

    def unreadable(self) -> list[str]:
        return self.broken

    def run(self, request: RunRequest) -> ScriptedJob:
        self.requests.append(request)
        return self._begin()

    def resume(self, name: str, request: object) -> ScriptedJob:
        self.show(name)
        return self._begin()

    def _begin(self) -> ScriptedJob:
        if self.refusal:
            raise self.refusal
        return self.running

    def show(self, name: str) -> JobView:
        self.asked.append((name,))
        if name != self.running.name:
            raise UnknownJobError(f"there is no job {name!r}\nhome: /home/ada/.gristmill")
        return self.running.view

    def list(self) -> list[JobView]:
        return [self.running.view] if self.views is None else self.views

    def logs(self, name: str) -> Any:
        return self.log_files

    def cancel(self, name: str, wait_s: float) -> JobView:
        self.asked.append((name, wait_s))
        return self.running.view

    def verify(self, name: str) -> Verification:
        return self.verification
