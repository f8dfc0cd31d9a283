"""The pool of workers that stay loaded between jobs, for one process that runs jobs one after the other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gristmill.engine.machine import MachineMemory
from gristmill.engine.standby import Standby, remove_forgotten
from gristmill.engine.watchdog import is_short

#: Somebody looks this often, while workers wait: whether they live, and whether memory is short.
LOOK_EVERY_S = 1.0


@dataclass(kw_only=True)
class _Kept:
    """A standby, and how long it is kept."""

    standby: Standby
    keep_s: float
    called: str


class WarmPool:
    """Keeps a standby for each deployment that asks for it; see `standby`."""

    def __init__(self, folder: Path, python: str, memory: MachineMemory | None = None) -> None:
        """Keep nothing yet; what others have left that were killed is removed.

        Parameters
        ----------
        folder
            Where its folders are, and those of every other process of this home.
        python
            Our own interpreter, for guards.
        memory
            Tells how much memory is left; this machine's own unless given.

        Raises
        ------
        OSError
            The folder cannot be read.
        """
        self._folder = folder
        self._python = python
        self._memory = memory or MachineMemory()
        self._kept: dict[str, _Kept] = {}
        if folder.is_dir():
            remove_forgotten(folder)

    def standby(self, key: str, keep_s: float, called: str) -> tuple[Standby, bool]:
        """Return what is kept for jobs of this key.

        Parameters
        ----------
        key
            Equal for two jobs if and only if a worker that was loaded for one can serve the other.
        keep_s
            How long it is kept without a job, in seconds.
        called
            The deployment, for people.

        Returns
        -------
        tuple
            The standby, and whether it is new: then it has neither code nor model yet.

        Raises
        ------
        OSError
            It cannot be made.
        """
        kept = self._kept.get(key)
        if kept is not None:
            kept.keep_s = keep_s
            return kept.standby, False
        standby = Standby(self._folder, self._python)
        self._kept[key] = _Kept(standby=standby, keep_s=keep_s, called=called)
        return standby, True

    def drop(self, standby: Standby) -> None:
        """Keep something no longer."""
        self._kept = {key: kept for key, kept in self._kept.items() if kept.standby is not standby}
        standby.end()

    def kept(self) -> Mapping[str, float]:
        """Return for which deployments workers wait, and how long they still do without a job, in seconds."""
        now = time.monotonic()
        return {
            kept.called: max(0.0, kept.standby.idle_since + kept.keep_s - now)
            for kept in self._kept.values()
            if kept.standby.workers
        }

    def taken_bytes(self) -> int:
        """Return the memory of all workers that wait: it is there for whoever needs it."""
        return sum(kept.standby.taken_bytes for kept in self._kept.values())

    def due_in_s(self) -> float | None:
        """Return after how long `tend` is to be called, at the latest; None while nothing is kept."""
        waits = self.kept().values()
        return min(LOOK_EVERY_S, *waits) if waits else None

    def tend(self) -> None:
        """Between jobs: bury who has died, end what has waited long enough, and give way to others.

        It takes a moment, and up to some seconds where workers are ended.
        """
        now = time.monotonic()
        for kept in list(self._kept.values()):
            standby = kept.standby
            if standby.is_used:
                continue
            standby.look()
            if not standby.workers or now - standby.idle_since >= kept.keep_s:
                self.drop(standby)
        reading = self._memory.read() if self._kept else None
        if reading is not None and is_short(reading, None):
            self.give_way()

    def give_way(self) -> bool:
        """Memory is short: kill the workers that wait; say whether there were any."""
        idle = [kept.standby for kept in self._kept.values() if not kept.standby.is_used]
        idle = [standby for standby in idle if standby.workers]
        for standby in idle:
            self._kept = {key: kept for key, kept in self._kept.items() if kept.standby is not standby}
            standby.end(in_order=False)
        return bool(idle)

    def close(self) -> None:
        """Let all workers end; idempotent."""
        kept, self._kept = self._kept, {}
        for one in kept.values():
            one.standby.end()
