"""Skew: how long workers take for files of very different sizes, beside the least that is possible (P5).

Sizes follow Zipf's law with exponent 1.2, in another order of names in each round, and ``run()`` takes as
long as its files are large: eight workers wait, so that two cores do not matter, and two workers compute.
Makespan is from the first call of ``run()`` to the end of the last one. The ideal is what was worked in that
time, shared evenly, or the longest file: ``max(total / workers, longest)``, from times that the script itself
took down.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from _bars import bar
from _machine import versions
from _results import Result, Row, Series, hand_in, options
from _turns import by_turns, tell

BYTES_PER_S = 1_000_000
EXPONENT = 1.2
SCRIPT = """
import hashlib, os, time

BLOCK = bytes(1 << 16)

def work(seconds):
    if {computes}:
        for _ in range(int(seconds * {blocks_per_s})):
            hashlib.sha256(BLOCK)
    else:
        time.sleep(seconds)

def run(mini_batch):
    began, longest = time.time(), 0.0
    for path in mini_batch:
        file_began = time.time()
        work(os.path.getsize(path) / {bytes_per_s})
        longest = max(longest, time.time() - file_began)
    with open({log!r}, "a") as log:
        log.write(f"{{began}} {{time.time()}} {{longest}}\\n")
    return mini_batch
"""
ORDERED = "cut by bytes, largest first"
COUNTED = "cut by count, largest first"
CONTRAST = "cut by count, in input order"
QUESTION = (
    "How long do workers take for files of Zipf-like sizes, where the least possible is 1? A large "
    "mini-batch that is started last leaves one worker busy and the others idle."
)


@dataclass(frozen=True, kw_only=True)
class Load:
    """One kind of work."""

    workers: int
    computes: bool
    files: int
    ideal_s: float  # about: what each worker has to do

    @property
    def label(self) -> str:
        return f"{self.workers} workers that {'compute' if self.computes else 'wait'}, {self.files} files"

    def sizes(self) -> list[int]:
        """Return the sizes of the files in bytes, the largest a little less than what a worker has to do."""
        shares = [(rank + 2) ** -EXPONENT for rank in range(self.files)]
        scale = BYTES_PER_S * self.ideal_s * self.workers / sum(shares)
        return [max(1, int(share * scale)) for share in shares]


def main() -> int:
    began_s = time.monotonic()
    given = options(__doc__).parse_args()
    rounds = given.rounds or (2 if given.quick else 5)
    files, less = (60, 0.1) if given.quick else (600, 1.0)
    loads = [
        Load(workers=8, computes=False, files=files, ideal_s=12.0 * less),
        Load(workers=2, computes=True, files=files, ideal_s=6.0 * less),
    ]
    with tempfile.TemporaryDirectory(prefix="skew-") as scratch:
        rows = [_row(load, Path(scratch), rounds) for load in loads]
    eight, two = rows
    return hand_in(
        Result(
            name="skew",
            question=QUESTION,
            rounds=rounds,
            rows=tuple(rows),
            bars=(
                bar("P5-zipf-2", two.of(ORDERED).median),
                bar("P5-zipf-8", eight.of(ORDERED).median),
                bar("P5-contrast", eight.of(CONTRAST).median),
            ),
            notes=(
                "The makespan holds the time in which one worker has begun and another is still starting.",
                "Cut by bytes means mini_batch_bytes at a 50th of what a worker has to do.",
            ),
            versions=versions("gristmill"),
            is_quick=given.quick,
        ),
        began_s,
    )


def _row(load: Load, scratch: Path, rounds: int) -> Row:
    tell(load.label)
    total = sum(load.sizes())
    by_bytes = f"gristmill.mini_batch_bytes={max(1000, total // (50 * load.workers))}"
    seeds: dict[str, list[int]] = {}
    contestants: dict[str, Callable[[], float]] = {
        ORDERED: partial(_makespan, load, scratch, [by_bytes], seeds.setdefault(ORDERED, [])),
        COUNTED: partial(_makespan, load, scratch, [], seeds.setdefault(COUNTED, [])),
        CONTRAST: partial(
            _makespan, load, scratch, ["gristmill.largest_first=false"], seeds.setdefault(CONTRAST, [])
        ),
    }
    took = by_turns(contestants, rounds, warm_up=0 if load.workers > 2 else 1)
    return Row(
        heading="makespan, where the ideal is 1",
        label=load.label,
        unit="×",
        series=tuple(Series(contestant=name, figures=one) for name, one in took.items()),
        reference=ORDERED,
    )


def _makespan(load: Load, scratch: Path, settings: Sequence[str], rounds_done: list[int]) -> float:
    """Run a job once; return its makespan as a multiple of the ideal."""
    seed = len(rounds_done)
    rounds_done.append(seed)
    place = scratch / "job"
    inputs, log = _inputs(load, place, seed), place / "log"
    (place / "score.py").write_text(
        SCRIPT.format(
            computes=load.computes,
            blocks_per_s=_blocks_per_s() if load.computes else 0,
            bytes_per_s=BYTES_PER_S,
            log=str(log),
        )
    )
    words = [
        "run",
        "score.py",
        "--input",
        str(inputs),
        "--output-path",
        "out",
        "--workers",
        str(load.workers),
    ]
    set_words = [word for one in settings for word in ("--set", one)]
    ended = subprocess.run(
        [sys.executable, "-m", "gristmill", *words, *set_words],
        cwd=place,
        env={**os.environ, "GRISTMILL_HOME": str(place / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(f"the job failed: {ended.stderr}")
    calls = [[float(word) for word in line.split()] for line in log.read_text().splitlines()]
    shutil.rmtree(place)
    makespan_s = max(end for _, end, _ in calls) - min(began for began, _, _ in calls)
    worked_s = sum(end - began for began, end, _ in calls)
    return makespan_s / max(worked_s / load.workers, max(longest for _, _, longest in calls))


def _inputs(load: Load, place: Path, seed: int) -> Path:
    """Make files of the load's sizes, without content, in an order of names that belongs to the seed."""
    sizes = load.sizes()
    random.Random(seed).shuffle(sizes)
    folder = place / "in"
    folder.mkdir(parents=True)
    for number, size in enumerate(sizes):
        with open(folder / f"{number:04}", "wb") as file:
            file.truncate(size)
    return folder


def _blocks_per_s() -> int:
    """Return how many blocks one core digests in a second."""
    block, blocks = bytes(1 << 16), 2_000
    began = time.perf_counter()
    for _ in range(blocks):
        hashlib.sha256(block)
    return int(blocks / (time.perf_counter() - began))


if __name__ == "__main__":
    sys.exit(main())
