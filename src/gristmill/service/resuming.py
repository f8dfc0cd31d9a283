"""What is checked, and what may be changed, before a job goes on (contract, 5.8; design, D8).

Everything that can be refused is refused before anything is changed. Then the plan may be made longer by new
files, and the code copied anew; each of these happens all at once. It must not know how a job is run.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from gristmill.engine.crew import crew_for, resources_for
from gristmill.errors import (
    HomeError,
    InputError,
    JobChangedError,
    JobStateError,
    PlanError,
    RequestError,
    StorageError,
    in_words,
)
from gristmill.plan.comparison import Changes
from gristmill.run.execution import Execution
from gristmill.run.job_folder import Job, JobFolder, Status
from gristmill.run.records import Modules
from gristmill.service.fingerprint import Fingerprint, changed_code, changed_model_files, edited_originals
from gristmill.service.preparation import copy_code
from gristmill.service.script_reading import warnings_of_script
from gristmill.spec.changes import changed_settings, differences_of, is_fixed
from gristmill.spec.overrides import Override
from gristmill.spec.values import ErrorThreshold, Settings, affecting_results

_MOST_NAMED = 5
#: A job waits so long for the comparison with its input before it goes on.
_COMPARED_FIRST_S = 0.05


@dataclass(frozen=True, kw_only=True)
class ResumeRequest:
    """How a job is to go on."""

    force: bool = False
    """Whether it goes on although code, model or settings have changed; edited code is taken anew."""
    overrides: Sequence[Override] = ()
    """Settings for the rest of the job."""
    new: bool = False
    """Whether files that came to the input since it was listed are scored too."""


@dataclass(frozen=True, kw_only=True)
class Differences:
    """What a job's results depend on and is not what it was."""

    code: tuple[str, ...] = ()
    """In the job's own copy: ``b.py has changed``."""
    model: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    """By field name: ``10 → 20``."""
    edited: tuple[str, ...] = ()
    """Files that the user has edited since the job copied them; the job has them as they were."""

    @property
    def is_worth_a_copy(self) -> bool:
        """Whether the code is to be copied anew: it was edited where it came from, or some of it is gone."""
        return bool(self.edited) or any(one.endswith(" is gone") for one in self.code)

    def words(self, folder: JobFolder, job: Job) -> str:
        """Say what has changed of what the job itself has; nothing where nothing has."""
        model = job.deployment.model
        settings = tuple(f"{name} {what}" for name, what in self.settings.items())
        kinds = (
            (f"in its copy of the code ({folder.code})", self.code),
            (f"of its model ({model.path if model is not None else None})", self.model),
            ("of its settings", settings),
        )
        return "; ".join(f"{where} {_some(what)}" for where, what in kinds if what)


def make_ready(execution: Execution, request: ResumeRequest) -> tuple[str, ...]:
    """Check a job that has begun before, and change what is asked for; its plan is open then.

    Parameters
    ----------
    execution
        The job, locked and not yet begun.
    request
        How it is to go on.

    Returns
    -------
    tuple of str
        What the user should know.

    Raises
    ------
    JobChangedError
        Code, model, settings or plan are not what they were, and it is not forced; the message names what.
    SpecError
        A setting is wrong, or cannot change.
    InputError
        The input is gone, or cannot be listed for new files.
    RequestError
        New files are asked for where there can be none, or the code cannot be copied.
    JobStateError
        The plan is damaged, or cannot be made longer.
    """
    job, folder = execution.job, execution.folder
    if request.new:
        _check_takes_new(execution)
    before, differences = _compared(execution, is_forced=request.force)
    warned = _warnings(job) if request.force and differences.is_worth_a_copy else ()
    execution.job, settings, notices = _with_settings(job, request)
    if not job.input.exists():
        raise InputError(f"the input {job.input} of job {job.name} is gone; put it back, then resume")
    try:
        execution.plan_first()
        _check_plan(execution)
        about_split = _check_split_files(execution, is_forced=request.force)
        about_input = _compare_input(execution, take_new=request.new)
    except PlanError as error:
        raise JobStateError(str(error)) from error  # nothing has been started
    if request.force:
        about_code = _force(execution, before, differences)
    else:
        about_code = _about_edited(job, differences.edited)
    if request.force or request.new or settings:
        folder.tell(
            "resumed",
            fence=execution.fence,
            force=request.force,
            changed=[*differences.code, *differences.model, *differences.settings, *differences.edited],
            code_taken_anew=request.force and differences.is_worth_a_copy,
            settings=settings,
            new=request.new,
        )
    return (*about_code, *warned, *notices, *about_split, *about_input)


# What has changed


