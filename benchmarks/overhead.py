"""What the engine costs (P1): tiny files and a script that does nothing, beside pools and other engines.

All do the same work by turns, in the same environment: list a folder, cut it into mini-batches, call a
function in two processes, write one line per file. Pools do it with no safety at all; Gristmill with journal,
retries, deadlines, order and an atomic output. The ratio is what counts.

    python3 run.py bench overhead [--files 10000,100000] [--sizes 1,10,100] [--rounds 5] [--quick]
"""

from __future__ import annotations

import time
from argparse import Namespace
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import _syscalls
from _bars import Bar, bar
from _contest import Contest, Trial
from _files import empty_files, no_op_script, scratch
from _peers import NAMES, Task, able, bare_start_s, command_line, compete, left_out, peer_versions
from _results import Result, Row, Series, figure, hand_in, options
from _turns import tell

OURS, POOL, BEST = "Gristmill", "Pool, chunksize 1", "Pool, best chunksize"
FAST = ("loop", "pebble", "joblib")
SLOW = ("ray_data", "daft", "dask", "spark")
INNER = "From the start of the listing to the written file"
WHOLE = "The whole process, from the shell"
COST = "What a mini-batch costs: time to the written file ÷ mini-batches"
CALLS = "System calls for each mini-batch, all processes together"
START = "A bare start of the interpreter that all start from"
DECISIVE_S = 0.2  # below, a pool's time is that of starting two processes
DEADLINE_S = 180.0
CHUNKS = (4, 16, 64, 256, 1024)
NOTES = (
    "Every run is a process of its own, in one environment for all. It is checked that all write the same.",
    "Gristmill, the loop and the pools start their workers within the time to the written file. The "
    "clusters of Ray, Dask and Spark run already when it begins; they show in the whole process.",
    "The best chunksize of Pool is searched anew for each row, and pebble gets the same. A chunk is what is "
    "lost together when a worker dies, and what one timeout covers; Gristmill's unit is the mini-batch.",
    "The engines are set as their documentation recommends: Ray Data map_batches in a pool of two actors, "
    "Daft a class in two processes, Dask client.map in two single-threaded workers with batched submission, "
    "Spark mapInPandas with Arrow batches of the mini-batch's size.",
    "System calls are those that more mini-batches add. strace slows the processes down, so that fewer "
    "mini-batches travel together than without it.",
)


@dataclass(frozen=True, kw_only=True)
class Engines:
    """One row of those whose mini-batches cost milliseconds: fewer mini-batches, fewer rounds."""

    names: tuple[str, ...]
    batches: int
    size: int  # files per run()
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    files: tuple[int, ...]
    per_run: tuple[int, ...]
    rounds: int
    few_batches: int  # for contestants whose mini-batches cost milliseconds
    engines: tuple[Engines, ...]


_ALL = ("pebble", "joblib", *SLOW)
_ENGINES = (
    Engines(names=("ray_data", "daft"), batches=10_000, size=10, rounds=2),
    Engines(names=_ALL, batches=1_000, size=10, rounds=2),
    Engines(names=_ALL, batches=1_000, size=1, rounds=1),
    Engines(names=_ALL, batches=1_000, size=100, rounds=1),
)
_QUICK_ENGINES = (Engines(names=_ALL, batches=20, size=10, rounds=1),)


def main() -> int:
    began_s = time.monotonic()
    given = _options()
    sizes = Sizes(
        files=given.files or ((200,) if given.quick else (10_000, 100_000)),
        per_run=given.sizes,
        rounds=given.rounds or (2 if given.quick else 5),
        few_batches=20 if given.quick else 1_000,
        engines=_QUICK_ENGINES if given.quick else _ENGINES,
    )
    with scratch("overhead") as place:
        script = no_op_script(place / "code")
        rows = [_bare_start()]
        for count in sizes.files:
            folder = empty_files(place / str(count), count)
            for size in sizes.per_run:
                rows += _beside_pools(Task(script=script, folder=folder, size=size), count, sizes.rounds)
        for number, engines in enumerate(sizes.engines):
            rows.append(_beside_engines(script, place / f"engines-{number}", engines))
        rows += _system_calls(script, place, sizes)
    order = [START, INNER, WHOLE, COST, CALLS]
    rows.sort(key=lambda row: order.index(row.heading))
    return hand_in(
        Result(
            name="overhead",
            question=(
                "What do journal, retries, deadlines, order and an atomic output cost, where a pool has none "
                "of them? Empty files, a run() that returns its list, two workers."
            ),
            rounds=sizes.rounds,
            rows=tuple(rows),
            bars=() if given.quick else _bars(rows),
            notes=NOTES,
            left_out={**left_out([*FAST, *SLOW]), **_without_strace()},
            versions=peer_versions("gristmill", "pebble", "joblib", "ray", "daft", "distributed", "pyspark"),
            is_quick=given.quick,
        ),
        began_s,
    )


def _bare_start() -> Row:
    took = bare_start_s() * 1000
    one = Series(contestant="python -c pass", figures=(took,), note="the best of seven")
    return Row(heading=START, label="the environment of all contestants", unit="ms", series=(one,))


