"""How a worker is started: its environment, its folders, its one argument."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gristmill.engine.berth import Berth, berth_of
from gristmill.engine.devices import VISIBLE, devices_of, visible_devices
from gristmill.engine.environment import Interpreter, variables_in
from gristmill.engine.machine import usable_cores
from gristmill.engine.memory import data_limit
from gristmill.engine.process import Process
from gristmill.engine.stack_request import needs_permission, spy_program
from gristmill.engine.sweep import RUN_MARK, WORKER_MARK
from gristmill_worker.slot import SLOT_BYTES

_CHANNEL_IN, _CHANNEL_OUT = 3, 4
#: Parts of one start of a job are numbered from ``fence`` times this.
PARTS_PER_START = 1 << 20

#: Numeric libraries that start a thread per core unless told otherwise: N workers would fight for the cores.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
#: MLflow 3.13 and later refuses a store in a folder unless this is set; others need a server.
_ALLOW_FILE_STORE = "MLFLOW_ALLOW_FILE_STORE"
_TRACKING = "MLFLOW_TRACKING_URI"
#: Ours alone; a worker must not inherit them from the coordinator's surroundings.
_NOT_INHERITED = ("PYTHONDONTWRITEBYTECODE", "GRISTMILL_ENVIRONMENT")
#: A replay changes nothing of its job, whose copy of the code it runs.
_ATTACHED_ONLY = {"PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where workers have their places that stay loaded between jobs (see `standby`)."""

    outboxes: Path
    """The folder of their own output folders."""
    plan: Path
    """A link to the manifest of the job that they work on."""
    code: Path
    """The job's own copy of the code, of which theirs is a copy."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What the workers of one run are to do, and where everything lies."""

    job: str
    """Name of the job."""
    run_id: str
    """Unique for each start of the job, or of what stays loaded; every process of the run carries it."""
    fence: int
    """Number of this start of the job, from 1."""
    interpreter: Interpreter
    code: Path
    """The snapshot of the code folder."""
    script: Path
    """The scoring script in it."""
    plan: Path
    """Folder of the manifest."""
    root: str
    """Absolute folder that the items' paths are relative to (surrogateescape)."""
    staging: Path
    """Hidden folder on the output's file system: parts, private output folders, files set aside."""
    logs: Path
    """The job's folder of user logs."""
    scratch: Path
    """Temporary folder of this run on a local disk: working folders and slots."""
    cache: Path
    """Where the worker's archive is kept."""
    earlier_runs: tuple[str, ...] = ()
    """Marks of earlier runs of this job: what may be left of them is swept away first."""
    model: Path | None = None
    """What ``AZUREML_MODEL_DIR`` is to name: a folder with exactly one entry."""
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    """The deployment's own."""
    output_format: str = "azure"
    """Name of the worker's encoder: that of an output format, or ``none``."""
    with_header: bool = False
    """Whether rows of data frames come with the line that is to stand above them."""
    provenance: Mapping[str, object] = field(default_factory=dict)
    """Which columns say where a row comes from, and what is in them; see `gristmill_worker.provenance`."""
    program_arguments: str = ""
    logging_level: str = "info"
    workers: int = 1
    gpus_per_worker: float | None = None
    """GPUs for one worker, as `devices.devices_of` takes it."""
    memory_per_worker_bytes: int | None = None
    """The most memory that a worker may take with the processes that it starts, in bytes; None: no limit."""
    timeout_s: float = 30.0
    """Limit for one ``run()``."""
    init_timeout_s: float = 600.0
    """Limit for a worker's start: interpreter, imports and ``init()``."""
    node: str = "node-0"
    """Name of this node in log paths."""
    standing: Standing | None = None
    """Where they stay loaded when the job is over; None: they end with it."""

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """The GPUs to be dealt out, looked for once; none where the deployment itself says which to use, or
        that none is to be used.
        """
        named = VISIBLE in self.environment_variables
        return () if named or self.gpus_per_worker == 0 else visible_devices()

    @cached_property
    def lets_trace(self) -> bool:
        """Whether the workers are to permit us, and what we start, to look into them: it has to be said where
        the kernel would not, and only ``py-spy`` wants it.
        """
        return needs_permission() and spy_program() is not None

    def part_path(self, part: int) -> Path:
        """Return the file of a part."""
        return part_path(self.staging, part)

    def log_path(self, kind: str, worker: int, suffix: str) -> Path:
        """Return the log of a worker: ``logs/user/<kind>/<node>/process000<suffix>``."""
        return self.logs / kind / self.node / f"process{worker:03d}{suffix}"


