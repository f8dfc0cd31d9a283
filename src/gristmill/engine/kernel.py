"""What the kernel says about a process, whatever the process itself is able to say.

Everything here is read from ``/proc`` and changes nothing. What cannot be read, because the process is gone
or is not ours, is empty.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

#: A process tree that used more than this share of one core between two looks was computing.
_COMPUTING_SHARE = 0.2
#: Shorter than this, the processor time of the kernel's clock says nothing.
_SHORTEST_S = 0.05
_STATE, _USER_TIME, _SYSTEM_TIME = 0, 11, 12
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Look(NamedTuple):
    """What a process and its children were doing at one moment."""

    at: float
    """On the monotonic clock, in seconds."""
    cpu_s: float
    """Processor time that all of them have used."""
    is_running: bool
    """Whether any of their threads was on a processor, or ready for one."""


def look_at(process: int) -> Look:
    """Look at a process and its children."""
    cpu_s, is_running = 0.0, False
    for one in family(process):
        fields = _stat(f"/proc/{one}/stat")
        if fields:
            cpu_s += (int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])) / _TICKS_PER_S
        is_running |= any(_stat(f"{thread}/stat")[:1] == [b"R"] for thread in _threads(one))
    return Look(time.monotonic(), cpu_s, is_running)


def activity_between(first: Look | None, last: Look) -> str:
    """Say ``computing`` or ``waiting`` of the time between two looks; of none before, of this moment."""
    if first is not None and last.at - first.at >= _SHORTEST_S:
        if (last.cpu_s - first.cpu_s) / (last.at - first.at) > _COMPUTING_SHARE:
            return "computing"
        return "computing" if first.is_running and last.is_running else "waiting"
    return "computing" if last.is_running else "waiting"


def family(process: int) -> list[int]:
    """Return a process and all that descend from it, those that have been adopted by others excepted."""
    found = [process]
    for one in found:  # grows while it is walked
        for thread in _threads(one):
            found += [int(child) for child in _read(f"{thread}/children").split()]
    return found


def parent_of(process: int) -> int:
    """Return the parent of a process; 0 where it is gone."""
    fields = _stat(f"/proc/{process}/stat")
    return int(fields[1]) if len(fields) > 1 else 0


def command_of(process: int) -> list[str]:
    """Return the command line of a process."""
    words = _read(f"/proc/{process}/cmdline").split(b"\0")[:-1]
    return [os.fsdecode(word) for word in words]


def takes_signal(process: int, number: int) -> bool:
    """Say whether a process has a handler for a signal, and a thread that does not block it: anything else
    would be killed by it, or never answer.
    """
    bit = 1 << (number - 1)
    if not _mask(f"/proc/{process}/status", b"SigCgt") & bit:
        return False
    return any(not _mask(f"{thread}/status", b"SigBlk", bit) & bit for thread in _threads(process))


def waiting_for(process: int) -> str:
    """Say what the main thread of a process is waiting for; empty where the kernel does not tell.

    Returns
    -------
    str
        What may stand behind "waiting", as ``for a lock``.
    """
    words = _read(f"/proc/{process}/syscall").split()
    name = _SYSTEM_CALLS.get(os.uname().machine, {}).get(int(words[0])) if _is_call(words) else None
    if name is not None:
        return _in_words(name, _named(process, int(words[1], 16)) if len(words) > 1 else "")
    place = _read(f"/proc/{process}/wchan").decode("ascii", "replace")
    return next((words for part, words in _KERNEL_PLACES if part in place), "")


def state_of(process: int) -> str:
    """Return all that the kernel says of a process, in a line for people: state, system call, place."""
    fields = _stat(f"/proc/{process}/stat")
    if not fields:
        return "it is gone"
    state = fields[_STATE].decode("ascii", "replace")
    threads = len(_threads(process))
    place = _read(f"/proc/{process}/wchan").decode("ascii", "replace")
    words = [f"state {state} ({_STATES.get(state, 'unknown')})", f"{threads} threads" if threads > 1 else ""]
    waiting = waiting_for(process) if state in "SD" else ""
    words += [f"waiting {waiting}" if waiting else "", f"in {place}" if place.strip("0") else ""]
    return ", ".join(filter(None, words))


def _in_words(call: str, target: str) -> str:
    words = _CALLS_IN_WORDS[call]
    return words.replace("{}", target or "a file") if "{}" in words else words


def _named(process: int, descriptor: int) -> str:
    """Say what a descriptor of a process is."""
    try:
        link = os.readlink(f"/proc/{process}/fd/{descriptor}")
    except OSError:
        return ""
    kinds = {"socket:": "a socket", "pipe:": "a pipe", "anon_inode:": "a descriptor"}
    kind = next((words for start, words in kinds.items() if link.startswith(start)), None)
    return kind or (link if link.isprintable() else ascii(link))


def _is_call(words: list[bytes]) -> bool:
    return bool(words) and words[0].isdigit()


def _threads(process: int) -> list[str]:
    folder = f"/proc/{process}/task"
    try:
        return [f"{folder}/{name}" for name in os.listdir(folder)]
    except OSError:
        return []


def _mask(path: str, key: bytes, otherwise: int = 0) -> int:
    for line in _read(path).splitlines():
        name, _, value = line.partition(b":")
        if name == key:
            return int(value, 16)
    return otherwise


def _stat(path: str) -> list[bytes]:
    """Return the fields of a ``stat`` file from the state on."""
    return _read(path).rpartition(b")")[2].split()


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


_STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "in an uninterruptible wait, mostly for a disk or a network file system",
    "T": "stopped by a signal",
    "t": "stopped by a debugger",
    "Z": "dead, and not yet taken note of",
}

_READING, _WRITING = "to read from {}", "to write to {}"
_CALLS_IN_WORDS = {
    "futex": "for a lock",
    "sleep": "in a sleep",
    "read": _READING,
    "write": _WRITING,
    "poll": "for something to be ready (poll or select)",
    "connect": "for a connection",
    "child": "for a child process",
    "file lock": "for a lock on {}",
    "sync": "for a disk to take {}",
    "open": "for a file to open",
    "signal": "for a signal",
}


def _calls(**numbers: Iterable[int]) -> dict[int, str]:
    return {number: name.replace("_", " ") for name, group in numbers.items() for number in group}


#: The system calls in which programs wait, by machine: their numbers differ.
_SYSTEM_CALLS = {
    "x86_64": _calls(
        futex=[202],
        sleep=[35, 230],
        read=[0, 17, 19, 45, 47],
        write=[1, 18, 20, 44, 46],
        poll=[7, 23, 232, 270, 271, 281, 441],
        connect=[42, 43, 288],
        child=[61, 247],
        file_lock=[72, 73],
        sync=[74, 75],
        open=[2, 257],
        signal=[34, 128, 130],
    ),
    "aarch64": _calls(
        futex=[98],
        sleep=[101, 115],
        read=[63, 65, 67, 207, 212],
        write=[64, 66, 68, 206, 211],
        poll=[22, 72, 73, 441],
        connect=[202, 203, 242],
        child=[95, 260],
        file_lock=[25, 32],
        sync=[82, 83],
        open=[56],
        signal=[133, 137],
    ),
}

#: Parts of the names of the kernel's own functions, where the system call is not told.
_KERNEL_PLACES = (
    ("futex", "for a lock"),
    ("nanosleep", "in a sleep"),
    ("pipe_read", "to read from a pipe"),
    ("pipe_write", "to write to a pipe"),
    ("wait_for_partner", "for a file to open"),
    ("do_wait", "for a child process"),
    ("poll", "for something to be ready (poll or select)"),
    ("do_select", "for something to be ready (poll or select)"),
    ("stream_read", "to read from a socket"),
    ("skb", "to read from a socket"),
    ("sk_wait_data", "to read from a socket"),
    ("accept", "for a connection"),
    ("connect", "for a connection"),
    ("flock", "for a lock on a file"),
    ("io_schedule", "for a disk"),
    ("folio_wait", "for a disk"),
    ("wait_on_page", "for a disk"),
    ("nfs", "for a network file system"),
    ("rpc_", "for a network file system"),
    ("fuse", "for a file system of another process (fuse)"),
)
