"""What a script leaves in its process: a changed folder or locale, handlers of signals, what piles up."""

import io
import locale
import os
import signal
import sys
from typing import Any, Dict, List, NamedTuple, Optional

#: Signals by which a person or a supervisor ends a process.
_ENDING = (signal.SIGINT, signal.SIGTERM)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Usage(NamedTuple):
    """What a process holds at one moment."""

    memory: int
    """Resident, in bytes."""
    descriptors: int
    threads: int
    children: int
    """Child processes, the dead ones that nobody has waited for included."""
    temporary: int
    """Entries in the folder that ``TMPDIR`` names."""


def usage(temporary_folder: str) -> Usage:
    """Count what this process holds now."""
    with open("/proc/self/statm", "rb") as file:
        memory = int(file.read().split()[1]) * _PAGE_BYTES
    return Usage(
        memory,
        len(os.listdir("/proc/self/fd")),
        len(os.listdir("/proc/self/task")),
        _children(),
        _entries(temporary_folder),
    )


def _children() -> int:
    count = 0
    for thread in os.listdir("/proc/self/task"):
        try:
            with open("/proc/self/task/%s/children" % thread, "rb") as file:
                count += len(file.read().split())
        except OSError:
            continue  # the thread has ended, or this kernel does not tell
    return count


def _entries(folder: str) -> int:
    try:
        return len(os.listdir(folder))
    except OSError:
        return 0  # the script removed it


class _WatchedInput(io.FileIO):
    """Standard input that remembers whether somebody read it."""

    was_read = False

    def readinto(self, buffer: Any) -> Optional[int]:
        self.was_read = True
        return super().readinto(buffer)

    def readall(self) -> bytes:
        self.was_read = True
        return super().readall() or b""


class Traces:
    """Compares the process with what it was when the script found it."""

    def __init__(self) -> None:
        self._folder = _folder()
        self._handlers = {number: signal.getsignal(number) for number in _ENDING}
        self._locale = locale.setlocale(locale.LC_ALL)
        self._input = _WatchedInput(0, closefd=False)
        sys.stdin = io.TextIOWrapper(io.BufferedReader(self._input))

    def changes(self) -> Dict[str, Any]:
        """Return what is different now: nothing for a script that leaves the process as it was."""
        found: Dict[str, Any] = {}
        if _folder() != self._folder:
            found["folder"] = _folder()
        replaced: List[str] = [
            number.name for number, before in self._handlers.items() if signal.getsignal(number) is not before
        ]
        if replaced:
            found["signals"] = replaced
        if locale.setlocale(locale.LC_ALL) != self._locale:
            found["locale"] = locale.setlocale(locale.LC_ALL)
        if self._input.was_read:
            found["stdin"] = True
        return found


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "a folder that is gone"
