"""What a script logged with MLflow, read from the store in the job folder, without MLflow (contract, 1.4).

The store is MLflow's file store: ``mlruns/<experiment>/<run>/`` with ``meta.yaml``, one file for each
parameter (its text) and one for each metric (lines of "timestamp value step", and perhaps more). Scripts may
write anything there, also while it is read: only plain files are read, so many of them, so much of each.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MOST_RUNS = 100
"""Each worker that logs has a run of its own; of more, the latest are shown."""
MOST_NAMES = 200
"""Parameters, and metrics, of one run."""
_MOST_FOLDERS = 2_000
_LARGEST_META = 1 << 16
_LARGEST_PARAMETER = 6_000
_LARGEST_METRIC = 1 << 20
#: Below a run, a name with slashes lies in folders.
_DEEPEST_NAME = 8


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """One run of MLflow: what one worker logged, unless the script says otherwise."""

    name: str
    """As MLflow or the script named it."""
    params: Mapping[str, str]
    """Parameters by name."""
    metrics: Mapping[str, float | str]
    """The last value of each metric, by its step; ``nan``, ``inf`` and ``-inf`` as texts: JSON has no such
    numbers."""


def tracked_runs(store: Path) -> tuple[TrackedRun, ...]:
    """Read the runs of a store.

    Parameters
    ----------
    store
        The folder; it need not exist.

    Returns
    -------
    tuple of TrackedRun
        In the order of their beginnings, the latest `MOST_RUNS`; without those that were deleted, and those
        that logged nothing. What cannot be read is left out.
    """
    found = []
    for run in _runs(store):
        meta = _read(run / "meta.yaml", _LARGEST_META)
        if meta is None or _said(meta, "lifecycle_stage") == "deleted":
            continue
        started = _said(meta, "start_time")
        found.append((int(started) if started.isdecimal() else 0, run.name, run, meta))
    latest = sorted(found)[-MOST_RUNS:]
    tracked = (_tracked(run, _said(meta, "run_name") or name) for _, name, run, meta in latest)
    return tuple(one for one in tracked if one.params or one.metrics)


def _tracked(run: Path, name: str) -> TrackedRun:
    params = {
        key: text.removesuffix("\n")
        for key, path in _files(run / "params")
        if (text := _read(path, _LARGEST_PARAMETER)) is not None
    }
    metrics: dict[str, float | str] = {}
    for key, path in _files(run / "metrics"):
        last = _last_value(_read(path, _LARGEST_METRIC, at_end=True) or "")
        if last is not None:
            metrics[key] = last if math.isfinite(last) else str(last)
    return TrackedRun(name=name, params=params, metrics=metrics)


def _runs(store: Path) -> Iterator[Path]:
    looked_at = 0
    for experiment in _folders(store):
        if experiment.name.startswith("."):
            continue  # .trash
        for run in _folders(experiment):
            looked_at += 1
            if looked_at > _MOST_FOLDERS:
                return
            yield run


def _folders(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Return name and file of what lies in a folder, the first `MOST_NAMES` by name."""
    found: list[tuple[str, Path]] = []
    for here, below, names in os.walk(folder):
        depth = len(Path(here).relative_to(folder).parts)
        below[:] = sorted(below) if depth < _DEEPEST_NAME and len(found) < MOST_NAMES else []
        found += [(str(Path(here, name).relative_to(folder)), Path(here, name)) for name in sorted(names)]
    return sorted(found)[:MOST_NAMES]


def _read(path: Path, most: int, *, at_end: bool = False) -> str | None:
    """Return the text of a plain file, or its first or last bytes; None for anything else."""
    try:
        # A pipe of that name would never be opened, or never end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            if at_end:
                file.seek(max(0, status.st_size - most))
            return file.read(most).decode("utf-8", "replace")
        except OSError:
            return None


def _said(meta: str, key: str) -> str:
    """Return the value of a key of ``meta.yaml``, which has one a line; nothing where there is none."""
    found = re.search(rf"^{key}:[ ]*(.*)$", meta, re.MULTILINE)
    value = found[1].strip() if found else ""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1].replace("''", "'")
    return "" if value == "null" else value


def _last_value(text: str) -> float | None:
    """Return the value with the highest step, of these the latest, as MLflow itself does."""
    best: tuple[int, int] | None = None
    value = None
    for line in text.splitlines():
        fields = line.split(" ")
        try:
            moment, number = int(fields[0]), float(fields[1])
            step = int(fields[2]) if len(fields) > 2 else 0
        except (ValueError, IndexError):
            continue  # torn, or being written just now
        if best is None or (step, moment) >= best:
            best, value = (step, moment), number
    return value
