"""What takes the space of a home."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gristmill.settings import Home

_MOST_JOBS = 5
_BLOCK_BYTES = 512


@dataclass(frozen=True, kw_only=True)
class Share:
    """One kind of thing in a home."""

    what: str
    size_bytes: int
    """Room on the disk; what several things have in common counts once."""
    count: int
    """How many there are; 0 where they are not counted."""
    remedy: str
    """The command that makes room, where there is one."""


@dataclass(frozen=True, kw_only=True)
class LargeJob:
    """A job that takes much of the space."""

    name: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Space:
    """What takes the space of a home."""

    home: str
    total_bytes: int
    free_bytes: int
    """Room that is left on its disk."""
    shares: tuple[Share, ...]
    largest_jobs: tuple[LargeJob, ...]
    """Outputs included, the largest first."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return asdict(self)


def space_of(home: Home) -> Space:
    """Measure a home; one that does not exist takes nothing."""
    measured = _Measured()
    jobs: dict[str, tuple[int, int]] = {}
    kept = _folders(home.outputs)
    count = len(kept)
    for folder in _folders(home.jobs):
        outputs = _folders(folder / "named-outputs")
        jobs[folder.name] = (measured.room(outputs), measured.room([folder]))
        count += len(outputs)
    shares = {
        "outputs": (measured.room(kept) + sum(outputs for outputs, _ in jobs.values()), count),
        "jobs": (sum(rest for _, rest in jobs.values()), len(jobs)),
        "environments": (measured.room([home.environments]), len(_folders(home.environments))),
        "contents": (measured.room([home.contents]), len(list(home.contents.glob("[0-9a-f][0-9a-f]/*")))),
        "datastores": (measured.room([home.datastores]), 0),
        "catalog": (measured.room([*sorted(home.path.glob("catalog.*")), home.records]), 0),
        "cache": (measured.room([home.cache]), 0),
        "other": (measured.room(_inside(home.path)), 0),
    }
    largest = sorted(jobs, key=lambda name: (-sum(jobs[name]), name))[:_MOST_JOBS]
    return Space(
        home=str(home.path),
        total_bytes=sum(size for size, _ in shares.values()),
        free_bytes=shutil.disk_usage(_existing(home.path)).free,
        shares=tuple(
            Share(what=what, size_bytes=size, count=count, remedy=_REMEDIES.get(what, ""))
            for what, (size, count) in shares.items()
        ),
        largest_jobs=tuple(LargeJob(name=name, size_bytes=sum(jobs[name])) for name in largest),
    )


_REMEDIES = {
    "outputs": "gristmill job delete JOB; what --keep-outputs has kept is in outputs/, remove it there",
    "jobs": "gristmill job prune --older-than 30d --keep-outputs",
    "environments": "gristmill env prune",
    "contents": "gristmill home repair removes what nothing refers to",
}


def room_of(path: Path) -> int:
    """Return the room that a file or folder takes on its disk, in bytes; 0 where there is none."""
    return _Measured().room([path])


class _Measured:
    """Counts every file once, however many names it has."""

    def __init__(self) -> None:
        self._known: set[tuple[int, int]] = set()

    def room(self, paths: Iterable[Path]) -> int:
        return sum(self._one(status) for path in paths for status in _everything(str(path)))

    def _one(self, status: os.stat_result) -> int:
        identity = (status.st_dev, status.st_ino)
        if identity in self._known:
            return 0
        self._known.add(identity)
        return status.st_blocks * _BLOCK_BYTES


def _everything(path: str) -> Iterator[os.stat_result]:
    """Yield what there is at a path and below, links not followed; what vanishes meanwhile is left out."""
    waiting = [path]
    while waiting:
        place = waiting.pop()
        try:
            status = os.lstat(place)
            yield status
            if os.path.isdir(place) and not os.path.islink(place):
                with os.scandir(place) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        else:
                            yield entry.stat(follow_symlinks=False)
        except OSError:
            continue


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _inside(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]
    except OSError:
        return []


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
