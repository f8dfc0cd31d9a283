"""A job before its first start: its own copies of what it needs, and its place in the output folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from gristmill.errors import InputError, OutputError, RequestError, in_words
from gristmill.run.job_folder import Job, JobFolder
from gristmill.service.fingerprint import Fingerprint
from gristmill.service.snapshot import Snapshot, snapshot_code
from gristmill.storage.filesystem import file_system_type, is_network


def prepare(folder: JobFolder, job: Job) -> tuple[str, ...]:
    """Lay out the job folder and the output's hidden folder.

    Returns
    -------
    tuple of str
        What the user should know.

    Raises
    ------
    InputError
        The list of inputs cannot be read.
    OutputError
        The output folder cannot be written.
    RequestError
        The code or the model cannot be read.
    """
    snapshot = copy_code(folder, job, folder.code)
    Fingerprint.of(job.deployment, folder.code).write(folder.fingerprint)
    _copy_input_list(folder, job)
    folder.write(job)
    folder.tell("created", input=str(job.input), output=str(job.output))
    notices = list(snapshot.notices)
    if is_network(folder.path):
        notices.append(
            f"the home {folder.path.parent.parent} is on a network file system "
            f"({file_system_type(folder.path)}): the job is locked by a heartbeat as well; a local "
            "GRISTMILL_HOME is quicker"
        )
    try:
        job.staging.mkdir(parents=True)
    except FileExistsError as error:
        raise OutputError(
            f"{job.staging} is there already: a job {job.name} of another home writes into this output, or "
            "its job folder was removed; choose another --job-name, or remove that folder if no job uses it"
        ) from error
    except OSError as error:
        raise OutputError(
            f"the output folder {job.output} cannot be used: {in_words(error)}; choose another with "
            "--output-path"
        ) from error
    return tuple(notices)


def clear_output(job: Job) -> None:
    """Remove the output that a job replaces, where it was told to; right before its first start.

    Raises
    ------
    OSError
        Something of it cannot be removed.
    """
    if job.overwrite:
        for path in (job.target, job.partial_target, job.failures, job.columns):
            path.unlink(missing_ok=True)


def copy_code(folder: JobFolder, job: Job, target: Path) -> Snapshot:
    """Copy the code of a job's deployment, as it is now, without what is the job's input or some output.

    Raises
    ------
    RequestError
        Something of the code cannot be read.
    StorageError
        The copy cannot be written.
    """
    data = [] if job.deployment.is_bare_script else [job.input, *_earlier_outputs(folder)]
    return snapshot_code(job.deployment, target, output=job.output, data=data)


def _earlier_outputs(folder: JobFolder) -> Iterator[Path]:
    """Yield the output folders of the other jobs of this home, as far as they can be read."""
    for path in folder.path.parent.iterdir():
        try:
            yield JobFolder(path).read().output
        except RequestError:
            continue  # this very job, or none


def _copy_input_list(folder: JobFolder, job: Job) -> None:
    """Keep the list of inputs with the job, which may be resumed before it was read to its end."""
    listed = job.deployment.settings.input_list
    if listed is None:
        return
    try:
        shutil.copyfile(listed, folder.input_list)
    except OSError as error:
        raise InputError(
            f"the input list {listed} cannot be read: {in_words(error)}; check its path"
        ) from error
