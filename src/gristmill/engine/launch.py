"""How a worker is started: its archive, its environment, its folders, its one argument."""

from __future__ import annotations

import importlib.util
import io
import json
import marshal
import os
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import azureml_user
import gristmill_worker
from gristmill.engine.devices import VISIBLE, devices_of, visible_devices
from gristmill.engine.environment import Interpreter, variables_in
from gristmill.engine.machine import usable_cores
from gristmill.engine.memory import data_limit
from gristmill.engine.process import Process
from gristmill.engine.stack_request import needs_permission, spy_program
from gristmill.engine.sweep import RUN_MARK, WORKER_MARK
from gristmill.storage.publish import publish_bytes
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
#: Ours alone; a worker must not inherit them from the coordinator's surroundings.
_NOT_INHERITED = ("PYTHONDONTWRITEBYTECODE", "GRISTMILL_ENVIRONMENT")
#: A replay changes nothing of its job, whose copy of the code it runs.
_ATTACHED_ONLY = {"PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What the workers of one run are to do, and where everything lies."""

    job: str
    """Name of the job."""
    run_id: str
    """Unique for each start of the job; every process of the run carries it."""
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


def worker_folder(assignment: Assignment, worker: int, part: int) -> Path:
    """Return a worker's private temporary folder; short, since sockets in it have paths of 107 bytes at
    most.
    """
    return assignment.scratch / f"w{worker}-{part - assignment.fence * PARTS_PER_START}"


def stacks_path(assignment: Assignment, worker: int, part: int) -> Path:
    """Return the file in which a worker writes down its stacks when it is asked to."""
    return assignment.scratch / f"s{worker}-{part - assignment.fence * PARTS_PER_START}"


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
    assignment: Assignment, archive: Path, worker: int, part: int, entry: Entry | None = None
) -> Launched:
    """Spawn the worker of a slot; it begins to load the script at once, and serves unless there is another
    ``entry``.

    Raises
    ------
    OSError
        The interpreter cannot be executed, or a folder or log cannot be made.
    """
    mark = f"{assignment.run_id}.{worker}.{part}"
    working_folder = worker_folder(assignment, worker, part)
    outbox = assignment.staging / "outbox" / str(part)
    for folder in (working_folder, outbox, part_path(assignment.staging, part).parent):
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
                _argument(assignment, worker, part, working_folder, outbox),
                *((entry.name, entry.terms) if entry is not None else ()),
            ],
            {
                **_variables(assignment, mark, worker, working_folder, outbox),
                **(_ATTACHED_ONLY if is_attached else {}),
            },
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
    return Launched(process=process, incoming=ours_in, outgoing=ours_out)


def _argument(assignment: Assignment, worker: int, part: int, working_folder: Path, outbox: Path) -> str:
    return json.dumps(
        {
            "job": assignment.job,
            "incoming": _CHANNEL_IN,
            "outgoing": _CHANNEL_OUT,
            "slots": str(slots_path(assignment)),
            "slot": worker,
            "stacks": str(stacks_path(assignment, worker, part)),
            "tracer": os.getpid() if assignment.lets_trace else None,
            "working_folder": str(working_folder),
            "code": str(assignment.code),
            "script": str(assignment.script),
            "plan": str(assignment.plan),
            "root": assignment.root,
            "part": str(part_path(assignment.staging, part)),
            "outbox": str(outbox),
            "aside": str(aside_path(assignment.staging, part)),
            "output_format": assignment.output_format,
            "with_header": assignment.with_header,
            "provenance": dict(assignment.provenance),
            "program_arguments": assignment.program_arguments,
            "logging_level": assignment.logging_level,
            "data_limit": data_limit(assignment.memory_per_worker_bytes),
            "log": str(_made(assignment.log_path("entry_script_log", worker, ".log.txt"))),
            "error_log": str(_made(assignment.log_path("error", worker, ".txt"))),
        }
    )


