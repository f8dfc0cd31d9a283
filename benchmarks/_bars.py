"""The bars: what Gristmill has promised to be, each with the figure that decides. One line a bar.

A benchmark says what it measured (``bar("P1-100k-10", 0.21)``); text, target and verdict come from here, so
that no benchmark sets its own target. The page lists all of them, the ones that nobody measured included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Target:
    """One promise that a measurement can keep or break."""

    id: str  # short and stable: bars are found by it
    benchmark: str  # whose result holds it: benchmarks/<benchmark>.py
    text: str  # what is measured, in one line
    relation: Literal["<=", ">="]
    limit: float
    unit: str  # "×", "s", "MB", "%", "MB/s", or a noun


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A target and what was measured; ``None`` says that it could not be, and ``why`` the reason."""

    id: str
    text: str
    relation: Literal["<=", ">="]
    limit: float
    unit: str
    measured: float | None
    why: str = ""  # why it is missed, or not measured; else a remark

    @property
    def is_met(self) -> bool | None:
        """Tell whether the target is reached; None where nothing was measured."""
        if self.measured is None:
            return None
        return self.measured <= self.limit if self.relation == "<=" else self.measured >= self.limit

    @property
    def verdict(self) -> str:
        return {True: "met", False: "missed", None: "not measured"}[self.is_met]


def bar(id: str, measured: float | None, why: str = "") -> Bar:
    """Return a promised bar with what was measured.

    Raises
    ------
    KeyError
        There is no such bar; the message names those that there are.
    ValueError
        A bar that was not measured has no reason.
    """
    if id not in BY_ID:
        raise KeyError(f"there is no bar {id!r} in benchmarks/_bars.py; there are {', '.join(BY_ID)}")
    if measured is None and not why:
        raise ValueError(f"bar {id} was not measured: say why")
    target = BY_ID[id]
    return Bar(
        id=id,
        text=target.text,
        relation=target.relation,
        limit=target.limit,
        unit=target.unit,
        measured=measured,
        why=why,
    )


def _most(id: str, benchmark: str, limit: float, unit: str, text: str) -> Target:
    return Target(id=id, benchmark=benchmark, text=text, relation="<=", limit=limit, unit=unit)


def _least(id: str, benchmark: str, limit: float, unit: str, text: str) -> Target:
    return Target(id=id, benchmark=benchmark, text=text, relation=">=", limit=limit, unit=unit)


_POOL = "from listing to published file, against Pool with chunksize 1"
_SLOW = f"{_POOL}, where that takes ≥ 0.2 s"
_BEST = "from listing to published file, against Pool with its best chunksize"

