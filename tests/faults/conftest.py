"""What the kill suite needs once: undisturbed runs to compare with, and an input that takes long to list."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.killing import KilledJob, Undisturbed
from faults.processes import kill, mentioning
from faults.scripts import Shape
from flow.mill import Mill

#: Empty folders; listed several times over they keep a listing going long after the work has begun.
_FOLDERS = 4_000


@pytest.fixture(autouse=True)
def nothing_outlives_its_test(tmp_path: Path) -> Iterator[None]:
    """Kill what a test that failed has left."""
    yield
    kill(*mentioning([f"{tmp_path}/"]))


@pytest.fixture
def mill(tmp_path: Path) -> Mill:
    """Return a folder in which a user types commands."""
    return Mill(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("a small disk cannot be mounted here: there is no mount")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", place]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Return the outputs of a job of a shape that nobody disturbs; it is run once."""
    outputs: dict[str, dict[str, bytes]] = {}

    def outputs_of(shape: Shape) -> dict[str, bytes]:
        if shape.name not in outputs:
            job = KilledJob(tmp_path_factory.mktemp("undisturbed"), shape)
            assert job.run_to_the_end("run") == 0, job.said
            assert len(set(job.calls())) == shape.mini_batches + shape.parts
            assert job.calls_redone() == shape.second_tries
            assert job.outputs()
            outputs[shape.name] = job.outputs()
        return outputs[shape.name]

    return outputs_of


@pytest.fixture(scope="session")
def long_listing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder without files that takes about 0.1 s to list."""
    folder = tmp_path_factory.mktemp("long")
    for number in range(_FOLDERS):
        (folder / f"{number:05d}").mkdir()
    return folder