def _compared(execution: Execution, *, is_forced: bool) -> tuple[Fingerprint | None, Differences]:
    """Compare with what was written down; where something has changed, go on only if that is forced."""
    job, folder = execution.job, execution.folder
    model = job.deployment.model
    if model is not None and not os.path.lexists(model.path):
        raise JobChangedError(f"the model {model.path} of job {job.name} is gone; put it back, then resume")
    try:
        before = Fingerprint.read(folder.fingerprint)
    except JobChangedError:
        if not is_forced:
            raise
        return None, Differences(code=("what it was is not known any more",))
    loaded = execution.ledger.modules
    found = Differences(
        code=tuple(changed_code(before.code, loaded, folder.code)),
        model=tuple(changed_model_files(before.model, model.path)) if model is not None else (),
        settings=differences_of(before.settings, affecting_results(job.deployment.settings)),
        edited=tuple(edited_originals(before.code, loaded, job.deployment, folder.code)),
    )
    words = found.words(folder, job)
    if any(map(is_fixed, found.settings)):
        raise JobChangedError(
            f"job {job.name} is not what it was when it was made: {words}. Settings that say what the plan "
            f"is or what the output looks like cannot change within a job: put them back in "
            f"{folder.path / 'job.json'}"
        )
    if words and not is_forced:
        raise JobChangedError(
            f"job {job.name} is not what it was when it was made, and results would not fit together: "
            f"{words}. Put that back, go on all the same with {_by_force(job)}, or start "
            "a new job"
        )
    return before, found


def _check_plan(execution: Execution) -> None:
    """Refuse a plan that is not the one by which the job was run."""
    planner, known = execution.planner, execution.ledger.plan
    if not planner.complete:
        return
    manifest = planner.manifest
    manifest.verify()
    states = [*manifest.extended_at, (manifest.mini_batches, manifest.items)]
    if known is not None and (known.mini_batches, known.items) not in states:
        raise JobChangedError(
            f"the plan in {execution.folder.plan} is not the one that job {execution.job.name} was run by: "
            f"it has {manifest.items:,} files, and had {known.items:,}. Start a new job"
        )


def _check_split_files(execution: Execution, *, is_forced: bool) -> tuple[str, ...]:
    """Refuse files that were split by rows and have changed: where their rows stand is not known any more."""
    planner, job = execution.planner, execution.job
    if not planner.complete:
        return ()  # a listing that was cut off is made anew, and compared
    changed = []
    for one in planner.manifest.split_files():
        assert one.range is not None, "it was split"
        try:
            status = os.stat(os.path.join(os.fsencode(planner.manifest.root), one.name))
        except OSError:
            continue  # it is gone, which is told when the input is compared
        if (status.st_size, status.st_mtime_ns) != (one.range.size, one.range.mtime_ns):
            changed.append(os.fsdecode(one.name))
    if not changed:
        return ()
    has = "has" if len(changed) == 1 else "have"
    if not is_forced:
        raise JobChangedError(
            f"{_some(changed)} {has} changed since its rows were counted, so where they stand is not known. "
            f"Put it back as it was, let its rows fail with {_by_force(job)}, or start a new job"
        )
    return (f"{_some(changed)} {has} changed since its rows were counted: those not scored yet will fail",)


# What is changed


def _with_settings(job: Job, request: ResumeRequest) -> tuple[Job, dict[str, str], tuple[str, ...]]:
    """Return the job with its new settings, what they are in words, and what the user should know."""
    old = job.deployment.settings
    new = changed_settings(old, request.overrides, may_change_rows=request.force)
    differences = differences_of(_shown(old), _shown(new))
    if not differences:
        return job, {}, ()
    deployment = replace(job.deployment, settings=new)
    workers, notices = job.workers, tuple[str, ...]()
    if {"workers", "gpus_per_worker"} & differences.keys():
        crew = crew_for(deployment, resources_for(deployment))
        workers, notices = crew.workers, crew.notices
    words = ", ".join(f"{name} {what}" for name, what in differences.items())
    return (
        replace(job, deployment=deployment, workers=workers),
        differences,
        (f"for the rest of the job: {words}", *notices),
    )


def _force(execution: Execution, before: Fingerprint | None, differences: Differences) -> tuple[str, ...]:
    """Take as they are now what has changed, and write that down; say what it was."""
    job, folder = execution.job, execution.folder
    notices = []
    words = differences.words(folder, job)
    if words:
        notices.append(f"job {job.name} goes on all the same: {words}. What was scored before stays as it is")
    start = before.start if before is not None else execution.fence
    if differences.is_worth_a_copy:
        kept = _take_code_anew(execution)
        start = execution.fence
        edited = f": {_some(differences.edited)} changed since it was copied" if differences.edited else ""
        notices.append(
            f"the code is taken anew from {job.deployment.code}{edited}. What was scored before stays as it "
            f"is; the code that it was scored with is in {kept}"
        )
    if differences.is_worth_a_copy or differences.code:
        execution.recorded_first = (Modules((), is_anew=True),)
    Fingerprint.of(job.deployment, folder.code, start=start).write(folder.fingerprint)
    return tuple(notices)


