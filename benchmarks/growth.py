"""Growth: memory and time of the coordinator with a million and with ten million files.

A folder of ten million names must cost no more memory than one of a thousand, and a job that was killed must
go on at once. Names of the large sizes are generated where the system would tell them, in no order, and go
through everything above that; those of a million files are also really there.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from _bars import Bar, bar
from _interrupted import with_a_record_each
from _machine import versions
from _results import Result, Row, Series, hand_in, options
from _turns import by_turns, seconds, tell

from gristmill.plan.planner import Planner

WORKERS = 2
FILES_PER_FOLDER = 1000
LINKS_PER_FILE = 10_000
SCRIPT = """\
import os, time

told = False
calls = 0
last = int(os.environ.get("GROWTH_LAST_CALL", "0"))


def run(mini_batch):
    global told, calls
    if not told:
        told = True
        try:
            with open(os.environ["GROWTH_FIRST_RUN"], "x") as file:
                file.write(str(time.time_ns()))
        except FileExistsError:
            pass
    calls += 1
    if calls == last:
        while not os.path.exists(os.environ["GROWTH_PLAN"]):
            time.sleep(0.01)  # a listing that is cut off is another matter
        os.kill(os.getppid(), 9)  # the coordinator dies in the middle of the job
    return mini_batch
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one command took."""

    seconds: float
    peak_mb: float
    cpu_s: float
    """Processor time of the coordinator, which other work on the machine lengthens less."""
    first_run_s: float
    """From the command's start to the first call of ``run()``."""


