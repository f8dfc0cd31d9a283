"""Check: all that can be known of a deployment before a job (its text, its start, one real mini-batch).

Nothing of the user's is opened here: the script's text is parsed, and the script itself is run by a worker of
the deployment's own Python, in a folder that is gone afterwards. Nothing is kept of it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gristmill.engine.environment import Interpreter
from gristmill.engine.launch import Assignment, scratch_folder
from gristmill.engine.rehearsal import Terms, guarded, rehearse
from gristmill.errors import SpecError
from gristmill.plan.planner import Planner
from gristmill.run.execution import RunIdentity
from gristmill.service.assignment import Places, assignment_for
from gristmill.service.endpoints.named_input import input_at
from gristmill.service.endpoints.references import load_at
from gristmill.service.findings import Finding, error, unlike
from gristmill.service.footprint import Footprint
from gristmill.service.judgement import judge
from gristmill.service.request import checked_input
from gristmill.service.script_reading import read_script
from gristmill.service.snapshot import snapshot_code
from gristmill.service.surroundings import Surroundings
from gristmill.settings import Home
from gristmill.spec.document import read_document
from gristmill.spec.overrides import Override
from gristmill.spec.values import Deployment

_SLICE_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What one mini-batch gives."""

    files: int
    """Files in the mini-batch."""
    results: int
    """Elements or rows that ``run()`` returned."""
    columns: tuple[str, ...]
    """Names of the columns, where they have any."""
    rows: tuple[str, ...]
    """The first lines, as they would be written."""
    written_bytes: int
    """What all lines of the mini-batch take."""
    left: tuple[tuple[str, int], ...]
    """Files that it left in the output folder, and their sizes in bytes."""
    seconds: float
    """For the first call of ``run()``."""
    calls: int
    """How often it was called in all, with the same files."""


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What a check has found."""

    findings: tuple[Finding, ...]
    """All that is wrong, errors and warnings, in the order in which a job would meet them."""
    python: str
    """The interpreter, in words; empty where it did not come to that."""
    start_s: float | None = None
    """Seconds for importing the script and for ``init()``; None: it did not start."""
    peak_bytes: int | None = None
    """The most memory that the worker held; None: it did not start."""
    preview: Preview | None = None
    """None: no input was given, or ``run()`` did not return."""

    @property
    def errors(self) -> int:
        """How many things keep it from working."""
        return sum(one.is_error for one in self.findings)

    @property
    def warnings(self) -> int:
        """How many things its author should know."""
        return len(self.findings) - self.errors

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return {"errors": self.errors, "warnings": self.warnings, **asdict(self)}


def check(
    path: Path,
    overrides: Sequence[Override],
    input_path: Path | None,
    home: Home,
    say: Callable[[str], None] = lambda _: None,
) -> CheckReport:
    """Check a deployment file or a bare script.

    Parameters
    ----------
    path
        What ``run`` would be given.
    overrides
        Settings over those of the file.
    input_path
        A folder of files, or one file: a mini-batch of it is run, several times; None: nothing is run but
        the start.
    home
        Where the environments are kept that deployments ask for; nothing else of it is used.
    say
        Is told what is going to take a while.

    Returns
    -------
    CheckReport
        Mistakes in the file are findings in it, too. What is certain to fail by its text is not started.

    Raises
    ------
    SpecError
        The file is not there, or is nothing that can be read as a deployment at all.
    RequestError
        The input is not there or is empty, the interpreter does not run, or the code cannot be read.
    StorageError
        The worker cannot be started.
    """
    if path.suffix.lower() != ".py" and path.is_file():
        read_document(path)  # what is no YAML at all is no list of mistakes
    try:
        deployment = load_at(home, path, overrides)
    except SpecError as mistakes:
        if not path.is_file():
            raise
        return CheckReport(findings=tuple(map(_mistake, mistakes.problems)), python="")
    where = checked_input(input_at(home, input_path).path) if input_path is not None else None
    with Surroundings.of(deployment, home, say) as surroundings:
        return _checked(deployment, surroundings.interpreter, where, say)


def _checked(
    deployment: Deployment, interpreter: Interpreter, where: Path | None, say: Callable[[str], None]
) -> CheckReport:
    python = f"Python {'.'.join(map(str, interpreter.version))} ({interpreter.path}, {interpreter.chosen})"
    read = read_script(deployment, interpreter.version)
    if any(one.is_error for one in read):
        return CheckReport(findings=read, python=python)
    settings = deployment.settings
    limits = f"{settings.init_timeout_s:g} s for its start"
    if where is not None:
        limits += f", {settings.timeout_s:g} s for each run()"
    say(f"trying {deployment.scoring_script} out (limits: {limits})")
    seen = _Stage(deployment, interpreter, say).try_out(where)
    return replace(seen, python=python, findings=(*read, *unlike(seen.findings, read)))


def _mistake(problem: str) -> Finding:
    place, _, what = problem.partition(": ")
    return error("deployment", place, what or problem, "")


class _Stage:
    """The temporary folder in which a script is tried out."""

    def __init__(self, deployment: Deployment, interpreter: Interpreter, say: Callable[[str], None]) -> None:
        self._say = say
        self._deployment = deployment
        self._interpreter = interpreter
        self._run_id = uuid.uuid4().hex
        self._folder = scratch_folder(self._run_id)

    def try_out(self, input_path: Path | None) -> CheckReport:
        """Start the script in a worker, run a mini-batch where there is an input, and remove everything."""
        deployment = self._deployment
        with guarded(self._run_id, self._folder):
            root, files = self._planned(input_path) if input_path is not None else ("/", [])
            assignment = self._assignment(root, [] if input_path is None else [input_path])
            model = deployment.model.path if deployment.model is not None else None
            footprint = Footprint(files=files, code=assignment.code, model=model, staged=assignment.model)
            terms = Terms(has_files=bool(files))
            rehearsal = rehearse(assignment, terms, lambda seen: self._tell(seen, terms, len(files)))
            findings = judge(rehearsal, deployment, deployment.scoring_script)
            findings += footprint.changes(deployment.scoring_script)
            return _report([self._at_home(one) for one in findings], rehearsal.observations, rehearsal.call)

    def _tell(self, seen: Mapping[str, Any], terms: Terms, files: int) -> None:
        """Say what comes next, where that takes a while."""
        if seen["event"] == "ready" and terms.has_files:
            self._say(f"started in {seen['import_s'] + seen['init_s']:.1f} s; running {_files(files)}")
        elif seen["event"] == "called":
            self._say(
                f"run() took {seen['seconds']:.1f} s; running it with the same files again, up to "
                f"{terms.calls} times, for about {terms.seconds:g} s at most"
            )

    def _planned(self, input_path: Path) -> tuple[str, list[str]]:
        """Cut the first mini-batch of the input, as a job would; return its root and its files."""
        settings = self._deployment.settings
        planner = Planner(
            root=input_path,
            folder=self._folder / "plan",
            mini_batch_size=settings.mini_batch_size,
            mini_batch_bytes=settings.mini_batch_bytes,
            recursive=settings.recursive,
            include_hidden=settings.include_hidden,
            exclude=[self._folder],
            include_patterns=settings.include,
            exclude_patterns=settings.exclude,
            input_list=settings.input_list,
            limit=settings.limit,
        )
        try:
            while not planner.complete and not planner.mini_batches:
                planner.step(_SLICE_S)
            root = str(input_path if input_path.is_dir() else input_path.parent)
            return root, [os.path.join(root, os.fsdecode(name)) for name in planner.manifest.paths_of(0)]
        finally:
            planner.close()

    def _assignment(self, root: str, data: list[Path]) -> Assignment:
        folder = self._folder
        snapshot_code(self._deployment, folder / "code", data=data)
        places = Places(
            code=folder / "code",
            plan=folder / "plan",
            root=root,
            staging=folder / "staging",
            logs=folder / "logs" / "user",
            scratch=folder,
            cache=folder / "cache",
            model=folder / "model",
        )
        identity = RunIdentity(fence=1, run_id=self._run_id, earlier=())
        return assignment_for(self._deployment, "check", identity, self._interpreter, places, workers=1)

    def _at_home(self, finding: Finding) -> Finding:
        """Name the script's own files, where the copies of them were seen."""
        there, here = str(self._folder / "code"), str(self._deployment.code)
        return replace(
            finding, what=finding.what.replace(there, here), detail=finding.detail.replace(there, here)
        )


def _files(number: int) -> str:
    return f"the first mini-batch, {number:,} file{'' if number == 1 else 's'}"


def _report(
    findings: Sequence[Finding], observations: Sequence[Mapping[str, Any]], calls: int
) -> CheckReport:
    by_event = {seen["event"]: seen for seen in observations}
    ready, called = by_event.get("ready"), by_event.get("called")
    preview = None
    if called is not None:
        preview = Preview(
            files=called["files"],
            results=called["results"],
            columns=tuple(called["header"] or ()),
            rows=tuple(called["rows"]),
            written_bytes=called["bytes"],
            left=tuple((name, size) for name, size in called["left"]),
            seconds=called["seconds"],
            calls=calls,
        )
    return CheckReport(
        findings=tuple(findings),
        python="",
        start_s=ready["import_s"] + ready["init_s"] if ready is not None else None,
        peak_bytes=(called or ready or {}).get("peak_bytes"),
        preview=preview,
    )
