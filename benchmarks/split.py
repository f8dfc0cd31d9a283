"""Split: one 2 GiB CSV among 200 small ones, split by rows and not, with a script that reads row by row.

Without a split one worker is busy with the large file while the other has nothing left to do.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from _bars import bar
from _machine import versions
from _results import Result, Row, Series, hand_in, options
from _turns import by_turns, tell

WORKERS = 2
SMALL_FILES = 200
SMALL_BYTES = 256 * 1024
SPLIT, WHOLE = "split at 64 MB", "not split"
SCRIPT = """\
import csv, os, time


def run(mini_batch):
    began = time.perf_counter()
    results = []
    for path in mini_batch:
        with open(path, newline="") as file:
            results.append(sum(int(row[0]) for row in csv.reader(file) if row[0] != "number"))
    spent = os.open(os.environ["SPLIT_SPENT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(spent, b"%f\\n" % (time.perf_counter() - began))
    os.close(spent)
    return results
"""
WHY = (
    "a piece is staged between two calls: 22 ms of processor time, 5 % of what so quick a script needs; the "
    "rest is start and end"
)
_ROWS_AT_ONCE = 20_000


def main() -> int:
    """Measure, and hand in the result."""
    began_s = time.monotonic()
    given = options(__doc__).parse_args()
    rounds = given.rounds or (2 if given.quick else 3)
    size = 64 << 20 if given.quick else 2 << 30
    bound = "4MB" if given.quick else "64MB"
    scratch = Path(tempfile.mkdtemp(prefix="gristmill-split-"))
    try:
        free = shutil.disk_usage(scratch).free
        if free < 2 * size:
            sys.exit(f"{scratch} has {free / 1e9:.1f} GB free, and {2 * size / 1e9:.1f} GB are needed")
        tell(f"writing a table of {size >> 20:,} MiB and {SMALL_FILES} small ones")
        _make(scratch / "input", size)
        tell(f"{rounds} rounds")
        mill = _Mill(scratch)
        contestants = {SPLIT: mill.job("--split-bytes", bound), WHOLE: mill.job()}
        measured = by_turns(contestants, rounds, warm_up=0)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    busy = {name: tuple(100 * share for _, share in one) for name, one in measured.items()}
    wall = {name: tuple(seconds for seconds, _ in one) for name, one in measured.items()}
    share = statistics.median(busy[SPLIT])
    label = f"one CSV of {size >> 20:,} MiB among {SMALL_FILES} small ones, {WORKERS} workers"
    return hand_in(
        Result(
            name="split",
            question="How busy are all workers with one giant table among small ones, split by rows and not?",
            rounds=rounds,
            rows=(
                _row("busy: time in run(), of that of all workers", label, "%", busy),
                _row("from the command to its end", label, "s", wall),
            ),
            bars=(bar("P5-split-busy", share, "" if share >= 90 else WHY),),
            notes=(
                "The script reads each file with Python's csv module and adds a column up.",
                "The time that is not in run() is: start, counting rows, staging pieces, publishing.",
            ),
            versions=versions("gristmill"),
            is_quick=given.quick,
        ),
        began_s,
    )


def _row(heading: str, label: str, unit: str, figures: dict[str, tuple[float, ...]]) -> Row:
    series = tuple(Series(contestant=name, figures=one) for name, one in figures.items())
    return Row(heading=heading, label=label, unit=unit, series=series, reference=WHOLE)


class _Mill:
    """Runs jobs over the input."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        (scratch / "code").mkdir()
        self._script = scratch / "code" / "adding.py"
        self._script.write_text(SCRIPT)

    def job(self, *more: str) -> Callable[[], tuple[float, float]]:
        """Return what runs a job, and returns its seconds and the share of them that workers were busy."""
        output, spent = self._scratch / "output", self._scratch / "spent"
        command = [str(Path(sys.executable).with_name("gristmill")), "run", str(self._script)]
        command += ["--input", str(self._scratch / "input"), "--output-path", str(output)]
        command += ["--job-name", "split", "--workers", str(WORKERS), "--timeout", "3600", *more]
        environment = {**os.environ, "GRISTMILL_HOME": str(self._scratch / "home")}
        environment |= {"SPLIT_SPENT": str(spent), "TMPDIR": str(self._scratch)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def work() -> tuple[float, float]:
            for leftover in (output, self._scratch / "home" / "jobs"):
                shutil.rmtree(leftover, ignore_errors=True)
            spent.unlink(missing_ok=True)
            began = time.perf_counter()
            subprocess.run(
                command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            seconds = time.perf_counter() - began
            busy_s = sum(map(float, spent.read_text().split()))
            tell(f"{' '.join(more) or WHOLE}: {seconds:.1f} s, busy {busy_s / WORKERS / seconds:.1%}")
            return seconds, busy_s / (WORKERS * seconds)

        return work


def _make(folder: Path, size: int) -> None:
    """Write the tables; the large one stands in the middle of the small ones."""
    folder.mkdir()
    header = "number,name,note\n"
    rows = "".join(
        f'{n},"name {n * 7919 % 10_007}, of many","a note\nof two lines, number {n}"\n'
        if n % 5 == 0
        else f"{n},name {n * 7919 % 10_007},a note of some words that is not quoted\n"
        for n in range(_ROWS_AT_ONCE)
    ).encode()
    small = rows[: rows.rindex(b"\n", 0, rows.rindex(b"quoted\n", 0, SMALL_BYTES) + 7) + 1]
    for number in range(SMALL_FILES):
        (folder / f"table-{number:03d}.csv").write_bytes(header.encode() + small)
    with (folder / "table-100-large.csv").open("wb") as file:
        file.write(header.encode())
        for _ in range(-(-size // len(rows))):
            file.write(rows)


if __name__ == "__main__":
    sys.exit(main())
