"""Folders of files to work on, made for one measurement and removed after it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

FILES_PER_FOLDER = 1000
NO_OP = "def run(mini_batch):\n    return mini_batch\n"


@contextlib.contextmanager
def scratch(name: str) -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix=f"gristmill-{name}-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def empty_files(folder: Path, count: int) -> Path:
    """Make empty files, a thousand to a folder."""
    for number in range(count):
        place = folder / f"{number // FILES_PER_FOLDER:05d}"
        if number % FILES_PER_FOLDER == 0:
            place.mkdir(parents=True)
        (place / f"{number:07d}.txt").touch()
    return folder


def no_op_script(folder: Path) -> Path:
    """Write the script that does nothing: one line for each file."""
    folder.mkdir()
    script = folder / "noop.py"
    script.write_text(NO_OP, encoding="ascii")
    return script
