"""One command of ``gristmill`` in this process, and what it took: the coordinator alone, no child of it.

    python benchmarks/_coordinator.py REPORT [--generated tree:FILES|flat:FILES] -- run SCRIPT …

With ``--generated`` the input folder has as many files as are named, which exist nowhere: their names, in no
order, take the place of what the system says of a folder, at the lowest door of the listing. Everything above
it is real: sorted runs, merge, manifest, dispatch, workers, journal and output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

FILES_PER_FOLDER = 1000
MULTIPLIER = 2_654_435_761
"""Odd, so that multiples of it modulo a power of two are all different, and in no order."""


class Entry:
    """A file of a folder, or a folder in it, as `os.scandir` tells of it."""

    __slots__ = ("_is_file", "name")

    def __init__(self, name: bytes, is_file: bool = True) -> None:
        self.name = name
        self._is_file = is_file

    def is_file(self) -> bool:
        """Say whether it is a file."""
        return self._is_file

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Say whether it is a folder."""
        return not self._is_file


class GeneratedFolder:
    """A folder whose files are nowhere, in place of what `os.scandir` opens."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries

    def __iter__(self) -> Iterator[Entry]:
        return self._entries

    def __next__(self) -> Entry:
        return next(self._entries)

    def __enter__(self) -> GeneratedFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        return


def shuffled(count: int) -> Iterator[int]:
    """Yield the numbers below ``count``, each once, in no order."""
    size = 1 << max(1, (count - 1).bit_length())
    return (number for one in range(size) if (number := one * MULTIPLIER & (size - 1)) < count)


def opened(shape: str, files: int, root: bytes, folder: bytes) -> GeneratedFolder:
    """Open a folder of a generated input: ``flat``, or a ``tree`` of folders."""
    if shape == "flat":
        return GeneratedFolder(Entry(b"image-%08d.jpg" % number) for number in shuffled(files))
    if folder.rstrip(b"/") == root.rstrip(b"/"):
        return GeneratedFolder(Entry(b"%05d" % n, False) for n in shuffled(files // FILES_PER_FOLDER))
    return GeneratedFolder(Entry(b"image-%04d.jpg" % number) for number in shuffled(FILES_PER_FOLDER))


def main() -> int:
    """Do what the command line says; write a report of it."""
    began = time.time_ns()
    at = sys.argv.index("--")
    report, *own = sys.argv[1:at]
    from gristmill.cli.main import main as gristmill
    from gristmill.plan import listing

    if own:
        shape, _, files = own[1].partition(":")
        root = os.fsencode(sys.argv[sys.argv.index("--input") + 1])
        listing._opened = lambda folder: opened(shape, int(files), root, folder)  # type: ignore[assignment, return-value]
    status = gristmill(sys.argv[at + 1 :])
    told = {
        "status": status,
        "began_ns": began,
        "seconds": (time.time_ns() - began) / 1e9,
        "cpu_s": time.process_time(),
        "peak_mb": _peak_bytes() / 1e6,
    }
    Path(report).write_text(json.dumps(told))
    return status


def _peak_bytes() -> int:
    """Return the most memory that this process had; `ru_maxrss` would count what it was spawned from."""
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    sys.exit(main())
