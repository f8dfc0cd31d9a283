"""Asking a process for its Python stacks, from outside: without waiting, and answered within a second.

Three ways, the next where one gives nothing (docs/decisions/0011-stacks.md): ``py-spy``, if it is there,
which reads the memory of the process and changes nothing in it; a signal, on which the worker's own
``faulthandler`` writes them down (`gristmill_worker.stacks`); and what the kernel says.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gristmill.engine.kernel import state_of, takes_signal
from gristmill.engine.stacks import (
    FAULTHANDLER,
    KERNEL,
    PY_SPY,
    Stacks,
    Thread,
    is_whole,
    threads_of_faulthandler,
    threads_of_spy,
)
from gristmill_worker.stacks import SIGNAL

if TYPE_CHECKING:
    import subprocess

#: `py-spy` takes some 20 ms; a busy machine gets more.
SPY_LIMIT_S = 0.6
#: How long the answer to the signal may take.
SIGNAL_LIMIT_S = 0.4
#: An answer whose end is not seen is believed to be whole when it has not grown for this long.
_QUIET_S = 0.15
_PTRACE_SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")
_LARGEST_ANSWER = 1 << 20


class StackRequest:
    """Asks one process for its stacks; `poll` never waits."""

    def __init__(self, process: int, answers: Path | None, spy: Path | None, now: float) -> None:
        """Ask.

        Parameters
        ----------
        process
            The process.
        answers
            The file that its ``faulthandler`` writes to; None where it has none.
        spy
            The program ``py-spy``; None where there is none.
        now
            The monotonic time, in seconds.
        """
        self._process = process
        self._answers = answers
        self._kernel = state_of(process)
        self._spy: subprocess.Popen[bytes] | None = None
        self._spied: IO[bytes] | None = None
        self._asked_at = now
        self._answer: tuple[int, float] | None = None
        """How long the answer was, and when it grew last."""
        self._offset = 0
        self.stacks: Stacks | None = None
        """The answer; None while it is awaited."""
        if spy is None or not self._start_spy(spy):
            self._signal(now)

    def poll(self, now: float) -> bool:
        """Look for the answer; return whether `stacks` holds it."""
        if self.stacks is None and self._spied is not None:
            self._poll_spy(now)
        elif self.stacks is None:
            self._poll_answer(now)
        return self.stacks is not None

    def close(self) -> None:
        """Stop asking; idempotent."""
        if self._spy is not None and self._spy.poll() is None:
            self._spy.kill()
            from subprocess import TimeoutExpired

            try:
                self._spy.wait(0.1)
            except TimeoutExpired:
                pass  # it hangs in the kernel, as the process does; it ends when that does
        self._spy = None
        if self._spied is not None:
            self._spied.close()
            self._spied = None

    # py-spy

    def _start_spy(self, spy: Path) -> bool:
        command = [str(spy), "dump", "--json", "--nonblocking", "--pid", str(self._process)]
        import subprocess  # most jobs have no worker that is stuck

        try:
            self._spied = tempfile.TemporaryFile()
            self._spy = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._spied,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            self.close()
        return self._spy is not None

    def _poll_spy(self, now: float) -> None:
        assert self._spy is not None
        assert self._spied is not None
        if self._spy.poll() is None and now - self._asked_at < SPY_LIMIT_S:
            return
        threads: tuple[Thread, ...] = ()
        if self._spy.poll() == 0:
            self._spied.seek(0)
            threads = threads_of_spy(self._spied.read(_LARGEST_ANSWER), self._process)
        self.close()
        if threads:
            self._have(PY_SPY, threads)
        else:
            self._signal(now)

    # The signal

    def _signal(self, now: float) -> None:
        """Send the signal, if the process is known to answer it: others would be killed by it."""
        self._asked_at = now
        if self._answers is not None and _writes_to(self._process, self._answers):
            try:
                self._offset = self._answers.stat().st_size
                if takes_signal(self._process, SIGNAL):
                    os.kill(self._process, SIGNAL)
                    self._answer = (0, now)
                    return
            except OSError:
                pass  # it has gone meanwhile
        self._have(KERNEL, ())

    def _poll_answer(self, now: float) -> None:
        assert self._answers is not None
        assert self._answer is not None
        text = _read_from(self._answers, self._offset)
        length, grew_at = self._answer
        if len(text) > length:
            grew_at = now
            self._answer = (len(text), now)
        is_over = now - self._asked_at > SIGNAL_LIMIT_S
        if is_over or is_whole(text) or (text.endswith("\n") and now - grew_at > _QUIET_S):
            threads = threads_of_faulthandler(text)
            self._have(FAULTHANDLER if threads else KERNEL, threads)

    def _have(self, source: str, threads: tuple[Thread, ...]) -> None:
        in_order = tuple(sorted(threads, key=lambda thread: not thread.is_main))
        self.stacks = Stacks(process=self._process, source=source, threads=in_order, kernel=self._kernel)


def wait_for(requests: Iterable[StackRequest]) -> list[Stacks]:
    """Wait until all are answered, a second or so at most; return the answers, in the same order."""
    asked = list(requests)
    open_ones = asked
    while open_ones := [one for one in open_ones if not one.poll(time.monotonic())]:
        time.sleep(0.005)
    for one in asked:
        one.close()
    return [one.stacks for one in asked if one.stacks is not None]


def spy_program() -> Path | None:
    """Return the program ``py-spy``: what a variable names, else the one beside our Python or on the path."""
    named = os.environ.get("GRISTMILL_PY_SPY")
    if named is not None:
        return Path(named) if os.access(named, os.X_OK) else None
    beside = Path(sys.executable).with_name(PY_SPY)
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(PY_SPY)
    return Path(found) if found else None


def needs_permission() -> bool:
    """Say whether the kernel lets only ancestors look into a process that has not said otherwise (Yama)."""
    try:
        return _PTRACE_SCOPE.read_text().strip() == "1" and os.geteuid() != 0
    except OSError:
        return False


def _writes_to(process: int, answers: Path) -> bool:
    """Say whether the descriptor that a process had for its answers is still that file."""
    try:
        with answers.open("rb") as file:
            number = int(file.readline(20))
        return os.path.samefile(f"/proc/{process}/fd/{number}", answers)
    except (OSError, ValueError):
        return False


def _read_from(path: Path, offset: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(_LARGEST_ANSWER).decode("utf-8", "backslashreplace")
    except OSError:
        return ""
