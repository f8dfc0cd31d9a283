"""The key of an environment: a digest of everything that decides what is in it.

Two files that list the same things have the same key, whatever their comments, order and names. What is
named on this machine (a wheel, a package's folder, constraints) counts by its content.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from gristmill.spec.packages import Line, Packages

SCHEMA = 1
"""Changes whenever the same list is built in another way."""
LENGTH = 16
_LARGEST_READ_BYTES = 200_000_000
_ORDERED = ("--index-url", "--extra-index-url", "--find-links")
_LOCAL = re.compile(r"(?:^|\s)(?:file://)?(/[^\s;\[\]#]+)")
_SKIPPED = {"__pycache__", ".git", ".venv", ".tox", "node_modules"}


def key_of(packages: Packages, builder: str, constraints: Sequence[Path]) -> str:
    """Return the key of an environment.

    Parameters
    ----------
    packages
        What it is to hold, without what is left out.
    builder
        The kind of builder: ``venv`` or ``conda``.
    constraints
        Files that limit versions on this machine.

    Returns
    -------
    str
        `LENGTH` hexadecimal digits; equal for lists that mean the same, on machines of the same kind.
    """
    return _digest(packages, builder, constraints)[:LENGTH]


def _digest(packages: Packages, builder: str, constraints: Sequence[Path]) -> str:
    options = [line.text for line in packages.pip if line.text.startswith(_ORDERED)]
    rest = [line for line in packages.pip if not line.text.startswith(_ORDERED)]
    content = {
        "schema": SCHEMA,
        "builder": builder,
        "platform": [platform.system(), platform.machine()],
        "channels": packages.channels if builder == "conda" else (),
        "conda": sorted({_normal(line.text) for line in packages.conda}),
        "pip": sorted({_normal(line.text) for line in rest}),
        "places": options,
        "strict": packages.strict_python,
        "local": [state for line in packages.pip for state in _local(line)],
        "constraints": [_content(path) for path in constraints],
    }
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _normal(text: str) -> str:
    """Write a requirement in one way only: no spaces that mean nothing, its name in lower case."""
    if text.startswith(("-", "/")):
        return " ".join(text.split())
    found = re.match(r"[A-Za-z0-9._:/-]+", text)
    name = found[0] if found else ""
    head = re.sub(r"[-_.]+", "-", name).lower() if "/" not in name and "::" not in name else name
    requirement, semicolon, marker = text[len(name) :].partition(";")
    spaceless = requirement if "@" in requirement or "--" in requirement else "".join(requirement.split())
    return f"{head}{spaceless}{semicolon}{' '.join(marker.split())}"


def _local(line: Line) -> Iterator[str]:
    """Yield what the files and folders look like that a line names on this machine."""
    if line.text.startswith("--find-links"):
        return  # a folder of packages is a place to look, as a registry is
    for found in _LOCAL.finditer(line.text):
        path = Path(found[1])
        if path.exists():
            yield _content(path)


def _content(path: Path) -> str:
    try:
        if path.is_dir():
            return sha256("\n".join(sorted(_below(path))).encode("utf-8", "surrogateescape")).hexdigest()
        if path.stat().st_size > _LARGEST_READ_BYTES:
            return _looks(path)
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "cannot be read"


def _below(folder: Path) -> Iterator[str]:
    for top, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.endswith(".egg-info")]
        for name in files:
            yield f"{os.path.relpath(top, folder)}/{name} {_looks(Path(top, name))}"


def _looks(path: Path) -> str:
    status = path.lstat()
    return f"{status.st_size}:{status.st_mtime_ns}"
