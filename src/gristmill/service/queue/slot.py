"""A slot: the process in which the runner lets jobs run, one after the other.

It reads a job's name from its standard input, a line each, and writes lines of JSON to its standard output:
``{"ready": true}`` when it has loaded everything that jobs need, ``{"began": name}`` when it has begun a job,
and ``{"done": name, "trouble": null}`` when it is done with it; ``trouble`` says what is in the way of a job
that has not ended and is to be tried again. ``{"warm": {deployment: seconds}}`` says for whom it keeps
workers, and how long. At the end of its input, which comes with the runner's death, too, it ends the job that
it has and then itself. SIGTERM ends it at once, like SIGKILL: its job is interrupted, and begun again by the
next runner.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gristmill.engine.warm_pool import WarmPool
from gristmill.errors import GristmillError, JobStateError
from gristmill.faults import reach
from gristmill.run.job_folder import JobFolder
from gristmill.service.beginning import Beginning
from gristmill.service.running import RunningJob
from gristmill.service.warming import warm_folder
from gristmill.settings import Home

_LOOK_EVERY_S = 0.3
BUILD_LOG = Path("logs", "environment_build.txt")


class Channel:
    """The slot's line to its runner; none of the processes that it starts gets hold of it."""

    def __init__(self) -> None:
        """Take it over from the standard streams, which from now on are the log and nothing."""
        self._names = os.dup(0)  # what Python duplicates is not inherited
        self._unread = b""
        self._answers = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        os.close(nothing)

    def next_job(self, wait_s: float | None = None) -> str | None:
        """Wait for the name of a job that is to be run.

        Parameters
        ----------
        wait_s
            How long; None: for ever.

        Returns
        -------
        str or None
            Empty where none came in time; None where none will come: the runner wants no more, or is dead.
        """
        while b"\n" not in self._unread:
            if not select.select([self._names], [], [], wait_s)[0]:
                return ""
            chunk = os.read(self._names, 4096)
            if not chunk:
                return None
            self._unread += chunk
        name, _, self._unread = self._unread.partition(b"\n")
        return name.decode("ascii")

    def tell(self, **words: object) -> None:
        """Tell the runner; where that is dead, nobody."""
        with suppress(OSError):
            os.write(self._answers, json.dumps(words).encode("ascii") + b"\n")


class SlotProcess:
    """Runs jobs of one home."""

    def __init__(self, home: Home, channel: Channel) -> None:
        self._home = home
        self._channel = channel
        self._folder = JobFolder(home.jobs)
        self._pool = WarmPool(warm_folder(home), sys.executable)
        self._beginning = Beginning(home, self._say, self._pool)

    def serve(self) -> None:
        """Run what the runner names, until it wants no more; in between, look after workers that wait."""
        self._channel.tell(ready=True)
        while (name := self._channel.next_job(self._pool.due_in_s())) is not None:
            if name:
                trouble = self._run(name)
                self._channel.tell(done=name, trouble=trouble, warm=self._pool.kept())
                reach("slot.done")
            else:
                before = self._pool.kept().keys()
                self._pool.tend()
                if self._pool.kept().keys() != before:
                    self._channel.tell(warm=self._pool.kept())
        self._pool.close()

    def _run(self, name: str) -> str | None:
        """Run a job to its end; say why it could not even be written down how it ended."""
        self._folder = JobFolder(self._home.jobs / name)
        try:
            running = self._beginning.start(self._folder, self._cancellable)
            if running is not None:
                self._channel.tell(began=name)
                _work(running, self._folder)
        except JobStateError:
            return None  # somebody else has begun it, or ended it
        except GristmillError as error:
            return str(error)
        except OSError as error:
            return f"job {name}: {error}"
        return None

    def _say(self, text: str) -> None:
        """Write down with the job how its environment is built."""
        path = self._folder.path / BUILD_LOG
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
        self._folder.tell("building", text=text)

    @contextmanager
    def _cancellable(self) -> Iterator[None]:
        """Let a request to cancel the job interrupt what is done meanwhile, as Ctrl-C would."""

        def look(number: int, frame: object) -> None:
            if self._folder.cancel_request.exists():
                signal.setitimer(signal.ITIMER_REAL, 0)
                raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, look)
        signal.setitimer(signal.ITIMER_REAL, _LOOK_EVERY_S, _LOOK_EVERY_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _work(running: RunningJob, folder: JobFolder) -> None:
    """Work until the job has ended, and write down what its user should know, for whoever follows it."""
    said: set[str] = set()
    for text in running.notices:
        _note(folder, text, said)
    for progress in running.steps():
        for text in progress.notices:
            _note(folder, text, said)


def _note(folder: JobFolder, text: str, said: set[str]) -> None:
    if text not in said:
        said.add(text)
        with suppress(GristmillError):  # the job is worth more than what is said of it
            folder.tell("notice", text=text)


def _go_on(number: int, frame: object) -> None:
    """SIGHUP: a slot outlives every terminal. A handler, since workers would inherit ``SIG_IGN``."""


def main() -> int:
    """Serve the runner that has started this process."""
    signal.signal(signal.SIGHUP, _go_on)
    os.chdir("/")
    SlotProcess(Home.from_environment(), Channel()).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
