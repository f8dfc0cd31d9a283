"""What the workers take of the memory: each with every process that it started (decision 0010).

Anonymous, shared and swapped-out memory counts; a mapped model file does not, since all workers share it and
the kernel gives it up on demand. That is cheap to read for one process (``/proc/<pid>/status``), and right.
For several of one worker it is a bound: pages that they share, after a fork or in shared memory, are in each
of them. Only ``smaps_rollup`` tells them once, and it walks all page tables: it is read where the bound says
something new, and then for a twentieth of the time at most.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from gristmill.engine.sweep import WORKER_MARK

#: Looking for new processes takes this share of the time at most, on a machine with very many.
_SHARE_OF_SEARCH = 0.01
#: So does reading `smaps_rollup`, for each worker.
_SHARE_OF_ROLLUP = 0.05
#: What counts, in a process's ``status``, and in its ``smaps_rollup``.
_OF_STATUS = (b"RssAnon:", b"RssShmem:", b"VmSwap:")
_OF_ROLLUP = (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")
_STATUS_BYTES = 8192


def data_limit(memory_per_worker: int | None) -> int | None:
    """Return what ``RLIMIT_DATA`` is to be in a worker, in bytes; None: as it is.

    It counts what is asked for, and not what is used: stacks of threads and buffers of numeric libraries
    among it. So it stands half as much and a GiB above the limit, which the watchdog keeps; its own work is
    the one huge allocation that is faster than any watchdog.
    """
    if memory_per_worker is None:
        return None
    return memory_per_worker + memory_per_worker // 2 + (1 << 30)


def size_in_words(size_bytes: int) -> str:
    """Return a size as people say it."""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.3g} GB"
    return f"{size_bytes / 1e6:.4g} MB"


@dataclass(kw_only=True)
class _Tree:
    """A worker and the processes that it started."""

    mark: bytes
    members: set[int] = field(default_factory=set)
    """Those that count: a process is one from the second look on. One that is being spawned has its parent's
    memory until it is executed."""
    taken: int = 0
    is_exact: bool = True
    peak: int = 0
    rollup: int = 0
    """What `smaps_rollup` said last, of all members."""
    bound: int = 0
    """What their `status` said then."""
    rollup_after: float = 0.0


class WorkerMemory:
    """Measures the memory of workers, by the id of their process."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = os.fspath(proc)
        self._trees: dict[int, _Tree] = {}
        self._owners: dict[int, int] = {}
        """Process → the worker that it belongs to, 0: none. Of all that are alive."""
        self._search_after = 0.0

    def add(self, worker: int, mark: str) -> None:
        """Measure a worker from now on.

        Parameters
        ----------
        worker
            The id of its process.
        mark
            Its mark, that of its processes too.
        """
        self._trees[worker] = _Tree(mark=f"{WORKER_MARK}={mark}".encode(), members={worker})
        self._owners[worker] = worker

    def forget(self, worker: int) -> int:
        """Measure a worker no longer; return the most that it took, in bytes."""
        tree = self._trees.pop(worker, None)
        self._owners = {one: owner for one, owner in self._owners.items() if owner != worker}
        return tree.peak if tree is not None else 0

    def look(self, now: float) -> None:
        """Measure all workers.

        Parameters
        ----------
        now
            Monotonic time, in seconds.
        """
        for tree in self._trees.values():
            self._measure(tree, now)
        if now >= self._search_after:
            began = time.monotonic()
            self._search()
            self._search_after = now + (time.monotonic() - began) / _SHARE_OF_SEARCH

    def now_of(self, worker: int) -> int:
        """Return what a worker takes, in bytes; at most, where its processes may share some of it."""
        return self._trees[worker].taken

    def is_over(self, worker: int, limit_bytes: int) -> bool:
        """Say whether it is known that a worker takes more than its limit."""
        tree = self._trees[worker]
        return tree.is_exact and tree.taken > limit_bytes

    def peak_of(self, worker: int) -> int:
        """Return the most that a worker has taken, in bytes."""
        tree = self._trees.get(worker)
        return tree.peak if tree is not None else 0

    def _measure(self, tree: _Tree, now: float) -> None:
        bound = sum(self._told_by(process, "status", _OF_STATUS) or 0 for process in tree.members)
        is_one = len(tree.members) == 1
        tree.is_exact = is_one or bound == tree.bound
        if is_one:
            tree.taken = bound
            tree.rollup = tree.bound = 0
        else:
            tree.taken = min(bound, tree.rollup + max(0, bound - tree.bound)) if tree.bound else bound
            if tree.taken > tree.peak and now >= tree.rollup_after:
                self._roll_up(tree, bound, now)
        if tree.is_exact:
            tree.peak = max(tree.peak, tree.taken)

    def _roll_up(self, tree: _Tree, bound: int, now: float) -> None:
        began = time.monotonic()
        taken = 0
        for process in tree.members:
            shared = self._told_by(process, "smaps_rollup", _OF_ROLLUP)
            # One that is not ours to look into, as it belongs to another user, is taken as it says itself.
            taken += self._told_by(process, "status", _OF_STATUS) or 0 if shared is None else shared
        tree.rollup_after = now + (time.monotonic() - began) / _SHARE_OF_ROLLUP
        tree.taken = tree.rollup = min(bound, taken)
        tree.bound = bound
        tree.is_exact = True

    def _search(self) -> None:
        """Find the processes that are new, and whose they are."""
        alive = {int(name) for name in os.listdir(self._proc) if name.isdigit()}
        owners = self._owners
        for gone in owners.keys() - alive:
            del owners[gone]
        for process in sorted(alive - owners.keys()):  # a parent before its children, mostly
            owner = self._owner_of(process)
            if owner is not None:
                owners[process] = owner
        for tree in self._trees.values():
            tree.members.clear()
        for process, owner in owners.items():
            if owner in self._trees:
                self._trees[owner].members.add(process)

    def _owner_of(self, process: int) -> int | None:
        """Return the worker that a process has the mark of, or descends from; 0: none, None: too young."""
        try:
            environment = _read(f"{self._proc}/{process}/environ", None)
        except OSError:
            environment = b"?"  # not ours to read, so not with our mark; but perhaps a child
        for worker, tree in self._trees.items():
            if tree.mark in environment:
                return worker
        try:
            fields = _read(f"{self._proc}/{process}/stat", 1024).rpartition(b")")[2].split()
            parent, is_kernel = int(fields[1]), fields[20] == b"0"
        except (OSError, IndexError, ValueError):
            return None
        owner = self._owners.get(parent, 0)
        return owner if environment or owner or is_kernel else None

    def _told_by(self, process: int, file: str, words: tuple[bytes, ...]) -> int | None:
        return _told(f"{self._proc}/{process}/{file}", words)


def taken_by(process: int, proc: Path = Path("/proc")) -> int:
    """Return what a process takes by itself, in bytes; nothing once it is gone."""
    return _told(f"{proc}/{process}/status", _OF_STATUS) or 0


def _told(path: str, words: tuple[bytes, ...]) -> int | None:
    try:
        text = _read(path, _STATUS_BYTES)
    except OSError:
        return None  # it is gone, or not ours to look into
    return sum(_kilobytes(text, word) for word in words) * 1024


def _kilobytes(text: bytes, word: bytes) -> int:
    at = text.find(word)
    if at < 0:
        return 0  # a process that is dying has none
    number = text[at + len(word) : text.find(b"\n", at)].split()
    return int(number[0]) if number else 0


def _read(path: str, size: int | None) -> bytes:
    """Read a file of the kernel's in one go; of a long one, with no size, all of it."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if size is not None:
            return os.read(file, size)
        text = b""
        while chunk := os.read(file, 1 << 16):
            text += chunk
        return text
    finally:
        os.close(file)
