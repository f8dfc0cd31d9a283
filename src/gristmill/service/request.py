"""What a user asks for with ``run``, and everything about it that can be refused before work begins."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from itertools import chain, count
from pathlib import Path
from typing import Any

from gristmill.errors import InputError, OutputError, RequestError, SpecError
from gristmill.run.job_folder import Job
from gristmill.spec.problems import did_you_mean
from gristmill.spec.values import Deployment, OutputAction, OutputFormat


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What a user asks for with ``run``."""

    deployment: Deployment
    input: Path
    output: Path | None = None
    """The output folder; None: a folder called like the job, here."""
    name: str | None = None
    """None: made from the script's name and the time."""
    overwrite: bool = False
    """Whether an output that exists already may be replaced."""
    chose_workers: bool = False
    """Whether the number of workers was given for this very run, and needs no advice."""
    priority: int = 0
    """Of the jobs that wait, the highest is begun first."""
    experiment_name: str | None = None
    """What the job is counted to."""
    idempotency_key: str | None = None
    """What makes the same request again return the same job."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Words for the job, by key."""
    git: Mapping[str, Any] | None = None
    """Where the code stood; see `Job.git`."""
    revision: int | None = None
    """Which state of a deployment in the catalog this is."""


def _is_empty(folder: Path) -> bool:
    """Say whether nothing is in a folder but the hidden places of jobs that are still to be resumed."""
    try:
        return all(path.name.startswith(".gristmill-") for path in folder.iterdir())
    except OSError as error:
        raise OutputError(
            f"the output folder {folder} cannot be looked into: {error.strerror}; choose another with "
            "--output-path"
        ) from error


def _is_there(path: Path, kind: type[RequestError], what: str, option: str) -> bool:
    """Say whether something is at a path; where nobody can look, that is the answer."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise kind(
            f"{what} cannot be looked up: {error.strerror}; give another path with {option}"
        ) from error
    return True


def _short(path: Path) -> str:
    text = str(path)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}… ({len(text)} characters)"


_LONGEST_SHOWN = 300
_ADDRESS = re.compile(r"azureml:|[a-zA-Z][a-zA-Z0-9+.-]+:/", re.IGNORECASE)
_RESERVED = ("failures.jsonl",)


def made_up_name(deployment: Deployment) -> str:
    """Return ``<deployment or script>-<date>-<time>``, which sorts by age."""
    stem = "".join(c if c.isalnum() and c.isascii() else "-" for c in deployment.called).strip("-") or "job"
    now = datetime.now().astimezone()
    return f"{stem}-{now:%Y%m%d-%H%M%S}-{os.getpid() % 1000:03d}"


def free_name(name: str, jobs: Path) -> str:
    """Return a made-up name, with a number where a job of that name has begun in the same second."""
    numbered = (f"{name}-{number}" for number in count(2))
    return next(one for one in chain([name], numbered) if not (jobs / one).exists())


def check_name(name: str) -> None:
    """Refuse a name that cannot be a folder's everywhere.

    Raises
    ------
    SpecError
        It has other characters than letters, digits, ``-``, ``_`` and ``.``, or is too long.
    """
    allowed = all(c.isascii() and (c.isalnum() or c in "-_.") for c in name)
    if not name or not allowed or not name[0].isalnum() or len(name) > 255:
        raise SpecError(
            f"--job-name {name}: a job's name has letters, digits, '-', '_' and '.', begins with a letter "
            "or digit, and "
            "has at most 255 characters"
        )


def checked_input(path: Path) -> Path:
    """Return the absolute path of the input.

    Raises
    ------
    InputError
        There is nothing there.
    """
    absolute = _normal(path.expanduser().absolute())
    if _is_there(absolute, InputError, f"the input {_short(path)}", "--input"):
        return absolute
    if _ADDRESS.match(str(path)):
        address = re.sub(":/+", "://", str(path), count=1)  # a path keeps one of two slashes
        raise InputError(
            f"the input {address}: URLs are not read yet; mount it or copy it, and give that folder"
        )
    folder, name = os.path.split(path)
    if any(character in name for character in "*?["):
        raise InputError(
            f"the input {path} does not exist; give the folder, and choose among its files with a pattern in "
            f"quotes: --input {folder or '.'} --include '{name}'"
        )
    raise InputError(
        f"the input {path} does not exist; give a folder of files, or one file{_neighbour(absolute)}"
    )


def _neighbour(path: Path) -> str:
    try:
        return did_you_mean(path.name, os.listdir(path.parent))
    except (OSError, ValueError):
        return ""


def _normal(path: Path) -> Path:
    """Take out what leads up and down again, unless a link makes that another place."""
    shorter = os.path.normpath(path)
    try:
        return Path(shorter) if os.path.samefile(shorter, path) else path
    except OSError:
        return path


def check_format(output_format: OutputFormat) -> None:
    """Refuse a format that cannot be written in the end.

    Raises
    ------
    SpecError
        It is Parquet, and pyarrow is not installed beside us.
    """
    if output_format is OutputFormat.PARQUET and find_spec("pyarrow") is None:
        raise SpecError(
            "gristmill.output_format: parquet needs pyarrow beside gristmill, whatever the script's own "
            "environment has: pip install 'gristmill[parquet]', or choose csv or jsonl"
        )


def check_output(job: Job, overwrite: bool) -> None:
    """Refuse an output that would be lost: it exists, and nobody said that it may be replaced.

    Raises
    ------
    OutputError
        The predictions exist, or the output is a file, or is a folder that must be empty and is not.
    """
    name = job.target.name
    if name in _RESERVED or name.endswith(".columns.json") or name.startswith(".gristmill-"):
        raise SpecError(
            f"settings.output_file_name: {name} is the name of another file that jobs write; choose another"
        )
    is_there = _is_there(job.output, OutputError, f"the output {_short(job.output)}", "--output-path")
    if is_there and not job.output.is_dir():
        raise OutputError(f"the output {job.output} is a file; --output-path takes a folder")
    if overwrite:
        return
    is_summary = job.deployment.settings.output_action is OutputAction.SUMMARY_ONLY
    if is_summary and is_there and not _is_empty(job.output):
        raise OutputError(
            f"the output folder {job.output} is not empty; choose another with --output-path, or "
            "--overwrite to write "
            "into it"
        )
    for path in (job.target, job.partial_target):
        if _is_there(path, OutputError, f"the output {_short(path)}", "--output-path"):
            raise OutputError(
                f"the output {path} exists already; choose another folder with --output-path, or "
                "--overwrite to replace it"
            )
