"""Every error that Gristmill raises, in one tree.

GristmillError
├── RequestError              what was asked for cannot be done; nothing was started
│   ├── SpecError             a deployment file, a setting or an option is wrong
│   ├── InputError            the input path is missing, empty or unreadable
│   ├── OutputError           the output exists already, or cannot be written
│   ├── HomeError             the home, where jobs are kept, cannot be written
│   ├── InterpreterError      the Python interpreter asked for does not run, or is not there
│   ├── BuildError            the deployment's environment cannot be built
│   ├── UnknownJobError       there is no job of that name
│   ├── UnknownEnvironmentError  there is no environment of that key or name
│   ├── UnknownResourceError  there is no endpoint, deployment, model … of that name or version
│   ├── ResourceStateError    an endpoint, deployment, model … is not in a state that allows this
│   │   └── KeyTakenError     a job was made under that idempotency key before
│   └── JobStateError         the job is not in a state that allows this
│       ├── JobLockedError    another process works on this job
│       └── JobChangedError   what the job was made from has changed
├── CatalogError              the catalog cannot be opened, or its server is away
└── JobError                  a job that had started cannot go on
    ├── JournalError          the journal cannot be read or written
    ├── PlanError             the manifest cannot be read or written
    ├── StorageError          the disk is full, or a file of the job is gone
    ├── SchemaError           a column has types that do not fit into one
    └── JobFailedError        it did not complete, and whoever ran it from Python wants that raised

A message says what happened, to which thing, and what to do next. This module must not know how
errors are shown: exit codes live in `cli`, HTTP status numbers in `web`.
"""

from __future__ import annotations

from typing import Any


def in_words(error: BaseException, *, with_path: bool = False) -> str:
    """Say what an error of the system is, without its number; with its path where nothing else names that."""
    words = getattr(error, "strerror", None) or str(error)
    path = getattr(error, "filename", None)
    return f"{words}: {path}" if with_path and path is not None else words


class GristmillError(Exception):
    """The root: anything that Gristmill itself reports."""


class RequestError(GristmillError):
    """What was asked for cannot be done; nothing was started."""


class SpecError(RequestError):
    """A deployment file, a setting or an option is wrong.

    Parameters
    ----------
    problems
        One line for each mistake, as ``file:line:column: path: what is wrong``; all of them at once.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class InputError(RequestError):
    """The input path is missing, empty or unreadable."""


class OutputError(RequestError):
    """The output exists already, or cannot be written."""


class HomeError(RequestError):
    """The home, where jobs are kept, cannot be written."""


class InterpreterError(RequestError):
    """The Python interpreter asked for does not run, or is too old."""


class BuildError(RequestError):
    """The environment that a deployment asks for cannot be built; the last lines say why, and where."""


class UnknownJobError(RequestError):
    """There is no job of that name in this home."""


class UnknownEnvironmentError(RequestError):
    """There is no environment of that key or name in this home, or there are several."""


class UnknownResourceError(RequestError):
    """There is no endpoint, deployment, model, environment, data asset, datastore or compute of that name."""


class ResourceStateError(RequestError):
    """An endpoint, deployment, model … is not in a state that allows what was asked for: it is in use, or
    cannot be changed any more.
    """


class KeyTakenError(ResourceStateError):
    """A job was made under that idempotency key before.

    Parameters
    ----------
    message
        What happened.
    job
        The name of that job.
    """

    def __init__(self, message: str = "", job: str = "") -> None:
        super().__init__(message)
        self.job = job


class JobStateError(RequestError):
    """The job is not in a state that allows what was asked for."""


class JobLockedError(JobStateError):
    """Another process works on this job; the message names it."""


class JobChangedError(JobStateError):
    """What the job was made from has changed, so that its results would not fit together."""


class CatalogError(GristmillError):
    """The catalog cannot be opened, is damaged or of a newer release, or its server is away.

    Parameters
    ----------
    message
        What happened, and what to do.
    is_damaged
        Whether its file has to be made anew.
    """

    def __init__(self, message: str = "", *, is_damaged: bool = False) -> None:
        super().__init__(message)
        self.is_damaged = is_damaged


class JobError(GristmillError):
    """A job that had started cannot go on."""


class JournalError(JobError):
    """The journal cannot be read or written."""


class PlanError(JobError):
    """The manifest cannot be read or written."""


class StorageError(JobError):
    """The disk is full, or a file of the job is gone or cannot be written."""


class SchemaError(JobError):
    """Rows of different mini-batches do not fit into one file: a column's types have nothing in common."""


class JobFailedError(JobError):
    """A job did not complete, and whoever ran it from Python wants that raised.

    Parameters
    ----------
    message
        How it ended and why, with where its logs are.
    job
        The job as it ended, a `gristmill.Job`.
    """

    def __init__(self, message: str, job: Any = None) -> None:
        super().__init__(message)
        self.job = job
