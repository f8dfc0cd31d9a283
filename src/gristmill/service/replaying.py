"""Replay: a file of a job, or its mini-batch, run again as it ran in the job, on our terminal.

The same interpreter, code, model, variables and arguments; what a script writes lands in a folder that is
gone afterwards. Of the job everything is only read: it may have ended in any way, or be running.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gristmill.engine.environment import Interpreter
from gristmill.engine.foreground import Watched, watch
from gristmill.engine.launch import Assignment, scratch_folder
from gristmill.engine.rehearsal import guarded
from gristmill.errors import InputError, InterpreterError, JobChangedError
from gristmill.run.execution import RunIdentity
from gristmill.run.job_folder import Job, JobFolder
from gristmill.service.assignment import Places, assignment_for
from gristmill.service.check import Preview
from gristmill.service.fingerprint import Fingerprint, changed_code, changed_model_files, edited_originals
from gristmill.service.replay_command import replay_command
from gristmill.service.replay_part import Part, Past, Wanted
from gristmill.service.surroundings import Surroundings
from gristmill.settings import Home


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What came of it."""

    preview: Preview | None
    """What ``run()`` returned; None: it did not."""
    kind: str
    """The type of what it returned; empty where it did not."""
    peak_bytes: int | None
    """The most memory that the worker held; None: it died before it could tell."""
    problems: tuple[str, ...]
    """What went wrong, in words."""
    notices: tuple[str, ...]
    """What the script's author should know of the result."""
    advice: str
    """Where to look next; empty where that is clear."""
    ended_by: int
    """The signal that ended it, Ctrl-C included; 0: none."""

    @property
    def is_good(self) -> bool:
        """Whether a job would count all of its files as scored."""
        return self.preview is not None and self.preview.results >= self.preview.files


def replay_in(folder: JobFolder, home: Home, wanted: Wanted, say: Callable[[str], None]) -> Replayed:
    """Run a file of a job again, or its mini-batch, on our terminal, for as long as it takes.

    Parameters
    ----------
    folder
        The job's; nothing in it, nor in its output, is changed.
    home
        Where the worker's archive is kept, and the environment that was built for the job.
    wanted
        What is to be run.
    say
        Is told, before it begins, what is run and what is not as it was in the job.

    Returns
    -------
    Replayed
        How ``run()`` ended.

    Raises
    ------
    UnknownJobError, JobStateError
        There is no such job, or nothing of it is planned yet.
    InputError
        There is no such file in its plan, or the file is gone.
    InterpreterError, JobChangedError
        Its interpreter, its model or its copy of the code is gone.
    StorageError
        The worker cannot be started.
    """
    job = folder.read()
    part = Part.of(job, folder, wanted)
    past = Past.of(folder.journal, part)
    with _surroundings(job, folder, home, say) as surroundings:
        interpreter = surroundings.interpreter
        for line in _announcement(job, folder, part, past, interpreter):
            say(line)
        for notice in (
            *surroundings.compared(folder, is_forced=True),
            *_differences(job, folder, past, interpreter),
        ):
            say(f"notice: {notice}")
        run_id = uuid.uuid4().hex
        scratch = scratch_folder(run_id)
        with guarded(run_id, scratch):
            assignment = _assignment(job, folder, part, interpreter, (run_id, scratch, home.cache))
            watched = watch(assignment, part.scene(past, wanted, job.workers))
    return _told(watched, job, part, past)


def _surroundings(job: Job, folder: JobFolder, home: Home, say: Callable[[str], None]) -> Surroundings:
    try:
        return Surroundings.of_job(job, folder, home, say)
    except InterpreterError as error:
        raise InterpreterError(
            f"job {job.name} ran in {job.python} (Python {job.python_version}), which does not run any more; "
            "put that environment back, or start a new job"
        ) from error


def _announcement(job: Job, folder: JobFolder, part: Part, past: Past, interpreter: Interpreter) -> list[str]:
    """Say what is run; refuse where something of it is gone."""
    script = folder.code / _script_of(job)
    if not script.is_file():
        raise JobChangedError(
            f"the job's copy of the script, {script}, is gone, so nothing of it can be replayed; start a "
            "new job"
        )
    if part.item is not None and not os.path.lexists(part.root / part.files[0]):
        raise InputError(f"the input file {part.root / part.files[0]} is gone; put it back, then replay it")
    what, where = f"mini-batch {part.mini_batch}", f"{part.size:,} {part.unit}{'' if part.size == 1 else 's'}"
    if part.item is not None:
        what = repr(part.names[0]) if not part.names[0].isprintable() else part.names[0]
        to = f" to {part.item + part.items:,}" if part.items > 1 else ""
        where = f"{part.unit} {part.item + 1:,}{to} of {part.size:,} in mini-batch {part.mini_batch}"
    failed = past.failed
    attempt = f", try {failed.attempt}" if failed is not None else ""
    lines = [
        f"replaying {what} of job {job.name}: {where}{attempt}",
        f"python    {'.'.join(map(str, interpreter.version))} ({interpreter.path})",
        f"script    {script}",
    ]
    if failed is not None:
        of_many = f", with {failed.items - 1:,} more" if failed.items > 1 else ""
        lines.append(f"in the job  {failed.reason}{of_many}: {failed.message}")
    return [*lines, "there is no time limit, and nothing of the job is changed"]


