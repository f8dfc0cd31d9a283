"""What killed processes have left in a home, found and removed: nothing of what somebody may still use."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill.catalog.records import AssetKind
from gristmill.errors import RequestError
from gristmill.run.job_folder import JobFolder, Status
from gristmill.run.making import JOB, remove_leftover
from gristmill.service.home.held_job import alone
from gristmill.service.home.removal import REMOVED_JOB, removal_of
from gristmill.service.home.space import room_of
from gristmill.settings import Home
from gristmill.storage.contents import Contents

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog

Tell = Callable[[str], None]

#: What is younger may be about to be used: its process has written it, and not yet what refers to it.
YOUNG_S = 3600.0
_KEY = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp")


def remove_half_jobs(home: Home, did: Tell, notice: Tell) -> None:
    """Remove job folders that never had a job in them, or whose removal was cut off."""
    for path in _folders(home.jobs):
        if (path / JOB).exists():
            _remove_unaccepted(JobFolder(path), home, did)
        elif (path / "journal.bin").exists() and not (path / REMOVED_JOB).exists():
            notice(f"the job folder {path} has a journal and no {JOB}; it is left as it is")
        elif remove_leftover(path):
            did(f"removed the job folder {path.name}, which was never finished, or not removed to its end")


def _remove_unaccepted(folder: JobFolder, home: Home, did: Tell) -> None:
    """Remove a job that was made to wait, and whose command was killed before it had said so."""
    try:
        if folder.read().status is not Status.NOT_STARTED:
            return
        with alone(folder):
            job = folder.read()
            if job.status is Status.NOT_STARTED:
                removal_of(folder, job, home, keep_outputs=False).done()
                did(f"removed job {folder.name}, which was never accepted")
    except RequestError:
        return  # somebody is about to accept it


def remove_temporary_files(home: Home, did: Tell) -> None:
    """Remove files that were to take the place of others, and never did."""
    places = [home.path, *_folders(home.jobs), *(path for path in home.records.rglob("*") if path.is_dir())]
    count = 0
    for path in (file for place in places for file in _files(place) if _TEMPORARY.fullmatch(file.name)):
        if _age_s(path) > YOUNG_S:
            path.unlink(missing_ok=True)
            count += 1
    if count:
        did(f"removed {count} temporary {'file' if count == 1 else 'files'} that never got their names")


def remove_half_contents(home: Home, did: Tell) -> None:
    """Remove what was being put into the content store when its process was killed."""
    count = Contents(home.contents).remove_leftovers()
    if count:
        did(f"removed {count} half-made {'content' if count == 1 else 'contents'}")


def remove_unused_contents(home: Home, catalog: Catalog, did: Tell) -> None:
    """Remove contents that no row, record or job names, and that nobody has put lately."""
    if any(not (path / JOB).exists() for path in _folders(home.jobs)):
        return  # a job that is being made may name one
    contents = Contents(home.contents)
    candidates = [key for key in list(contents.keys()) if time.time() - contents.put_at(key) > YOUNG_S]
    if not candidates:
        return
    used = set(_keys_in_files(home)) | set(_keys_in_rows(catalog))
    count, freed = 0, 0
    for key in candidates:
        if key not in used:
            room = room_of(home.contents / key[:2] / key)
            if contents.remove(key, unless_put_within_s=YOUNG_S):
                count, freed = count + 1, freed + room
    if count:
        what = "content" if count == 1 else "contents"
        did(f"removed {count} {what} that nothing refers to: {freed:,} bytes")


def _keys_in_files(home: Home) -> Iterator[str]:
    files = [*home.records.rglob("*.json"), *home.jobs.glob(f"*/{JOB}")]
    for path in files:
        yield from _KEY.findall(path.read_text(encoding="utf-8", errors="replace"))


def _keys_in_rows(catalog: Catalog) -> Iterator[str]:
    for name in catalog.workspaces():
        workspace = catalog.in_workspace(name)
        for deployment in workspace.deployments():
            yield from _KEY.findall(json.dumps(asdict(deployment)))
        for kind in AssetKind:
            for asset in workspace.assets(kind, archived=None):
                yield from _KEY.findall(json.dumps(asdict(asset)))


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []


def _files(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]
    except OSError:
        return []


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0  # it got its name just now
