"""Which version an asset gets: the one that holds the same already, else the next whole number.

Whoever names one holds a lock, so that a record can be kept before its row is made. This module must not know
what assets are.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from gristmill.errors import HomeError, in_words
from gristmill.settings import Home


def version_for(
    content: str, visible: Mapping[str, str], orphans: Mapping[str, str], taken: Collection[str]
) -> str:
    """Choose the version of what is registered without one.

    Parameters
    ----------
    content
        Its fingerprint.
    visible
        Fingerprints by version of the rows that are not archived, the newest first.
    orphans
        Fingerprints by version of records without a row: their command was killed before there was one.
    taken
        All versions that there are.

    Returns
    -------
    str
        The newest version that holds the same, else an orphan that does, else one more than the highest
        number that is taken.
    """
    for known in (visible, orphans):
        for version, its_content in known.items():
            if its_content == content:
                return version
    return str(max(map(_number, {*taken, *orphans}), default=0) + 1)


def _number(version: str) -> int:
    """Return the number that a version is; longer ones are names, as for the catalog."""
    is_number = version.isascii() and version.isdigit() and len(version) <= _MOST_DIGITS
    return int(version) if is_number else 0


_MOST_DIGITS = 18


@contextmanager
def naming(home: Home, workspace: str, kind: str) -> Iterator[None]:
    """Hold the lock of one kind of things in one workspace of a home, waiting for it.

    Raises
    ------
    HomeError
        The home cannot be written.
    """
    folder = home.records / workspace / kind
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HomeError(
            f"{folder} cannot be written: {in_words(error)}; give yourself access to it, make room, or set "
            "GRISTMILL_HOME to another folder"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
