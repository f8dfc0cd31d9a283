"""``gristmill.run``: a deployment or a bare script, with the settings that were given over it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from gristmill.api.follow import follow, teller
from gristmill.api.handle import Job, ended
from gristmill.api.settings import StrPath, mapping, overrides, path_argument, patterns_argument, shown
from gristmill.api.words import speaking_python
from gristmill.errors import RequestError, SpecError
from gristmill.service.endpoints.references import load_at
from gristmill.service.jobs import Jobs, RunRequest
from gristmill.settings import Home

#: Jobs begin one after the other, whatever the thread: their scripts are parsed, at which some releases of
#: Python fail now and then in several threads (python/cpython#106905), and made-up names must not meet.
_BEGINNING = threading.Lock()


def run(
    script_or_deployment: StrPath,
    *,
    input: StrPath,
    output: StrPath | None = None,
    name: str | None = None,
    model: StrPath | None = None,
    python: StrPath | None = None,
    workers: int | str | None = None,
    mini_batch_size: int | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    error_threshold: int | str | None = None,
    format: str | None = None,
    provenance: Sequence[str] | None = None,
    include: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    input_list: StrPath | None = None,
    limit: int | None = None,
    settings: Mapping[str, object] | None = None,
    overwrite: bool = False,
    progress: bool = True,
    check: bool = True,
) -> Job:
    """Run a job to its end, as ``gristmill run`` does, with the same defaults.

    Parameters
    ----------
    script_or_deployment
        A scoring script (``.py``), a deployment (``.yml``, ``.yaml`` or ``.json``), or the folder of an
        MLflow model.
    input
        A folder of files, or one file.
    output
        The folder for the predictions; None: one called like the job, in the current folder.
    name
        The name of the job; None: one is made.
    model
        The model's file or folder.
    python
        The Python that runs the script, or its environment's folder; None: that of the active environment
        (``VIRTUAL_ENV``, ``CONDA_PREFIX``), else the one that runs this.
    workers
        Worker processes; ``"auto"``: as many as fit.
    mini_batch_size
        Files for one call of the script's ``run()``.
    timeout
        Seconds for one call of the script's ``run()``.
    max_retries
        Tries after the first one.
    error_threshold
        Stop when more items than this, or a share such as ``"20%"``, have failed; -1: never.
    format
        ``"csv"``, ``"jsonl"``, ``"parquet"`` or ``"azure"``.
    provenance
        Columns in front of each row that say where it comes from: ``"input_file"``, ``"row"``,
        ``"mini_batch"``, ``"deployment"``, ``"model_version"``.
    include, exclude
        Patterns as in a ``.gitignore``: only files that match one; no file that matches one.
    input_list
        A text file that names the inputs.
    limit
        Score only so many files, spread over the input, to try it out.
    settings
        Any other key of a deployment: ``{"gristmill.init_timeout": 60}``. Relative paths are relative to the
        current folder, as in every other argument.
    overwrite
        Whether an output that exists already may be replaced.
    progress
        Whether it is shown how far the job is: in a notebook, as a bar on a terminal, or in lines on stderr.
    check
        Whether a job that does not complete raises. Items that failed in a job that completes never do.

    Returns
    -------
    Job
        As it ended.

    Raises
    ------
    RequestError
        The deployment, an argument, the input or the output is not right; nothing was started.
    JobFailedError
        The job did not complete, and ``check`` is true; ``.job`` is the job.
    KeyboardInterrupt
        It was interrupted, and has been cancelled in order: what is finished is kept.
    """
    given = {
        "model": model,
        "python": python,
        "workers": workers,
        "mini_batch_size": mini_batch_size,
        "timeout": timeout,
        "max_retries": max_retries,
        "error_threshold": error_threshold,
        "format": format,
        "provenance": provenance,
        "include": patterns_argument("include", include),
        "exclude": patterns_argument("exclude", exclude),
        "input_list": input_list,
        "limit": limit,
    }
    home = Home.from_environment()
    service = Jobs(home, teller(progress=progress))
    try:
        with _BEGINNING:
            request = RunRequest(
                deployment=load_at(
                    home,
                    path_argument("script_or_deployment", script_or_deployment),
                    overrides(given, mapping(settings)),
                ),
                input=path_argument("input", input),
                output=None if output is None else path_argument("output", output),
                name=_checked(name),
                overwrite=overwrite,
                chose_workers=workers is not None or "gristmill.workers" in mapping(settings),
            )
            running = service.run(request)
    except RequestError as error:
        raise speaking_python(error) from error.__cause__
    return ended(follow(running, progress=progress), service, check=check)


# A notebook has no types: what is given may be anything.


def _checked(name: object) -> str | None:
    if name is not None and not isinstance(name, str):
        raise SpecError(f"name={shown(name)}: must be a text")
    if name == "":
        raise SpecError("name='': is empty; give a name, or leave it out")
    return name
