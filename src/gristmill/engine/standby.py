"""The ground that outlives a job: for the jobs of one deployment, with workers that stay loaded between them.

It has its own copy of the code and its own layout of the model, since a worker that goes on with the next job
imports and opens what lies where it was loaded; its own guard, so that the death of this process leaves
nobody behind; and a lock by which every process can tell that somebody looks after it. Everything in it
carries its own mark, which is what the jobs that use it write down as the mark of their run.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from selectors import BaseSelector

from gristmill.engine.berth import berth_of
from gristmill.engine.channel import Channel
from gristmill.engine.guarding import Guarding
from gristmill.engine.launch import (
    Assignment,
    Launched,
    Standing,
    launch_worker,
    make_slots,
    scratch_folder,
)
from gristmill.engine.loaded import Loaded, Taken
from gristmill.engine.memory import taken_by
from gristmill.engine.process import let_children_be_awaited
from gristmill.engine.staging import unstage_model
from gristmill.engine.sweep import RUN_MARK, WORKER_MARK, sweep, values_of
from gristmill_worker import wire

#: A worker has this long to go on with another job; one that loads as well has the time for that.
TAKE_LIMIT_S = 10.0
#: Workers that nobody needs any more have this long to end in order, all together.
END_LIMIT_S = 5.0


class Standby:
    """What stays loaded for one deployment."""

    keeps_workers = True

    def __init__(self, folder: Path, python: str) -> None:
        """Make its folder, for its owner only.

        Parameters
        ----------
        folder
            Where the folders of all of them are.
        python
            Our own interpreter, for the guard.

        Raises
        ------
        OSError
            The folder cannot be made.
        """
        self.run_id = uuid.uuid4().hex
        self.folder = folder / self.run_id
        self.code = self.folder / "code"
        self.model = self.folder / "model"
        self.code_state: Mapping[str, str] = {}
        """What its copy of the code looked like when it was made, for whoever made it."""
        self.is_used = False
        """Whether a job works with it just now."""
        self.idle_since = time.monotonic()
        """Since when it is not, as monotonic time in seconds."""
        self._plan = self.folder / "plan"
        self._scratch = scratch_folder(self.run_id)
        self._guarding = Guarding(self.run_id, self._scratch, python)
        self._assignment: Assignment
        self._loaded: dict[int, Loaded] = {}
        self._births = 0
        self._bindings = 0
        self._is_open = False
        self._proven: dict[str, str] = {}
        """The SHA-256 of the modules in the job's own copy of the code that were asked for so far."""
        self._releases: list[Callable[[], None]] = []
        with _alone(folder):
            self.folder.mkdir(mode=0o700)
            self._lock = os.open(_lock(self.folder), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    @property
    def workers(self) -> int:
        """How many workers are loaded and wait for a job."""
        return len(self._loaded)

    @property
    def taken_bytes(self) -> int:
        """The memory of the workers that wait."""
        return sum(taken_by(one.launched.process.id) for one in self._loaded.values())

    def hold(self, release: Callable[[], None]) -> None:
        """Have something given back when this ends: the environment that its workers run in."""
        self._releases.append(release)

    def holds(self, release: Callable[[], None]) -> bool:
        """Say whether something is given back when this ends."""
        return release in self._releases

    def place(self, assignment: Assignment) -> Assignment:
        """Return an assignment whose workers stand here."""
        standing = Standing(outboxes=self.folder / "outbox", plan=self._plan, code=assignment.code)
        script = self.code / assignment.script.relative_to(assignment.code)
        return replace(
            assignment,
            run_id=self.run_id,
            scratch=self._scratch,
            code=self.code,
            script=script,
            standing=standing,
        )

    # What an engine asks of its ground

    def open(self, assignment: Assignment, selector: BaseSelector) -> None:
        """Let a job use this."""
        self._assignment = assignment
        self.is_used = True
        let_children_be_awaited()
        self._scratch.mkdir(parents=True, exist_ok=True)
        make_slots(assignment)
        _point(self._plan, assignment.plan)
        if self._is_open:
            self._guarding.look()
        else:
            self._guarding.start()
            self._is_open = True
        self._proven.clear()
        self._guarding.watch(selector)

    def replace_guard(self) -> None:
        """Somebody killed the guard; without one, our own death would leave orphans."""
        self._guarding.replace()

    def launch(self, archive: Path, worker: int, part: int) -> Launched:
        """Spawn a worker; its places have numbers that no other one has had here."""
        number, self._births = self._births, self._births + 1
        outboxes = self.folder / "outbox"
        berth = berth_of(self.run_id, self._scratch, outboxes, worker, number, number)
        return launch_worker(self._assignment, archive, worker, part, berth=berth)

    def take(self, worker: int) -> Loaded | None:
        """Return the worker that was left for a slot, if it lives."""
        loaded = self._loaded.pop(worker, None)
        if loaded is None or loaded.launched.process.reap() is None:
            return loaded
        self._discard(loaded)
        return None

    def terms(self, assignment: Assignment, loaded: Loaded, now: float) -> Taken:
        """Return how a worker is taken over."""
        assert assignment.standing is not None
        code = assignment.standing.code
        self._bindings += 1
        return Taken(
            binding=self._bindings,
            at=now,
            limit_s=TAKE_LIMIT_S + (0.0 if loaded.is_ready else assignment.init_timeout_s),
            proves=lambda modules: _is_same_code(modules, code, self._proven),
        )

    def leave(self, worker: int, loaded: Loaded) -> None:
        """Let a worker stay here."""
        self._loaded[worker] = loaded

    def with_strays(self, marks: Collection[str]) -> frozenset[str]:
        """Return those of the workers of which processes live that they have started."""
        found = values_of(RUN_MARK, self.run_id, WORKER_MARK)
        return frozenset(marks) if "" in found else frozenset(one for one in marks if found.count(one) > 1)

    def close(self) -> None:
        """The job is over; what was left here stays."""
        self._guarding.unwatch()
        self.is_used = False
        self.idle_since = time.monotonic()

    # Between jobs

    def look(self) -> None:
        """Bury workers that have died, and replace a guard that has."""
        dead = [n for n, one in self._loaded.items() if one.launched.process.reap() is not None]
        for worker in dead:
            self._discard(self._loaded.pop(worker))
        if self._is_open:
            self._guarding.look()

    def end(self, *, in_order: bool = True) -> None:
        """Let the workers end, or kill them at once; leave nothing.

        Parameters
        ----------
        in_order
            Whether they are told, and waited for: Python's own end of a process calls what it was asked to.
        """
        loaded, self._loaded = list(self._loaded.values()), {}
        if in_order:
            _stop([one.launched for one in loaded])
        for one in loaded:
            one.launched.process.kill()
            one.launched.process.wait()
            _give_back(one.launched)
        sweep(RUN_MARK, self.run_id)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._guarding.close(is_clean=True)
        remove_folder(self.folder)
        os.close(self._lock)
        for release in self._releases:
            release()

    def _discard(self, loaded: Loaded) -> None:
        """A worker has died while nobody looked."""
        sweep(WORKER_MARK, loaded.launched.berth.mark)
        shutil.rmtree(loaded.launched.berth.folder, ignore_errors=True)
        _give_back(loaded.launched)


def is_looked_after(folder: Path, run_id: str) -> bool:
    """Say whether a mark is that of a ground that a living process looks after.

    Nothing that carries it is a leftover then: its owner has ended what was not fit to stay.

    Parameters
    ----------
    folder
        Where the folders of all of them are.
    run_id
        The mark.
    """
    try:
        file = os.open(_lock(folder / run_id), os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def remove_forgotten(folder: Path) -> None:
    """Remove what processes have left that were killed."""
    with _alone(folder):
        for name in os.listdir(folder):
            if not is_looked_after(folder, name):
                sweep(RUN_MARK, name)
                shutil.rmtree(scratch_folder(name), ignore_errors=True)
                remove_folder(folder / name)


def remove_folder(folder: Path) -> None:
    """Remove a ground's folder, as far as that is possible; the model in it is laid out read-only."""
    try:
        unstage_model(folder / "model")
    except OSError:
        pass  # what is left of it stays, and with it the folder
    shutil.rmtree(folder, ignore_errors=True)


def _is_same_code(modules: Sequence[tuple[str, str]], code: Path, known: dict[str, str]) -> bool:
    """Say whether modules that are loaded, (path, SHA-256), are those that lie in a code folder; what is
    ``known`` of it is not read again.
    """
    try:
        for path, digest in modules:
            if path not in known:
                known[path] = sha256((code / path).read_bytes()).hexdigest()
            if known[path] != digest:
                return False
    except OSError:
        return False
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let nobody else make or remove the folder of a ground meanwhile."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _stop(workers: Sequence[Launched]) -> None:
    """Tell workers to end, and wait for them, for a while."""
    for one in workers:
        Channel(one.incoming, one.outgoing).send(wire.frame(wire.STOP))
    deadline = time.monotonic() + END_LIMIT_S
    ends = select.poll()
    for one in workers:
        ends.register(one.process.fileno(), select.POLLIN)
    left = len(workers)
    while left and (wait_s := deadline - time.monotonic()) > 0:
        for number, _ in ends.poll(wait_s * 1000):
            ends.unregister(number)
            left -= 1


def _give_back(launched: Launched) -> None:
    os.close(launched.incoming)
    os.close(launched.outgoing)
    launched.process.close()


def _point(link: Path, target: Path) -> None:
    """Let a link lead somewhere else, all at once."""
    fresh = link.with_name(f"{link.name}.fresh")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def _lock(folder: Path) -> Path:
    return folder / "lock"
