"""The poison suite (P6): seven harmful files among ten thousand, each in its own way, and what they cost.

Gristmill runs over the same files without and with the poisons: exactly the good ones must be scored, each
poison must be named with its reason, and the wall clock must keep within 1.3 × the clean run + Σ deaths ×
(start + init) + Σ timeouts. With ``--peers``, other tools do the same on 200 files, 10 per mini-batch: with
one poison that kills its process, and with all seven.

    python3 run.py bench poisons [--files 10000] [--work-ms 10] [--peers [NAMES]] [--deadline 30] [--quick]
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import _peers
from _bars import Bar, bar
from _files import scratch
from _peers import HERE
from _poisonous import KINDS
from _results import Result, Row, Series, hand_in, options
from _turns import tell

from gristmill.engine.sweep import RUN_MARK, sweep

WORKERS = 2
TIMEOUT_S = 2.0
CLEAN_DEADLINE_S = 120.0
LIMIT_BYTES = 1 << 30
#: The libraries of some tools allocate more than 1 GiB by themselves.
LIMIT_OF_PEERS_BYTES = 4 << 30
REASONS = dict(
    zip(
        KINDS,
        ("exception", "worker_died", "worker_died", "worker_died", "memory", "timeout", "bad_return"),
        strict=True,
    )
)
#: Tool → the package that it needs.
PEERS = {
    "pebble": "pebble",
    "joblib": "joblib",
    "concurrent_futures": "",
    "multiprocessing_pool": "",
    "dask": "distributed",
    "ray_data": "ray",
    "beam": "apache-beam",
}
OURS = "Gristmill"
WALL = "Wall clock: the same files clean, and with seven poisons among them"
KEPT = "Good files kept of 200, where some are poisoned"
TOOK = "Wall clock over 200 files"
NOTES = (
    f"Files of 10 ms, 100 per mini-batch, two workers, a timeout of {TIMEOUT_S:g} s, max_retries 1.",
    "Other tools: 10 per mini-batch, with a timeout where they have one, as a careful user would write it "
    "(benchmarks/_poison_peers.py). One that does not end is stopped, and counts with what it has kept.",
)
PEER_FILES, PEER_MINI_BATCH = 200, 10


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What came of one run of ours."""

    wall_s: float
    succeeded: int
    failed: int
    reasons: dict[str, str]
    deaths: int
    timeouts: int


def main() -> int:
    began_s = time.monotonic()
    given = _options()
    files = given.files or (700 if given.quick else 10_000)
    left_out: dict[str, str] = {}
    with scratch("poisons") as place:
        rows, bars = _whole(place, files, given.work_ms / 1000)
        if given.peers is not None:
            more, left_out = _side_by_side(place, given.peers or list(PEERS), given.deadline)
            rows += more
    result = Result(
        name="poisons",
        question=(
            "What do a few harmful files cost: one each that raises, exits, crashes, is killed, takes 8 GiB, "
            "loops for ever, returns what it must not?"
        ),
        rounds=1,
        rows=tuple(rows),
        bars=bars,
        notes=NOTES,
        left_out=left_out,
        versions=_peers.peer_versions(
            "gristmill", *(filter(None, PEERS.values()) if given.peers is not None else ())
        ),
        is_quick=given.quick,
    )
    exact = next(one for one in bars if one.id == "P6-exact")
    return hand_in(result, began_s) or (0 if exact.is_met else 1)


def _options() -> Namespace:
    parser = options(__doc__)
    parser.add_argument("--files", type=int, help="how many (10000)")
    parser.add_argument("--work-ms", type=float, default=10.0, help="for each file, at least (10)")
    parser.add_argument(
        "--peers", nargs="*", choices=list(PEERS), help="other tools beside it; all unless named"
    )
    parser.add_argument(
        "--deadline", type=float, default=30.0, help="seconds after which a tool is stopped, at least (30)"
    )
    return parser.parse_args()


