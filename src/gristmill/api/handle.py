"""A job, as Python sees it: how it stands, and its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from gristmill.api.card import card
from gristmill.api.failed import FailedItem, read_failures
from gristmill.api.follow import follow, teller
from gristmill.api.frame import pandas_module, read_frame
from gristmill.api.settings import mapping, overrides
from gristmill.api.words import in_python, speaking_python
from gristmill.errors import JobFailedError, JobStateError, RequestError, UnknownJobError
from gristmill.service.jobs import Jobs, JobView, ResumeRequest, Verification
from gristmill.service.predictions import predictions_of
from gristmill.settings import Home
from gristmill.shown.words import near

if TYPE_CHECKING:
    import pandas

_COMPLETED = "Completed"
_CANCEL_WAIT_S = 60.0


def job(name: str) -> Job:
    """Return a job of the home that ``GRISTMILL_HOME`` names, as it stands now.

    Parameters
    ----------
    name
        Its name.

    Returns
    -------
    Job
        As it stands now; ask again to see a running job go on.

    Raises
    ------
    UnknownJobError
        There is no such job.
    JobStateError
        Its record cannot be read.
    """
    service = open_jobs()
    try:
        return Job(service.show(_checked(name)), service)
    except RequestError as error:
        raise speaking_python(error) from error.__cause__


def jobs() -> list[Job]:
    """Return all jobs of the home that ``GRISTMILL_HOME`` names, the newest first.

    Returns
    -------
    list of Job
        Those whose record can be read, each as it stands now.
    """
    service = open_jobs()
    return [Job(view, service) for view in service.list()]


def resume(
    name: str,
    *,
    force: bool = False,
    new: bool = False,
    workers: int | str | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    error_threshold: int | str | None = None,
    settings: Mapping[str, object] | None = None,
    progress: bool = True,
    check: bool = True,
) -> Job:
    """Go on with a job that was interrupted, cancelled, killed or has failed; what is finished is kept.

    Parameters
    ----------
    name
        Its name.
    force
        Whether it goes on though code, model or settings have changed, with the code as it is now.
    new
        Whether files that came to the input folder since the job was listed are scored too.
    workers, timeout, max_retries, error_threshold
        For the rest of the job; None: as they were.
    settings
        Any other key of a deployment that does not change results: ``{"gristmill.init_timeout": 60}``.
    progress
        Whether it is shown how far the job is.
    check
        Whether a job that does not complete raises.

    Returns
    -------
    Job
        As it ended.

    Raises
    ------
    RequestError
        There is no such job (`UnknownJobError`), or it cannot go on; nothing was started.
    JobFailedError
        It did not complete, and ``check`` is true.
    KeyboardInterrupt
        It was interrupted, and has been cancelled in order.
    """
    service = open_jobs(progress=progress)
    given = {
        "workers": workers,
        "timeout": timeout,
        "max_retries": max_retries,
        "error_threshold": error_threshold,
    }
    try:
        request = ResumeRequest(force=force, new=new, overrides=overrides(given, mapping(settings)))
        running = service.resume(_checked(name), request)
    except RequestError as error:
        raise speaking_python(error) from error.__cause__
    return ended(follow(running, progress=progress), service, check=check)


class Job:
    """A job as it stood when it was asked for; it does not change."""

    def __init__(self, view: JobView, service: Jobs) -> None:
        self._view = view
        self._service = service

    @property
    def name(self) -> str:
        """Its name."""
        return self._view.name

    @property
    def status(self) -> str:
        """``Completed``, ``Failed``, ``Canceled``, ``Running``, … (contract, section 3)."""
        return self._view.status

    @property
    def is_interrupted(self) -> bool:
        """Whether it says that it runs, while no process works on it: `resume` goes on with it."""
        return self._view.is_interrupted

    @property
    def summary(self) -> str:
        """How it stands, in one line: ``Completed, 98 of 99 items, 1 failed``."""
        return self._view.summary

    @property
    def message(self) -> str:
        """The script's first error with its traceback, or what stopped the job; empty if all went well."""
        return self._view.message

    @property
    def total(self) -> int:
        """Items in all, as far as the input is known."""
        return self._view.total

    @property
    def succeeded(self) -> int:
        """Items with a result."""
        return self._view.succeeded

    @property
    def failed(self) -> int:
        """Items that failed for good, or have no result."""
        return self._view.failed

    @property
    def not_run(self) -> int:
        """Items that were not tried, because the job ended before."""
        return self._view.not_run

    @property
    def input(self) -> Path:
        """The input, absolute."""
        return Path(self._view.input)

    @property
    def output(self) -> Path:
        """The output folder, absolute."""
        return Path(self._view.output)

    @property
    def predictions(self) -> Path | None:
        """The predictions; of a job that is not Completed, what is finished of them; None: there are none."""
        return Path(self._view.target) if self._view.target is not None else None

    @property
    def folder(self) -> Path:
        """The folder with its record and its logs."""
        return Path(self._view.folder)

    def frame(self) -> pandas.DataFrame:
        """Return the predictions as a data frame; of a job that is not Completed, those that are finished.

        Returns
        -------
        pandas.DataFrame
            A row for each row of the file, in input order, with the columns that the script gave it. Where it
            returned lists in Azure's format, one column, ``prediction``, with the text of each line. Only an
            empty cell is a missing value.

        Raises
        ------
        JobStateError
            There are no predictions, or they are not what was written.
        RequestError
            pandas is not installed.
        """
        predictions = predictions_of(self.folder)
        if predictions is None:
            raise JobStateError(
                f"job {self.name} has no predictions to be read as a frame ({self.summary}); what its script "
                f"wrote itself is in {self.output}"
            )
        return read_frame(predictions)

    def failures(self) -> list[FailedItem]:
        """Return the items without a result, in input order, each with the reason.

        Returns
        -------
        list of FailedItem
            Empty where nothing failed.

        Raises
        ------
        JobStateError
            The list of failures cannot be read.
        """
        return [] if self._view.failures is None else read_failures(Path(self._view.failures))

    def failures_frame(self) -> pandas.DataFrame:
        """Return what `failures` returns as a data frame, a row each.

        Raises
        ------
        JobStateError
            The list of failures cannot be read.
        RequestError
            pandas is not installed.
        """
        columns = list(FailedItem.__dataclass_fields__)
        return (
            pandas_module()
            .DataFrame(map(asdict, self.failures()), columns=columns, dtype=object)
            .infer_objects()
        )

    def verify(self) -> Verification:
        """Prove from its files that it lost nothing and has nothing twice: ``ok``, ``summary``, ``problems``.

        Raises
        ------
        JobStateError
            A process works on it just now.
        """
        return self._service.verify(self.name)

    def resume(self, **arguments: Any) -> Job:
        """Go on with it, as `gristmill.resume` does with the same arguments; return it as it ended."""
        return resume(self.name, **arguments)

    def cancel(self) -> Job:
        """Stop it, from any process or thread, and wait for its end; what is finished is kept.

        Returns
        -------
        Job
            As it stands then.

        Raises
        ------
        JobStateError
            It has ended, or no process works on it.
        """
        return Job(self._service.cancel(self.name, _CANCEL_WAIT_S), self._service)

    def logs(self) -> list[Path]:
        """Return its log files, the most telling ones first."""
        return self._service.logs(self.name)

    def __repr__(self) -> str:
        return f"<gristmill.Job {self.name}: {self._standing}>"

    def _repr_html_(self) -> str:
        view = self._view
        states = f"{view.succeeded:,} scored, {view.failed:,} failed, {view.not_run:,} not run"
        finished = "predictions" if view.status == _COMPLETED else "so far"
        rows = [
            ("items", f"{view.total:,}: {states}"),
            (finished, near(view.target) if view.target else None),
            ("output", None if view.target else near(view.output)),
            ("failures", near(view.failures) if view.failures else None),
            ("job folder", view.folder),
            ("go on with", in_python(view.next_command) if view.next_command else None),
        ]
        return card(f"job {self.name}: {self._standing}", rows, view.message)

    @property
    def _standing(self) -> str:
        return f"interrupted, {self.summary}" if self.is_interrupted else self.summary


def ended(view: JobView, service: Jobs, *, check: bool) -> Job:
    """Return a job that has ended.

    Raises
    ------
    JobFailedError
        It did not complete, and ``check`` is true.
    """
    one = Job(view, service)
    if check and view.status != _COMPLETED:
        _raise_failed(one)
    return one


def open_jobs(*, progress: bool = False) -> Jobs:
    """Open the home that ``GRISTMILL_HOME`` names, or ``~/.gristmill``."""
    return Jobs(Home.from_environment(), teller(progress=progress))


def _checked(name: object) -> str:
    if not isinstance(name, str):
        raise UnknownJobError(f"{name!r} is not the name of a job; gristmill.jobs() lists those that are")
    return name


def _raise_failed(one: Job) -> NoReturn:
    said = [f"job {one.name}: {one.summary}"]
    if one.message and one.message != one.summary:
        said.append(one.message)
    said.append(f"The logs are in {one.folder / 'logs'}; gristmill.resume({one.name!r}) goes on with it")
    raise JobFailedError("\n".join(said), one)
