"""A job that this process works on, and who wants it to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from gristmill.engine.staging import unstage_model
from gristmill.errors import RequestError
from gristmill.run.execution import Execution
from gristmill.run.job_folder import JobFolder, Status
from gristmill.run.progress import Progress
from gristmill.service.fingerprint import Fingerprint, changed_model_files
from gristmill.service.views import JobView, view_of

CANCELLED = "cancelled by gristmill job cancel"
_CANCEL_LOOK_EVERY_S = 0.2


class RunningJob:
    """A job that this process works on."""

    def __init__(
        self,
        folder: JobFolder,
        execution: Execution,
        notices: tuple[str, ...],
        why: Cancelling,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = folder.name
        self.folder = folder.path
        self.output = execution.job.output
        self.notices = notices
        self.execution = execution
        self._cancelling = why
        self._release = release

    def steps(self) -> Iterator[Progress]:
        """Work until the job has ended; yield how far it is."""
        try:
            yield from self._steps()
        finally:
            self._release()

    def _steps(self) -> Iterator[Progress]:
        progress = None
        for progress in self.execution.steps():
            yield progress
        job = self.execution.job
        if job.status is Status.COMPLETED:
            unstage_model(self.execution.folder.model)
        if progress is not None and job.deployment.model is not None:
            changed = _changed_files(self.execution.folder, job.deployment.model.path)
            if changed:
                yield replace(progress, notices=(f"the model was changed while the job ran: {changed[0]}",))

    def cancel(self, why: str) -> None:
        """Ask for the end; what is finished is kept. Safe in a signal handler."""
        self._cancelling.why = why

    @property
    def view(self) -> JobView:
        """How the job stands now."""
        return view_of(self.execution.job, self.execution.folder, is_held=False)


def _changed_files(folder: JobFolder, model: Path) -> list[str]:
    try:
        return changed_model_files(Fingerprint.read(folder.fingerprint).model, model)
    except RequestError:
        return []  # nobody can tell


class Cancelling:
    """Who wants the job cancelled: this process, or one that left a request in the job folder."""

    def __init__(self, folder: JobFolder) -> None:
        self.why: str | None = None
        self._request = folder.cancel_request
        self._looked_at = 0.0

    def reason(self) -> str | None:
        """Say who wants it cancelled; None while nobody does."""
        now = time.monotonic()
        if self.why is None and now - self._looked_at > _CANCEL_LOOK_EVERY_S:
            self._looked_at = now
            if self._request.exists():
                self.why = CANCELLED
        return self.why
