"""The poison suite (P6): seven harmful files among ten thousand, each in its own way, and what they cost.

Gristmill runs over the same files without and with the poisons: exactly the good ones must be scored, each
poison must be named with its reason, and the wall clock must keep within 1.3 × the clean run + Σ deaths ×
(start + init) + Σ timeouts. With ``--peers``, other tools do the same on 200 files, 10 per mini-batch, in
environments that are made below the temporary folder: with one poison that kills its process, and with all
seven.

    python benchmarks/poisons.py [--files 10000] [--work-ms 10] [--peers [NAMES]] [--deadline 30]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from _poisonous import KINDS

HERE = Path(__file__).resolve().parent
UV = HERE.parent / ".venv/installer/bin/uv"
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
#: Tool → what is to be installed for it.
PEERS = {
    "pebble": "pebble",
    "joblib": "joblib",
    "concurrent_futures": "",
    "multiprocessing_pool": "",
    "dask": "distributed",
    "ray_data": "ray[data]",
    "beam": "apache-beam",
}
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
    options = _options()
    scratch = Path(tempfile.mkdtemp(prefix="gristmill-poisons-"))
    try:
        is_right = _whole(scratch, options.files, options.work_ms / 1000)
        if options.peers is not None:
            _side_by_side(scratch, options.peers or list(PEERS), options.deadline)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0 if is_right else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--work-ms", type=float, default=10.0, help="for each file, at least")
    parser.add_argument(
        "--peers", nargs="*", choices=list(PEERS), help="other tools beside it; all unless named"
    )
    parser.add_argument(
        "--deadline", type=float, default=30.0, help="seconds after which a tool is stopped, at least"
    )
    return parser.parse_args()


def _whole(scratch: Path, files: int, work_s: float) -> bool:
    """Run clean and poisoned, and print what it cost; return whether all is as it must be."""
    places = {files * (2 * number + 1) // (2 * len(KINDS)): kind for number, kind in enumerate(KINDS)}
    clean = _ours(scratch, "clean", _inputs(scratch / "clean", files, {}), work_s, 100)
    poisoned = _ours(scratch, "poisoned", _inputs(scratch / "poisoned", files, places), work_s, 100)
    expected = {_name(number): REASONS[kind] for number, kind in places.items()}
    start_s = _start_s()
    bar_s = 1.3 * clean.wall_s + poisoned.deaths * start_s + poisoned.timeouts * TIMEOUT_S
    is_exact = poisoned.succeeded == files - len(places) and poisoned.reasons == expected
    print(f"{files:,} files of {work_s * 1000:g} ms, 100 per mini-batch, {WORKERS} workers, max_retries 1")
    print(f"  good files scored      {poisoned.succeeded:,} of {files - len(places):,}")
    print(f"  failures as they are   {sum(poisoned.reasons.get(k) == v for k, v in expected.items())} of 7")
    print(f"  deaths, timeouts       {poisoned.deaths}, {poisoned.timeouts}")
    print(f"  start + init           {start_s:.3f} s")
    print(f"  clean run              {clean.wall_s:.1f} s")
    ratio = poisoned.wall_s / clean.wall_s
    print(f"  poisoned run           {poisoned.wall_s:.1f} s, {ratio:.2f} × clean; the bar is {bar_s:.1f} s")
    return is_exact and poisoned.wall_s <= bar_s


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


def _side_by_side(scratch: Path, names: list[str], deadline_s: float) -> None:
    good, places = PEER_FILES, {}
    for number, kind in enumerate(KINDS):
        places[25 * number + 15] = kind
    folders = {
        "clean": _inputs(scratch / "few", good, {}),
        "killed": _inputs(scratch / "few-killed", good, {94: "kill"}),
        "seven": _inputs(scratch / "few-seven", good, places),
    }
    print(
        f"\n{good} files of 10 ms, {PEER_MINI_BATCH} per mini-batch, {WORKERS} workers; good files kept, "
        f"wall clock (× clean); stopped after {deadline_s:g} s "
        "or 3 × clean"
    )
    print(f"{'':<22}{'clean':>10}  {'one that kills (199 good)':>28}  {'all seven (193 good)':>28}")
    ours = {
        name: _ours(scratch, f"{name}-ours", folder, 0.01, PEER_MINI_BATCH)
        for name, folder in folders.items()
    }
    _row("gristmill", {name: (run.succeeded, run.wall_s, False) for name, run in ours.items()})
    for peer in names:
        python = _python_with(scratch, peer)
        if python is None:
            print(f"{peer:<22}{'cannot be installed here':>30}")
            continue
        runs = {"clean": _peer(python, peer, folders["clean"], CLEAN_DEADLINE_S)}
        limit_s = max(deadline_s, 3 * runs["clean"][1])
        for which in ("killed", "seven") if runs["clean"][0] else ():
            runs[which] = _peer(python, peer, folders[which], limit_s)
        _row(peer, runs)


def _row(name: str, runs: dict[str, tuple[int, float, bool]]) -> None:
    kept, clean_s, _ = runs["clean"]
    if kept < PEER_FILES:
        print(f"{name:<22}{f'the clean run kept {kept} in {clean_s:.1f} s':>40}", flush=True)
        return
    cells = []
    for kept, wall_s, is_stopped in (runs["killed"], runs["seven"]):
        how = "stopped" if is_stopped else f"{wall_s:.1f} s"
        cells.append(f"{kept:>4} {how:>10} ({wall_s / clean_s:>5.1f} ×)")
    print(f"{name:<22}{clean_s:>8.1f} s  {cells[0]:>28}  {cells[1]:>28}", flush=True)


def _python_with(scratch: Path, peer: str) -> Path | None:
    """Make an environment that holds a tool; None: that does not work here."""
    folder = scratch / "environments" / peer
    python, package = folder / "bin/python", PEERS[peer]
    venv.create(folder, with_pip=bool(package) and not UV.exists())
    if package:
        install = [str(UV), "pip"] if UV.exists() else [str(python), "-m", "pip"]
        named = ["--python", str(python)] if UV.exists() else []
        ended = subprocess.run([*install, "install", "--quiet", *named, package], stderr=subprocess.PIPE)
        if ended.returncode:
            print(ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1], file=sys.stderr)
            return None
    return python


def _peer(python: Path, peer: str, folder: Path, deadline_s: float) -> tuple[int, float, bool]:
    """Run a tool; return the good files kept, the seconds it took, and whether it had to be stopped."""
    kept = folder.with_name(f"{folder.name}-{peer}")
    words = [str(python), str(HERE / "_poison_peers.py"), peer, str(folder), str(kept), str(WORKERS)]
    variables = {
        **{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
        "PYTHONPATH": str(HERE),  # their own processes are to find the script, too
        "POISON_WORK_S": "0.01",
        "POISON_LIMIT_BYTES": str(LIMIT_OF_PEERS_BYTES),
        "GRISTMILL_RUN_ID": kept.name,
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
    _sweep(kept.name)
    return len(set(kept.read_text().split())) if kept.exists() else 0, wall_s, is_stopped


def _sweep(mark: str) -> None:
    """End what a tool has left: some of their processes outlive them."""
    from gristmill.engine.sweep import RUN_MARK, sweep

    sweep(RUN_MARK, mark)


if __name__ == "__main__":
    sys.exit(main())
