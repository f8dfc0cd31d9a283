"""What a job has brought forth, copied to where it is wanted, in the folders that ``az ml`` makes of it.

<folder>/named-outputs/score/…     the files of its output
<folder>/artifacts/…               its logs
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from gristmill.errors import JobStateError, OutputError, RequestError, in_words
from gristmill.run.job_folder import Job, JobFolder
from gristmill.run.lock import is_held
from gristmill.service.home.held_job import folder_of
from gristmill.service.job_resource import OUTPUT_NAME
from gristmill.settings import Home
from gristmill.storage.tree import Found, everything_below

_HIDDEN = ".gristmill-"


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """What was copied."""

    folder: str
    files: int


def download(
    home: Home, name: str, target: Path, output_name: str | None = None, everything: bool = False
) -> Downloaded:
    """Copy outputs and logs of a job that has ended; files that are there are replaced.

    Parameters
    ----------
    home, name
        The job.
    target
        Below which folder; made if need be.
    output_name
        Which output; None: none of them, but the logs.
    everything
        Whether all outputs and the logs are wanted.

    Raises
    ------
    UnknownJobError
        There is no such job.
    JobStateError
        It has not ended.
    RequestError
        It has no output of that name, or there is nothing in it (any more).
    OutputError
        The files cannot be written.
    """
    folder = folder_of(home, name)
    job = folder.read()
    _check_ended(job, folder)
    if output_name not in (None, OUTPUT_NAME, "default"):
        raise RequestError(f"job {job.name} has no output called {output_name}; it has one, {OUTPUT_NAME}")
    files = 0
    if output_name is not None or everything:
        files += _copy(job.output, target / "named-outputs" / (output_name or OUTPUT_NAME), job)
    if output_name is None or everything:
        files += _copy(folder.logs, target / "artifacts", job)
    return Downloaded(folder=str(target.absolute()), files=files)


def _check_ended(job: Job, folder: JobFolder) -> None:
    if is_held(folder.lock):
        raise JobStateError(
            f"job {job.name} is running, and what it brings forth is not complete; gristmill job stream "
            f"{job.name} follows it to its end"
        )
    if not job.status.is_final:
        raise JobStateError(
            f"job {job.name} has not ended, it is {job.status.value}; gristmill job show {job.name} says more"
        )


def _copy(source: Path, target: Path, job: Job) -> int:
    if not source.is_dir():
        raise RequestError(f"there is nothing to download: {source}, of job {job.name}, is gone")
    if target.exists() and os.path.samefile(source, target):
        return 0
    outside = os.path.realpath(target)
    files = 0
    for found in everything_below(
        str(source),
        lambda found: found.relative.startswith(_HIDDEN) or os.path.realpath(found.path) == outside,
    ):
        place = target / found.relative
        try:
            if found.is_folder:
                place.mkdir(parents=True, exist_ok=True)
            elif found.is_file:
                _copy_file(found, place)
                files += 1
        except OSError as error:
            raise OutputError(
                f"{place} cannot be written: {in_words(error)}; choose another --download-path, or make room"
            ) from error
    return files


def _copy_file(found: Found, place: Path) -> None:
    """Copy a file so that whoever looks sees the old one or the whole new one."""
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        shutil.copyfile(found.path, temporary)
        if found.status is not None:
            os.utime(temporary, ns=(found.status.st_atime_ns, found.status.st_mtime_ns))
        os.replace(temporary, place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
