"""What `gristmill tune` recommends, beside a grid of settings that is searched in full.

For four scripts that want different settings: tune measures and chooses; then every pair of a small grid of
mini-batch sizes and workers does the whole job once, and the three quickest do it again, by turns with the
choice. What counts is the throughput of the choice ÷ that of the best of the grid, starts included.

    python3 run.py bench tuning [--rounds 3] [--quick] [--only forest,magika,service,memory] [--budget 45]
"""

from __future__ import annotations

import os
import time
from functools import partial
from itertools import count
from pathlib import Path

from _bars import Bar, bar
from _files import scratch
from _machine import versions
from _results import Result, Row, Series, figure, hand_in, options
from _turns import by_turns, tell
from _workloads import WORKLOADS, Workload

import gristmill

HEADING = "Files per second over the whole job, from its start to the published file"
_BEST = 3  # of the grid do the job again
_NUMBER = count()
_TUNED = "gristmill tune"
_AIM = 0.9
Pair = tuple[int, int]  # mini-batch size, workers


def main() -> int:
    began_s = time.monotonic()
    parser = options(__doc__)
    parser.add_argument("--only", default=",".join(one.id for one in WORKLOADS), help="some of the scripts")
    parser.add_argument("--budget", type=float, default=45.0, help="seconds for tune")
    given = parser.parse_args()
    wanted = [one for one in WORKLOADS if one.id in given.only.split(",")]
    rounds = given.rounds or (2 if given.quick else 3)
    with scratch("tuning") as place:
        os.environ["GRISTMILL_HOME"] = str(place / "home")
        measured = [_measure(one, place, given.quick, rounds, given.budget) for one in wanted]
    return hand_in(
        Result(
            name="tuning",
            question=(
                "How near does what gristmill tune recommends come to the best of a grid of settings that is "
                "searched in full?"
            ),
            rounds=rounds,
            rows=tuple(row for row, _ in measured),
            bars=tuple(one for _, one in measured),
            notes=(
                "Each pair of the grid did the whole job once; the three quickest and the choice did it "
                "again, by turns, and these figures are shown. The best of the grid has the highest median.",
                f"tune had {given.budget:g} s for each script.",
            ),
            versions=versions("gristmill", "numpy", "scikit-learn", "magika"),
            is_quick=given.quick,
        ),
        began_s,
    )


def _measure(
    workload: Workload, place: Path, is_quick: bool, rounds: int, budget_s: float
) -> tuple[Row, Bar]:
    files = 40 if is_quick else workload.files
    script, inputs = workload.laid_out(place, files)
    settings = dict(workload.settings)
    tell(f"{workload.id}: tuning")
    tuned = gristmill.tune(
        script, input=inputs, settings=settings, budget=3.0 if is_quick else budget_s, progress=False
    )
    chosen = (tuned.settings["mini_batch_size"], tuned.settings["workers"])
    tell(f"{workload.id}: tune chose {_name(chosen)}; {tuned.binds} binds")
    work = partial(_files_per_s, script, inputs, settings, files)
    grid = {(size, workers): 0.0 for size in workload.sizes for workers in workload.workers}
    for pair in grid:
        grid[pair] = work(pair)
        tell(f"{workload.id}: {_name(pair)}: {figure(grid[pair])} files/s")
    quickest = sorted(grid, key=lambda pair: grid[pair], reverse=True)[:_BEST]
    told = by_turns(
        {_TUNED: partial(work, chosen), **{_name(one): partial(work, one) for one in quickest}},
        rounds,
        warm_up=0,
    )
    again = [Series(contestant=name, figures=figures) for name, figures in told.items() if name != _TUNED]
    best = max(again, key=lambda one: one.median or 0.0)
    choice = Series(contestant=_TUNED, figures=told[_TUNED], note=f"{_name(chosen)}; {tuned.binds} binds")
    others = [
        Series(contestant=_name(pair), figures=(rate,), note="once")
        for pair, rate in grid.items()
        if pair not in quickest
    ]
    row = Row(
        heading=HEADING,
        label=f"{workload.label}; {files:,} files",
        unit="files/s",
        series=(choice, *again, *others),
        reference=best.contestant,
    )
    return row, bar(f"tune-{workload.id}", row.ratio(_TUNED), _why(row, quickest))


def _files_per_s(script: Path, inputs: Path, settings: dict[str, object], files: int, pair: Pair) -> float:
    size, workers = pair
    name = f"job-{next(_NUMBER)}"
    began = time.perf_counter()
    job = gristmill.run(
        script,
        input=inputs,
        output=script.parents[1] / name,
        name=name,
        mini_batch_size=size,
        workers=workers,
        settings=settings,
        progress=False,
    )
    took_s = time.perf_counter() - began
    if job.succeeded != files:
        raise SystemExit(f"{name}, {_name(pair)}: {job.summary}")
    return files / took_s


def _why(row: Row, quickest: list[Pair]) -> str:
    """Compare a choice that misses the bar with settings that have no more workers than cores, too."""
    cores = len(os.sched_getaffinity(0))
    ratios = [row.ratio(_TUNED, _name(pair)) or 0.0 for pair in quickest if pair[1] <= cores]
    if (row.ratio(_TUNED) or 0.0) >= _AIM or not ratios:
        return ""
    return f"against the best of the grid with no more workers than cores: {figure(min(ratios))} ×"


def _name(pair: Pair) -> str:
    size, workers = pair
    return f"{size:,} a call, {workers} worker{'' if workers == 1 else 's'}"


if __name__ == "__main__":
    raise SystemExit(main())
