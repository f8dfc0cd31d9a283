"""What lies below a folder, as code and models are copied and compared: links followed, loops left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from gristmill.errors import RequestError

Identity = tuple[int, int]
"""Device and inode: what a folder is, whatever it is called."""


class Found(NamedTuple):
    """A file or folder below another."""

    relative: str
    """Its path below the folder that was asked for, with forward slashes."""
    path: str
    """Its whole path."""
    status: os.stat_result | None
    """Of what a link points to; None for a link to nothing."""

    @property
    def is_folder(self) -> bool:
        return self.status is not None and stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        return self.status is not None and stat.S_ISREG(self.status.st_mode)


def everything_below(
    folder: str, is_left_out: Callable[[Found], bool] = lambda found: False
) -> Iterator[Found]:
    """Yield everything below a folder, each folder before what is in it, in the order of their names.

    Parameters
    ----------
    folder
        Where to begin.
    is_left_out
        Says what is neither yielded nor, if it is a folder, entered.

    Raises
    ------
    RequestError
        A folder cannot be read; the message names it.
    """
    above: set[Identity | None] = set()
    levels = [_entered(folder, "", above)]
    while levels:
        level = levels[-1]
        name = next(level.names, None)
        if name is None:
            levels.pop()
            above.discard(level.identity)
            continue
        path = os.path.join(level.folder, name)
        found = Found(level.prefix + name, path, _status(path))
        if is_left_out(found) or (found.is_folder and identity_of(path) in above):
            continue  # or it is a link that leads back to where we come from
        yield found
        if found.is_folder:
            levels.append(_entered(path, f"{found.relative}/", above))


def found_at(path: Path) -> Found:
    """Return a file or folder as one finds it below another, by its own name."""
    return Found(path.name, str(path), _status(str(path)))


def identity_of(path: str | os.PathLike[str]) -> Identity | None:
    """Return what a path leads to, None where there is nothing."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class _Level(NamedTuple):
    """A folder that is being gone through: as a list and not as a call, since folders may lie very deep."""

    folder: str
    prefix: str
    identity: Identity | None
    names: Iterator[str]


def _entered(folder: str, prefix: str, above: set[Identity | None]) -> _Level:
    identity = identity_of(folder)
    above.add(identity)
    return _Level(folder, prefix, identity, iter(names_in(folder)))


def names_in(folder: str) -> list[str]:
    """Return the names in a folder, sorted.

    Raises
    ------
    RequestError
        It cannot be read; the message names it.
    """
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise RequestError(
            f"the folder {folder} cannot be read: {error.strerror}; give yourself access to it"
        ) from error


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
