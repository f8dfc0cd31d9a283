"""Asking for a job that is run in its turn: it is accepted once its folder stands there, whole.

The order makes every moment a safe one to be killed in. The folder comes first, then, where the request has
a key, its row with this key, then the file by which the runner knows of it, then ``Queued`` in its
``job.json``, then the row of one without a key. A job that was not accepted is never begun, and its key is
free again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from gristmill.errors import CatalogError, HomeError, KeyTakenError, RequestError, in_words
from gristmill.faults import reach
from gristmill.run.job_folder import JobFolder, Origin, Status
from gristmill.service.jobs import Jobs
from gristmill.service.new_job import OTHER_HOME
from gristmill.service.queue.index import job_record
from gristmill.service.queue.making import MadeJob, make_job
from gristmill.service.queue.unaccepted import remove_unaccepted
from gristmill.service.queue.waking import wake
from gristmill.service.request import RunRequest
from gristmill.service.views import JobView
from gristmill.settings import Settings
from gristmill.storage.identity import identity_of

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """A job that was accepted, now or when the same was asked for before."""

    view: JobView
    notices: tuple[str, ...]
    """What the user should know."""
    was_new: bool
    """False where its idempotency key had a job already, which this is."""


class Queue:
    """Takes jobs for the runner of a home."""

    def __init__(self, settings: Settings, open_catalog: Callable[[], Catalog]) -> None:
        """Take the settings as they are; nothing is opened yet.

        Parameters
        ----------
        settings
            Of which home.
        open_catalog
            Gives its catalog, which is opened when it is wanted; whoever gives it closes it.
        """
        self._home = settings.home
        self._workspace = settings.workspace
        self._open_catalog = open_catalog

    def submit(self, request: RunRequest, origin: Origin = Origin.INVOKE) -> Submitted:
        """Let a job wait for its turn, and see to it that there is a runner.

        Parameters
        ----------
        request
            What is asked for. With an idempotency key the same request returns the same job.
        origin
            Who asks.

        Raises
        ------
        RequestError
            Something that was asked for cannot be done: every cause that can be known before it begins. No
            job is left behind.
        CatalogError
            It has an idempotency key, and the catalog is away.
        """
        known = self._known(request.idempotency_key)
        if known is not None:
            self._wake()
            return known
        made = make_job(request, origin, self._home)
        made.job = replace(made.job, workspace=self._workspace)
        try:
            known = self._keyed(made)
            if known is None:
                made.accept()
                made.notices += self._indexed(made)
                reach("submit.indexed")
        except BaseException:
            if made.job.status is not Status.QUEUED:
                made.discard()
            raise
        finally:
            made.close()
        self._wake()
        return known or Submitted(view=self._jobs.show(made.job.name), notices=made.notices, was_new=True)

    def submit_detached(self, request: RunRequest) -> Submitted:
        """Do what `submit` does for somebody who would else run the job himself, with the same output folder.

        Raises
        ------
        RequestError, CatalogError
            As for `submit`.
        """
        return self.submit(request, Origin.DETACH)

    @cached_property
    def _catalog(self) -> Catalog:
        return self._open_catalog()

    @property
    def _jobs(self) -> Jobs:
        return Jobs(self._home)

    def _known(self, key: str | None) -> Submitted | None:
        """Return the job that a key has; one that was never accepted loses it.

        Raises
        ------
        KeyTakenError
            It has a job of another home.
        """
        if key is None:
            return None
        record = self._catalog.job_by_key(key)
        if record is None:
            return None
        if record.home != identity_of(self._home):
            raise KeyTakenError(
                f"job {record.name} was made under the idempotency key {key!r} already, from another home "
                "that shares this catalog; look at it there",
                record.name,
            )
        if remove_unaccepted(JobFolder(self._home.jobs / record.name), self._home):
            self._catalog.forget_jobs(record.home, [record.name])
            return None
        return Submitted(view=self._jobs.show(record.name), notices=(), was_new=False)

    def _keyed(self, made: MadeJob) -> Submitted | None:
        """Enter a job under its key; return the one that another process was quicker with."""
        if made.job.idempotency_key is None:
            return None
        try:
            self._catalog.add_job(job_record(made.job, self._home))
        except KeyTakenError:
            other = self._known(made.job.idempotency_key)
            if other is not None:
                made.discard()
                return other
            self._catalog.add_job(job_record(made.job, self._home))  # its job was never accepted
        reach("submit.keyed")
        return None

    def _indexed(self, made: MadeJob) -> tuple[str, ...]:
        """Enter a job that is queued already; a catalog that is away is told by the runner later."""
        try:
            if made.job.idempotency_key is None:
                self._catalog.add_job(job_record(made.job, self._home))
            else:
                self._catalog.put_job_state(made.job.name, status=made.job.status.value)
        except (CatalogError, RequestError) as error:
            return (f"the job is queued, and the catalog does not know of it yet: {error}",)
        return ()

    def _wake(self) -> None:
        try:
            wake(self._home)
        except OSError as error:
            raise HomeError(
                f"the job is queued, and no runner can be started for it: {in_words(error)}; {OTHER_HOME}"
            ) from error