class Mill:
    """Runs ``gristmill`` in processes that tell what they took."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.home = scratch / "home"
        self.output = scratch / "output"
        self._first = scratch / "first-run"
        self.script = scratch / "code" / "noop.py"
        self.script.parent.mkdir()
        self.script.write_text(SCRIPT)

    def run(self, files: Path, size: int, *, generated: str = "", last_call: int = 0) -> Measured | None:
        """Run a job from listing to output; None where it was killed, as ``last_call`` asks for."""
        self.forget()
        words = ["run", str(self.script), "--input", str(files), "--output-path", str(self.output)]
        words += ["--job-name", "growth", "--workers", str(WORKERS), "--mini-batch-size", str(size)]
        return self._command([*words, "--format", "azure"], generated, last_call)

    def resume(self) -> Measured:
        """Go on with the job."""
        measured = self._command(["resume", "growth"], "", 0)
        assert measured is not None
        return measured

    def forget(self) -> None:
        """Remove the job and its output."""
        for leftover in (self.home / "jobs", self.output):
            shutil.rmtree(leftover, ignore_errors=True)

    def _command(self, words: list[str], generated: str, last_call: int) -> Measured | None:
        report = self.scratch / "report.json"
        for old in (report, self._first):
            old.unlink(missing_ok=True)
        environment = {**os.environ, "GRISTMILL_HOME": str(self.home), "GROWTH_LAST_CALL": str(last_call)}
        environment |= {"GROWTH_FIRST_RUN": str(self._first), "TMPDIR": str(self.scratch)}
        environment["GROWTH_PLAN"] = str(self.home / "jobs" / "growth" / "plan" / "plan.json")
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        program = [sys.executable, str(Path(__file__).with_name("_coordinator.py")), str(report)]
        options = ["--generated", generated] if generated else []
        ended = subprocess.run(
            [*program, *options, "--", *words], env=environment, stdout=subprocess.DEVNULL, stderr=-3
        )
        if last_call:
            assert ended.returncode == -9, f"the job was to be killed, and ended with {ended.returncode}"
            _wait_until(lambda: not list(self.scratch.glob("gristmill-*")))  # its guard has cleaned up
            return None
        assert ended.returncode == 0, f"gristmill {words[0]} ended with {ended.returncode}"
        told = json.loads(report.read_text())
        first_s = (int(self._first.read_text()) - told["began_ns"]) / 1e9
        return Measured(
            seconds=told["seconds"], peak_mb=told["peak_mb"], cpu_s=told["cpu_s"], first_run_s=first_s
        )


def main() -> int:
    """Measure, and hand in the result."""
    began_s = time.monotonic()
    given = options(__doc__).parse_args()
    few, many = (20_000, 200_000) if given.quick else (1_000_000, 10_000_000)
    rounds = given.rounds or (2 if given.quick else 3)
    scratch = Path(tempfile.mkdtemp(prefix="gristmill-growth-"))
    try:
        _check_inodes(scratch, 2 * few)
        mill = Mill(scratch)
        tree, flat = scratch / "tree", scratch / "flat"
        tell(f"making {few:,} files in folders, and again in one")
        _make(tree, few, FILES_PER_FOLDER)
        _make(flat, few, few)
        rows, bars = _growth(mill, tree, flat, few, many)
        listing_rows, listing_bars = _listing(scratch, {"a tree": tree, "one folder": flat}, few, rounds)
        first_s = rows[2].of(f"{few:,} files on a disk, in folders").figures[0]
        alone_s = listing_rows[0].of("gristmill").median
        bars += [
            _judged(
                "P3-first-run",
                first_s / alone_s if alone_s else None,
                "the start alone takes longer than so short a listing",
            )
        ]
        resume_rows, resume_bars = _resume(mill, tree, few)
    finally:
        tell("removing the files")
        shutil.rmtree(scratch, ignore_errors=True)
    return hand_in(
        Result(
            name="growth",
            question="What do a million and ten million files cost the coordinator, in memory and time, and "
            "how soon does a job of a million go on that was killed?",
            rounds=rounds,
            rows=(*rows, *listing_rows, *resume_rows),
            bars=(*bars, *listing_bars, *resume_bars),
            notes=(
                "Jobs were run once each; listing and find by turns.",
                "Peak memory is that of the coordinator alone (VmHWM), not of its workers.",
                "Of generated names a good part of the time is what it takes to generate them.",
            ),
            versions=versions("gristmill"),
            is_quick=given.quick,
        ),
        began_s,
    )


# Memory and time


def _growth(mill: Mill, tree: Path, flat: Path, few: int, many: int) -> tuple[list[Row], list[Bar]]:
    empty = mill.scratch / "empty"
    empty.mkdir()
    found: dict[str, Measured] = {}
    for name, files, size, generated in (
        (f"{few:,} files on a disk, in folders", tree, 1, ""),
        (f"{few:,} files on a disk, in one folder", flat, 1, ""),
        (f"{few:,} generated, in folders", empty, 10, f"tree:{few}"),
        (f"{many:,} generated, in folders", empty, 10, f"tree:{many}"),
        (f"{few:,} generated, in one folder", empty, 10, f"flat:{few}"),
        (f"{many:,} generated, in one folder", empty, 10, f"flat:{many}"),
    ):
        tell(name)
        measured = mill.run(files, size, generated=generated)
        assert measured is not None
        found[name] = measured
    mill.forget()
    names = list(found)
    few_tree, many_tree = found[names[2]], found[names[3]]
    label = "a whole job, 2 workers"
    rows = [
        _job_row("peak memory of the coordinator", label, "MB", {n: m.peak_mb for n, m in found.items()}),
        _job_row("from the command to its end", label, "s", {n: m.seconds for n, m in found.items()}),
        _job_row(
            "from the command to the first run()", label, "s", {n: m.first_run_s for n, m in found.items()}
        ),
    ]
    used = {n: m.cpu_s for n, m in found.items()}
    rows.append(_job_row("processor time of the coordinator", label, "s", used))
    memory = {n: m.peak_mb for n, m in found.items()}
    growth = max(memory[names[3]] / memory[names[2]], memory[names[5]] / memory[names[4]])
    per_file = (many_tree.seconds / many) / (few_tree.seconds / few)
    bars = [
        _judged("P3-memory-1m", max(memory[names[0]], memory[names[1]]), "more is held than is needed"),
        _judged("P3-memory-10m", memory[names[3]], "more is held than is needed"),
        _judged("P3-memory-flat", memory[names[5]], "more is held than is needed"),
        _judged("P3-memory-growth", growth, "something grows with the number of files"),
        _judged("P3-time-growth", per_file, "something takes longer per file"),
    ]
    return rows, bars


def _judged(id: str, measured: float | None, why: str) -> Bar:
    """Return a bar; why it is missed stands there only if it is."""
    judged = bar(id, measured, why)
    return judged if not judged.is_met else bar(id, measured)


def _job_row(heading: str, label: str, unit: str, figures: dict[str, float]) -> Row:
    series = tuple(Series(contestant=name, figures=(figure,)) for name, figure in figures.items())
    return Row(heading=heading, label=label, unit=unit, series=series)


# Listing


def _listing(scratch: Path, inputs: dict[str, Path], files: int, rounds: int) -> tuple[list[Row], list[Bar]]:
    rows = []
    for name, folder in inputs.items():
        tell(f"listing {name} of {files:,} files, and find, by turns")
        took = by_turns(
            {
                "gristmill": lambda folder=folder: _plan(folder, scratch / "plan", False),  # type: ignore[misc]
                "find | sort": lambda folder=folder: _find(folder, r"%P\n", scratch),  # type: ignore[misc]
                "gristmill, with sizes": lambda folder=folder: _plan(folder, scratch / "plan", True),  # type: ignore[misc]
                "find with sizes | sort": lambda folder=folder: _find(folder, r"%P %s\n", scratch),  # type: ignore[misc]
            },
            rounds,
        )
        series = tuple(Series(contestant=who, figures=figures) for who, figures in took.items())
        label = f"{files:,} empty files in {name}"
        rows.append(
            Row(heading="listing alone", label=label, unit="s", series=series, reference="find | sort")
        )
    plain = [1 / (row.ratio("gristmill") or 1) for row in rows]
    sizes = [1 / (row.ratio("gristmill, with sizes", "find with sizes | sort") or 1) for row in rows]
    return rows, [
        _judged("P3-listing", min(plain), "Python looks at each name"),
        _judged("P3-listing-sizes", min(sizes), "Python asks for each size"),
    ]


def _plan(folder: Path, plan: Path, with_sizes: bool) -> float:
    """List a folder into a manifest, durably; return the seconds."""

    def work() -> None:
        planner = Planner(
            root=folder, folder=plan, mini_batch_size=10, mini_batch_bytes=1 << 40 if with_sizes else None
        )
        while not planner.complete:
            planner.step(0.05)
        planner.close()

    took = seconds(work)
    shutil.rmtree(plan)
    return took


def _find(folder: Path, form: str, scratch: Path) -> float:
    """Let find and sort do the same; return the seconds."""
    found = scratch / "found"
    words = f'find "{folder}" -type f -printf "{form}" | LC_ALL=C sort > "{found}"'
    took = seconds(lambda: subprocess.run(["bash", "-o", "pipefail", "-c", words], check=True))
    found.unlink()
    return took


# Going on


def _resume(mill: Mill, tree: Path, files: int) -> tuple[list[Row], list[Bar]]:
    figures: dict[str, Measured] = {}
    for size in (1, 10):
        for each in (False, True):
            how = "with a record each" if each else "as it was killed"
            tell(f"killed half-way: {files:,} files, {size} per mini-batch, {how}")
            mill.run(tree, size, last_call=max(1, files // size // WORKERS // 2))
            records = with_a_record_each(mill.home, "growth") if each else 0
            of = f" ({records:,} records)" if each else ""
            figures[f"{size} per mini-batch, {how}{of}"] = mill.resume()
            lines = sum(chunk.count(b"\n") for chunk in _chunks(mill.output / "predictions.csv"))
            assert lines == files, f"{lines:,} rows of {files:,} files"
    label = f"{files:,} files, killed half-way"
    rows = [
        _job_row("resume: to the first run()", label, "s", {n: m.first_run_s for n, m in figures.items()}),
        _job_row("resume: to its end", label, "s", {n: m.seconds for n, m in figures.items()}),
        _job_row(
            "resume: peak memory of the coordinator", label, "MB", {n: m.peak_mb for n, m in figures.items()}
        ),
    ]
    worst = max(measured.first_run_s for measured in figures.values())
    typical = statistics.median(measured.first_run_s for measured in figures.values())
    return rows, [_judged("P3-resume", worst, f"the worst of four; the median is {typical:.2f} s")]


def _chunks(path: Path) -> list[bytes]:
    with open(path, "rb") as file:
        return list(iter(lambda: file.read(1 << 24), b""))


# Files


def _make(folder: Path, files: int, per_folder: int) -> None:
    """Make empty files: names of a few, which is much cheaper than so many files."""
    folder.mkdir()
    source = folder.with_name(f"{folder.name}-source")
    names = [f"{number * 2_654_435_761 % (1 << 32):010d}.txt" for number in range(files)]
    for begin in range(0, files, per_folder):
        place = folder / f"{begin // per_folder:05d}" if per_folder < files else folder
        place.mkdir(exist_ok=True)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        for number in range(begin, min(files, begin + per_folder)):
            if number % LINKS_PER_FILE == 0:
                source.unlink(missing_ok=True)
                source.touch()
            os.link(source, names[number], dst_dir_fd=descriptor)
        os.close(descriptor)
    source.unlink()


def _check_inodes(folder: Path, files: int) -> None:
    status = os.statvfs(folder)
    if status.f_files and status.f_favail < files // FILES_PER_FOLDER + 1000:
        raise SystemExit(f"growth: the disk of {tempfile.gettempdir()} has no room for so many files")


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "the processes of the killed job did not end"
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
