"""On what was measured: the machine in a few words, and the versions of what ran. No names, no paths."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path

_LOAD_BEFORE = os.getloadavg()[0]  # when the program began, before it made load itself


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a reader needs to know of the machine to judge its figures."""

    cores: int  # that this process may use
    cpu: str  # the model, as the kernel calls it
    memory_bytes: int
    kernel: str
    python: str
    load: float  # processes that wanted to run in the minute before: above 0.5, others were at work


def this_machine() -> Machine:
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release().partition("-")[0],
        python=platform.python_version(),
        load=round(_LOAD_BEFORE, 1),
    )


def cpu_model(cpuinfo: str) -> str:
    """Return the processor's name from the kernel's table; its architecture where it tells none."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name" and value.strip():
            return value.strip()
    return platform.machine()


def versions(*packages: str) -> dict[str, str]:
    """Return the installed versions of packages; those that are not here are left out."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