BARS: tuple[Target, ...] = (
    _most("P1-100k-1", "overhead", 0.3, "×", f"100,000 files, 1 per run(): {_POOL}"),
    _most("P1-100k-10", "overhead", 0.5, "×", f"100,000 files, 10 per run(): {_POOL}"),
    _most("P1-100k-100", "overhead", 0.8, "×", f"100,000 files, 100 per run(): {_POOL}"),
    _most("P1-100k-10-best", "overhead", 1.0, "×", f"100,000 files, 10 per run(): {_BEST}"),
    _most("P1-100k-100-best", "overhead", 1.0, "×", f"100,000 files, 100 per run(): {_BEST}"),
    _most("P1-10k-1", "overhead", 0.5, "×", f"10,000 files, 1 per run(): {_POOL}"),
    _most("P1-10k-10", "overhead", 1.0, "×", f"10,000 files, 10 per run(): {_SLOW}"),
    _most("P1-10k-100", "overhead", 1.0, "×", f"10,000 files, 100 per run(): {_SLOW}"),
    _least("P1-ray", "overhead", 10.0, "×", "how much less a mini-batch of 10 costs than with Ray Data"),
    _most("P1-whole", "overhead", 0.8, "×", "100,000 files, 10 per run(): the whole process, against Pool's"),
    _most("P2-help", "start", 0.10, "s", "gristmill --help, from the shell"),
    _most("P2-run", "start", 0.35, "s", "gristmill run of one file, more than python script.py"),
    _most("P2-show", "start", 0.40, "s", "gristmill batch-endpoint show, from the shell"),
    _most("P2-group-help", "start", 0.40, "s", "gristmill batch-endpoint --help, from the shell"),
    _most("ENV-warm", "environments", 0.1, "s", "a job in a cached environment, more than in a named Python"),
    _most("P3-memory-1m", "growth", 64, "MB", "1 million files: the coordinator's peak memory"),
    _most("P3-memory-10m", "growth", 64, "MB", "10 million files: the coordinator's peak memory"),
    _most("P3-memory-flat", "growth", 64, "MB", "10 million files in one folder: peak memory"),
    _most("P3-memory-growth", "growth", 1.2, "×", "peak memory, 10 million files against 1 million"),
    _most("P3-time-growth", "growth", 1.2, "×", "time per file, 10 million files against 1 million"),
    _least("P3-listing", "growth", 0.7, "×", "speed of listing, against find | LC_ALL=C sort"),
    _least("P3-listing-sizes", "growth", 0.7, "×", "speed of listing with sizes, against find with sizes"),
    _most(
        "P3-first-run", "growth", 1.0, "×", "1 million files: first run(), against the time of listing alone"
    ),
    _most("P3-resume", "growth", 1.0, "s", "resume of a job of 1 million files, to the first run()"),
    _least("P4-magika-loop", "models", 0.97, "×", "Magika: throughput against a hand-written loop"),
    _least("P4-magika-ray", "models", 1.0, "×", "Magika: throughput against Ray Data"),
    _least("P4-magika-daft", "models", 1.0, "×", "Magika: throughput against Daft"),
    _least("P4-image-loop", "models", 0.97, "×", "image model: throughput against a hand-written loop"),
    _least("P4-image-ray", "models", 1.0, "×", "image model: throughput against Ray Data"),
    _least("P4-image-daft", "models", 1.0, "×", "image model: throughput against Daft"),
    _most("P5-zipf-2", "skew", 1.03, "×", "Zipf(1.2) sizes, 2 workers: makespan against the ideal"),
    _most("P5-zipf-8", "skew", 1.03, "×", "Zipf(1.2) sizes, 8 workers: makespan against the ideal"),
    _least("P5-contrast", "skew", 1.4, "×", "Zipf(1.2) sizes, 8 workers, cut by count: makespan, ideal = 1"),
    _least("P5-split-busy", "split", 90, "%", "one 2 GiB CSV among 200 small: how busy both cores are"),
    _least("P7-writing", "writing", 200, "MB/s", "data frames to the predictions file, per core"),
    _most("P7-lost", "kills", 0, "items", "items lost after kills at random moments"),
    _most("P7-twice", "kills", 0, "items", "items written twice after kills at random moments"),
    _most("P7-differ", "kills", 0, "jobs", "jobs whose output differs from an undisturbed run's"),
    _most("P7-redone", "kills", 0.5, "%", "run() calls redone after a kill, median"),
    _most("P6-exact", "poisons", 0, "files", "seven poisons, 10,000 files: not scored, or another reason"),
    _most(
        "P6-wall", "poisons", 1.3, "×", "seven poisons, 10,000 files: wall less deaths, timeouts; clean = 1"
    ),
    _most("P9-p50", "warm", 0.2, "s", "a small job, warm: from accepted to its first outcome, median"),
    _most("P9-p95", "warm", 0.2, "s", "a small job, warm: the same, 95 of 100 jobs within"),
    _least("tune-forest", "tuning", 0.9, "×", "tune's choice against a grid: a call costs more than a file"),
    _least("tune-magika", "tuning", 0.9, "×", "tune's choice against a grid: Magika"),
    _least("tune-service", "tuning", 0.9, "×", "tune's choice against a grid: a script that only waits"),
    _least("tune-memory", "tuning", 0.9, "×", "tune's choice against a grid: much memory for each file"),
)

#: Why a bar is missed, by its id, where the benchmark cannot know: found by a profile, told on the page.
REASONS: dict[str, str] = {
    "P1-100k-1": "0.12 s are start and end; the rest is 9 µs of a worker for each mini-batch: the call, "
    "its rows, its record, its deadline, and a look at the output folder",
    "P1-100k-10": "half of it, 0.12 s, is start and end: four interpreters start where Pool forks",
    "P1-whole": "ours starts four interpreters where Pool forks; what Pool takes varies by half between runs",
    "P1-100k-100": "two thirds of it, 0.12 s, are start and end: four interpreters start where Pool forks",
    "P4-magika-loop": "0.4 of 7.4 s more than the loop; start and end take 0.2, the rest was not profiled",
    "P4-image-loop": "0.2 of 6.1 s more than the loop, which is what start and end of a job take",
}

BY_ID = {target.id: target for target in BARS}