def _take_code_anew(execution: Execution) -> str:
    """Copy the code as it is now, and keep the earlier copy aside; return where that is."""
    folder = execution.folder
    building = folder.path / "code.new"
    kept = folder.path / f"code.before-start-{execution.fence}"
    try:
        shutil.rmtree(building, ignore_errors=True)
        copy_code(folder, execution.job, building)
        if kept.exists():  # this very start was killed after its copy, with which nothing was run
            shutil.rmtree(folder.code, ignore_errors=True)
        elif folder.code.exists():
            folder.code.rename(kept)
        building.rename(folder.code)
    except (OSError, StorageError) as error:
        raise HomeError(
            f"the code of job {execution.job.name} cannot be copied anew: {in_words(error)}; make room, or "
            "give yourself access, then resume again"
        ) from error
    return str(kept)


def _warnings(job: Job) -> tuple[str, ...]:
    """Read the text of a script that is to be taken anew: what cannot work is refused now."""
    major, minor, micro = map(int, job.python_version.split("."))
    return warnings_of_script(job.deployment, (major, minor, micro))


def _about_edited(job: Job, edited: Sequence[str]) -> tuple[str, ...]:
    """Say so where the user expects a corrected script to be run, and it will not be."""
    if not edited:
        return ()
    has = "has" if len(edited) == 1 else "have"
    return (
        f"{_some(edited)} {has} changed since the job was made; this job goes on with its own copy: "
        f"{_by_force(job)} takes the new code, and keeps what is scored already",
    )


def _by_force(job: Job) -> str:
    """Return the command that goes on though something has changed."""
    is_rerun = job.status is Status.COMPLETED or job.rerunning
    return f"gristmill {'rerun' if is_rerun else 'resume'} {job.name}{' --failed' * is_rerun} --force"


# New files


def _check_takes_new(execution: Execution) -> None:
    """Refuse to look for new files where the input is not searched."""
    job, settings = execution.job, execution.job.deployment.settings
    if settings.input_list is not None or settings.limit is not None:
        option = "--input-list" if settings.input_list is not None else "--limit"
        raise RequestError(
            f"job {job.name} scores chosen files ({option}), and --new is for an input that is searched; "
            "score the new ones in a new job"
        )


def _compare_input(execution: Execution, *, take_new: bool) -> tuple[str, ...]:
    """Compare the plan with the input as it is now; say what is new and what is gone.

    Listing a large input takes its time, for which nobody is to wait who only goes on: what is not compared
    within a moment is compared while the job runs.
    """
    job, planner = execution.job, execution.planner
    settings = job.deployment.settings
    if not planner.complete or settings.input_list is not None or settings.limit is not None:
        return ()
    if take_new:
        changes = planner.take_new()
        new = _files(changes.new, changes.some_new) if changes.new else "no new file"
        taken = f"{new} in the input since the job was listed; scored behind the others"
        return (taken, *_about_gone(changes))
    comparing = _comparing(execution)
    deadline = time.monotonic() + _COMPARED_FIRST_S
    for notices in comparing:
        if notices or time.monotonic() > deadline:
            execution.aside = comparing
            return notices
    return ()


def _comparing(execution: Execution) -> Iterator[tuple[str, ...]]:
    """Compare with the input, a little at a time; the last step says what is different."""
    changes = Changes()
    try:
        for found_by_now in execution.planner.comparing():
            changes = found_by_now
            yield ()
    except (InputError, PlanError) as error:
        yield (f"whether there are new files in the input is not known: {error}",)
        return
    notices = _about_gone(changes)
    if changes.new:
        new = _files(changes.new, changes.some_new)
        found = (
            f"{new} in the input since the job was listed: "
            f"gristmill resume {execution.job.name} --new scores new files too"
        )
        notices = (found, *notices)
    yield notices


def _about_gone(changes: Changes) -> tuple[str, ...]:
    if not changes.gone:
        return ()
    return (
        f"{_files(changes.gone, changes.some_gone)} that the job was to score, gone from the input: "
        "without a result by now, they are going to fail",
    )


# Words


def _files(count: int, some: Sequence[bytes]) -> str:
    names = ", ".join(os.fsdecode(name) for name in some)
    return f"{count:,} file{'' if count == 1 else 's'} ({names}{', …' if count > len(some) else ''})"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _shown(settings: Settings) -> dict[str, object]:
    return {one.name: _in_words(getattr(settings, one.name)) for one in fields(settings)}


def _in_words(value: object) -> object:
    if isinstance(value, ErrorThreshold):
        return value.items if value.fraction is None else f"{value.fraction:.0%}"
    if value is None:
        return "auto"
    return value
