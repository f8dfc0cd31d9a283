"""Random SIGKILLs of coordinator, worker, guard and whole tree, and what is true after the resume.

Jobs of all kinds are drawn from seeds, run once undisturbed, and again with kills at random moments and at
named fault points (`tests/faults/random_kills.py`). Prints the figures of all; ends with 1 if anything is not
as it must be. With ``--log`` what came of each seed is kept, a line of JSON each, and a run that was
stopped goes on with the seeds that are missing there: thus a thousand kills are a matter of patience.

    python3 run.py bench kills [--kills 100] [--seed 0] [--each 5] [--parallel 2] [--log kills.jsonl]
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time
import traceback
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from _bars import bar
from _machine import versions
from _results import Result, Row, Series, hand_in, options
from _turns import tell

from faults.processes import kill, mentioning
from faults.random_jobs import drawn_job
from faults.random_kills import Outcome, killed_at_random

LEFT = "After kills and resumes"
REDONE = "Calls of run() that were made again"
NO_LONG_JOB = "no job of at least 1,000 mini-batches was drawn from these seeds"
_FOLDERS = 4_000


def main() -> int:
    began_s = time.monotonic()
    given = _options()
    kills = given.kills or (10 if given.quick else 100)
    done = _read(given.log)
    wanted = range(given.seed, given.seed + -(-kills // given.each))
    work = [(seed, given.each) for seed in wanted if seed not in done]
    outcomes = [done[seed] for seed in wanted if seed in done]
    context = multiprocessing.get_context("spawn")
    with context.Pool(given.parallel, maxtasksperchild=20) as pool:
        for outcome in pool.imap_unordered(_one, work):
            outcomes.append(outcome)
            _keep(given.log, outcome)
            if outcome["problems"]:
                tell(_in_words(outcome))
            elif len(outcomes) % 10 == 0:
                tell(f"{sum(one['kills'] for one in outcomes):,} kills")
    hand_in(_result(outcomes, given.quick), began_s)
    wrong = [one["seed"] for one in outcomes if one["problems"]]
    if wrong:
        print(f"seeds with a problem: {wrong}", file=sys.stderr)
    return 1 if wrong else 0


def _result(outcomes: list[dict[str, Any]], is_quick: bool) -> Result:
    """Sum up what came of all seeds."""

    def total(name: str) -> int:
        return sum(one[name] for one in outcomes)

    def row(label: str, unit: str, count: int, note: str = "") -> Row:
        one = Series(contestant="Gristmill", figures=(count,), note=note)
        return Row(heading=LEFT, label=label, unit=unit, series=(one,))

    victims = sum((Counter(one["victims"]) for one in outcomes), Counter[str]())
    jobs = total("jobs")
    shares = tuple(100 * share for one in outcomes for share in one["redone_per_kill"])
    which = ", ".join(f"{count} of {name}" for name, count in victims.most_common())
    rows = [
        row("kills", "kills", total("kills"), which),
        row("jobs that were killed", "jobs", jobs, f"of {len(outcomes):,} shapes"),
        row("resumes", "resumes", total("resumes")),
        row("lost", "items", total("lost")),
        row("twice", "items", total("twice")),
        row("output as of an undisturbed run, byte for byte", "jobs", total("identical"), f"of {jobs:,}"),
        row("verify finds nothing wrong", "jobs", total("verified"), f"of {jobs:,}"),
        row("processes left behind", "processes", total("processes_left")),
        row("folders left behind", "folders", total("folders_left")),
    ]
    if shares:
        told = f"{len(shares):,} jobs of at least 1,000 mini-batches"
        redone = Series(contestant="Gristmill", figures=shares, note=told)
        rows.append(Row(heading=REDONE, label="for each kill", unit="%", series=(redone,)))
    return Result(
        name="kills",
        question=(
            "What is lost, done twice or done again, where coordinator, worker, guard or the whole tree get "
            "a SIGKILL at random moments, and the job is resumed?"
        ),
        rounds=1,
        rows=tuple(rows),
        bars=(
            bar("P7-lost", total("lost")),
            bar("P7-twice", total("twice")),
            bar("P7-differ", jobs - total("identical")),
            bar("P7-redone", statistics.median(shares) if shares else None, "" if shares else NO_LONG_JOB),
        ),
        notes=("Jobs of all kinds are drawn from seeds (tests/faults/random_jobs.py).",),
        versions=versions("gristmill"),
        is_quick=is_quick,
    )


def _one(work: tuple[int, int]) -> dict[str, Any]:
    """Do one seed, in a folder of its own that is left where something is wrong."""
    seed, kills = work
    folder = Path(tempfile.mkdtemp(prefix=f"gristmill-kills-{seed}-"))
    try:
        outcome = killed_at_random(folder / "jobs", seed, kills, lambda: _long_listing(folder))
    except Exception:
        drawn = drawn_job(seed)
        outcome = Outcome(seed=seed, shape=drawn.shape.name, mini_batches=0, measures_calls=False)
        outcome.problems.append(traceback.format_exc())
    kill(*mentioning([f"{folder}/"]))
    if outcome.problems:
        outcome.problems.append(f"everything is kept in {folder}")
    else:
        shutil.rmtree(folder)
    return asdict(outcome)


def _long_listing(folder: Path) -> Path:
    long = folder / "long"
    for number in range(_FOLDERS):
        (long / f"{number:05d}").mkdir(parents=True)
    return long


def _in_words(outcome: dict[str, Any]) -> str:
    lines = [f"seed {outcome['seed']} ({outcome['shape']}): {'; '.join(outcome['struck'])}"]
    return "\n".join([*lines, *(f"    {problem}" for problem in outcome["problems"])])


def _read(log: Path | None) -> dict[int, dict[str, Any]]:
    return {one["seed"]: one for one in _lines(log)} if log is not None and log.exists() else {}


def _lines(log: Path) -> Iterator[dict[str, Any]]:
    for line in log.read_text().splitlines():
        yield json.loads(line)


def _keep(log: Path | None, outcome: dict[str, Any]) -> None:
    if log is not None:
        with open(log, "a") as file:
            file.write(json.dumps(outcome) + os.linesep)


def _options() -> Namespace:
    parser = options(__doc__)
    parser.add_argument("--kills", type=int, help="how many (100)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--each", type=int, default=5, help="kills of each seed (5)")
    parser.add_argument("--parallel", type=int, default=2, help="jobs at a time (2)")
    parser.add_argument(
        "--log", type=Path, help="keeps what came of each seed; seeds in it are not run again"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
