"""A child process of ours: spawned, watched by a descriptor, killed with everything it started, reaped."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

_RESET_SIGNALS = [
    number
    for number in signal.valid_signals()
    if number not in (signal.SIGKILL, signal.SIGSTOP) and int(number) < signal.SIGRTMIN
]


def let_children_be_awaited() -> bool:
    """Make sure that the death of a child can be seen, and return whether something was changed for it.

    A process that was started with ``SIGCHLD`` ignored, as some daemons do, has its children taken away.

    Raises
    ------
    OSError
        It is ignored, and only the main thread may change that.
    """
    if signal.getsignal(signal.SIGCHLD) is not signal.SIG_IGN:
        return False
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    except ValueError as error:
        raise OSError(
            "this process ignores SIGCHLD, so the end of a worker cannot be seen, and only its main thread "
            "can change that: call signal.signal(signal.SIGCHLD, signal.SIG_DFL) there first"
        ) from error
    return True


class Process:
    """A spawned process, in a session of its own unless a terminal is to reach it.

    It is spawned by posix_spawn from the thread that owns the engine, and its death is seen by a process
    descriptor: the end of a pipe says nothing, since a forked child may keep it open.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        descriptors: Mapping[int, int],
        *,
        own_session: bool = True,
    ) -> None:
        """Spawn ``command``.

        Parameters
        ----------
        command
            Program and arguments; the program is a path.
        environment
            The whole environment of the child.
        descriptors
            Number in the child → descriptor of ours; everything else is closed in the child, but for our
            standard streams.
        own_session
            Whether it gets a session of its own, and so no terminal; else it stays in our process group.

        Raises
        ------
        OSError
            The program cannot be executed.
        """
        above = max(descriptors, default=2) + 1
        sources = {n: fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, above) for n, ours in descriptors.items()}
        try:
            self.id = os.posix_spawn(
                command[0],
                list(command),
                dict(environment),
                file_actions=[(os.POSIX_SPAWN_DUP2, source, n) for n, source in sources.items()],
                setsid=own_session,
                setsigmask=[],
                setsigdef=_RESET_SIGNALS,
            )
        finally:
            for source in sources.values():
                os.close(source)
        self._descriptor = os.pidfd_open(self.id)
        self._status: int | None = None

    def fileno(self) -> int:
        """Return the process descriptor: readable once the process is dead."""
        return self._descriptor

    def reap(self) -> int | None:
        """Return the wait status if the process is dead, else None; never waits."""
        if self._status is None:
            found, status = os.waitpid(self.id, os.WNOHANG)
            if found:
                self._status = status
        return self._status

    def wait(self) -> int:
        """Wait for the process to die and return its wait status."""
        if self._status is None:
            _, self._status = os.waitpid(self.id, 0)
        return self._status

    @property
    def was_killed(self) -> bool:
        """Say whether SIGKILL ended it, which may have been the kernel's; waits for its death."""
        status = self.wait()
        return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL

    def kill(self) -> None:
        """Kill the process and its group; a process that is dead already is fine."""
        if self._status is None:
            try:
                os.killpg(self.id, signal.SIGKILL)
            except ProcessLookupError:
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def close(self) -> None:
        """Give the process descriptor back; the process must have been reaped."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def start_guard(run_id: str, python: str, scratch: Path) -> tuple[Process, int]:
    """Start the guard of a run and return it with the pipe's end that keeps it waiting.

    The guard removes ``scratch``, the run's temporary folder, when all is over.
    """
    waiting, held = os.pipe()
    try:
        script = str(Path(__file__).with_name("guard.py"))
        silence = os.open(os.devnull, os.O_WRONLY)
        try:
            process = Process(
                [python, "-I", "-S", script, run_id, str(scratch)],
                {"GRISTMILL_GUARD": run_id},
                {0: waiting, 1: silence, 2: silence},
            )
        finally:
            os.close(silence)
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(waiting)
    return process, held


def exit_in_words(status: int) -> str:
    """Say how a worker died, from its wait status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = "a real-time signal"
        return f"was killed by signal {number} ({name}{_SIGNAL_NOTES.get(number, '')})"
    code = os.WEXITSTATUS(status)
    note = _STATUS_NOTES.get(code, "os._exit, or an exit in native code")
    return f"ended with status {code} ({note})"


_SIGNAL_NOTES: dict[int, str] = {
    signal.SIGKILL: "; if nobody sent it, the machine or its container ran out of memory",
    signal.SIGSEGV: ": a crash in native code",
    signal.SIGABRT: ": native code gave up",
    signal.SIGBUS: ": a memory-mapped file shrank, or the disk is full",
    signal.SIGILL: ": native code was built for another processor",
    signal.SIGFPE: ": a division by zero in native code",
    signal.SIGTERM: ": somebody asked it to end",
}
_STATUS_NOTES = {
    76: "it lost its channel: the script closed file descriptors that are not its own",
}