def _differences(job: Job, folder: JobFolder, past: Past, interpreter: Interpreter) -> list[str]:
    """Say what is not as it was in the job."""
    notices = []
    version = ".".join(map(str, interpreter.version))
    if version != job.python_version:
        notices.append(f"the job ran in Python {job.python_version}; {interpreter.path} is {version} now")
    model = job.deployment.model
    if model is not None and not model.path.exists():
        raise JobChangedError(f"the model {model.path} of job {job.name} is gone; put it back")
    try:
        before = Fingerprint.read(folder.fingerprint)
    except JobChangedError as error:
        return [*notices, str(error)]
    loaded = dict(past.modules)
    changed = changed_code(before.code, loaded, folder.code)
    if changed:
        notices.append(f"the job's copy of the code is not what it ran: {', '.join(changed[:3])}")
    edited = edited_originals(before.code, loaded, job.deployment, folder.code)
    if edited:
        notices.append(
            f"{edited[0]} has changed since the job was made; this runs the job's own copy in {folder.code}"
        )
    if model is not None:
        different = changed_model_files(before.model, model.path)
        if different:
            notices.append(f"the model has changed since the job was made: {', '.join(different[:3])}")
    return notices


def _script_of(job: Job) -> str:
    deployment = job.deployment
    return Path(deployment.scoring_script).name if deployment.is_bare_script else deployment.scoring_script


def _assignment(
    job: Job, folder: JobFolder, part: Part, interpreter: Interpreter, run: tuple[str, Path, Path]
) -> Assignment:
    """Return what the worker is told: the job's own places where they are read, others where it writes."""
    run_id, scratch, cache = run
    places = Places(
        code=folder.code,
        plan=folder.plan,
        root=str(part.root),
        staging=scratch / "staging",
        logs=scratch / "logs" / "user",
        scratch=scratch,
        cache=cache,
        model=scratch / "model",
    )
    identity = RunIdentity(fence=1, run_id=run_id, earlier=())
    return assignment_for(job.deployment, job.name, identity, interpreter, places, part.workers)


def _told(watched: Watched, job: Job, part: Part, past: Past) -> Replayed:
    by_event = {one["event"]: one for one in watched.observations}
    returned, ended = by_event.get("returned"), by_event.get("ended")
    failures = [one for one in watched.observations if one["event"] == "failed"]
    problems = [_problem(one["stage"], one["message"], one["left_debugger"]) for one in failures]
    if not watched.has_ended:
        problems.append(f"{_stage(watched.stage)}: the process {watched.words}")
    preview = None
    if returned is not None:
        preview = Preview(
            files=returned["files"],
            results=returned["results"],
            columns=tuple(returned["header"] or ()),
            rows=tuple(returned["rows"]),
            written_bytes=returned["bytes"],
            left=tuple((name, size) for name, size in returned["left"]),
            seconds=returned["seconds"],
            calls=1,
        )
        if preview.results < preview.files:
            problems.append(
                f"run() returned {preview.results:,} results for {preview.files:,} {part.unit}s; return one "
                f"element per {part.unit.replace('item', 'row')}"
            )
    interrupted = any(one["kind"] == "KeyboardInterrupt" for one in failures)
    told = Replayed(
        preview=preview,
        kind=returned["kind"] if returned is not None else "",
        peak_bytes=(ended or returned or {}).get("peak_bytes"),
        problems=tuple(problems),
        notices=tuple(text for _, text in returned["notices"]) if returned is not None else (),
        advice="",
        ended_by=watched.signal or (2 if interrupted else 0),
    )
    return replace(told, advice=_advice(told, job, part, past))


def _problem(stage: str, message: str, left_debugger: bool) -> str:
    return f"{_stage(stage)}: {'the debugger was left' if left_debugger else message}"


def _stage(stage: str) -> str:
    return {"start": "the start", "import": "the import"}.get(stage, f"{stage}()")


def _advice(told: Replayed, job: Job, part: Part, past: Past) -> str:
    """Say what to try next where the failure of the job did not come again."""
    failed, limit_s = past.failed, job.deployment.settings.timeout_s
    if told.preview is not None and told.preview.seconds > limit_s and told.is_good:
        return f"run() returned after the limit of the job, {limit_s:g} s: raise it with --timeout"
    if failed is None or not told.is_good:
        return ""
    if part.item is not None and part.size > 1:
        return (
            "it failed in the job and returned here: it may fail only beside its neighbours; run them all "
            "with " + replay_command(job.name, part.names[0], mini_batch=True)
        )
    return (
        "it failed in the job and returned here: it may depend on what its worker had run before (globals, "
        f"caches, memory), on the limit of {limit_s:g} s, or on what has changed since"
    )
