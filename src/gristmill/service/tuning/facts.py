"""What was measured of a script, its files and the machine: values, and nothing that measures or decides."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Files:
    """The input, as far as a sample tells."""

    files: int
    """Files in all."""
    sampled: int
    """Files of the sample."""
    median_bytes: int
    """Of the sample."""
    largest_bytes: int
    """Of the sample."""
    total_bytes: int
    """Of all files, estimated from the sample."""
    median_rows: int | None = None
    """Lines of a file, where they are text tables; None: they are not."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of a worker."""

    boot_s: float = 0.0
    """Seconds for the interpreter itself."""
    import_s: float
    """Seconds for importing the script."""
    init_s: float
    """Seconds for ``init()``."""
    peak_bytes: int
    """The most memory during it."""
    held_bytes: int
    """The memory after it: the model's footprint, with Python and its libraries."""

    @property
    def seconds(self) -> float:
        """Seconds for all of it."""
        return self.boot_s + self.import_s + self.init_s


@dataclass(frozen=True, kw_only=True)
class SizeCost:
    """Calls of ``run()`` with one number of files, on a worker alone."""

    size: int
    """Files for one call."""
    calls: int
    """How many calls were measured."""
    seconds: float
    """For one call, rows included; time in which other processes had the core is left out."""
    slowest_s: float
    """For the slowest of them."""
    peak_bytes: int
    """The most memory during any of them."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """What the time of a call goes into; the four are fractions, and their sum is 1."""

    reading: float
    """Waiting for files that were not in memory yet."""
    computing: float
    """Processors at work for it, threads and child processes included."""
    waiting: float
    """Waiting for anything else: a remote service, a lock, a device."""
    writing: float
    """Making rows of the results, and writing them."""
    cores: float
    """How many cores it keeps busy on average, while it does not write."""
    reading_s: float = 0.0
    """Seconds of reading for one file."""


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """Several workers at once."""

    workers: int
    size: int
    """Files for one call."""
    files_per_s: float
    """Of all of them together, with whatever else the machine had to do."""
    is_measured: bool = True
    """False: it is what the processor time of one worker lets expect."""


@dataclass(frozen=True, kw_only=True)
class Current:
    """What the deployment says now."""

    mini_batch_size: int
    workers: int
    timeout_s: float


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A file, or several, that failed while they were measured."""

    names: tuple[str, ...]
    kind: str
    """``exception``, ``died`` (its process ended) or ``timeout``."""
    message: str
    detail: str
    """The script's traceback, or its last stack; may be empty."""


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """Everything that is known."""

    files: Files
    start: Start
    cores: int
    """Usable cores of the machine."""
    memory_bytes: int | None
    """Memory that may still be taken, before a worker was started; None: nobody knows."""
    worker_limit_bytes: int | None = None
    """The most memory that one worker may take (``memory_per_worker``); None: no limit."""
    gpu_workers: int | None
    """How many workers the visible GPUs serve; None: there are none to be dealt out."""
    sizes: tuple[SizeCost, ...]
    """By size, ascending; at least one."""
    shares: Shares
    side_by_side: tuple[SideBySide, ...] = ()
    """By number of workers, ascending; none: it was not measured."""
    slowest_file_s: float
    """Seconds for a call with the slowest single file."""
    growth: float = 1.0
    """How much longer the largest file of the input is going to take than the largest that was measured."""
    current: Current
    left_out: tuple[LeftOut, ...] = ()
    short: int = 0
    """Calls that returned fewer results than they had files."""
    not_measured: tuple[str, ...] = field(default=())
    """What could not be measured, and why: sentences."""
