"""The job folder: where everything about a job stands, and the truth about it (design, D6).

``job.json`` says what was asked for and how it stands, the journal what has happened, ``events.jsonl`` tells
it in words. A catalog, if there is one, is only an index of these.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from gristmill.errors import HomeError, JobStateError, SpecError, StorageError, UnknownJobError, in_words
from gristmill.run.making import Making, taken
from gristmill.spec.problems import did_you_mean
from gristmill.spec.values import Deployment, deployment_from_json, deployment_to_json
from gristmill.storage.publish import publish_bytes

SCHEMA = 3


class Status(str, Enum):
    """How a job stands (contract, section 3)."""

    NOT_STARTED = "NotStarted"
    STARTING = "Starting"
    PROVISIONING = "Provisioning"
    PREPARING = "Preparing"
    QUEUED = "Queued"
    RUNNING = "Running"
    FINALIZING = "Finalizing"
    CANCEL_REQUESTED = "CancelRequested"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"

    @property
    def is_final(self) -> bool:
        """Say whether a job in this state has ended."""
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELED)


class Origin(str, Enum):
    """Who asked for a job: but for `RUN`, which works on it itself, the runner of the home works on it."""

    RUN = "run"
    DETACH = "detach"
    INVOKE = "invoke"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Where the items of a job are; together they are all of them."""

    total: int = 0
    """Items in the plan, as far as it is known."""
    succeeded: int = 0
    failed: int = 0
    """Items that failed for good, or have no result."""
    not_run: int = 0
    mini_batches: int = 0
    """Mini-batches in the plan, as far as it is known."""
    mini_batches_done: int = 0


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What the whole input would take, as far as a sample tells."""

    items: int
    """Items in the whole input."""
    seconds: float
    """With the same number of workers."""
    output_bytes: int
    """Size of everything in the output folder."""
    memory_bytes: int
    """All workers together, at their peaks; 0 where it is not known."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What ``job.json`` holds."""

    name: str
    deployment: Deployment
    input: Path
    """Absolute; a file or a folder."""
    output: Path
    """The output folder, absolute."""
    workers: int
    """Worker processes; 0 until a job that waits has begun."""
    python: Path
    """The interpreter of the workers."""
    python_version: str
    overwrite: bool = False
    """Whether files that were in the output folder before may be replaced."""
    status: Status = Status.NOT_STARTED
    message: str = ""
    """Why it failed: the first error of the script, or what stopped the job."""
    wrote_nothing: bool = False
    """Whether it is Completed, its script was to write the output itself, and there is none."""
    needs_new_job: bool = False
    """Whether only a corrected script can help: resuming would fail in the same way."""
    counts: Counts = field(default_factory=Counts)
    created_at: str = ""
    started_at: str = ""
    """Of the first start."""
    ended_at: str = ""
    projection: Projection | None = None
    """What the whole input would take, where only a sample of it was scored."""
    starts: int = 0
    """How often it was started: 1, and one more for each resume."""
    rerunning: bool = False
    """Whether it was Completed, and failed items are being scored again: until it is Completed again, the
    output is the earlier one."""
    origin: Origin = Origin.RUN
    """Who asked for it."""
    priority: int = 0
    """Of jobs that wait, the highest is begun first."""
    runner_starts: int = 0
    """How often in a row the runner has begun it without one more mini-batch being finished."""
    runner_done: int = 0
    """Mini-batches that were finished when the runner began it last."""
    experiment_name: str | None = None
    idempotency_key: str | None = None
    """What makes the same request return this job."""
    tags: Mapping[str, str] = field(default_factory=dict)
    git: Mapping[str, Any] | None = None
    """Where its code stood when it was made: remote, branch, commit and whether the tree was dirty."""
    revision: int | None = None
    """Which state of the deployment in the catalog it was made of; None: of none."""
    is_archived: bool = False
    """Whether lists leave it out."""
    workspace: str = "default"
    """Whose endpoint and deployment are meant."""

    @property
    def has_complete_output(self) -> bool:
        """Whether there is a predictions file under its final name, that of before a rerun included."""
        return self.status is Status.COMPLETED or self.rerunning

    @property
    def next_command(self) -> str | None:
        """The command that goes on with a job that has ended, where there is something to go on with."""
        if self.status is Status.COMPLETED and self.counts.failed:
            return f"gristmill rerun {self.name} --failed"
        return f"gristmill resume {self.name}" if self.is_worth_resuming else None

    @property
    def is_worth_resuming(self) -> bool:
        """Whether going on is worth it, of a job that ended: its script ran, and need not be corrected."""
        if self.status is Status.FAILED:
            return bool(self.counts.mini_batches_done) and not self.needs_new_job
        return self.status is Status.CANCELED

    @property
    def target(self) -> Path:
        """The predictions file."""
        return self.output / self.deployment.settings.output_file_name

    @property
    def partial_target(self) -> Path:
        """Where unfinished predictions are published: the final name only ever holds a complete output."""
        return self.target.with_name(f"{self.target.stem}.partial{self.target.suffix}")

    @property
    def failures(self) -> Path:
        """The list of every failed item, beside the predictions."""
        return self.output / "failures.jsonl"

    @property
    def staging(self) -> Path:
        """The hidden folder on the output's file system that holds parts until they are published."""
        return self.output / f".gristmill-{self.name}"

    @property
    def columns(self) -> Path:
        """Where the columns of a headerless predictions file are written down."""
        return self.target.with_name(f"{self.target.stem}.columns.json")

    @property
    def own_names(self) -> frozenset[str]:
        """Names in the output folder that are the job's own: a script's file of that name gets another."""
        return frozenset({self.target.name, self.partial_target.name, self.failures.name, self.columns.name})

    def part_path(self, part: int) -> Path:
        """Return the file of a part."""
        return self.staging / "parts" / f"{part}.part"

    def to_json(self) -> dict[str, Any]:
        """Return the job as values for JSON."""
        values = asdict(replace(self, deployment=None))  # type: ignore[arg-type]  # it has its own form
        values["schema"] = SCHEMA
        values["deployment"] = deployment_to_json(self.deployment)
        for name in ("input", "output", "python"):
            values[name] = str(values[name])
        values["status"] = self.status.value
        values["origin"] = self.origin.value
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any], path: Path) -> Job:
        """Return the job that `to_json` gave.

        Raises
        ------
        JobStateError
            It was written by another release, or is damaged.
        """
        try:
            rest = dict(values)
            if rest.pop("schema") != SCHEMA:
                raise JobStateError(f"{path} was written by another release of Gristmill; use that one")
            rest["deployment"] = deployment_from_json(rest["deployment"])
            for name in ("input", "output", "python"):
                rest[name] = Path(rest[name])
            rest["status"] = Status(rest["status"])
            rest["origin"] = Origin(rest.get("origin", Origin.RUN.value))
            rest["counts"] = Counts(**rest["counts"])
            if rest.get("projection") is not None:
                rest["projection"] = Projection(**rest["projection"])
            return cls(**rest)
        except (KeyError, TypeError, ValueError, AttributeError, SpecError) as error:
            raise JobStateError(
                f"{path} is damaged ({error}); the output and the journal beside it are not: start the job "
                "anew under another name, or repair the file"
            ) from error


