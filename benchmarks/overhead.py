"""What the engine costs: tiny files and a script that does nothing, beside ``multiprocessing.Pool``.

Both do the same work in one run, by turns: list a folder, cut it into mini-batches, call a function in two
processes, write one line per file. Pool does it with no safety at all; Gristmill with journal, retries,
deadlines, order and an atomic output. Prints medians and ratios; the ratio is what counts.

    python benchmarks/overhead.py [--files 100000] [--rounds 5] [--sizes 1,10,100]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gristmill.service.jobs import Jobs, RunRequest
from gristmill.settings import Home
from gristmill.spec.deployment import load
from gristmill.spec.overrides import Override

WORKERS = 2
FILES_PER_FOLDER = 1000
SCRIPT = "def run(mini_batch):\n    return mini_batch\n"


def run(mini_batch: list[str]) -> list[str]:
    """What Pool calls: the same as the script."""
    return mini_batch


def main() -> int:
    options = _options()
    scratch = Path(tempfile.mkdtemp(prefix="gristmill-overhead-"))
    try:
        files = scratch / "input"
        _make_files(files, options.files)
        script = scratch / "code" / "noop.py"
        script.parent.mkdir()
        script.write_text(SCRIPT)
        print(f"{options.files:,} empty files, {WORKERS} workers, {options.rounds} rounds by turns; ", end="")
        print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
        print(f"{'files per':>9}  {'from listing to published file, s':^34}  {'whole process, s':^30}")
        print(f"{'run()':>9}  {'ours':>10}{'Pool':>10}{'ratio':>10}  {'ours':>12}{'Pool':>10}{'ratio':>8}")
        for size in options.sizes:
            _measure(size, options.rounds, files, script, scratch)
    finally:
        shutil.rmtree(scratch)
    return 0


def _measure(size: int, rounds: int, files: Path, script: Path, scratch: Path) -> None:
    ours, pool, whole_ours, whole_pool = [], [], [], []
    for number in range(rounds + 1):
        figures = (
            _timed(scratch, lambda: _gristmill(size, files, script, scratch)),
            _timed(scratch, lambda: _pool(size, files, scratch)),
            _timed(scratch, lambda: _whole_gristmill(size, files, script, scratch)),
            _timed(scratch, lambda: _whole_pool(size, files, scratch)),
        )
        if number:  # the first round warms up
            for series, figure in zip((ours, pool, whole_ours, whole_pool), figures, strict=True):
                series.append(figure)
    inner = statistics.median(a / b for a, b in zip(ours, pool, strict=True))
    outer = statistics.median(a / b for a, b in zip(whole_ours, whole_pool, strict=True))
    print(
        f"{size:>9}  {statistics.median(ours):>10.3f}{statistics.median(pool):>10.3f}{inner:>10.2f}  "
        f"{statistics.median(whole_ours):>12.3f}{statistics.median(whole_pool):>10.3f}{outer:>9.2f}"
    )


def _gristmill(size: int, files: Path, script: Path, scratch: Path) -> None:
    """From the start of listing to the published file, in this process."""
    overrides = [
        Override(path="settings.mini_batch_size", value=size, origin="benchmark"),
        Override(path="gristmill.workers", value=WORKERS, origin="benchmark"),
        Override(path="gristmill.output_format", value="azure", origin="benchmark"),
    ]
    output = scratch / "output"
    request = RunRequest(deployment=load(script, overrides), input=files, output=output, name="overhead")
    running = Jobs(Home(path=scratch / "home")).run(request)
    for _ in running.steps():
        pass
    assert running.view.status == "Completed", running.view.message


def _whole_gristmill(size: int, files: Path, script: Path, scratch: Path) -> None:
    output = scratch / "output"
    command = [sys.executable, "-m", "gristmill", "run", str(script), "--input", str(files)]
    command += ["--output-path", str(output), "--job-name", "overhead", "--workers", str(WORKERS)]
    command += ["--mini-batch-size", str(size), "--format", "azure"]
    environment = {**os.environ, "GRISTMILL_HOME": str(scratch / "home")}
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)


def _pool(size: int, files: Path, scratch: Path) -> None:
    """The same with a bare pool: no order, no retries, no deadlines, no record of anything."""
    paths = list(_listed(files))
    batches = [paths[i : i + size] for i in range(0, len(paths), size)]
    with multiprocessing.Pool(WORKERS) as pool, open(scratch / "pool.txt", "w") as output:
        for result in pool.imap_unordered(run, batches):
            output.writelines(f"{line}\n" for line in result)


def _whole_pool(size: int, files: Path, scratch: Path) -> None:
    subprocess.run([sys.executable, __file__, "--as-pool", str(size), str(files), str(scratch)], check=True)


def _listed(folder: Path) -> Iterator[str]:
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield os.path.join(here, name)


def _timed(scratch: Path, work: Callable[[], None]) -> float:
    """Return how long the work took, in seconds; what it leaves is removed off the clock."""
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    for leftover in (scratch / "output", scratch / "home" / "jobs"):
        shutil.rmtree(leftover, ignore_errors=True)
    return seconds


def _make_files(folder: Path, count: int) -> None:
    for number in range(count):
        if number % FILES_PER_FOLDER == 0:
            place = folder / f"{number // FILES_PER_FOLDER:05d}"
            place.mkdir(parents=True)
        (place / f"{number:07d}.txt").touch()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=lambda text: [int(n) for n in text.split(",")], default=[1, 10, 100])
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-pool"]:
        _pool(int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
        sys.exit(0)
    sys.exit(main())
