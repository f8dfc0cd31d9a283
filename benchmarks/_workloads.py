"""Four scripts that want different settings, with files for each, for `tuning`."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_FOREST = """
import pickle
from pathlib import Path

import numpy as np

def init():
    global model
    model = pickle.loads((Path(__file__).parent / "model.pkl").read_bytes())

def run(mini_batch):
    images = np.stack([np.fromfile(path, np.uint8) for path in mini_batch])
    return [int(one) for one in model.predict(images)]
"""
_MAGIKA = """
from magika import Magika

def init():
    global magika
    magika = Magika()

def run(mini_batch):
    return [str(one.output.label) for one in magika.identify_paths(mini_batch)]
"""
_SERVICE = """
import time

def run(mini_batch):
    time.sleep(0.010 + 0.010 * len(mini_batch))  # a request, and its answer for each file
    return mini_batch
"""
_MEMORY = """
import numpy as np

def init():
    global mixing
    mixing = np.linspace(0, 1, 64 * 64).reshape(64, 64)

def run(mini_batch):
    mixed = mixing
    for _ in range(400):  # what a call costs whatever it is given
        mixed = mixed @ mixing / 64
    stack = np.stack([np.full((1500, 2000), float(open(path).read())) for path in mini_batch])  # 24 MB each
    return [float(one) for one in stack.mean(axis=(1, 2))]
"""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A script, its files, and the grid that is searched beside `gristmill tune`."""

    id: str
    label: str
    source: str
    files: int
    make: Callable[[Path, Path, int], None]
    """Makes so many files in a folder, and what lies beside the script in another."""
    sizes: tuple[int, ...]
    workers: tuple[int, ...]
    settings: tuple[tuple[str, object], ...] = ()

    def laid_out(self, place: Path, files: int) -> tuple[Path, Path]:
        """Write script and files below a folder; return their paths."""
        code, inputs = place / self.id / "code", place / self.id / "in"
        code.mkdir(parents=True)
        inputs.mkdir()
        script = code / "score.py"
        script.write_text(self.source, encoding="ascii")
        self.make(inputs, code, files)
        return script, inputs


def _digits(inputs: Path, code: Path, files: int) -> None:
    import pickle

    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier

    images, labels = load_digits(return_X_y=True)
    model = RandomForestClassifier(n_estimators=300, random_state=0).fit(images, labels)
    (code / "model.pkl").write_bytes(pickle.dumps(model))
    for number in range(files):
        image = images[number % len(images)].astype("uint8")
        (inputs / f"{number:05d}.raw").write_bytes(image.tobytes())


def _library(inputs: Path, code: Path, files: int) -> None:
    found = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    for number in range(files):
        (inputs / f"{number:05d}.py").write_bytes(found[number % len(found)].read_bytes())


def _numbers(inputs: Path, code: Path, files: int) -> None:
    for number in range(files):
        (inputs / f"{number:05d}.txt").write_text(str(number), encoding="ascii")


WORKLOADS = (
    Workload(
        id="forest",
        label="a random forest of 300 trees on small images: a call costs more than a file",
        source=_FOREST,
        files=3_000,
        make=_digits,
        sizes=(128, 1_000),
        workers=(1, 2, 4),
    ),
    Workload(
        id="magika",
        label="Magika on Python's own library: the processor counts",
        source=_MAGIKA,
        files=300,
        make=_library,
        sizes=(1, 16),
        workers=(1, 2, 4),
    ),
    Workload(
        id="service",
        label="a service that answers after 10 ms and 10 ms a file: nothing computes",
        source=_SERVICE,
        files=800,
        make=_numbers,
        sizes=(1, 8, 64),
        workers=(2, 8, 32),
    ),
    Workload(
        id="memory",
        label="24 MB for each file of a mini-batch, 500 MB for a worker: larger ones are stopped",
        source=_MEMORY,
        files=300,
        make=_numbers,
        sizes=(1, 8),
        workers=(1, 2, 4),
        settings=(("gristmill.memory_per_worker", "500MB"),),
    ),
)
