"""The files that are measured: a sample of the input in an order of chance, handed out a few at a time.

As long as there are new ones, each call gets files that nobody has read before it, as in a job; after that
they come again.
"""

from __future__ import annotations

import os
import random
import statistics
from collections.abc import Iterable
from pathlib import Path

from gristmill.plan.planner import Planner
from gristmill.plan.sample import NOT_SAMPLED
from gristmill.service.tuning.facts import Files
from gristmill.spec.values import Settings

#: Files of the sample.
SAMPLE = 2048
#: Of so many files the lines are counted, up to so many bytes of each.
_LOOKED_INTO = 16
_MOST_READ_BYTES = 16_000_000
_TEXT_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".txt")
_SLICE_S = 0.05


class Supply:
    """A sample of the input."""

    def __init__(self, root: str, names: Iterable[str], files: int) -> None:
        """Take the sample.

        Parameters
        ----------
        root
            The absolute folder that names are relative to.
        names
            The files of the sample.
        files
            How many the input has in all.
        """
        self.root = root
        self.files = files
        self._names = list(names)
        random.Random(len(self._names)).shuffle(self._names)
        self._next = 0
        self._left_out: set[str] = set()

    @classmethod
    def of(cls, input_path: Path, settings: Settings, folder: Path) -> Supply:
        """List the input as a job would, and draw a sample that is spread over it.

        Parameters
        ----------
        input_path
            Absolute; a folder or one file.
        settings
            Which files are chosen.
        folder
            Where the plan is written; it is nobody's afterwards.

        Raises
        ------
        InputError
            There is no file.
        PlanError
            The folder cannot be written.
        """
        planner = Planner(
            root=input_path,
            folder=folder,
            mini_batch_size=SAMPLE,
            recursive=settings.recursive,
            include_hidden=settings.include_hidden,
            exclude=[folder.parent],
            include_patterns=settings.include,
            exclude_patterns=settings.exclude,
            input_list=settings.input_list,
            limit=min(settings.limit or SAMPLE, SAMPLE),
        )
        try:
            while not planner.complete:
                planner.step(_SLICE_S)
            names = [os.fsdecode(name) for name in planner.manifest.paths_of(0)]
            found = len(names) + planner.manifest.skipped.get(NOT_SAMPLED, 0)
        finally:
            planner.close()
        root = str(input_path if input_path.is_dir() else input_path.parent)
        return cls(root, names, min(found, settings.limit or found))

    @property
    def usable(self) -> int:
        """How many files of the sample are not left out."""
        return len(self._names)

    @property
    def new(self) -> int:
        """How many files nobody has read yet."""
        return max(0, len(self._names) - self._next)

    def take(self, size: int) -> list[str]:
        """Return the next files: as many as are wanted, or all that are usable; none twice."""
        count = len(self._names)
        taken = [self._names[(self._next + number) % count] for number in range(min(size, count))]
        self._next += len(taken)
        if self._next >= 2 * count:
            self._next -= count
        return taken

    def leave_out(self, name: str) -> None:
        """Never hand this file out again."""
        if name in self._left_out:
            return
        self._left_out.add(name)
        at = self._names.index(name)
        del self._names[at]
        self._next -= at < self._next

    def facts(self) -> Files:
        """Look at the sizes of the files; those that are gone count as empty."""
        sizes = [_size(os.path.join(self.root, name)) for name in self._names] or [0]
        return Files(
            files=self.files,
            sampled=len(self._names) + len(self._left_out),
            median_bytes=int(statistics.median(sizes)),
            largest_bytes=max(sizes),
            total_bytes=int(statistics.fmean(sizes) * self.files),
        )

    def median_rows(self) -> int | None:
        """Count the lines of some files where they are text tables; they are read for it."""
        some = [name for name in self._names if name.lower().endswith(_TEXT_TABLES)][:_LOOKED_INTO]
        if 2 * len(some) < min(_LOOKED_INTO, len(self._names)):
            return None
        counts = [_lines(os.path.join(self.root, name)) for name in some]
        return int(statistics.median(counts)) if counts else None

    def forget_cached(self, names: Iterable[str]) -> None:
        """Let the kernel forget what it holds of files, as it will have by the time a job comes to them."""
        for name in names:
            try:
                file = os.open(os.path.join(self.root, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except OSError:
                continue  # the script will say what is wrong with it
            try:
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _lines(path: str) -> int:
    """Count the lines of a file; of a long one, as many as its beginning lets expect."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_READ_BYTES)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return 0
    lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    return int(lines * size / len(data)) if len(data) < size else lines
