"""How a job is removed: its output to another place, where that is kept, its parts, then its folder.

There ``job.json`` gets another name first: a folder without one is no job, and that name says why. So a kill
before that leaves a job that can be removed again, a kill after it what `repair`, or the next job of that
name, clears away.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gristmill.errors import HomeError, in_words
from gristmill.faults import reach
from gristmill.run.job_folder import Job, JobFolder, Status
from gristmill.run.making import JOB
from gristmill.service.home.space import room_of
from gristmill.settings import Home
from gristmill.storage.incoming import remove_tree
from gristmill.storage.publish import sync_folder

#: What ``job.json`` is called while its folder is removed.
REMOVED_JOB = "removed-job.json"


@dataclass(frozen=True, kw_only=True)
class Removed:
    """A job that is gone."""

    name: str
    ended_at: str
    freed_bytes: int
    """The room that it took, without outputs that were kept."""
    kept: str | None
    """Where the outputs are now that lay in its folder; None: there were none, or they are gone, too."""


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What is to be removed of a job, and what kept."""

    folder: Path
    name: str
    ended_at: str
    staging: Path | None
    """Parts that are of no use without the job."""
    output: Path | None
    """What is moved."""
    target: Path | None
    """Where to."""

    def foretold(self) -> Removed:
        """Say what would come of it."""
        freed = room_of(self.folder) + (room_of(self.staging) if self.staging is not None else 0)
        if self.output is not None:
            freed -= room_of(self.output)
        kept = str(self.target) if self.target is not None else None
        return Removed(name=self.name, ended_at=self.ended_at, freed_bytes=freed, kept=kept)

    def done(self) -> Removed:
        """Do it; whoever calls holds the job (`held_job`).

        Raises
        ------
        HomeError
            Something of it cannot be moved or removed.
        """
        foretold = self.foretold()
        try:
            if self.output is not None and self.target is not None:
                self.target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                os.rename(self.output, self.target)
                sync_folder(self.target.parent)
            reach("delete.after_output")
            if self.staging is not None:
                remove_tree(self.staging)
            reach("delete.after_parts")
            with suppress(FileNotFoundError):
                os.rename(self.folder / JOB, self.folder / REMOVED_JOB)
            sync_folder(self.folder)
            reach("delete.after_name")
            remove_tree(self.folder)
            if self.folder.exists():
                raise PermissionError(1, "something in it cannot be removed", str(self.folder))
        except OSError as error:
            raise HomeError(
                f"job {self.name} cannot be removed: {in_words(error)}; give yourself access to {self.folder}"
            ) from error
        return foretold


def removal_of(folder: JobFolder, job: Job | None, home: Home, *, keep_outputs: bool) -> Removal:
    """Return what is to be removed of a job; None stands for one whose ``job.json`` cannot be read."""
    output = None
    if keep_outputs and job is not None and job.output.is_relative_to(folder.path) and job.output.exists():
        output = job.output
    return Removal(
        folder=folder.path,
        name=folder.name,
        ended_at=job.ended_at if job is not None else "",
        staging=_staging(job),
        output=output,
        target=_free(home.outputs / folder.name) if output is not None else None,
    )


def _staging(job: Job | None) -> Path | None:
    """Return the hidden folder in the output that is this job's; one that completed, or ended before it
    began, has none any more, and another home may have a job of its name.
    """
    if job is None or (job.status is Status.COMPLETED and not job.rerunning):
        return None
    if job.status.is_final and not job.started_at:
        return None
    return job.staging if job.staging.is_dir() else None


def _free(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