def scratch_folder(run_id: str) -> Path:
    """Return the temporary folder of a run, on a local disk."""
    return Path(tempfile.gettempdir()) / f"gristmill-{run_id[:12]}"


def part_path(staging: Path, part: int) -> Path:
    """Return the file of a part."""
    return staging / "parts" / f"{part}.part"


def aside_path(staging: Path, part: int) -> Path:
    """Return the folder in which files are set aside by the worker that writes this part."""
    return staging / "aside" / str(part)


@dataclass(frozen=True, kw_only=True)
class Launched:
    """A worker process that has been spawned, with our ends of its pipes."""

    process: Process
    incoming: int
    """We read the worker's frames here."""
    outgoing: int
    """We write frames to the worker here."""
    berth: Berth


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a worker does that serves nobody."""

    name: str
    """The module of `gristmill_worker` that does it: ``rehearsal``, ``foreground`` or ``trial``."""
    terms: str
    """What that module takes, as JSON."""
    is_attached: bool = False
    """Whether it has our standard streams and stays in our session, so that a terminal's keys reach it; then
    it logs to standard error and writes no compiled files beside the script."""


def launch_worker(
    assignment: Assignment,
    archive: Path,
    worker: int,
    part: int,
    *,
    entry: Entry | None = None,
    berth: Berth | None = None,
) -> Launched:
    """Spawn the worker of a slot; it begins to load the script at once, and serves unless there is another
    ``entry``. Its places are those of the run, unless it has a ``berth`` of its own.

    Raises
    ------
    OSError
        The interpreter cannot be executed, or a folder or log cannot be made.
    """
    if berth is None:
        number = part - assignment.fence * PARTS_PER_START
        outboxes = assignment.staging / "outbox"
        berth = berth_of(assignment.run_id, assignment.scratch, outboxes, worker, part, number)
    for folder in (berth.folder, berth.outbox):
        folder.mkdir(parents=True, exist_ok=True)
    is_attached = entry is not None and entry.is_attached
    streams = {} if is_attached else _streams(assignment, worker)
    worker_in, ours_out = os.pipe()
    ours_in, worker_out = os.pipe()
    try:
        process = Process(
            [
                str(assignment.interpreter.path),
                str(archive),
                _argument(assignment, worker, part, berth),
                *((entry.name, entry.terms) if entry is not None else ()),
            ],
            {**_variables(assignment, worker, berth), **(_ATTACHED_ONLY if is_attached else {})},
            {**streams, _CHANNEL_IN: worker_in, _CHANNEL_OUT: worker_out},
            own_session=not is_attached,
        )
    except BaseException:
        os.close(ours_in)
        os.close(ours_out)
        raise
    finally:
        for descriptor in (worker_in, worker_out, *streams.values()):
            os.close(descriptor)
    os.set_blocking(ours_in, False)
    os.set_blocking(ours_out, False)
    return Launched(process=process, incoming=ours_in, outgoing=ours_out, berth=berth)


def _argument(assignment: Assignment, worker: int, part: int, berth: Berth) -> str:
    return json.dumps(
        {
            **terms_of(assignment, worker, part),
            "incoming": _CHANNEL_IN,
            "outgoing": _CHANNEL_OUT,
            "slots": str(slots_path(assignment)),
            "slot": worker,
            "stacks": str(berth.stacks),
            "tracer": os.getpid() if assignment.lets_trace else None,
            "working_folder": str(berth.folder),
            "code": str(assignment.code),
            "script": str(assignment.script),
            "plan": str(assignment.plan if assignment.standing is None else assignment.standing.plan),
            "outbox": str(berth.outbox),
            "output_format": assignment.output_format,
            "with_header": assignment.with_header,
            "provenance": dict(assignment.provenance),
            "program_arguments": assignment.program_arguments,
            "logging_level": assignment.logging_level,
            "data_limit": data_limit(assignment.memory_per_worker_bytes),
            "is_kept": assignment.standing is not None,
        }
    )


def terms_of(assignment: Assignment, worker: int, part: int) -> dict[str, Any]:
    """Return what a worker is told of its job, and can be told anew of another; the folders of its logs and
    of its part are made.

    Raises
    ------
    OSError
        A folder cannot be made.
    """
    paths = {
        "log": assignment.log_path("entry_script_log", worker, ".log.txt"),
        "error_log": assignment.log_path("error", worker, ".txt"),
        "stdout": _stream_path(assignment, "stdout", worker),
        "stderr": _stream_path(assignment, "stderr", worker),
    }
    return {
        **{name: str(_made(path)) for name, path in paths.items()},
        "job": assignment.job,
        "plan": str(assignment.plan),
        "root": assignment.root,
        "part": str(_made(part_path(assignment.staging, part))),
        "aside": str(aside_path(assignment.staging, part)),
        "tracking_store": _tracking_store(assignment),
        "variables": _variables_of_job(assignment, worker),
    }


def _variables(assignment: Assignment, worker: int, berth: Berth) -> dict[str, str]:
    """Return the worker's whole environment (contract, section 1.4)."""
    variables = {k: v for k, v in os.environ.items() if k not in _NOT_INHERITED}
    interpreter = assignment.interpreter
    if interpreter.prefix is not None:
        variables = variables_in(interpreter.prefix, variables, interpreter.variables)
    for name in _THREAD_VARIABLES:
        variables.setdefault(name, str(threads_of(assignment.workers)))
    dealt = devices_of(worker, assignment.devices, assignment.gpus_per_worker)
    if dealt is not None:
        variables[VISIBLE] = dealt
    if not variables.get(_TRACKING):
        variables[_TRACKING] = _tracking_store(assignment)
        variables.setdefault(_ALLOW_FILE_STORE, "true")
    variables.update(assignment.environment_variables)
    if assignment.model is not None:
        entry = next(iter(assignment.model.iterdir()))
        variables["AZUREML_MODEL_DIR"] = str(assignment.model)
        variables["GRISTMILL_MODEL_PATH"] = str(entry)
    variables.update(
        {
            **_variables_of_job(assignment, worker),
            "TMPDIR": str(berth.folder),
            "AZUREML_BI_OUTPUT_PATH": str(berth.outbox),
            "GRISTMILL_OUTPUT_DIR": str(berth.outbox),
            "GRISTMILL_WORKER_INDEX": str(worker),
            "GRISTMILL_NODE_INDEX": "0",
            RUN_MARK: assignment.run_id,
            WORKER_MARK: berth.mark,
        }
    )
    return variables


