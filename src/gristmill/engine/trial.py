"""Workers whose script is measured, call by call: started, asked, listened to, replaced when they die.

Everything happens in the one thread that asks. What a worker tells is kept in `gristmill_worker.trial`'s own
words; this module must not know what any of it means for a job.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gristmill.engine.archive import worker_archive
from gristmill.engine.hearing import Hearing, Observation
from gristmill.engine.launch import PARTS_PER_START, Assignment, Entry, launch_worker
from gristmill.engine.memory import WorkerMemory
from gristmill.engine.process import Process, exit_in_words
from gristmill.engine.sweep import WORKER_MARK, sweep
from gristmill.errors import StorageError
from gristmill_worker.wire import STOP, TASK, frame

#: The worker writes down where it stands at its limit; a moment later it is killed.
_GRACE_S = 0.5
_LEAVING_S = 3.0
#: How often memory is looked at while a call runs.
_LOOK_EVERY_S = 0.02
_LONGEST_SAID_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Started:
    """A worker that is ready."""

    boot_s: float
    """Seconds until the script was imported: the interpreter's own start."""
    import_s: float
    init_s: float
    peak_bytes: int
    """The most memory up to here, without pages of files."""
    held_bytes: int
    """What it holds now, with the processes that it started."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of ``run()`` that returned."""

    worker: int
    """Which worker it was, by the id of its process."""
    names: tuple[str, ...]
    """Its files."""
    results: int
    began_at: float
    """Monotonic time, in seconds."""
    ended_at: float
    """When its rows were written."""
    cpu_s: float
    """Processor time, with threads and child processes."""
    stalled_s: float
    """How long it was ready to run and other processes had the cores."""
    read_bytes: int
    """What came from a disk, and not from the page cache."""
    written_s: float
    """Seconds for making rows of the results, and writing them."""
    written_bytes: int
    """Rows, and files in the output folder."""
    peak_bytes: int
    """The most memory during the call, without pages of files, with the processes that it started."""

    @property
    def seconds(self) -> float:
        """How long it took, rows included."""
        return self.ended_at - self.began_at


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A start or a call that failed."""

    names: tuple[str, ...]
    """Its files; none: the worker did not start."""
    kind: str
    """``exception``, ``died`` or ``timeout``."""
    message: str
    detail: str
    """The script's traceback, or where it stood; empty where there is none."""


