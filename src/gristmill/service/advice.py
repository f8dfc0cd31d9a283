"""Advice before work starts: a sentence each, only where it is true and something can be done about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from gristmill.engine.crew import Resources, model_bytes
from gristmill.plan.row_counting import is_tabular
from gristmill.run.execution import Execution

#: A file of this size is worth a word where it is one mini-batch.
_LARGE_FILE_BYTES = 1_000_000_000
#: Only of so many files is the size looked up.
_MOST_LOOKED_AT = 100


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What advice is given on."""

    workers: int
    """Worker processes."""
    chose_workers: bool
    """Whether the number was typed for this very run, or is to be what fits."""
    cores: int
    """Usable cores."""
    mini_batches: int
    """Mini-batches, as far as the plan is known."""
    timeout_s: float
    """Limit of one ``run()``."""
    memory: int | None
    """Bytes that may still be taken; None where nobody knows."""
    model_bytes: int
    """What one worker's copy of the model is taken to need in memory; 0 without a model."""
    largest_file: str
    """The largest of the first files of the input; empty where none was looked at."""
    largest_bytes: int


def circumstances(execution: Execution, resources: Resources, chose_workers: bool) -> Circumstances:
    """Look up how things stand for a job that has begun to plan."""
    job, settings = execution.job, execution.job.deployment.settings
    largest = ("", 0)
    is_split = execution.planner.row_split is not None
    for path in execution.planner.manifest.first_files(_MOST_LOOKED_AT):
        if is_split and is_tabular(path):
            continue
        try:
            largest = max(largest, (path, os.stat(path).st_size), key=lambda one: one[1])
        except OSError:
            continue  # it will fail as an item, visibly
    return Circumstances(
        workers=execution.useful_workers,
        chose_workers=chose_workers or settings.workers is None,
        cores=resources.cores,
        mini_batches=execution.planner.mini_batches,
        timeout_s=settings.timeout_s,
        memory=resources.memory,
        model_bytes=model_bytes(job.deployment),
        largest_file=largest[0],
        largest_bytes=largest[1],
    )


def advice(on: Circumstances) -> tuple[str, ...]:
    """Return what the user should know before the job runs.

    Parameters
    ----------
    on
        How things stand.

    Returns
    -------
    tuple of str
        A sentence each, with what to do; usually none.
    """
    return (*_about_cores(on), *_about_memory(on), *_about_files(on))


def _about_cores(on: Circumstances) -> Iterator[str]:
    if not on.chose_workers and on.workers * 2 <= on.cores and on.mini_batches > on.workers:
        yield f"{on.workers} of {on.cores} cores in use: --workers auto uses all of them"


def _about_memory(on: Circumstances) -> Iterator[str]:
    needed = on.workers * on.model_bytes
    if on.memory is None or on.workers < 2 or needed <= on.memory:
        return
    fitting = max(1, on.memory // on.model_bytes)
    yield (
        f"{on.workers} model copies need about {_gigabytes(needed)} of {_gigabytes(on.memory)} GB: "
        f"--workers {fitting} fits"
    )


def _about_files(on: Circumstances) -> Iterator[str]:
    if on.largest_bytes < _LARGE_FILE_BYTES:
        return
    can_split = is_tabular(on.largest_file)
    remedy = "split it by rows with --split-bytes 64MB" if can_split else "cut it into smaller files"
    yield (
        f"one {_gigabytes(on.largest_bytes)} GB file is one mini-batch ({on.largest_file}): one worker alone "
        f"scores it, within {on.timeout_s:g} s; {remedy}, or raise --timeout"
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f}" if size < 10e9 else f"{size / 1e9:.0f}"
