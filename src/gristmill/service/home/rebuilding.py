"""A catalog made of what the home keeps: rows of the small files in ``records/``, an index of job folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from gristmill.catalog.records import (
    AssetKind,
    AssetRecord,
    DeploymentRecord,
    EndpointRecord,
    JobRecord,
    ResourceKind,
    ResourceRecord,
)
from gristmill.errors import RequestError
from gristmill.run.job_folder import Job, JobFolder
from gristmill.run.making import JOB
from gristmill.service.assets.records import Kept, kept_record, kept_records
from gristmill.service.assets.registering import asset_record
from gristmill.service.endpoints.records import DEPLOYMENT, ENDPOINT
from gristmill.service.home.keeping import alone_with
from gristmill.service.queue.index import job_record
from gristmill.settings import Home, Settings
from gristmill.storage.identity import identity_of

if TYPE_CHECKING:
    from gristmill.catalog.store import Catalog

Tell = Callable[[str], None]
_Record = EndpointRecord | DeploymentRecord | AssetRecord | ResourceRecord

#: A deployment's record comes after its endpoint's.
_KINDS: tuple[str, ...] = (ENDPOINT, DEPLOYMENT, *AssetKind, *ResourceKind)


def put_back_records(settings: Settings, catalog: Catalog, did: Tell, notice: Tell) -> None:
    """Make the rows that are missing of the records that are there."""
    home = settings.home
    known = [kept for kept in kept_records(home) if kept.kind in _KINDS]
    known.sort(key=lambda kept: (kept.workspace, _KINDS.index(kept.kind)))
    count: Counter[str] = Counter()
    for (workspace, kind), group in groupby(known, lambda kept: (kept.workspace, kept.kind)):
        with alone_with(home, workspace, kind):
            again = [_read_again(home, one) for one in group]  # now nobody else writes any
            there = [one for one in again if one is not None]
            count[kind] += _put_back(catalog.in_workspace(workspace), _oldest_first(there), notice)
    done = [f"{number} {_called(kind, number)}" for kind, number in count.items() if number]
    if done:
        did(f"put back into the catalog: {', '.join(done)}")


def index_jobs(settings: Settings, catalog: Catalog, did: Tell) -> None:
    """Let the catalog know the jobs of this home as their folders tell it, and forget those that are gone."""
    home = settings.home
    known = [  # read before the folders are: a row is made when its folder is there
        (catalog.in_workspace(name), row)
        for name in catalog.workspaces()
        for row in catalog.in_workspace(name).jobs(archived=None)
    ]
    there = {job.name: job for job in _jobs_in(home)}
    gone: dict[str, list[str]] = {}
    for rows, row in known:
        is_ours = row.home == identity_of(home)
        if is_ours and row.name in there:
            _update(rows, row, job_record(there.pop(row.name), home))
        elif not (home.jobs / row.name / JOB).exists() if is_ours else settings.catalog_url is None:
            gone.setdefault(row.home, []).append(row.name)  # a catalog that is no server's is of one home
    forgotten = sum(catalog.forget_jobs(place, names) for place, names in gone.items())
    entered = 0
    for workspace in sorted({job.workspace for job in there.values()}):
        missing = [job_record(job, home) for job in there.values() if job.workspace == workspace]
        entered += catalog.in_workspace(workspace).index_jobs(missing)
    if entered:
        did(f"entered {entered} {'job' if entered == 1 else 'jobs'} in the catalog")
    if forgotten:
        did(f"took {forgotten} {'job' if forgotten == 1 else 'jobs'} out of it whose folders are not here")


def _read_again(home: Home, kept: Kept) -> Kept | None:
    content = kept_record(home, kept.workspace, kept.kind, kept.name, kept.version)
    return None if content is None else replace(kept, content=content)


def _called(kind: str, number: int) -> str:
    word = "data asset" if kind == AssetKind.DATA else kind
    return word if number == 1 else f"{word}s"


def _put_back(rows: Catalog, kept: Iterable[Kept], notice: Tell) -> int:
    count = 0
    for one in kept:
        try:
            record, labels = _record_of(one)
        except (TypeError, ValueError, KeyError) as error:
            notice(f"the record of {one.kind} {one.name} is damaged, and was passed over: {error}")
            continue
        if rows.put_back(record):
            count += 1
            if isinstance(record, AssetRecord):
                for label in labels:
                    rows.set_label(record.kind, record.name, label, record.version)
    return count


def _record_of(kept: Kept) -> tuple[_Record, tuple[str, ...]]:
    if kept.kind in list(AssetKind):
        return asset_record(kept.content)
    values = {key: value for key, value in kept.content.items() if key != "schema"}
    if kept.kind == ENDPOINT:
        return EndpointRecord(**values), ()
    if kept.kind == DEPLOYMENT:
        return DeploymentRecord(**values), ()
    return ResourceRecord(**{**values, "kind": ResourceKind(kept.kind)}), ()


def _oldest_first(kept: Iterable[Kept]) -> list[Kept]:
    """Order versions as they were made: the last one of them is the latest."""
    return sorted(kept, key=lambda one: (str(one.content.get("created_at", "")), _number(one.version)))


def _number(version: str | None) -> int:
    return int(version) if version is not None and version.isascii() and version.isdigit() else 0


def _jobs_in(home: Home) -> Iterable[Job]:
    for path in sorted(home.jobs.iterdir()) if home.jobs.is_dir() else ():
        try:
            yield JobFolder(path).read()
        except RequestError:
            continue


def _update(rows: Catalog, row: JobRecord, there: JobRecord) -> None:
    """Tell the catalog how a job stands, where it says something else."""
    if row.is_archived != there.is_archived:
        rows.archive_job(row.name, there.is_archived)
    says = (row.status, row.started_at, row.ended_at, row.starts, row.summary)
    if says != (there.status, there.started_at, there.ended_at, there.starts, there.summary):
        rows.put_job_state(
            row.name,
            status=there.status,
            started_at=there.started_at,
            ended_at=there.ended_at,
            starts=there.starts,
            summary=there.summary,
        )