class Trial:
    """A few workers of one assignment, of which as many live as are asked for.

    Close it; no process is left of it then.
    """

    def __init__(self, assignment: Assignment) -> None:
        """Start nothing yet; the assignment's ``scratch`` holds all folders, and is `rehearsal.guarded`.

        Raises
        ------
        StorageError
            The archive of the worker cannot be written.
        """
        self._assignment = assignment
        self._memory = WorkerMemory()
        self._workers: list[_Worker] = []
        self._parts = assignment.fence * PARTS_PER_START
        try:
            self._archive = worker_archive(assignment.cache)
        except OSError as error:
            raise _cannot_start(error, assignment) from error

    @property
    def workers(self) -> int:
        """How many are alive."""
        return len(self._workers)

    def share_cores_among(self, workers: int) -> None:
        """Let workers that are started from now on take themselves for some of so many."""
        self._assignment = replace(self._assignment, workers=workers)

    def start(self, workers: int, limit_s: float) -> list[Started | Failure]:
        """Start workers until there are so many, all at once; those that do not start are not kept.

        Parameters
        ----------
        workers
            How many are to be alive.
        limit_s
            The most seconds for all of it.

        Raises
        ------
        StorageError
            A worker cannot be launched.
        """
        new = [self._launch(number) for number in range(len(self._workers), workers)]
        self._workers += new
        deadline = time.monotonic() + limit_s
        for one in new:
            one.expect((), deadline)
        self._listen(new, until=deadline)
        answers = [(one, told) for one in new for told in one.take()]
        for one, told in answers:
            if isinstance(told, Failure):
                self._bury(one)
        return [told for _, told in answers if not isinstance(told, Call)]

    def call(self, calls: Sequence[Sequence[str]], limit_s: float, until: float) -> list[Call | Failure]:
        """Let the first worker do calls, one after the other; what it had not begun before it died is not
        told.

        Parameters
        ----------
        calls
            The files of each, relative to the root.
        limit_s
            The most seconds for one of them.
        until
            When to kill it, whatever it is doing (monotonic time).
        """
        return self.call_all([calls], limit_s, until)

    def call_all(
        self, shares: Sequence[Sequence[Sequence[str]]], limit_s: float, until: float
    ) -> list[Call | Failure]:
        """Let several workers do calls side by side; see `call`.

        Parameters
        ----------
        shares
            The calls of the first worker, of the second, and so on.
        """
        asked = list(zip(self._workers, shares, strict=False))
        for one, calls in asked:
            one.ask(calls, limit_s)
        self._listen([one for one, _ in asked], until=until)
        return [told for one, _ in asked for told in one.take() if not isinstance(told, Started)]

    def close(self) -> None:
        """End all workers, kindly where they answer."""
        for one in self._workers:
            one.stop()
        self._listen(self._workers, until=time.monotonic() + _LEAVING_S)
        for one in list(self._workers):
            self._bury(one)

    def kill(self) -> None:
        """End all workers at once."""
        for one in list(self._workers):
            self._bury(one)

    def _launch(self, number: int) -> _Worker:
        self._parts += 1
        assignment = self._assignment
        stack = assignment.scratch / f"stack-{self._parts}.txt"
        try:
            launched = launch_worker(
                assignment,
                self._archive,
                number,
                self._parts,
                entry=Entry(name="trial", terms=json.dumps({"stack": str(stack)})),
            )
        except OSError as error:
            raise _cannot_start(error, assignment) from error
        os.set_blocking(launched.outgoing, True)
        mark = f"{assignment.run_id}.{number}.{self._parts}"
        self._memory.add(launched.process.id, mark)
        said = assignment.log_path("stderr", number, ".stderr.txt")
        return _Worker(launched.process, launched.incoming, launched.outgoing, mark, stack, said)

    def _listen(self, workers: Sequence[_Worker], until: float) -> None:
        """Take in what workers tell until all have told what they owe, or are dead; kill who is late."""
        poll = select.poll()
        workers = list(workers)  # those that are buried leave the crew
        by_descriptor = {}
        for one in workers:
            for descriptor in (one.incoming, one.process.fileno()):
                poll.register(descriptor, select.POLLIN)
                by_descriptor[descriptor] = one
        open_ones = [one for one in workers if one.owes]
        while open_ones:
            now = time.monotonic()
            for one in open_ones:
                if now > min(one.deadline, until) + _GRACE_S:
                    one.is_late = True
                    one.process.kill()
                    one.process.wait()
            for descriptor, _ in poll.poll(_LOOK_EVERY_S * 1000):
                one = by_descriptor[descriptor]
                is_open = descriptor == one.incoming and one.hearing.read()
                if not is_open:  # it is dead, or about to be
                    poll.unregister(descriptor)
            self._memory.look(time.monotonic())
            for one in open_ones:
                one.note_memory(self._memory.now_of(one.process.id))
                if one.owes and one.process.reap() is not None:
                    one.hearing.read()
                    if one.owes:
                        one.tell_death()
                    for descriptor in (one.incoming, one.process.fileno()):
                        _forget(poll, descriptor)
                    self._bury(one)
            open_ones = [one for one in open_ones if one.owes]
        for one in workers:
            if one in self._workers and one.process.reap() is not None:
                self._bury(one)

    def _bury(self, worker: _Worker) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
            self._memory.forget(worker.process.id)
            worker.process.kill()
            worker.process.wait()
            worker.close()
            sweep(WORKER_MARK, worker.mark)


