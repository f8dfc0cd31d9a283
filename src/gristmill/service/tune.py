"""Tune: a script is measured on a sample of its input, and settings are recommended for the whole of it.

Nothing of the user's is opened here: the script is run by workers of the deployment's own Python, in a folder
that is gone afterwards. It is no job, and nothing of it is kept.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gristmill.engine.crew import crew_for, resources_for, served_by_gpus
from gristmill.engine.environment import Interpreter
from gristmill.engine.launch import Assignment, scratch_folder
from gristmill.engine.rehearsal import guarded
from gristmill.engine.trial import Trial
from gristmill.errors import SpecError
from gristmill.run.execution import RunIdentity
from gristmill.service.assignment import Places, assignment_for
from gristmill.service.endpoints.named_input import input_at
from gristmill.service.request import checked_input
from gristmill.service.script_reading import warnings_of_script
from gristmill.service.snapshot import snapshot_code
from gristmill.service.surroundings import Surroundings
from gristmill.service.tuning.budget import Budget
from gristmill.service.tuning.cost import peak_at
from gristmill.service.tuning.crews import Crew, SideBySide
from gristmill.service.tuning.decision import MEMORY_SHARE, Recommendation, decide
from gristmill.service.tuning.facts import Current, Files, LeftOut, Measurements
from gristmill.service.tuning.log import growth_of, shares_of
from gristmill.service.tuning.measuring import Limits, Measuring
from gristmill.service.tuning.supply import Supply
from gristmill.settings import Home
from gristmill.spec.values import Deployment, Settings

#: A start that takes more of the budget is not repeated, so that libraries have as many threads as in a job.
_QUICK_START = 1 / 6
_BYTES_STAY = "mini_batch_bytes stays: where files are large, it makes mini-batches smaller than recommended"
#: Where a worker waits for this part of its time, more workers than cores are tried.
_WAITS = 0.25


@dataclass(frozen=True, kw_only=True)
class TuneRequest:
    """What a user asks for with ``tune``."""

    deployment: Deployment
    input: Path
    budget_s: float = 60.0
    """Seconds for measuring, once the script has started."""
    may_repeat: bool = False
    """Whether ``run()`` may be repeated where ``max_retries`` is 0."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What came of it."""

    python: str
    """The interpreter, in words."""
    is_bare_script: bool
    """Whether a script was given without a deployment file."""
    files: Files
    """The input."""
    budget_s: float
    measured_s: float
    """Seconds that measuring took."""
    interrupted: bool
    """Whether somebody stopped it."""
    problem: LeftOut | None
    """Why nothing could be measured; None: it could."""
    measurements: Measurements | None
    """None: nothing could be measured."""
    recommendation: Recommendation | None
    """None: nothing could be measured."""
    left_out: tuple[LeftOut, ...]
    """Files that failed."""
    notices: tuple[str, ...]
    """What the user should know."""

    @property
    def settings(self) -> dict[str, int]:
        """What to set, by the names of the arguments of ``gristmill.run``; empty where nothing is known."""
        if self.recommendation is None:
            return {}
        return {
            "mini_batch_size": self.recommendation.mini_batch_size,
            "workers": self.recommendation.workers,
            "timeout": self.recommendation.timeout_s,
        }

    def to_json(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return {**asdict(self), "settings": self.settings}


def tune(request: TuneRequest, home: Home, say: Callable[[str], None] = lambda _: None) -> Tuning:
    """Measure a script on a sample of its input, and recommend settings.

    Files of the input are run several times. What the script writes to its output folder is removed.

    Parameters
    ----------
    request
        What is to be tuned.
    home
        Where an environment is kept that the deployment asks for.
    say
        Is told what is going to take a while.

    Returns
    -------
    Tuning
        Also after an interrupt, if anything was known by then.

    Raises
    ------
    SpecError
        Files are to be split by rows; or ``max_retries`` is 0, which says that ``run()`` must not be
        repeated, and it may not.
    RequestError
        The input is not there or is empty, the interpreter does not run or the environment cannot be built,
        the code cannot be read, or the script's text shows that it cannot work.
    StorageError
        A worker cannot be launched.
    KeyboardInterrupt
        It was interrupted before anything was known.
    """
    deployment = request.deployment
    if deployment.settings.split_rows is not None or deployment.settings.split_bytes is not None:
        raise SpecError(
            "split_rows and split_bytes make a row an item, and tune measures whole files: tune without "
            "them, or compare some sizes with gristmill run --limit"
        )
    if deployment.settings.max_retries == 0 and not request.may_repeat:
        raise SpecError(
            "max_retries is 0, which says that run() must not be repeated with a file, and to tune is to run "
            "some files several times; --yes does it all the same"
        )
    where = checked_input(input_at(home, request.input).path)
    with Surroundings.of(deployment, home, say) as surroundings:
        interpreter = surroundings.interpreter
        notices = (*surroundings.notices, *warnings_of_script(deployment, interpreter.version))
        told = _Bench(request, interpreter, where, say).measure()
    return replace(told, notices=(*deployment.notices, *notices, *told.notices))


class _Bench:
    """The temporary folder in which a script is measured, and what the machine has for it."""

    def __init__(
        self, request: TuneRequest, interpreter: Interpreter, where: Path, say: Callable[[str], None]
    ) -> None:
        self._request = request
        self._deployment = request.deployment
        self._interpreter = interpreter
        self._where = where
        self._say = say
        self._run_id = uuid.uuid4().hex
        self._folder = scratch_folder(self._run_id)
        automatic = replace(self._deployment.settings, workers=None)
        self._resources = resources_for(replace(self._deployment, settings=automatic))
        self._gpu_workers = served_by_gpus(self._deployment.settings.gpus_per_worker, self._resources)
        self._not_measured: list[str] = []

    def measure(self) -> Tuning:
        """Measure, and remove everything."""
        settings, interrupted = self._deployment.settings, False
        with guarded(self._run_id, self._folder):
            supply = Supply.of(self._where, settings, self._folder / "plan")
            files = supply.facts()
            trial = Trial(self._assignment(supply.root))
            memory = self._resources.memory
            measuring = Measuring(
                trial,
                supply,
                Limits(init_timeout_s=settings.init_timeout_s, memory_bytes=self._most_for_one()),
                self._say,
                is_cold=memory is not None and files.total_bytes > memory / 2,
            )
            began = time.monotonic()
            try:
                self._perform(measuring, trial, supply)
                trial.close()
            except KeyboardInterrupt:
                interrupted = True
                if measuring.problem is None and not measuring.log.climbed:
                    raise
            finally:
                trial.kill()
            files = replace(files, median_rows=supply.median_rows())
            measured = self._measurements(measuring, files) if measuring.log.climbed else None
        return Tuning(
            python=f"Python {'.'.join(map(str, self._interpreter.version))} ({self._interpreter.path}, "
            f"{self._interpreter.chosen})",
            is_bare_script=self._deployment.is_bare_script,
            files=files,
            budget_s=self._request.budget_s,
            measured_s=time.monotonic() - began,
            interrupted=interrupted,
            problem=self._at_home(measuring.problem) if measured is None and measuring.problem else None,
            measurements=measured,
            recommendation=decide(measured) if measured is not None else None,
            left_out=tuple(map(self._at_home, measuring.left_out)),
            notices=(_BYTES_STAY,) if settings.mini_batch_bytes is not None else (),
        )

    def _perform(self, measuring: Measuring, trial: Trial, supply: Supply) -> None:
        script, init_s = self._deployment.scoring_script, self._deployment.settings.init_timeout_s
        self._say(
            f"starting {script} (limit: {init_s:g} s), then measuring it for about "
            f"{self._request.budget_s:g} s; Ctrl-C ends it with what is known"
        )
        if not self._start(measuring):
            return
        budget = Budget(self._request.budget_s)
        assert measuring.started is not None
        self._say(f"started in {measuring.started.seconds:.1f} s; measuring run() with more and more files")
        if not measuring.first_calls(budget):
            return
        measuring.climb(budget)
        measuring.compare(budget)
        if measuring.log.climbed:
            self._side_by_side(measuring, trial, supply, budget)

    def _start(self, measuring: Measuring) -> bool:
        """Start the worker, with the threads that it has beside as many others as there is memory for."""
        cores = self._resources.cores
        if not measuring.start(self._share(cores)):
            return False
        started = measuring.started
        assert started is not None
        fitting = self._fitting(started.peak_bytes)
        if fitting < self._share(cores) and started.seconds < self._request.budget_s * _QUICK_START:
            self._share_now = fitting
            return measuring.start(fitting)
        self._share_now = self._share(cores)
        return True

    def _share(self, cores: int) -> int:
        return min(cores, self._gpu_workers or cores)

    def _side_by_side(self, measuring: Measuring, trial: Trial, supply: Supply, budget: Budget) -> None:
        measured = self._measurements(measuring, supply.facts())
        size = decide(measured).mini_batch_size
        call = next(one for one in reversed(measured.sizes) if one.size <= size)
        if measured.files.files < 2:
            return
        crew = Crew(
            size=call.size,
            call_s=call.seconds + measured.shares.reading_s * call.size,
            start_s=measured.start.seconds,
            share=self._share_now,
            cores=self._resources.cores,
            fitting=min(
                self._fitting(max(measured.start.peak_bytes, peak_at(measured.sizes, call.size))),
                self._gpu_workers or measured.files.files,
            ),
            waits=measured.shares.waiting + measured.shares.reading > _WAITS,
        )
        side_by_side = SideBySide(
            trial, supply, measuring.log, self._deployment.settings.init_timeout_s, self._say
        )
        if why_not := side_by_side.measure(crew, budget):
            self._not_measured.append(why_not)

    def _measurements(self, measuring: Measuring, files: Files) -> Measurements:
        log, settings = measuring.log, self._deployment.settings
        assert measuring.started is not None
        sizes_of = {name: (Path(self._root) / name) for name, _ in log.singles}
        singles = [(_bytes(sizes_of[name]), seconds) for name, seconds in log.singles]
        return Measurements(
            files=files,
            start=measuring.started,
            cores=self._resources.cores,
            memory_bytes=self._resources.memory,
            worker_limit_bytes=settings.memory_per_worker_bytes,
            gpu_workers=self._gpu_workers,
            sizes=log.sizes(),
            shares=shares_of(log.pairs),
            side_by_side=log.side_by_side(),
            slowest_file_s=log.slowest_file_s(),
            growth=growth_of(singles, files.largest_bytes),
            current=Current(
                mini_batch_size=_size_now(settings, files),
                workers=settings.workers or crew_for(self._deployment, self._resources).workers,
                timeout_s=settings.timeout_s,
            ),
            short=log.short,
            not_measured=tuple(self._not_measured),
        )

    def _most_for_one(self) -> int | None:
        limit, memory = self._deployment.settings.memory_per_worker_bytes, self._resources.memory
        known = [one for one in (limit, memory and int(memory * MEMORY_SHARE)) if one is not None]
        return min(known) if known else None

    def _fitting(self, each_bytes: int) -> int:
        memory = self._resources.memory
        if memory is None:
            return 1 << 30
        return max(1, int(memory * MEMORY_SHARE // max(each_bytes, 1)))

    def _assignment(self, root: str) -> Assignment:
        folder = self._folder
        self._root = root
        snapshot_code(self._deployment, folder / "code", data=[self._where])
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
        return assignment_for(self._deployment, "tune", identity, self._interpreter, places, workers=1)

    def _at_home(self, one: LeftOut) -> LeftOut:
        """Name the script's own files, where the copies of them were seen."""
        there, here = str(self._folder / "code"), str(self._deployment.code)
        return replace(one, message=one.message.replace(there, here), detail=one.detail.replace(there, here))


def _size_now(settings: Settings, files: Files) -> int:
    """Return how many files a mini-batch has now, on average."""
    size = settings.mini_batch_size or files.files
    if settings.mini_batch_bytes is not None and files.total_bytes:
        size = min(size, settings.mini_batch_bytes * files.files // files.total_bytes)
    return max(1, size)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