def _variables_of_job(assignment: Assignment, worker: int) -> dict[str, str]:
    """Return what a worker that goes on with another job finds changed in its environment."""
    return {
        "GRISTMILL_JOB_NAME": assignment.job,
        "GRISTMILL_WORKER_COUNT": str(assignment.workers),
        "GRISTMILL_LOG_DIR": str(assignment.log_path("entry_script_log", worker, "").parent),
    }


def threads_of(workers: int) -> int:
    """Return how many threads a numeric library has in each of so many workers."""
    return max(1, usable_cores() // max(1, workers))


def _tracking_store(assignment: Assignment) -> str:
    """Return the address of the MLflow store in the job folder; MLflow makes the folder when it is used."""
    return (assignment.logs.parent.parent / "mlruns").absolute().as_uri()


def make_slots(assignment: Assignment) -> None:
    """Make the file that holds the slots of all workers, with all of its room: to touch a page of it for
    which the disk has none would end this process (SIGBUS). What is there stays.

    Raises
    ------
    OSError
        There is no room for it.
    """
    path = slots_path(assignment)
    try:
        with open(path, "ab") as file:
            os.posix_fallocate(file.fileno(), 0, SLOT_BYTES * assignment.workers)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def slots_path(assignment: Assignment) -> Path:
    """Return the file that holds the slots of all workers."""
    return assignment.scratch / "slots"


def _streams(assignment: Assignment, worker: int) -> dict[int, int]:
    """Open what a worker that serves has as its standard streams."""
    return {
        0: os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC),
        1: _opened_log(assignment, "stdout", worker),
        2: _opened_log(assignment, "stderr", worker),
    }


def _stream_path(assignment: Assignment, kind: str, worker: int) -> Path:
    return assignment.log_path(kind, worker, f".{kind}.txt")


def _opened_log(assignment: Assignment, kind: str, worker: int) -> int:
    path = _made(_stream_path(assignment, kind, worker))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
