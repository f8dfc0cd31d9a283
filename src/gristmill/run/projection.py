"""What the whole input would take, as far as a sample of it tells."""

from __future__ import annotations

import os
from pathlib import Path

from gristmill.plan.manifest import Manifest
from gristmill.plan.sample import NOT_SAMPLED
from gristmill.run.job_folder import Job, Projection
from gristmill.run.ledger import Ledger
from gristmill.spec.values import OutputFormat


def projection_of(job: Job, ledger: Ledger, manifest: Manifest, peak_bytes: int) -> Projection | None:
    """Project a finished sample on the whole input.

    Parameters
    ----------
    job
        The job, its output published.
    ledger
        The fold of its journal.
    manifest
        Its plan, which says how many files were left out.
    peak_bytes
        The most memory that one worker had; 0 where it is not known.

    Returns
    -------
    Projection or None
        Time and output grow with the number of items; each of the workers needs its memory. None where all
        files were scored, or none.
    """
    left_out, items = manifest.skipped.get(NOT_SAMPLED, 0), manifest.items
    if not left_out or not items:
        return None
    files = job.deployment.settings.limit or items
    whole = items * (files + left_out) // files
    is_parquet = job.deployment.settings.output_format is OutputFormat.PARQUET
    fixed = footer_bytes(job.target) if is_parquet else 0
    return Projection(
        items=whole,
        seconds=ledger.run_seconds / items * whole / job.workers,
        output_bytes=fixed + (_size_below(job.output) - fixed) * whole // items,
        memory_bytes=peak_bytes * job.workers,
    )


def footer_bytes(path: Path) -> int:
    """Return how much of a Parquet file does not grow with its rows; 0 where it cannot be read.

    The file ends in its footer, the length of that in 4 bytes, and a mark of 4; it begins with the mark.
    """
    try:
        with open(path, "rb") as file:
            file.seek(-8, os.SEEK_END)
            return int.from_bytes(file.read(4), "little") + 12
    except OSError:
        return 0


def _size_below(folder: Path) -> int:
    size = 0
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".gristmill-")]
        for name in files:
            try:
                size += os.lstat(os.path.join(here, name)).st_size
            except OSError:
                continue  # somebody has taken it already
    return size
