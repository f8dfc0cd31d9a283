"""The part of a plan that is to be replayed, found by what was typed, and what is recorded of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gristmill.engine.contract import Scored, Span
from gristmill.engine.foreground import Scene
from gristmill.errors import InputError, JobStateError, PlanError
from gristmill.plan import lookup
from gristmill.plan.manifest import Manifest
from gristmill.run.job_folder import Job, JobFolder
from gristmill.run.journal import read_journal
from gristmill.run.records import FailedTry, Modules


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be replayed."""

    item: str
    """A file as it stands in ``failures.jsonl``, its path, or, of a whole mini-batch, its number."""
    mini_batch: bool = False
    """Whether all of its mini-batch is to be run."""
    post_mortem: bool = False
    """Whether a debugger opens where the script raises."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The part of the plan that is run."""

    root: Path
    mini_batch: int
    item: int | None
    """The number of its first item in the mini-batch; None: all of it."""
    items: int
    """Its items; of a file whose rows are counted, these."""
    names: tuple[str, ...]
    """Relative paths of the files; of some rows of one, as the script got it."""
    files: tuple[str, ...]
    """Relative paths of the files that these are in."""
    size: int
    """Items in the whole mini-batch."""
    unit: str
    """What an item is: ``file``, or ``item`` where rows are counted."""
    workers: int
    """As many as there was work for in the job, at most."""

    @classmethod
    def of(cls, job: Job, folder: JobFolder, wanted: Wanted) -> Part:
        try:
            root = job.input if job.input.is_dir() else job.input.parent
            manifest = lookup.opened(folder.plan, root, job.deployment.settings.mini_batch_size)
        except PlanError as error:
            raise JobStateError(f"nothing of job {job.name} can be replayed: {error}") from error
        try:
            batch, item, items = _place(manifest, job, wanted)
            inputs = manifest.inputs_of(batch, item or 0, items)
            return cls(
                root=manifest.root,
                mini_batch=batch,
                item=item,
                items=sum(one.items for one in inputs),
                names=tuple(os.fsdecode(one.piece_name) for one in inputs),
                files=tuple(os.fsdecode(one.name) for one in inputs),
                size=manifest.item_count(batch),
                unit="file" if manifest.cut.rows is None else "item",
                workers=max(1, min(job.workers, manifest.mini_batches)),
            )
        finally:
            manifest.close()

    def scene(self, past: Past, wanted: Wanted, workers: int) -> Scene:
        failed = past.failed
        return Scene(
            mini_batch=self.mini_batch,
            first_item=self.item or 0,
            items=0 if self.item is None else self.items,
            attempt=failed.attempt if failed is not None else 1,
            worker=failed.worker if failed is not None and failed.worker < workers else 0,
            post_mortem=wanted.post_mortem,
        )

    def is_in(self, span: Span) -> bool:
        """Say whether a range that was recorded holds any of it."""
        if not span.first <= self.mini_batch < span.first + span.batches:
            return False
        if self.item is None or not span.items:
            return True
        return span.first_item < self.item + self.items and self.item < span.first_item + span.items


@dataclass(frozen=True, kw_only=True)
class Past:
    """What the job's journal knows of a part."""

    modules: tuple[tuple[str, str], ...]
    """The script's own modules, as they were loaded, and their SHA-256."""
    failed: FailedTry | None
    """Its last try, if it failed."""

    @classmethod
    def of(cls, journal: Path, part: Part) -> Past:
        modules: tuple[tuple[str, str], ...] = ()
        failed: FailedTry | None = None
        for record, _, _ in read_journal(journal):
            if isinstance(record, Modules):
                modules = record.modules
            elif isinstance(record, FailedTry | Scored) and part.is_in(record.span):
                if part.item is None and record.span.items and failed is not None:
                    continue  # the end of a part of it says less than its own
                failed = record if isinstance(record, FailedTry) else None
        return cls(modules=modules, failed=failed)


def _place(manifest: Manifest, job: Job, wanted: Wanted) -> tuple[int, int | None, int]:
    """Return the mini-batch, and the items in it unless all of it is wanted: the first, and how many."""
    for name in _names_of(wanted.item, manifest.root):
        place = lookup.find(manifest, name)
        if place is not None and place.is_split:
            piece = os.fsdecode(manifest.inputs_of(place.mini_batch)[0].piece_name)
            raise InputError(
                f"{wanted.item!r} is split by rows in job {job.name}; name some of its rows, such as "
                f"{piece}: as they stand in {job.failures.name}, or any others that lie within one piece"
            )
        if place is not None:
            return place.mini_batch, *((None, 0) if wanted.mini_batch else (place.item, place.items))
    if wanted.mini_batch and wanted.item.isdecimal():
        number = int(wanted.item)
        if number < manifest.mini_batches:
            return number, None, 0
        raise InputError(
            f"job {job.name} has {manifest.mini_batches:,} mini-batches, numbered from 0; there is no number "
            f"{number}. Give one of them, or the name of an input file"
        )
    unit = "files" if manifest.cut.rows is None else "rows"
    near = [repr(name) for name in lookup.similar(manifest, os.fsencode(wanted.item))]
    meant = f"; did you mean {' or '.join(near)}?" if near else "."
    raise InputError(
        f"{wanted.item!r} is not among the {manifest.items:,} {unit} in the plan of job {job.name}{meant} "
        f"Give it as it stands in {job.failures.name}, or its path below {manifest.root}"
    )


def _names_of(item: str, root: Path) -> list[bytes]:
    """Return what a file that was typed may be called in a plan: as it is, or as a path from here."""
    raw, base = os.fsencode(item), os.fsencode(root)
    here = os.path.abspath(raw)
    there = os.path.join(os.path.realpath(os.path.dirname(here)), os.path.basename(here))
    names = [raw, os.path.normpath(raw)]
    for path, folder in ((here, base), (there, os.path.realpath(base))):
        if path.startswith(folder.rstrip(b"/") + b"/"):
            names.append(os.path.relpath(path, folder))
    return names
