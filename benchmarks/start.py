"""Start: how long one small command takes from the shell, beside Python running the same script.

Half of all uses are one file and a look at the help; there the start is everything.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from _bars import bar
from _machine import versions
from _results import Result, Row, Series, hand_in, options
from _turns import by_turns, tell

SCRIPT = "def run(mini_batch):\n    return mini_batch\n"
PYTHON, BARE, HELP, RUN = "python script.py", "python -I -S -c pass", "gristmill --help", "gristmill run"
DEPLOYMENT = "gristmill run deployment.yml"
SHOW, GROUP_HELP = "gristmill batch-endpoint show", "gristmill batch-endpoint --help"
YAML = """\
$schema: https://azuremlschemas.azureedge.net/latest/modelBatchDeployment.schema.json
name: one
code_configuration:
  code: .
  scoring_script: script.py
settings:
  mini_batch_size: 10
"""


def main() -> int:
    """Measure, and hand in the result."""
    began_s = time.monotonic()
    given = options(__doc__).parse_args()
    rounds = given.rounds or (2 if given.quick else 21)
    scratch = Path(tempfile.mkdtemp(prefix="gristmill-start-"))
    try:
        commands = _commands(scratch)
        tell(f"{len(commands)} commands by turns, {rounds} rounds")
        cpu: dict[str, list[float]] = {name: [] for name in commands}
        wall = by_turns({name: _timed(scratch, one, cpu[name]) for name, one in commands.items()}, rounds)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    more = statistics.median(a - b for a, b in zip(wall[RUN], wall[PYTHON], strict=True))
    heading = "from the shell to the prompt"
    return hand_in(
        Result(
            name="start",
            question="How long does gristmill take for the smallest things, from the shell?",
            rounds=rounds,
            rows=(
                _row(heading, "one file, a script that does nothing", wall),
                _row("processor time of it, all processes", "one file", cpu),
            ),
            bars=(
                bar("P2-help", statistics.median(wall[HELP])),
                bar("P2-run", more, _why(more)),
                bar("P2-show", statistics.median(wall[SHOW])),
                bar("P2-group-help", statistics.median(wall[GROUP_HELP])),
            ),
            notes=("Python's own start is in all of them; compiled files are there, as pip leaves them.",),
            versions=versions("gristmill"),
            is_quick=given.quick,
        ),
        began_s,
    )


def _why(more: float) -> str:
    return "" if more <= 0.35 else "the machine was busy with other work: see its load"


def _row(heading: str, label: str, figures: Mapping[str, Sequence[float]]) -> Row:
    series = tuple(Series(contestant=name, figures=tuple(one)) for name, one in figures.items())
    return Row(heading=heading, label=label, unit="s", series=series, reference=PYTHON)


def _commands(scratch: Path) -> dict[str, list[str]]:
    (scratch / "input").mkdir()
    (scratch / "input" / "one.txt").write_text("one\n")
    (scratch / "script.py").write_text(SCRIPT)
    (scratch / "one.yml").write_text(YAML)
    gristmill = str(Path(sys.executable).with_name("gristmill"))
    endpoint = [gristmill, "batch-endpoint", "create", "--name", "endpoint"]
    subprocess.run(endpoint, env=_variables(scratch), stdout=subprocess.DEVNULL, check=True)
    job = ["--input", str(scratch / "input"), "--output-path", str(scratch / "output"), "--job-name", "one"]
    return {
        BARE: [sys.executable, "-I", "-S", "-c", "pass"],
        PYTHON: [sys.executable, str(scratch / "script.py")],
        HELP: [gristmill, "--help"],
        RUN: [gristmill, "run", str(scratch / "script.py"), *job],
        DEPLOYMENT: [gristmill, "run", str(scratch / "one.yml"), *job],
        SHOW: [gristmill, "batch-endpoint", "show", "--name", "endpoint"],
        GROUP_HELP: [gristmill, "batch-endpoint", "--help"],
    }


def _variables(scratch: Path) -> dict[str, str]:
    environment = {**os.environ, "GRISTMILL_HOME": str(scratch / "home")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _timed(scratch: Path, command: list[str], cpu: list[float]) -> Callable[[], float]:
    """Return what runs a command once and returns its seconds; its processor time is added to a list."""
    environment = _variables(scratch)
    is_warm = False

    def work() -> float:
        nonlocal is_warm
        began = time.perf_counter()
        child = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0, f"{command[0]} ended with {child.returncode}"
        if is_warm:
            cpu.append(usage.ru_utime + usage.ru_stime)
        is_warm = True
        for leftover in (scratch / "output", scratch / "home" / "jobs"):
            shutil.rmtree(leftover, ignore_errors=True)
        return seconds

    return work


if __name__ == "__main__":
    sys.exit(main())