def _beside_pools(task: Task, count: int, rounds: int) -> list[Row]:
    """Measure ours and the pools on the same files; two rows, inner and whole."""
    label = f"{count:,} files, {task.size} per run()"
    chunk = _best_chunk(task, count)
    tell(f"{label}: Pool's best chunksize is {chunk}")
    trials = [
        Trial(label=OURS, run=partial(compete, "gristmill", task)),
        Trial(label=POOL, run=partial(compete, "pool", task, 1)),
        Trial(label=BEST, run=partial(compete, "pool", task, chunk), note=f"chunksize {chunk}"),
    ]
    notes = {"pebble": f"chunksize {chunk}", "joblib": 'batch_size="auto"', "loop": ""}
    for name in able(list(FAST)):
        run = partial(compete, name, task, chunk)
        trials.append(Trial(label=NAMES[name], run=run, note=notes[name]))
    shell = Contest([*trials, Trial(label="shell", run=partial(command_line, task))], rounds)
    inner = [shell.series(trial.label, lambda ran: ran.inner_s) for trial in trials]
    whole = [shell.series(trial.label, lambda ran: ran.whole_s) for trial in trials[1:]]
    ours = Series(
        contestant=OURS, figures=shell.figures("shell", lambda ran: ran.whole_s), note="gristmill run"
    )
    return [
        Row(heading=INNER, label=label, unit="s", series=tuple(inner), reference=POOL),
        Row(heading=WHOLE, label=label, unit="s", series=(ours, *whole), reference=POOL),
    ]


def _best_chunk(task: Task, count: int) -> int:
    """Try Pool's chunk sizes, twice each, and return the fastest."""
    batches = -(-count // task.size)
    took = {
        chunk: min(compete("pool", task, chunk).inner_s for _ in range(2))
        for chunk in (1, *CHUNKS)
        if chunk == 1 or chunk * 2 * task.workers <= batches
    }
    return min(took, key=lambda chunk: took[chunk])


def _beside_engines(script: Path, folder: Path, engines: Engines) -> Row:
    """Measure what each mini-batch costs on engines that take milliseconds for one."""
    batches, size = engines.batches, engines.size
    task = Task(script=script, folder=empty_files(folder, batches * size), size=size)
    names = able([*engines.names])
    label = f"{batches:,} mini-batches of {size}, {engines.rounds} round{'s' if engines.rounds > 1 else ''}"
    tell(f"{label}, beside {', '.join(NAMES[name] for name in names)}")
    settings, notes = {"dask": 100}, {"pebble": "chunksize 1"}
    trials = [
        Trial(label=OURS, run=partial(compete, "gristmill", task)),
        Trial(label=POOL, run=partial(compete, "pool", task, 1)),
    ]
    for name in names:
        run = partial(compete, name, task, settings.get(name, 1), DEADLINE_S)
        trials.append(Trial(label=NAMES[name], run=run, note=notes.get(name, "")))
    contest = Contest(trials, engines.rounds, warm_up=0)
    series = [contest.series(trial.label, lambda ran: ran.inner_s * 1000 / batches) for trial in trials]
    return Row(heading=COST, label=label, unit="ms", series=tuple(series), reference=OURS)


def _system_calls(script: Path, place: Path, sizes: Sizes) -> list[Row]:
    """Count what mini-batches add; strace slows them down, so that fewer travel together than otherwise."""
    if not _syscalls.can_count():
        return []
    few, rows = sizes.few_batches, []
    for size in sizes.per_run:
        tell(f"counting system calls, {size} per run()")
        one = Task(script=script, folder=empty_files(place / f"calls-{size}", few * size), size=size)
        two = Task(script=script, folder=empty_files(place / f"calls-{size}-more", 3 * few * size), size=size)
        series = tuple(
            Series(contestant=label, figures=(_syscalls.per_mini_batch(name, one, two, 2 * few),))
            for name, label in (("gristmill", OURS), ("pool", POOL))
        )
        rows.append(
            Row(heading=CALLS, label=f"{size} per run()", unit="calls", series=series, reference=POOL)
        )
    return rows


def _without_strace() -> dict[str, str]:
    return {} if _syscalls.can_count() else {"system calls": "there is no strace on PATH to count them"}


def _bars(rows: list[Row]) -> tuple[Bar, ...]:
    """Compare with what was promised; quick sizes have other labels, and so no bars."""
    by_label = {(row.heading, row.label): row for row in rows}
    bars = []
    for count, short in ((100_000, "100k"), (10_000, "10k")):
        for size in (1, 10, 100):
            row = by_label.get((INNER, f"{count:,} files, {size} per run()"))
            if row is None:
                continue
            bars.append(_against(row, f"P1-{short}-{size}", POOL))
            if count == 100_000 and size > 1:
                bars.append(_against(row, f"P1-{short}-{size}-best", BEST))
    cost = next(
        (row for row in rows if row.heading == COST and "10,000 mini-batches" in row.label),
        None,
    )
    if cost is not None and NAMES["ray_data"] in {one.contestant for one in cost.series}:
        bars.append(bar("P1-ray", cost.ratio(NAMES["ray_data"])))
    whole = by_label.get((WHOLE, "100,000 files, 10 per run()"))
    if whole is not None:
        bars.append(bar("P1-whole", whole.ratio(OURS)))
    return tuple(bars)


def _against(row: Row, id: str, reference: str) -> Bar:
    ratio, pools_s = row.ratio(OURS, reference), row.of(reference).median
    assert ratio is not None
    assert pools_s is not None
    if pools_s < DECISIVE_S:
        start = f"does not apply: Pool takes {figure(pools_s)} s, most of it to start"
        return bar(id, None, f"{start}; the ratio is {figure(ratio)} ×")
    return bar(id, ratio)


def _options() -> Namespace:
    def numbers(text: str) -> tuple[int, ...]:
        return tuple(int(number) for number in text.split(","))

    parser = options(__doc__)
    parser.add_argument("--files", type=numbers, help="how many files (10000,100000)")
    parser.add_argument("--sizes", type=numbers, default=(1, 10, 100), help="files per run() (1,10,100)")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