def _whole(scratch: Path, files: int, work_s: float) -> tuple[list[Row], tuple[Bar, ...]]:
    """Run clean and poisoned; return what it cost, and whether all is as it must be."""
    places = {files * (2 * number + 1) // (2 * len(KINDS)): kind for number, kind in enumerate(KINDS)}
    tell(f"{files:,} files, clean")
    clean = _ours(scratch, "clean", _inputs(scratch / "clean", files, {}), work_s, 100)
    tell(f"{files:,} files, seven of them poisons")
    poisoned = _ours(scratch, "poisoned", _inputs(scratch / "poisoned", files, places), work_s, 100)
    expected = {_name(number): REASONS[kind] for number, kind in places.items()}
    wrong = abs(files - len(places) - poisoned.succeeded)
    wrong += sum(poisoned.reasons.get(name) != reason for name, reason in expected.items())
    spent_s = poisoned.deaths * _start_s() + poisoned.timeouts * TIMEOUT_S
    told = f"{poisoned.deaths} deaths and {poisoned.timeouts} timeouts took {spent_s:.1f} s of it"
    row = Row(
        heading=WALL,
        label=f"{files:,} files",
        unit="s",
        series=(
            Series(contestant="Gristmill, clean", figures=(clean.wall_s,)),
            Series(contestant="Gristmill, seven poisons", figures=(poisoned.wall_s,), note=told),
        ),
        reference="Gristmill, clean",
    )
    found = f"{poisoned.succeeded:,} of {files - len(places):,} scored, {len(expected)} failures named"
    exact = bar("P6-exact", wrong, found)
    return [row], (exact, bar("P6-wall", (poisoned.wall_s - spent_s) / clean.wall_s, told))


def _inputs(folder: Path, files: int, places: dict[int, str]) -> Path:
    folder.mkdir()
    for number in range(files):
        (folder / _name(number)).write_text(places.get(number, "good"))
    return folder


def _name(number: int) -> str:
    return f"{number:06}"


def _ours(scratch: Path, name: str, folder: Path, work_s: float, mini_batch: int) -> Scored:
    code = scratch / f"{name}-job"
    code.mkdir()
    shutil.copy(HERE / "_poisonous.py", code / "score.py")
    deployment = code / "deployment.yml"
    deployment.write_text(
        "code_configuration: {code: ., scoring_script: score.py}\n"
        f"settings: {{mini_batch_size: {mini_batch}, max_concurrency_per_instance: {WORKERS}, "
        f"retry_settings: {{max_retries: 1, timeout: {TIMEOUT_S}}}, environment_variables: "
        f"{{POISON_WORK_S: {work_s}}}}}\n"
        f"gristmill: {{memory_per_worker: {LIMIT_BYTES}}}\n"
    )
    output, home = code / "out", scratch / "home"
    words = ["run", str(deployment), "--input", str(folder), "--output-path", str(output), "--json"]
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "gristmill", *words, "--job-name", name],
        env={**os.environ, "GRISTMILL_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    wall_s = time.monotonic() - began
    view = json.loads(ended.stdout)
    tries = home / "jobs" / name / "logs/sys/job_report/processed_mini-batches.csv"
    failed = [row["reason"] for row in csv.DictReader(tries.open()) if row["status"] == "failed"]
    failures = output / "failures.jsonl"
    lines = failures.read_text().splitlines() if failures.exists() else []
    return Scored(
        wall_s=wall_s,
        succeeded=view["succeeded"],
        failed=view["failed"],
        reasons={entry["input"]: entry["reason"] for entry in map(json.loads, lines)},
        deaths=failed.count("worker_died") + failed.count("timeout"),
        timeouts=failed.count("timeout"),
    )


def _start_s() -> float:
    """Measure what a start costs at least: an interpreter that imports the worker; init() is empty."""
    took = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import gristmill_worker.__main__"], check=True)
        took.append(time.monotonic() - began)
    return statistics.median(took)


def _side_by_side(scratch: Path, names: list[str], deadline_s: float) -> tuple[list[Row], dict[str, str]]:
    """Let other tools do the same on few files; return the rows, and who is left out."""
    places = {25 * number + 15: kind for number, kind in enumerate(KINDS)}
    folders = {
        "clean": _inputs(scratch / "few", PEER_FILES, {}),
        "one kills its process, 199 good": _inputs(scratch / "few-killed", PEER_FILES, {94: "kill"}),
        "all seven, 193 good": _inputs(scratch / "few-seven", PEER_FILES, places),
    }
    tell(f"{PEER_FILES} files, Gristmill")
    runs = {OURS: {}}
    for number, (what, folder) in enumerate(folders.items()):
        ours = _ours(scratch, f"few-{number}-ours", folder, 0.01, PEER_MINI_BATCH)
        runs[OURS][what] = (ours.succeeded, ours.wall_s, False)
    left_out = {}
    for name in names:
        if PEERS[name] and PEERS[name] not in _peers.installed():
            left_out[name] = f"{PEERS[name]} is not installed (requirements/peers.lock)"
            continue
        tell(f"{PEER_FILES} files, {name}")
        clean = _peer(name, folders["clean"], CLEAN_DEADLINE_S)
        if clean[0] < PEER_FILES:
            left_out[name] = f"it kept {clean[0]} of {PEER_FILES} files without a poison in {clean[1]:.0f} s"
            continue
        limit_s = max(deadline_s, 3 * clean[1])
        runs[name] = {"clean": clean}
        for what in list(folders)[1:]:
            runs[name][what] = _peer(name, folders[what], limit_s)
    kept = [_row(KEPT, what, "files", runs, 0) for what in list(folders)[1:]]
    return [*kept, *(_row(TOOK, what, "s", runs, 1) for what in folders)], left_out


def _row(
    heading: str, what: str, unit: str, runs: dict[str, dict[str, tuple[int, float, bool]]], at: int
) -> Row:
    series = tuple(
        Series(contestant=name, figures=(ran[what][at],), note="stopped" if ran[what][2] else "")
        for name, ran in runs.items()
    )
    return Row(heading=heading, label=what, unit=unit, series=series, reference=OURS)


def _peer(peer: str, folder: Path, deadline_s: float) -> tuple[int, float, bool]:
    """Run a tool; return the good files kept, the seconds it took, and whether it had to be stopped."""
    kept = folder.with_name(f"{folder.name}-{peer}")
    words = [str(_peers.python()), str(HERE / "_poison_peers.py"), peer, str(folder), str(kept), str(WORKERS)]
    variables = {
        **_peers.variables(),
        "PYTHONPATH": str(HERE),  # their own processes are to find the script, too
        "POISON_WORK_S": "0.01",
        "POISON_LIMIT_BYTES": str(LIMIT_OF_PEERS_BYTES),
        RUN_MARK: kept.name,
    }
    began, is_stopped = time.monotonic(), False
    with open(f"{kept}.log", "wb") as log:
        process = subprocess.Popen(
            [*words, str(TIMEOUT_S)], env=variables, stdout=log, stderr=log, start_new_session=True
        )
        try:
            process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            is_stopped = True
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    wall_s = time.monotonic() - began
    sweep(RUN_MARK, kept.name)
    return len(set(kept.read_text().split())) if kept.exists() else 0, wall_s, is_stopped


if __name__ == "__main__":
    sys.exit(main())
