"""What a deployment's own environment costs a job, once it is built, and what building it takes.

The same job, one file and a script that does nothing, by turns in a Python that is named, in the cached
environment of a conda file (a virtual environment of the same Python), and in the cached environment of one
with a package on this machine, whose content is looked at on each start. The packages are wheels that are
made here: no registry is asked.

    python3 run.py bench environments [--rounds 15] [--quick]
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from _bars import bar
from _files import empty_files, no_op_script, scratch
from _machine import versions
from _results import Result, Row, Series, hand_in, options
from _turns import by_turns, seconds, tell

from doubles.wheels import wheel

NAMED, CACHED, LOCAL = "a Python that is named", "a cached environment", "a cached environment, local wheel"
CONDA = """  conda_file:
    dependencies: [python={version}, {{pip: [--no-index, --find-links wheels, {packages}]}}]
"""
VERSION = ".".join(map(str, sys.version_info[:2]))
HERE = json.dumps(sys.executable)
PACKAGES = 30
NOTES = (
    "Every figure is a whole command from the shell: the interpreter's start, the reading of the conda file, "
    "the finding of the environment, the job, its report.",
    "Building is without a download: the wheels lie in a folder, and are small.",
)


def main() -> int:
    began_s = time.monotonic()
    given = options(__doc__).parse_args()
    rounds = given.rounds or (2 if given.quick else 15)
    with scratch("environments") as place:
        jobs = Jobs(place)
        tell("building the environments once")
        for name in (CACHED, LOCAL):
            jobs.run(name)
        tell(f"{rounds} rounds of three warm starts")
        warm = by_turns({name: jobs.timed(name) for name in (NAMED, CACHED, LOCAL)}, rounds)
        building = max(2, rounds // 3)
        tell(f"{building} rounds of building")
        cold = by_turns({CACHED: jobs.built_anew}, building)
    wall = {name: tuple(wall for wall, _ in figures) for name, figures in warm.items()}
    busy = {name: tuple(busy for _, busy in figures) for name, figures in warm.items()}
    later = [ours - theirs for ours, theirs in zip(wall[CACHED], wall[NAMED], strict=True)]
    return hand_in(
        Result(
            name="environments",
            question="What does a deployment's own environment cost a job that finds it built?",
            rounds=rounds,
            rows=(
                *(
                    Row(
                        heading="A whole command, one file",
                        label=label,
                        unit="s",
                        series=tuple(Series(contestant=name, figures=one) for name, one in figures.items()),
                        reference=NAMED,
                    )
                    for label, figures in (
                        ("from the shell", wall),
                        ("processor time of all its processes", busy),
                    )
                ),
                Row(
                    heading="gristmill env build, nothing cached but wheels",
                    label=f"{PACKAGES} small packages",
                    unit="s",
                    series=(Series(contestant="uv", figures=cold[CACHED], note=f"{building} rounds"),),
                ),
            ),
            bars=(bar("ENV-warm", statistics.median(later)),),
            notes=NOTES,
            versions=versions("gristmill", "uv"),
            is_quick=given.quick,
        ),
        began_s,
    )


class Jobs:
    """Commands over one file, in a home of their own."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._count = 0
        empty_files(place / "in", 1)
        no_op_script(place / "code")
        names = [f"grain-{number}" for number in range(PACKAGES)]
        for name in names:
            wheel(place / "wheels", name, "1.0")
        local = wheel(place / "wheels", "local-grain", "1.0", data=os.urandom(5_000_000))
        listed = {CACHED: ", ".join(names), LOCAL: f"./wheels/{local.name}"}
        for number, (name, packages) in enumerate(listed.items()):
            text = "code_configuration: {code: code, scoring_script: noop.py}\nenvironment:\n"
            text += f"  name: e{number}\n{CONDA.format(version=VERSION, packages=packages)}"
            (place / f"{self._file(name)}").write_text(text, encoding="utf-8")
        text = f"code_configuration: {{code: code, scoring_script: noop.py}}\ngristmill: {{python: {HERE}}}\n"
        (place / "named.yml").write_text(text, encoding="utf-8")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))},
            "GRISTMILL_HOME": str(place / "home"),
            "UV_CACHE_DIR": str(place / "uv"),
            "PIP_CONFIG_FILE": os.devnull,
        }

    def timed(self, name: str) -> Callable[[], tuple[float, float]]:
        """Return what runs a job, and returns its seconds and those of the processor."""

        def work() -> tuple[float, float]:
            before = _busy_s()
            return seconds(lambda: self.run(name)), _busy_s() - before

        return work

    def run(self, name: str) -> None:
        self._count += 1
        output = self._place / f"out-{self._count}"
        self._type("run", self._file(name), "--input", "in", "--output-path", str(output))
        if len((output / "predictions.csv").read_bytes().splitlines()) != 1:
            raise SystemExit(f"{name}: the job did not write its line")

    def built_anew(self) -> float:
        self._type("env", "prune", "--all")
        return seconds(lambda: self._type("env", "build", self._file(CACHED)))

    def _file(self, name: str) -> str:
        return {NAMED: "named.yml", CACHED: "cached.yml", LOCAL: "local.yml"}[name]

    def _type(self, *words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "gristmill", *words],
            cwd=self._place,
            env=self._environment,
            check=True,
            capture_output=True,
        )


def _busy_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