def _variables(
    assignment: Assignment, mark: str, worker: int, working_folder: Path, outbox: Path
) -> dict[str, str]:
    """Return the worker's whole environment (contract, section 1.4)."""
    variables = {k: v for k, v in os.environ.items() if k not in _NOT_INHERITED}
    interpreter = assignment.interpreter
    if interpreter.prefix is not None:
        variables = variables_in(interpreter.prefix, variables, interpreter.variables)
    threads = str(max(1, usable_cores() // max(1, assignment.workers)))
    for name in _THREAD_VARIABLES:
        variables.setdefault(name, threads)
    dealt = devices_of(worker, assignment.devices, assignment.gpus_per_worker)
    if dealt is not None:
        variables[VISIBLE] = dealt
    if not variables.get("MLFLOW_TRACKING_URI"):
        variables["MLFLOW_TRACKING_URI"] = _tracking_store(assignment)
        variables.setdefault(_ALLOW_FILE_STORE, "true")
    variables.update(assignment.environment_variables)
    if assignment.model is not None:
        entry = next(iter(assignment.model.iterdir()))
        variables["AZUREML_MODEL_DIR"] = str(assignment.model)
        variables["GRISTMILL_MODEL_PATH"] = str(entry)
    variables.update(
        {
            "TMPDIR": str(working_folder),
            "AZUREML_BI_OUTPUT_PATH": str(outbox),
            "GRISTMILL_OUTPUT_DIR": str(outbox),
            "GRISTMILL_JOB_NAME": assignment.job,
            "GRISTMILL_WORKER_INDEX": str(worker),
            "GRISTMILL_WORKER_COUNT": str(assignment.workers),
            "GRISTMILL_NODE_INDEX": "0",
            "GRISTMILL_LOG_DIR": str(assignment.log_path("entry_script_log", worker, "").parent),
            RUN_MARK: assignment.run_id,
            WORKER_MARK: mark,
        }
    )
    return variables


def _tracking_store(assignment: Assignment) -> str:
    """Return the address of the MLflow store in the job folder; MLflow makes the folder when it is used."""
    return (assignment.logs.parent.parent / "mlruns").absolute().as_uri()


def make_slots(assignment: Assignment) -> None:
    """Make the file that holds the slots of all workers, with all of its room: to touch a page of it for
    which the disk has none would end this process (SIGBUS).

    Raises
    ------
    OSError
        There is no room for it.
    """
    path = slots_path(assignment)
    try:
        with open(path, "wb") as file:
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


def _opened_log(assignment: Assignment, kind: str, worker: int) -> int:
    path = _made(assignment.log_path(kind, worker, f".{kind}.txt"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def worker_archive(cache: Path) -> Path:
    """Return the zip file that the workers run, made once per release of its content.

    It carries the sources, and for our own version of Python also the compiled files: a
    worker that has to compile starts some 20 ms later.

    Raises
    ------
    OSError
        The cache folder cannot be written.
    """
    sources = _sources()
    digest = sha256()
    for name, text in sources:
        digest.update(name.encode() + b"\0" + text + b"\0")
    path = cache / f"worker-{digest.hexdigest()[:16]}-{sys.implementation.cache_tag}.zip"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        publish_bytes(path, _zipped(sources))
    return path


def _sources() -> list[tuple[str, bytes]]:
    found = []
    for package in (gristmill_worker, azureml_user):
        folder = Path(package.__path__[0])
        found += [(f"{folder.name}/{p.name}", p.read_bytes()) for p in sorted(folder.glob("*.py"))]
    return [*found, ("__main__.py", _ENTRY)]


_ENTRY = b"""import sys
if sys.argv[2:] and sys.argv[2] == "foreground":
    from gristmill_worker.foreground import main
elif sys.argv[2:] and sys.argv[2] == "trial":
    from gristmill_worker.trial import main
elif sys.argv[2:]:
    from gristmill_worker.rehearsal import main
else:
    from gristmill_worker.__main__ import main
sys.exit(main())
"""


def _zipped(sources: list[tuple[str, bytes]]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, text in sources:
            archive.writestr(zipfile.ZipInfo(name), text)
            if name != "__main__.py":
                archive.writestr(zipfile.ZipInfo(name + "c"), _compiled(name, text))
    return target.getvalue()


def _compiled(name: str, text: bytes) -> bytes:
    """Return an unchecked hash-based .pyc: other versions of Python pass it over by its magic number."""
    code = compile(text, name, "exec", dont_inherit=True, optimize=0)

    flags = (0b01).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(text) + marshal.dumps(code)
