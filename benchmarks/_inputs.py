"""Real inputs out of installed packages, made for one measurement: ``python _inputs.py KIND TARGET COUNT``.

Runs in the environment of the contestants, since that is where the packages are.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

LARGEST_BYTES = 200_000
PHOTOGRAPHS = (
    "skimage/data/*.png",
    "skimage/data/*.jpg",
    "sklearn/datasets/images/*.jpg",
)
SMALLEST_SIDE, CROP = 300, (224, 400)
VECTORS, DIMENSIONS, KNOWN = 256, 384, 8_000


def files(target: Path, count: int) -> None:
    """Copy files of all kinds, spread over the installed packages."""
    found = sorted(path for path in _packages().rglob("*") if path.is_file() and not path.is_symlink())
    fitting = [path for path in found if 0 < path.stat().st_size <= LARGEST_BYTES and path.suffix != ".pyc"]
    for number in range(count):
        path = fitting[number * len(fitting) // count]
        shutil.copyfile(path, target / f"{number:05d}-{path.name}")


def photographs(target: Path, count: int) -> None:
    """Cut pieces of different size and place out of the photographs that packages bring along."""
    import numpy
    from PIL import Image

    chance = numpy.random.default_rng(0)
    paths = sorted(path for pattern in PHOTOGRAPHS for path in _packages().glob(pattern))
    whole = [Image.open(path).convert("RGB") for path in paths]
    usable = [image for image in whole if min(image.size) >= SMALLEST_SIDE]
    for number in range(count):
        image = usable[number % len(usable)]
        side = int(chance.integers(CROP[0], min(*image.size, CROP[1]) + 1))
        left, top = (int(chance.integers(0, room - side + 1)) for room in image.size)
        image.crop((left, top, left + side, top + side)).save(target / f"{number:05d}.jpg", quality=90)


def vectors(target: Path, count: int) -> None:
    """Write arrays of vectors, and beside the folder the known ones that they are compared with.

    They are whole numbers, so that their products are exact, in whatever order threads add them up.
    """
    import numpy

    chance = numpy.random.default_rng(0)
    places = [(target.parent / "known.npy", KNOWN)]
    places += [(target / f"{number:05d}.npy", VECTORS) for number in range(count)]
    for path, rows in places:
        numpy.save(path, chance.integers(-8, 9, (rows, DIMENSIONS)).astype("float32"))


def _packages() -> Path:
    return Path(sysconfig.get_path("purelib"))


KINDS: dict[str, Callable[[Path, int], None]] = {
    "files": files,
    "photographs": photographs,
    "vectors": vectors,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