class _Worker:
    """Our end of one of them."""

    def __init__(
        self, process: Process, incoming: int, outgoing: int, mark: str, stack: Path, said: Path
    ) -> None:
        self.process = process
        self.incoming = incoming
        self.mark = mark
        self.hearing = Hearing(incoming, self._hear)
        self.deadline = 0.0
        self.is_late = False
        self._outgoing = outgoing
        self._stack, self._said = stack, said
        self._owed: list[tuple[str, ...]] = []
        self._limit_s = 0.0
        self._told: list[Started | Call | Failure] = []
        self._peak = 0
        self._launched_at = time.monotonic()

    @property
    def owes(self) -> bool:
        """Whether it has not told all that it was asked for."""
        return bool(self._owed)

    def expect(self, names: tuple[str, ...], deadline: float) -> None:
        self._owed.append(names)
        self.deadline = deadline

    def ask(self, calls: Sequence[Sequence[str]], limit_s: float) -> None:
        self._owed = [tuple(names) for names in calls]
        self._limit_s, self._peak = limit_s, 0
        self.deadline = time.monotonic() + limit_s
        self._send(TASK, json.dumps({"calls": [list(names) for names in calls], "limit_s": limit_s}).encode())

    def stop(self) -> None:
        self._owed = [()]
        self.deadline = time.monotonic() + _LEAVING_S
        self._send(STOP, b"")

    def take(self) -> list[Started | Call | Failure]:
        told, self._told = self._told, []
        return told

    def note_memory(self, taken: int) -> None:
        self._peak = max(self._peak, taken)

    def tell_death(self) -> None:
        """Say of what it did when it died that it failed, and forget what else it owes."""
        names = self._owed[0]
        self._owed = []
        what = f"run() with {len(names):,} file{'' if len(names) == 1 else 's'}" if names else "the start"
        if self.is_late:
            message = f"{what} had not returned in time"
        else:
            message = f"the worker's process {exit_in_words(self.process.wait())} in {what}"
        kind = "timeout" if self.is_late else "died"
        detail = _end_of(self._stack if self.is_late else self._said)
        self._told.append(Failure(names=names, kind=kind, message=message, detail=detail))

    def close(self) -> None:
        self.process.close()
        os.close(self.incoming)
        os.close(self._outgoing)

    def _send(self, kind: int, payload: bytes) -> None:
        try:
            view = memoryview(frame(kind, payload))
            while view:
                view = view[os.write(self._outgoing, view) :]
        except BrokenPipeError:
            pass  # it is dead, and that is going to be seen

    def _hear(self, seen: Observation) -> None:
        event = seen["event"]
        if event not in ("ready", "called", "failed", "ended") or not self._owed:
            return
        names = self._owed.pop(0)
        self.deadline = time.monotonic() + self._limit_s
        if event == "ready":
            self._told.append(_started(seen, time.monotonic() - self._launched_at, self._peak))
        elif event == "called":
            self._told.append(_call(seen, names, self.process.id, self._peak))
            self._peak = 0
        elif event == "failed":
            self._told.append(
                Failure(names=names, kind="exception", message=seen["message"], detail=seen["traceback"])
            )


def _started(seen: Observation, seconds: float, held: int) -> Started:
    return Started(
        boot_s=max(0.0, seconds - seen["import_s"] - seen["init_s"]),
        import_s=seen["import_s"],
        init_s=seen["init_s"],
        peak_bytes=max(seen["peak_bytes"], held),
        held_bytes=seen["held_bytes"],
    )


def _call(seen: Observation, names: tuple[str, ...], worker: int, taken: int) -> Call:
    return Call(
        worker=worker,
        names=names,
        results=seen["results"],
        began_at=seen["began"],
        ended_at=seen["ended"],
        cpu_s=seen["cpu_s"],
        stalled_s=seen["stalled_s"],
        read_bytes=seen["read_bytes"],
        written_s=seen["written_s"],
        written_bytes=seen["written_bytes"],
        peak_bytes=max(seen["peak_bytes"], taken),
    )


def _forget(poll: select.poll, descriptor: int) -> None:
    try:
        poll.unregister(descriptor)
    except KeyError:
        pass  # it has been already


def _cannot_start(error: OSError, assignment: Assignment) -> StorageError:
    return StorageError(f"the worker cannot be started: {error}; make room in {assignment.scratch}")


def _end_of(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError:
        return ""
    return data[-_LONGEST_SAID_BYTES:].decode("utf-8", "replace").strip()