class JobFolder:
    """The folder of one job."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def journal(self) -> Path:
        return self.path / "journal.bin"

    @property
    def checkpoint(self) -> Path:
        """What the beginning of the journal adds up to; may be missing at any time."""
        return self.path / "checkpoint.json"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def plan(self) -> Path:
        return self.path / "plan"

    @property
    def code(self) -> Path:
        return self.path / "code"

    @property
    def fingerprint(self) -> Path:
        """What the job's results depend on, as it was when the job was made (design, D8)."""
        return self.path / "fingerprint.json"

    @property
    def environment(self) -> Path:
        """What was in the environment that was built for the job, where there was one."""
        return self.path / "environment.json"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def user_logs(self) -> Path:
        return self.path / "logs" / "user"

    @property
    def input_list(self) -> Path:
        """The job's own copy of the list of inputs: the user's may be gone when the job is resumed."""
        return self.path / "input-list"

    @property
    def delivered(self) -> Path:
        """The log of files that scripts wrote and that were moved to the output."""
        return self.path / "delivered.jsonl"

    @property
    def cancel_request(self) -> Path:
        """Exists when somebody wants the job cancelled; any process may make it."""
        return self.path / "cancel-requested"

    def create(self) -> Making:
        """Make the folder, for its owner only.

        Returns
        -------
        Making
            To be closed once ``job.json`` is written; until then nobody else takes the folder.

        Raises
        ------
        JobStateError
            There is a job of that name already.
        HomeError
            The home cannot be written.
        """
        try:
            return Making(self.path)
        except FileExistsError as error:
            raise taken(self.name) from error
        except OSError as error:
            raise HomeError(
                f"the job folder {self.path} cannot be made: {in_words(error)}; set GRISTMILL_HOME to a "
                "folder that you can write"
            ) from error

    def write(self, job: Job) -> None:
        """Replace ``job.json``, all at once.

        Raises
        ------
        StorageError
            The disk is full or gone.
        """
        path, text = self.path / "job.json", json.dumps(job.to_json(), indent=2, default=str) + "\n"
        try:
            publish_bytes(path, text.encode("ascii"))
        except OSError as error:
            raise StorageError(
                f"{path} cannot be written: {in_words(error)}; make room, then resume the job"
            ) from error

    def read(self) -> Job:
        """Return the job as it stands.

        Raises
        ------
        UnknownJobError
            There is no such job.
        JobStateError
            Its ``job.json`` is damaged, or of another release.
        """
        path = self.path / "job.json"
        try:
            values = json.loads(path.read_text(encoding="ascii"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UnknownJobError(
                f"there is no job called {self.name} in {self.path.parent}; gristmill job list names those "
                f"that are{self._meant()}"
            ) from error
        except (OSError, ValueError) as error:
            raise JobStateError(f"{path} cannot be read: {in_words(error)}") from error
        return Job.from_json(values, path)

    def _meant(self) -> str:
        try:
            return did_you_mean(self.name, os.listdir(self.path.parent))
        except OSError:
            return ""  # no job was ever made here

    def tell(self, event: str, **fields: object) -> None:
        """Append an event; one line of JSON with a stable word and its fields.

        Raises
        ------
        StorageError
            The disk is full or gone.
        """
        line = json.dumps({"at": utc_now(), "event": event, **fields}, default=str) + "\n"
        path = self.path / "events.jsonl"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, line.encode("ascii"))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(
                f"{path} cannot be written: {in_words(error)}; make room, then resume the job"
            ) from error


def utc_now() -> str:
    """Return the time in UTC as ISO 8601 text with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
