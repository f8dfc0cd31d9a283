"""Names of one folder in bytewise order, in little memory however many they are.

Names come in sorted lists; lists become sorted runs; when more names are held than fit the allowance, the
runs go to one temporary file, and the merge reads them back block by block. Each call does a bounded
amount of work, so that whoever lists a folder of ten million names can pause at any moment. This module
must not know where the names come from.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from gristmill.errors import PlanError
from gristmill.plan.numbers import write_all

RUN_NAMES = 32_768
"""Names in one sorted run: sorting that many takes about five milliseconds."""

MEMORY_NAMES = 196_608
"""Names that are held in memory before the runs are spilled to disk."""

SPILL_RUNS = 2
"""Runs written at once: more than one, so that memory shrinks once spilling has begun."""

CHUNK_NAMES = 4_096
"""Names in one merged chunk, about."""

READ_BYTES = 4 * 1024 * 1024
"""Bytes read ahead from the spilled runs, all runs together."""

SMALLEST_BLOCK = 512
"""Bytes read ahead from one run at least: longer than any file name."""

LARGEST_BLOCK = 64 * 1024
"""Bytes read ahead from one run at most."""


class SortedNames:
    """Collects names and gives them back in bytewise order.

    Parameters
    ----------
    scratch
        An existing folder for the temporary file; the file has no name there once it is open.
    run_names
        Names in one sorted run.
    memory_names
        Names held in memory before runs are spilled.
    smallest_block
        Bytes read ahead from one run at least; longer than any name.
    """

    def __init__(
        self,
        scratch: Path,
        *,
        run_names: int = RUN_NAMES,
        memory_names: int = MEMORY_NAMES,
        smallest_block: int = SMALLEST_BLOCK,
    ) -> None:
        self._scratch = scratch
        self._run_names = run_names
        self._memory_names = memory_names
        self._smallest_block = smallest_block
        self._open_run: list[bytes] = []
        self._held: list[list[bytes]] = []
        self._names = 0
        self._spill = -1
        self._spilled: list[tuple[int, int]] = []
        self._spill_size = 0

    @property
    def spilled_runs(self) -> int:
        """The number of runs that were written to disk."""
        return len(self._spilled)

    def add(self, names: list[bytes]) -> None:
        """Take some names: fastest when each list is sorted in itself.

        Parameters
        ----------
        names
            Names without NUL bytes, none of them empty.

        Raises
        ------
        PlanError
            When the temporary file cannot be written.
        """
        self._open_run += names
        if len(self._open_run) >= self._run_names:
            self._close_run()
            if self._names > self._memory_names:
                self._spill_held()

    def merged(self) -> Iterator[list[bytes]]:
        """Yield all names in bytewise order, in chunks; to be called once, after the last `add`.

        Yields
        ------
        list[bytes]
            The next names, never empty.

        Raises
        ------
        PlanError
            When the temporary file cannot be read back.
        """
        if self._open_run:
            self._close_run()
        block = min(LARGEST_BLOCK, max(self._smallest_block, READ_BYTES // max(1, len(self._spilled))))
        runs = [_Run(names=names) for names in self._held]
        self._held = []
        runs += [_Run(spill=self._spill, at=at, end=end, block=block) for at, end in self._spilled]
        return _merged(runs)

    def close(self) -> None:
        """Give back memory and disk; safe to repeat."""
        self._held, self._open_run = [], []
        if self._spill >= 0:
            os.close(self._spill)
            self._spill = -1

    def _close_run(self) -> None:
        self._open_run.sort()
        self._held.append(self._open_run)
        self._names += len(self._open_run)
        self._open_run = []

    def _spill_held(self) -> None:
        try:
            if self._spill < 0:
                self._spill = _nameless_file(self._scratch)
            for names in self._held[:SPILL_RUNS]:
                end = self._spill_size + write_all(self._spill, b"\0".join(names) + b"\0")
                self._spilled.append((self._spill_size, end))
                self._spill_size = end
        except OSError as error:
            raise PlanError(
                f"cannot write the temporary list of a large folder in {str(self._scratch)!r}: "
                f"{error.strerror}; free some space there and start again"
            ) from error
        del self._held[:SPILL_RUNS]


def merged_runs(
    descriptor: int, runs: list[tuple[int, int]], name_of: Callable[[bytes], bytes] | None = None
) -> Iterator[list[bytes]]:
    """Yield names that lie in a file as sorted runs, in bytewise order, in chunks.

    Parameters
    ----------
    descriptor
        The file; each name in it is ended by NUL, and none is longer than `LARGEST_BLOCK`.
    runs
        Where each run begins and ends, in bytes; none is empty.
    name_of
        Makes names of what lies there, if it is more than names; those that follow one another and are the
        same are one.

    Yields
    ------
    list[bytes]
        The next names, never empty.

    Raises
    ------
    PlanError
        When the file is shorter than that.
    """
    return _merged(
        [_Run(spill=descriptor, at=at, end=end, block=LARGEST_BLOCK, name_of=name_of) for at, end in runs]
    )


class _Run:
    """One sorted run while it is merged: the names at hand, and what is still on disk."""

    __slots__ = ("_at", "_block", "_end", "_last", "_name_of", "_spill", "names", "position")

    def __init__(
        self,
        names: list[bytes] | None = None,
        *,
        spill: int = -1,
        at: int = 0,
        end: int = 0,
        block: int = 0,
        name_of: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self.names = names or []
        self.position = 0
        self._name_of = name_of
        self._last = b""
        self._spill, self._at, self._end, self._block = spill, at, end, block
        if not self.names:
            self.refill()

    def refill(self) -> bool:
        """Load the next block of names in place of those used up; tell whether there was one."""
        while self._at < self._end:
            block = os.pread(self._spill, min(self._block, self._end - self._at), self._at)
            whole = block.rfind(b"\0")
            if whole < 0:
                raise PlanError("the temporary list of a large folder was cut short; start again")
            self.names = block[:whole].split(b"\0")
            self.position = 0
            self._at += whole + 1
            if self._name_of is not None:
                self.names = self._distinct(map(self._name_of, self.names))
            if self.names:
                return True
        return False

    def _distinct(self, names: Iterator[bytes]) -> list[bytes]:
        found = [name for name, _ in groupby(names)]
        if found[0] == self._last:
            del found[0]
        self._last = found[-1] if found else self._last
        return found


def _merged(runs: list[_Run]) -> Iterator[list[bytes]]:
    """Merge by blocks: all names up to a bound that every run has at hand are taken and sorted at once.

    Sorting lists that are sorted already is a merge, and nothing is done name by name in Python. `share`
    is how far ahead each run is looked at: it grows while runs follow one another and falls back where
    they interleave, so that no chunk has more than twice `CHUNK_NAMES`.
    """
    share = 1
    while runs:
        cuts = _cuts(runs, share)
        size = sum(cuts) - sum(run.position for run in runs)
        if size > 2 * CHUNK_NAMES and share > 1:
            share = max(1, CHUNK_NAMES // len(runs))
            cuts = _cuts(runs, share)
        elif size < CHUNK_NAMES // 2 and share < CHUNK_NAMES:
            share *= 2
        taken: list[bytes] = []
        finished = False
        for run, cut in zip(runs, cuts, strict=True):
            if cut > run.position:
                taken += run.names[run.position : cut]
                run.position = cut
                if cut == len(run.names) and not run.refill():
                    finished = True
        if finished:
            runs = [run for run in runs if run.position < len(run.names)]
        taken.sort()
        yield taken


def _cuts(runs: list[_Run], share: int) -> list[int]:
    """Return up to where each run can be taken, when none is looked at further ahead than `share` names."""
    bound = min(run.names[min(run.position + share, len(run.names)) - 1] for run in runs)
    return [bisect_right(run.names, bound, run.position) for run in runs]


def _nameless_file(folder: Path) -> int:
    """Open a file that vanishes with its descriptor, even when the process is killed."""
    path = folder / "names.spill"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    path.unlink()
    return descriptor
