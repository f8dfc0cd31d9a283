"""What tells a home from all others: a name that is made up once and stays with it.

A path does not: on two machines that share a catalog homes often have the same one, and a home may be moved.
"""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path

from gristmill.errors import HomeError, in_words
from gristmill.settings import Home

_NAME = "id"
#: What file systems answer that have no hard links.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK)


def identity_of(home: Home) -> str:
    """Return the name of a home; it is made where there is none, by one of all who ask at once.

    Raises
    ------
    HomeError
        The home cannot be written, or its name cannot be read.
    """
    path = home.path / _NAME
    try:
        return _read(path) or _made(path)
    except OSError as error:
        raise HomeError(
            f"the home {home.path} cannot be used: {in_words(error)}, in {path}; give yourself access, or "
            "set GRISTMILL_HOME to a folder that you can write"
        ) from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return ""


def _made(path: Path) -> str:
    """Make up a name; of all who do so at once, one is heard."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{_NAME}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        temporary.write_text(f"{uuid.uuid4().hex}\n", encoding="ascii")
        os.link(temporary, path)
    except FileExistsError:
        if not _read(path):  # the disk was full when it was made, or somebody emptied it
            os.rename(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return _read(path)
