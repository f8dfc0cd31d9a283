"""What lies below a folder, as code and models are copied and compared: links followed, loops left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
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
    return _below(folder, "", (), is_left_out)


def identity_of(path: str | os.PathLike[str]) -> Identity | None:
    """Return what a path leads to, None where there is nothing."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _below(
    folder: str, prefix: str, above: tuple[Identity, ...], is_left_out: Callable[[Found], bool]
) -> Iterator[Found]:
    identity = identity_of(folder)
    if identity in above:
        return  # a link that leads back to where we come from
    if identity is not None:
        above = (*above, identity)
    for name in names_in(folder):
        path = os.path.join(folder, name)
        found = Found(prefix + name, path, _status(path))
        if is_left_out(found):
            continue
        yield found
        if found.is_folder:
            yield from _below(path, f"{found.relative}/", above, is_left_out)


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
