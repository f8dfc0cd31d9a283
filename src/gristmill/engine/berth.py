"""What a worker process has for its whole life, whatever job it works on: its mark, and its own folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Berth:
    """A worker's own places."""

    mark: str
    """What its process carries, and each that it starts (see `sweep.WORKER_MARK`)."""
    folder: Path
    """Its private temporary folder: short, since sockets in it have paths of 107 bytes at most."""
    outbox: Path
    """Its private output folder, behind ``AZUREML_BI_OUTPUT_PATH``."""
    stacks: Path
    """The file in which it writes down its stacks when it is asked to."""


def berth_of(run_id: str, scratch: Path, outboxes: Path, worker: int, part: int, number: int) -> Berth:
    """Return the places of one incarnation of a worker.

    Parameters
    ----------
    run_id
        The mark of the run.
    scratch
        The run's temporary folder.
    outboxes
        The folder of the workers' own output folders.
    worker
        The slot, from 0.
    part
        What tells this incarnation from every other: the part that it writes first.
    number
        The same, counted within the run.
    """
    return Berth(
        mark=f"{run_id}.{worker}.{part}",
        folder=scratch / f"w{worker}-{number}",
        outbox=outboxes / str(part),
        stacks=scratch / f"s{worker}-{number}",
    )
