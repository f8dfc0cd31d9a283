"""Where input and output meet: an output among the inputs is scored, by this job or by the next one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from gristmill.errors import OutputError, RequestError
from gristmill.plan.selection import BY_PATTERN, NOT_INCLUDED, Selection
from gristmill.run.job_folder import Job, JobFolder

_MOST_NOTICES = 3


def check_apart(job: Job) -> None:
    """Refuse an output folder that is the input folder.

    Raises
    ------
    OutputError
        They are the same.
    """
    if os.path.isdir(job.input) and os.path.realpath(job.input) == os.path.realpath(job.output):
        raise OutputError(
            f"the output folder {job.output} is the input folder, and the predictions would be scored by the "
            "next job; choose another with --output-path"
        )


def overlap_notices(job: Job, jobs: Path) -> tuple[str, ...]:
    """Say where an output lies among the inputs.

    Parameters
    ----------
    job
        The job that is to be made.
    jobs
        The folder of all job folders of this home.

    Returns
    -------
    tuple of str
        A sentence each, with what to do; usually none.
    """
    if not os.path.isdir(job.input):
        return ()
    selection = Selection(job.deployment.settings.include, job.deployment.settings.exclude)
    found = []
    inside = _below(job.output, job.input)
    if inside and _is_scored(f"{inside}/{job.target.name}", job, selection):
        found.append(
            f"the output folder {job.output} lies in the input folder: this job leaves it out, and "
            f"the next one would score it; choose another with --output-path, or --exclude '{inside}/' then"
        )
    for other in _jobs_with_output_in(job.input, jobs):
        if len(found) < _MOST_NOTICES and not _is_within(other.output, job.output):
            found += _earlier(other, job, selection)
    return tuple(found)


def _earlier(other: Job, job: Job, selection: Selection) -> Iterator[str]:
    folder = _below(other.output, job.input)
    for path in (other.target, other.partial_target, other.columns, other.failures):
        relative = f"{folder}/{path.name}" if folder else path.name
        if path.is_file() and _is_scored(relative, job, selection):
            yield (
                f"the input holds what job {other.name} wrote ({path}), and it is scored as well; "
                f"--exclude '{folder + '/' if folder else path.name}' leaves it out"
            )
            return


def _is_scored(relative: str, job: Job, selection: Selection) -> bool:
    """Say whether a file would be listed as an input."""
    settings = job.deployment.settings
    *folders, name = relative.split("/")
    is_hidden = any(part.startswith(".") for part in (*folders, name)) and not settings.include_hidden
    if settings.input_list is not None or is_hidden or (folders and not settings.recursive):
        return False
    prefix, skipped = b"", {BY_PATTERN: 0, NOT_INCLUDED: 0}
    for step in (*(os.fsencode(folder) + b"/" for folder in folders), os.fsencode(name)):
        if not selection.wanted(prefix, [step], skipped):
            return False
        prefix += step
    return True


def _jobs_with_output_in(folder: Path, jobs: Path) -> Iterator[Job]:
    """Yield the jobs that write below a folder; of all others only one value is looked at."""
    for path in sorted(jobs.iterdir()) if jobs.is_dir() else ():
        try:
            output = json.loads((path / "job.json").read_text(encoding="ascii"))["output"]
            if _is_within(Path(output), folder):
                yield JobFolder(path).read()
        except (OSError, ValueError, TypeError, KeyError, RequestError):
            continue  # no job, or one that cannot be read


def _is_within(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _below(path: Path, folder: Path) -> str:
    """Return the path relative to the folder; nothing where it is the folder, or lies elsewhere."""
    if not _is_within(path, folder):
        return ""
    relative = os.path.relpath(os.path.realpath(path), os.path.realpath(folder))
    return "" if relative == os.curdir else relative
