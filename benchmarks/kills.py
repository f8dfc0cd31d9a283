"""Random SIGKILLs of coordinator, worker, guard and whole tree, and what is true after the resume.

Jobs of all kinds are drawn from seeds, run once undisturbed, and again with kills at random moments and at
named fault points (`tests/faults/random_kills.py`). Prints the figures of all; ends with 1 if anything is not
as it must be. With ``--log`` what came of each seed is kept, a line of JSON each, and a run that was
stopped goes on with the seeds that are missing there.

    python benchmarks/kills.py [2000] [--seed 0] [--each 5] [--parallel 2] [--log kills.jsonl]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from faults.processes import kill, mentioning
from faults.random_jobs import drawn_job
from faults.random_kills import Outcome, killed_at_random

_FOLDERS = 4_000


def main() -> int:
    options = _options()
    done = _read(options.log)
    wanted = range(options.seed, options.seed + -(-options.kills // options.each))
    work = [(seed, options.each) for seed in wanted if seed not in done]
    outcomes = [done[seed] for seed in wanted if seed in done]
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.parallel, maxtasksperchild=20) as pool:
        for outcome in pool.imap_unordered(_one, work):
            outcomes.append(outcome)
            _keep(options.log, outcome)
            if outcome["problems"]:
                print(_in_words(outcome), flush=True)
            elif len(outcomes) % 20 == 0:
                print(f"{sum(one['kills'] for one in outcomes):,} kills", file=sys.stderr, flush=True)
    return _print(outcomes)


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


def _print(outcomes: list[dict[str, Any]]) -> int:
    def total(name: str) -> int:
        return sum(one[name] for one in outcomes)

    victims = sum((Counter(one["victims"]) for one in outcomes), Counter[str]())
    shares = [share for one in outcomes for share in one["redone_per_kill"]]
    print(f"kills                 {total('kills'):>8,}   {dict(victims)}")
    print(f"jobs                  {total('jobs'):>8,}   of {len(outcomes):,} shapes")
    print(f"resumes               {total('resumes'):>8,}")
    print(f"lost                  {total('lost'):>8,}")
    print(f"twice                 {total('twice'):>8,}")
    print(f"byte-identical        {total('identical'):>8,}   of {total('jobs'):,}")
    print(f"verify green          {total('verified'):>8,}   of {total('jobs'):,}")
    if shares:
        print(
            f"run() calls redone    {statistics.median(shares):>8.2%}   per kill, median; "
            f"worst {max(shares):.2%}; {len(shares):,} jobs of at least 1,000 mini-batches"
        )
    print(f"processes left        {total('processes_left'):>8,}")
    print(f"folders left          {total('folders_left'):>8,}")
    wrong = [one["seed"] for one in outcomes if one["problems"]]
    print(f"seeds with a problem  {len(wrong):>8,}   {wrong[:20] or ''}")
    return 1 if wrong else 0


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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("kills", nargs="?", type=int, default=2000, help="how many (2000)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--each", type=int, default=5, help="kills of each seed (5)")
    parser.add_argument("--parallel", type=int, default=2, help="jobs at a time (2)")
    parser.add_argument(
        "--log", type=Path, help="keeps what came of each seed; seeds in it are not run again"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
